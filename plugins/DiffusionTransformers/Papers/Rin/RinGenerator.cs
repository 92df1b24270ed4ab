using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Rin;

/// <summary>Options of RIN's sampler, in the words of the published configuration.</summary>
public sealed record RinOptions : ModelOptions
{
    /// <summary>Steps.</summary>
    [Description("Steps of the sampler."), Range(1, 4096)]
    public int Steps { get; init; } = 100;

    /// <summary>Guidance.</summary>
    [Description("How strongly the class is followed: classifier-free guidance, 1 for none."), Range(0.0, 100.0)]
    public double Guidance { get; init; } = 1;

    /// <summary>The sampler.</summary>
    [Description("How noise becomes a picture."), AllowedValues("ddpm", "ddpm@small", "ddim")]
    public string Method { get; init; } = "ddpm";

    /// <summary>Share of the data over time.</summary>
    [Description("Share of the data in the noised picture over time, as the published infer_schedule writes it.")]
    public string Schedule { get; init; } = "cosine";

    /// <summary>What the network predicts.</summary>
    [Description("What the weights were trained to predict."), AllowedValues("eps", "x", "v")]
    public string Prediction { get; init; } = "eps";

    /// <summary>Pictures.</summary>
    [Description("Number of pictures, shown as a grid."), Range(1, 256)]
    public int Count { get; init; } = 1;

    /// <summary>Steps between partial pictures.</summary>
    [Description("Steps between partial pictures of what is seen so far; 0 for none."), Range(0, 1000)]
    public int PreviewEvery { get; init; } = 5;
}

/// <summary>Class, or nothing, to pictures of pixels.</summary>
internal sealed class RinGenerator(RinSampler sampler, RinConfig config, int classes, ClassNames names) : IGenerate<Image, RinOptions>
{
    // Pixels are held to their range, -1..1, at each step.
    private const string Range = "-1,1";

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Image>> GenerateAsync(Prompt prompt, RinOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var asked = classes > 0 ? names.Parse(prompt.RequireText()) : [0];
        var count = Math.Max(options.Count, asked.Length);
        var x = Tensor.Zeros<float>(count, config.ImageChannels, config.ImageHeight, config.ImageWidth);
        for (var i = 0; i < count; i++) Philox.Of(seed, i, draw: 0).FillNormal(x.Slice(i).Span);
        var condition = classes > 0 ? Tensor.Zeros<float>(count, classes) : null;
        for (var i = 0; condition is not null && i < count; i++) condition[i, asked[i % asked.Length]] = 1;
        var run = new RinRun(options.Steps, (float)options.Guidance - 1, 0, GammaSchedule.Parse(options.Schedule), new(options.Prediction, Range, options.Method));
        var (noise, step) = (new PhiloxNoise(seed, count), 0);
        await foreach (var (data, _) in sampler.RunAsync(x, condition, run, _ => Draw(noise, x), cancel).ConfigureAwait(false))
        {
            if (++step == options.Steps) yield return Generation<Image>.Final(Show(data), options.Steps);
            else yield return Generation<Image>.Progress(step, options.Steps, options.PreviewEvery > 0 && step % options.PreviewEvery == 0 ? Show(data) : null);
        }
    }

    private static Tensor<float> Draw(PhiloxNoise noise, Tensor<float> like)
    {
        var draw = Tensor.Zeros<float>(like.Shape);
        noise.Fill(draw.Span);
        return draw;
    }

    private static Image Show(Tensor<float> data) => PictureGrid.Of(PixelDecoder.ToUnit(data));
}
