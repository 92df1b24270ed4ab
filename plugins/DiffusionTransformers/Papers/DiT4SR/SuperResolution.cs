using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.SD3;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.DiT4SR;

/// <summary>Options of super-resolution; defaults are those of the authors' scripts.</summary>
public sealed record SuperResolutionOptions : TextOptions
{
    /// <summary>The authors' text of what the picture should not show.</summary>
    public SuperResolutionOptions() =>
        NegativePrompt = "motion blur, noisy, dotted, bokeh, pointed, CG Style, 3D render, unreal engine, blurring, dirty, messy, worst quality, low quality, frames, watermark, signature, jpeg artifacts, deformed, lowres, chaotic";

    /// <summary>Words that follow the prompt.</summary>
    [Description("Words that follow those of the prompt.")]
    public string AddedPrompt { get; init; } = "Cinematic, hyper sharpness, highly detailed, perfect without deformations, camera, hyper detailed photo - realistic maximum detail, 32k, Color Grading, ultra HD, extreme meticulous detailing, skin pore detailing.";

    /// <summary>How much larger the picture gets.</summary>
    [Description("How much larger the picture gets, along each side."), Range(1, 8)]
    public int Upscale { get; init; } = 4;

    /// <summary>The least side to work at, in pixels.</summary>
    [Description("The least height and width to work at, in pixels; smaller pictures are worked at larger and then brought to their size."), Range(16, 4096)]
    public int ProcessSize { get; init; } = 512;

    /// <summary>Height and width of a tile, in places of the latent.</summary>
    [Description("Height and width of the square tiles in which larger pictures are predicted, in places of the latent."), Range(2, 1024)]
    public int TileSize { get; init; } = 64;

    /// <summary>By how much tiles overlap.</summary>
    [Description("By how many places of the latent tiles overlap."), Range(0, 1024)]
    public int TileOverlap { get; init; } = 24;

    /// <summary>How colours are kept.</summary>
    [Description("How the colours of the given picture are kept: adain takes its mean and spread, wavelet its coarse parts.")]
    public ColourFix ColourFix { get; init; } = ColourFix.Adain;
}

/// <summary>The verb around DiT4SR's transformer: a small picture, enlarged and encoded, guides Stable Diffusion 3.</summary>
internal static class SuperResolution
{
    private const string Low = "low_resolution";

    // Pixels per token, which divide the sizes that are worked at.
    private const int Unit = 16;

    /// <summary>The generator over a folder; null when it has no text encoders.</summary>
    public static IGenerate? Open(PipelineFolder pipeline, SD3Config config, TextNetwork network)
    {
        if (SD3Pipeline.Of<SuperResolutionOptions>(pipeline, config, run => new((x, timestep, conditions, cancel) => PredictAsync(network, run, x, timestep, conditions, cancel))) is not { } texts) return null;
        return (texts with
        {
            Steps = 40,
            Guidance = 8,
            Size = (options, prompt) => WorkingSize(Given(prompt), options),
            Encode = async (run, text, avoided, cancel) =>
            {
                var conditions = await texts.Encode(run, avoided ? text : $"{text} {run.Options.AddedPrompt}".Trim(), avoided, cancel).ConfigureAwait(false);
                if (avoided) return conditions;
                var enlarged = Enlarged(run);
                conditions[Low] = await run.Decoder.EncodeAsync(enlarged.Reshape([1, .. enlarged.Shape]), cancel).ConfigureAwait(false);
                return conditions;
            },
            Finish = Finish,
        }).Open(pipeline);
    }

    private static Tensor<float> Given(Prompt prompt) => Pictures.ToRgb(prompt.Require<Image>().Pixels);

    private static (int Height, int Width) WorkingSize(Tensor<float> picture, SuperResolutionOptions options)
    {
        var (height, width, least) = ((int)picture.Shape[1], (int)picture.Shape[2], options.ProcessSize / options.Upscale);
        var scale = Math.Max(1, least / (double)Math.Min(height, width));
        return (Whole((int)(height * scale)), Whole((int)(width * scale)));

        int Whole(int extent) => Math.Max(Unit, extent * options.Upscale / Unit * Unit);
    }

    private static Tensor<float> Enlarged(TextRun<SuperResolutionOptions> run) => Pictures.Resize(Given(run.Prompt), run.Height * run.Decoder.Downsampling, run.Width * run.Decoder.Downsampling);

    // The colours of the given picture, and its size times the factor.
    private static Tensor<float> Finish(TextRun<SuperResolutionOptions> run, Tensor<float> pictures)
    {
        var (given, source, factor) = (Given(run.Prompt), Enlarged(run), run.Options.Upscale);
        var finished = Enumerable.Range(0, run.Count).Select(i => Pictures.Resize(Colours.Fix(run.Options.ColourFix, pictures.Slice(i), source), (int)given.Shape[1] * factor, (int)given.Shape[2] * factor));
        return Batch.Concat([.. finished.Select(picture => picture.Reshape([1, .. picture.Shape]))]);
    }

    // Tile by tile, since the network takes squares; tiles weigh most in their middle.
    private static async Task<Tensor<float>> PredictAsync(TextNetwork network, TextRun<SuperResolutionOptions> run, Tensor<float> x, float timestep, Conditions conditions, CancellationToken cancel)
    {
        var tile = Math.Min(run.Options.TileSize / 2 * 2, Math.Min(run.Height, run.Width));
        var (weights, sum, total) = (Weights(tile), Tensor.Zeros<float>(x.Shape), new float[run.Height * run.Width]);
        foreach (var (top, left) in from top in Starts(run.Height, tile, run.Options.TileOverlap) from left in Starts(run.Width, tile, run.Options.TileOverlap) select (top, left))
        {
            var predicted = await SD3Pipeline.PredictAsync(network, Crop(x, top, left, tile), timestep, conditions, cancel, (DiT4SRNetwork.LowResolution, Crop(conditions[Low], top, left, tile))).ConfigureAwait(false);
            for (var i = 0; i < predicted.Length; i++)
            {
                var (plane, row, column) = (i / (tile * tile), i / tile % tile, i % tile);
                var (place, weight) = ((top + row) * run.Width + left + column, weights[i % (tile * tile)]);
                sum.Span[plane * total.Length + place] += weight * predicted.Span[i];
                if (plane == 0) total[place] += weight;
            }
        }

        for (var i = 0; i < sum.Length; i++) sum.Span[i] /= total[i % total.Length];
        return sum;
    }

    /// <summary>Where tiles begin along a side: evenly, the last at the end.</summary>
    public static IEnumerable<int> Starts(int extent, int tile, int overlap)
    {
        var start = 0;
        for (var step = Math.Max(tile - overlap, 1); start + tile < extent; start += step) yield return start;
        yield return extent - tile;
    }

    // A Gaussian; as published, its middle is half a place lower than it is to the left.
    private static float[] Weights(int tile)
    {
        double At(int place, double middle) => Math.Exp(-(place - middle) * (place - middle) / ((double)tile * tile) / 0.02);
        return [.. Enumerable.Range(0, tile * tile).Select(i => (float)(At(i / tile, tile / 2.0) * At(i % tile, (tile - 1) / 2.0)))];
    }

    private static Tensor<float> Crop(Tensor<float> x, int top, int left, int tile)
    {
        var (planes, height, width) = ((int)(x.Shape[0] * x.Shape[1]), (int)x.Shape[2], (int)x.Shape[3]);
        var crop = Tensor.Zeros<float>(x.Shape[0], x.Shape[1], tile, tile);
        for (var row = 0; row < planes * tile; row++) x.Span.Slice((row / tile * height + top + row % tile) * width + left, tile).CopyTo(crop.Span[(row * tile)..]);
        return crop;
    }
}
