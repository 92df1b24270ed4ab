using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The decoder of TiTok and TA-TiTok, from the folder <c>tokenizer</c> beside a generator's weights: the published files of an image tokenizer.</summary>
internal sealed class TiTokPictures : IPictureDecoder
{
    private readonly Checkpoint _checkpoint;
    private readonly Network _network;
    private readonly TiTokSizes _sizes;
    private readonly bool _readsWords;

    private TiTokPictures(ModelSource source, string folder, bool readsWords)
    {
        var config = TiTokConfig.Read(folder);
        (_sizes, _readsWords) = (readsWords ? config.VqModel with { IsLegacy = false, FinetuneDecoder = false } : config.VqModel, readsWords);
        _checkpoint = Checkpoint.Open(folder);
        try
        {
            _network = Network.Build(NetworkContext.Of(source, _checkpoint) with { Stages = false }, "tokenizer", titok => titok.Graph.Output("pixels", Pixels(titok, config.Preprocessing.CropSize).Clip(0, 1)));
        }
        catch
        {
            _checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>The tokenizer of a model's folder, or null when there is none.</summary>
    /// <param name="source">The generator's.</param>
    /// <param name="readsWords">True for TA-TiTok, whose decoder reads the caption too.</param>
    public static TiTokPictures? Find(ModelSource source, bool readsWords = false) =>
        Path.Combine(source.RequireFolder(), "tokenizer") is var folder && File.Exists(Path.Combine(folder, "config.json")) ? new(source, folder, readsWords) : null;

    /// <inheritdoc/>
    public Task<Tensor<float>> DecodeAsync(Tensor samples, CancellationToken cancel) => DecodeAsync(samples, null, cancel);

    /// <summary>The same, told a caption (B, words, D).</summary>
    public async Task<Tensor<float>> DecodeAsync(Tensor samples, Tensor<float>? words, CancellationToken cancel)
    {
        var tokens = samples is Tensor<long> ? samples.Reshape(samples.Shape[0], 1, samples.Shape[1]) : samples;
        (string, Tensor)[] inputs = [("tokens", tokens)];
        if (_readsWords) inputs = [.. inputs, ("text_guidance", words ?? Tensor.Zeros<float>(samples.Shape[0], _sizes.TextContextLength, _sizes.TextEmbedDim))];
        return (await _network.RunAsync(cancel, inputs).ConfigureAwait(false))["pixels"];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        _checkpoint.Dispose();
    }

    private Value Pixels(Scope titok, int size)
    {
        var z = TiTokNetwork.TokenInput(titok, _sizes);
        return TiTokNetwork.Paint(titok, TiTokNetwork.Decode(titok, z, _sizes, size, _readsWords ? TiTokNetwork.Caption(titok, z.Shape[0], _sizes) : null), _sizes, size);
    }
}
