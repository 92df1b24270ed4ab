using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.Motion;

/// <summary>A caption as the generators take it.</summary>
/// <param name="Sentence">The projected end token, not normalised: (1, D).</param>
/// <param name="Words">The last hidden state after the final norm: (1, words, D').</param>
internal sealed record CaptionFeatures(Tensor<float> Sentence, Tensor<float> Words);

/// <summary>The CLIP text encoder that text-to-motion models are trained with: the folder <c>clip</c> beside the weights, in transformers' layout.</summary>
internal sealed class TextTower : IDisposable
{
    private readonly ClipTextConfig _config;
    private readonly ClipWords _words;
    private readonly Checkpoint _checkpoint;
    private readonly Network _network;

    private TextTower(ClipTextConfig config, ClipWords words, Checkpoint checkpoint, Network network) => (_config, _words, _checkpoint, _network) = (config, words, checkpoint, network);

    /// <summary>The tower of a model's folder.</summary>
    /// <exception cref="CheckpointException">There is none.</exception>
    public static TextTower Open(ModelSource source)
    {
        var folder = Path.Combine(source.RequireFolder(), "clip");
        if (!Directory.Exists(folder))
            throw new CheckpointException(ErrorCodes.CheckpointMissing, "Generating from words needs the CLIP text encoder.") { Where = folder, Expected = "config.json, model.safetensors, tokenizer.json", Remedy = "Put openai/clip-vit-base-patch32 there, or what the model was trained with." };
        var config = PublishedConfig.Read<ClipTextConfig>(folder, PublishedConfig.ReadJson(folder).ContainsKey("text_config") ? "text_config" : null).Value;
        var words = ClipWords.Open(folder);
        var checkpoint = Checkpoint.Open(folder);
        var network = Network.Build(NetworkContext.Of(source, checkpoint), "clip text", clip =>
        {
            var ids = clip.Graph.Input("ids", ElementType.Int64, [Dim.Symbol("batch"), config.MaxPositionEmbeddings]);
            var text = ClipText.Encode(clip, ids, config);
            clip.Graph.Output("words", text.LastHiddenState);
            clip.Graph.Output("sentence", ClipText.Project(clip, text.Pooled, config.ProjectionDim));
        }, independentRows: true);
        return new(config, words, checkpoint, network);
    }

    /// <summary>Features of a caption.</summary>
    public async Task<CaptionFeatures> EncodeAsync(string caption, CancellationToken cancel)
    {
        // The authors fill with zeros; configurations whose end token stands as 2 are theirs, with ids that were never right.
        var padding = _config.EosTokenId == 2 ? 0 : _config.PadTokenId ?? 0;
        var ids = _words.Encode(caption, (int)_config.MaxPositionEmbeddings, padding);
        var outputs = await _network.RunAsync(cancel, ("ids", Tensor.Create(ids, 1, ids.Length))).ConfigureAwait(false);
        return new(outputs["sentence"], outputs["words"]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        _checkpoint.Dispose();
    }
}
