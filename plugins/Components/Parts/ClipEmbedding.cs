using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.Components.Parts;

/// <summary>A text to CLIP's vector of it, <c>embedding</c> (D), as <c>get_text_features</c> gives it: projected where the checkpoint has a projection, not normalised.</summary>
internal sealed class ClipEmbedding(ClipTextConfig config, ClipWords words, Func<Network> network) : IGenerate<NamedTensors, NoOptions>
{
    /// <summary>The capability, where the folder has the tokenizer as well; else null.</summary>
    public static ClipEmbedding? Find(string folder, ClipTextConfig config, Func<Network> network) =>
        File.Exists(Path.Combine(folder, "tokenizer.json")) || File.Exists(Path.Combine(folder, "vocab.json")) ? new(config, ClipWords.Open(folder), network) : null;

    public async IAsyncEnumerable<Generation<NamedTensors>> GenerateAsync(Prompt prompt, NoOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        // Configurations whose end token stands as 2 have ids that were never right; attention is causal, so that what follows the end token is not seen.
        var padding = config.EosTokenId == 2 ? 0 : config.PadTokenId ?? 0;
        var ids = words.Encode(prompt.RequireText(), (int)config.MaxPositionEmbeddings, padding);
        var encoder = network();
        var outputs = await encoder.RunAsync(cancel, ("input_ids", Tensor.Create(ids, 1, ids.Length))).ConfigureAwait(false);
        var vector = outputs[encoder.Session.Outputs.Any(output => output.Name == "text_embeds") ? "text_embeds" : "pooler_output"]; // (1, D)
        yield return Generation<NamedTensors>.Final(new(new Dictionary<string, Tensor> { ["embedding"] = vector.Reshape(vector.Length) }), 1);
    }
}
