using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

/// <summary>What a CLIP text encoder says of a text.</summary>
/// <param name="Last">States of its tokens after the final norm: (1, N, D).</param>
/// <param name="Penultimate">States of the last layer but one: (1, N, D).</param>
/// <param name="Pooled">The state of the end token: (1, D).</param>
/// <param name="Projected">The same in the space of pictures, (1, P); null where the encoder has no projection.</param>
internal sealed record ClipFeatures(Tensor<float> Last, Tensor<float> Penultimate, Tensor<float> Pooled, Tensor<float>? Projected);

/// <summary>A CLIP text encoder of a published pipeline: <c>text_encoder</c> and <c>tokenizer</c>, or those of a number.</summary>
internal sealed class ClipPrompts : IDisposable
{
    private readonly Checkpoint _checkpoint;
    private readonly Network _network;
    private readonly long _padding;
    private readonly bool _projects;

    private ClipPrompts(ModelSource source, string folder, string tokenizer)
    {
        Config = PublishedConfig.Read<ClipTextConfig>(folder).Value;
        Words = ClipWords.Open(tokenizer);
        _padding = Padding(tokenizer, Words);
        _checkpoint = Checkpoint.Open(folder);
        _projects = _checkpoint.Tensors.Any(tensor => tensor.Name == "text_projection.weight");
        Context = NetworkContext.Of(source, Names.Apply(_checkpoint)) with { Stages = false };
        _network = Network.Build(Context, "clip text", clip =>
        {
            var text = ClipText.Encode(clip, clip.Graph.Input("ids", ElementType.Int64, [Dim.Symbol("batch"), Config.MaxPositionEmbeddings]), Config);
            clip.Graph.Output("last", text.LastHiddenState);
            clip.Graph.Output("penultimate", text.Penultimate);
            clip.Graph.Output("pooled", text.Pooled);
            if (_projects) clip.Graph.Output("projected", ClipText.Project(clip, text.Pooled, Config.ProjectionDim));
        });
    }

    /// <summary>transformers 5 writes an encoder without its outer name.</summary>
    public static KeyMap Names { get; } = new(("^(embeddings|encoder|final_layer_norm)\\.", "text_model.$1."));

    /// <summary>The published configuration.</summary>
    public ClipTextConfig Config { get; }

    /// <summary>Words to ids.</summary>
    public ClipWords Words { get; }

    /// <summary>The weights, for networks that change the encoder.</summary>
    public NetworkContext Context { get; }

    /// <summary>Opens an encoder of a pipeline.</summary>
    /// <param name="pipeline">The pipeline.</param>
    /// <param name="suffix">What stands behind the names of its parts, such as <c>_2</c>.</param>
    /// <exception cref="CheckpointException">A file is missing or broken.</exception>
    public static ClipPrompts? Open(PipelineFolder pipeline, string suffix = "")
    {
        if (pipeline.Find("text_encoder" + suffix) is not { } folder) return null;
        return new(pipeline.Source, folder, pipeline.Find("tokenizer" + suffix) ?? folder);
    }

    /// <summary>The ids of a text, framed and filled to the encoder's length.</summary>
    public Tensor<long> Ids(string text)
    {
        var length = (int)Config.MaxPositionEmbeddings;
        return Tensor.Create(Words.Encode(text, length, _padding), 1, length);
    }

    /// <summary>Encodes a text.</summary>
    public async Task<ClipFeatures> EncodeAsync(string text, CancellationToken cancel)
    {
        var outputs = await _network.RunAsync(cancel, ("ids", Ids(text))).ConfigureAwait(false);
        return new(outputs["last"], outputs["penultimate"], outputs["pooled"], _projects ? outputs["projected"] : null);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        _checkpoint.Dispose();
    }

    // Stable Diffusion 1 fills with the end token, later ones with "!": the tokenizer's files say so.
    private static long Padding(string folder, ClipWords words)
    {
        foreach (var file in (string[])["special_tokens_map.json", "tokenizer_config.json"])
        {
            if (!File.Exists(Path.Combine(folder, file))) continue;
            var token = PublishedConfig.ReadJson(Path.Combine(folder, file))["pad_token"];
            if ((token is JsonObject described ? described["content"] : token) is JsonValue text && words.Find(text.GetValue<string>()) is { } id) return id;
        }

        return words.Find(ClipWords.End) ?? 0;
    }
}
