using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>
/// The frozen text encoder whose features guide a tokenizer: a folder beside the tokenizer's weights, in transformers' layout. Without a caption it reads the empty text; where the folder is not there, features are zero then, and a caption is an error.
/// </summary>
internal sealed class CaptionReader : IDisposable
{
    private readonly Companion _encoder;
    private readonly Lazy<Func<string, long[]>> _ids;
    private readonly Tensor<float> _nothing;

    private CaptionReader(Companion encoder, Func<Func<string, long[]>> ids, Tensor<float> nothing) => (_encoder, _ids, _nothing) = (encoder, new(ids), nothing);

    /// <summary>True when the encoder's folder is there.</summary>
    public bool Exists => _encoder.Exists;

    /// <summary>CLIP's text encoder in the folder <c>clip</c>: its last hidden state after the final norm, (1, <paramref name="words"/>, <paramref name="width"/>). Texts are filled with zeros, as open_clip does.</summary>
    public static CaptionReader Clip(ModelSource source, int words, int width)
    {
        var folder = Path.Combine(source.RequireFolder(), "clip");
        return new(
            new(source, "the CLIP text encoder", "clip", "openai/clip-vit-large-patch14-336, or what the model was trained with: config.json, model.safetensors, tokenizer.json", path =>
            {
                var config = PublishedConfig.Read<ClipTextConfig>(path, PublishedConfig.ReadJson(path).ContainsKey("text_config") ? "text_config" : null).Value;
                if (config.HiddenSize != width || config.MaxPositionEmbeddings < words) throw Foreign(path, $"width {width}, {words} words", $"width {config.HiddenSize}, {config.MaxPositionEmbeddings} words");
                return clip => clip.Graph.Output("features", ClipText.Encode(clip, clip.Graph.Input("ids", ElementType.Int64, [1, words]), config).LastHiddenState);
            }),
            () =>
            {
                var pieces = ClipWords.Open(folder);
                return caption => pieces.Encode(caption, words, padding: 0);
            },
            Tensor.Zeros<float>(1, words, width));
    }

    /// <summary>T5's encoder in the folder <c>t5</c>: its last hidden state, (1, N, <paramref name="width"/>) for a text of N tokens with its end, at most <paramref name="words"/> of them.</summary>
    public static CaptionReader T5(ModelSource source, int words, int width)
    {
        var folder = Path.Combine(source.RequireFolder(), "t5");
        return new(
            new(source, "the T5 text encoder", "t5", $"the T5 of width {width} that the model was trained with: config.json, model.safetensors, spiece.model", path =>
            {
                var config = PublishedConfig.Read<T5Config>(path).Value;
                if (config.DModel != width) throw Foreign(path, $"width {width}", $"width {config.DModel}");
                return t5 => t5.Graph.Output("features", T5Encoder.Encode(t5, t5.Graph.Input("ids", ElementType.Int64, [1, Dim.Symbol("words")]), config).LastHiddenState);
            }),
            () =>
            {
                var pieces = SentencePieces.Open(folder);
                return caption => [.. pieces.Encode(caption).Take(words - 1).Select(id => (long)id), pieces.EndId ?? 1];
            },
            Tensor.Zeros<float>(1, words, width));
    }

    /// <summary>Fails when a caption is given that nothing can read.</summary>
    /// <exception cref="CheckpointException">The encoder is not there; the message says what to put where.</exception>
    public void Expect(string? caption)
    {
        if (caption is not null) _encoder.ThrowIfMissing();
    }

    /// <summary>Features of a caption, (1, N, width).</summary>
    public async ValueTask<Tensor<float>> ReadAsync(string? caption, CancellationToken cancel)
    {
        Expect(caption);
        if (!Exists) return _nothing;
        var ids = await Task.Run(() => _ids.Value(caption ?? ""), cancel).ConfigureAwait(false);
        return (await _encoder.RunAsync(cancel, ("ids", Tensor.Create(ids, 1, ids.Length))).ConfigureAwait(false))["features"];
    }

    /// <inheritdoc/>
    public void Dispose() => _encoder.Dispose();

    private static CheckpointException Foreign(string path, string expected, string found) =>
        new(ErrorCodes.ConfigInvalid, "The text encoder is not the one that the tokenizer was trained with.") { Where = path, Expected = expected, Found = found };
}
