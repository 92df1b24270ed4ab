using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>D-AR's tokenizer (<c>tokenizer/*.pt</c>, key <c>ema</c>, and its <c>config.yaml</c>) as a decoder. The noise that its diffusion starts from is that of seed 0, a stream for each picture.</summary>
internal sealed class DArPictures : IPictureDecoder
{
    private readonly DArTokenizerConfig _config;
    private readonly Checkpoint _checkpoint;
    private readonly Network _condition, _velocity;

    private DArPictures(ModelSource source, DArTokenizerConfig config, Checkpoint checkpoint)
    {
        (_config, _checkpoint) = (config, checkpoint);
        var context = NetworkContext.Of(source, checkpoint) with { Stages = false };
        _condition = Network.Build(context, "d-ar tokenizer/condition", model => DArTokenizer.Condition(model, config));
        _velocity = Network.Build(context, "d-ar tokenizer/velocity", model => DArTokenizer.Velocity(model["diff_decoder.net"], config));
    }

    /// <summary>The tokenizer beside a generator, or null when there is none.</summary>
    public static DArPictures? Find(ModelSource source)
    {
        var folder = Path.Combine(source.RequireFolder(), "tokenizer");
        if (!Directory.Exists(folder)) return null;
        var config = PublishedConfig.Read<DArTokenizerConfig>(folder, "model").Value;
        var checkpoint = Checkpoint.Open(Path.Combine(folder, PublishedFiles.One(folder, "*.pt")), "ema");
        try
        {
            return new(source, config, checkpoint);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public async Task<Tensor<float>> DecodeAsync(Tensor samples, CancellationToken cancel)
    {
        var condition = (await _condition.RunAsync(cancel, ("code_b", samples)).ConfigureAwait(false))["condition"];
        var noise = Noise.Normal(0, samples.Shape[0], 3, _config.SamplingResolution, _config.SamplingResolution);
        var pixels = await new DArSampler(_config).SampleAsync(
            condition, noise, async (x, t, cond) => (await _velocity.RunAsync(cancel, ("x", x), ("t", t), ("cond", cond)).ConfigureAwait(false))["velocity"], cancel).ConfigureAwait(false);
        foreach (ref var value in pixels.Span) value = Math.Clamp((value + 1) / 2, 0, 1);
        return pixels;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _condition.Dispose();
        _velocity.Dispose();
        _checkpoint.Dispose();
    }
}
