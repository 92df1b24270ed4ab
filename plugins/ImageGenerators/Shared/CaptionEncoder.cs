using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Captions as CLIP reads them.</summary>
/// <param name="Words">The last hidden state but one: (B, words, D).</param>
/// <param name="Pooled">The projected end token, not normalised: (B, 1, P).</param>
internal sealed record CaptionFeatures(Tensor<float> Words, Tensor<float> Pooled)
{
    /// <summary>The last hidden state after the final norm, which guides TA-TiTok's decoder: (B, words, D).</summary>
    public Tensor<float>? Guidance { get; init; }

    /// <summary>One caption as often as there are samples.</summary>
    public CaptionFeatures Repeated(int count) => Words.Shape[0] == count ? this : new(Repeat(Words, count), Repeat(Pooled, count)) { Guidance = Guidance is null ? null : Repeat(Guidance, count) };

    /// <summary>These and others in one batch.</summary>
    public CaptionFeatures Before(CaptionFeatures next) => new(Join(Words, next.Words), Join(Pooled, next.Pooled));

    private static Tensor<float> Repeat(Tensor<float> one, int count)
    {
        var all = Tensor.Zeros<float>([count, .. one.Shape[1..]]);
        for (var i = 0; i < count; i++) one.Slice(i % (int)one.Shape[0]).Span.CopyTo(all.Slice(i).Span);
        return all;
    }

    private static Tensor<float> Join(Tensor<float> a, Tensor<float> b) => Tensor.Create<float>([.. a.Span, .. b.Span], [a.Shape[0] + b.Shape[0], .. a.Shape[1..]]);
}

/// <summary>The CLIP text encoder that text-to-image generators are trained with: the folder <c>clip</c> beside the weights, in transformers' layout.</summary>
internal sealed class CaptionEncoder : IDisposable
{
    private readonly ClipTextConfig _config;
    private readonly ClipWords _words;
    private readonly Checkpoint _checkpoint;
    private readonly Network _network;

    private CaptionEncoder(ClipTextConfig config, ClipWords words, Checkpoint checkpoint, Network network) => (_config, _words, _checkpoint, _network) = (config, words, checkpoint, network);

    /// <summary>The encoder of a model's folder.</summary>
    /// <exception cref="CheckpointException">There is none.</exception>
    public static CaptionEncoder Open(ModelSource source)
    {
        var folder = Path.Combine(source.RequireFolder(), "clip");
        if (!Directory.Exists(folder))
            throw new CheckpointException(ErrorCodes.CheckpointMissing, "Generating from words needs the CLIP text encoder.") { Where = folder, Expected = "config.json, model.safetensors, tokenizer.json", Remedy = "Put openai/clip-vit-large-patch14-336 there, or what the model was trained with." };
        var config = PublishedConfig.Read<ClipTextConfig>(folder, PublishedConfig.ReadJson(folder).ContainsKey("text_config") ? "text_config" : null).Value;
        var words = ClipWords.Open(folder);
        var checkpoint = Checkpoint.Open(folder);
        try
        {
            var network = Network.Build(NetworkContext.Of(source, checkpoint) with { Stages = false }, "clip text", clip =>
            {
                var ids = clip.Graph.Input("ids", ElementType.Int64, [Dim.Symbol("batch"), config.MaxPositionEmbeddings]);
                var text = ClipText.Encode(clip, ids, config);
                clip.Graph.Output("words", text.Penultimate);
                clip.Graph.Output("guidance", text.LastHiddenState);
                clip.Graph.Output("pooled", ClipText.Project(clip, text.Pooled, config.ProjectionDim));
            });
            return new(config, words, checkpoint, network);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>Features of a caption.</summary>
    public async Task<CaptionFeatures> EncodeAsync(string caption, CancellationToken cancel)
    {
        // open_clip fills with zeros.
        var ids = _words.Encode(caption, (int)_config.MaxPositionEmbeddings, padding: 0);
        var outputs = await _network.RunAsync(cancel, ("ids", Tensor.Create(ids, 1, ids.Length))).ConfigureAwait(false);
        return new(outputs["words"], outputs["pooled"].Reshape(1, 1, outputs["pooled"].Length)) { Guidance = outputs["guidance"] };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        _checkpoint.Dispose();
    }
}
