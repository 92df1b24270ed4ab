using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.Flux;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.LayerTracer;

/// <summary>Options of a drawing's stages.</summary>
public sealed record StageOptions : FluxOptions
{
    /// <summary>Strength of the adaptation.</summary>
    [Description("Strength of the low-rank adaptation; 0 for FLUX as it is."), Range(-10.0, 10.0)]
    public double LoraScale { get; init; } = 1;

    /// <summary>Panels along each side.</summary>
    [Description("Panels along each side of the picture, which show the stages of a drawing in order; a given picture is the last of them."), Range(1, 8)]
    public int Panels { get; init; } = 3;
}

/// <summary>Words to the stages of a drawing, or a given drawing to the stages before it.</summary>
internal static class PanelPipeline
{
    private const string Reference = "reference";

    // Latents of nine panels of 352 x 352.
    private const int SampleSize = 132;

    /// <summary>The generator over a folder; null when it has no text encoders.</summary>
    public static TextGenerator<StageOptions>? Open(PipelineFolder pipeline, LayerTracerCalls calls, LayerTracerConfig config)
    {
        var flux = new FluxConfig { InChannels = config.InChannels, GuidanceEmbeds = config.GuidanceEmbed };
        var texts = FluxPipeline.Of<StageOptions>(pipeline, flux, run => new((picture, size, time, text, pooled, guidance, conditions, cancel) =>
            calls.PredictAsync(picture, size, time, text, pooled, guidance, conditions[FluxPipeline.Mask], (float)run.Options.LoraScale, cancel)) { Keep = Keep(run) }, EncodeAsync, masked: true);
        return texts is null ? null : (texts with { SampleSize = SampleSize, Steps = 25, Scheduler = Shifted }).Open(pipeline);
    }

    // FLUX.1-dev's.
    private static PublishedScheduler Shifted { get; } = new("""{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0, "use_dynamic_shifting": true, "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096}""", "scheduler_config.json");

    // The given drawing, of a panel's size and in a square, as a latent.
    private static async Task EncodeAsync(FluxEncoders encoders, TextRun<StageOptions> run, string text, bool avoided, Conditions conditions, CancellationToken cancel)
    {
        if (avoided || run.Prompt.Media.OfType<Image>().FirstOrDefault() is not { } drawing) return;
        var panels = run.Options.Panels;
        if (run.Height != run.Width || run.Height % panels != 0) throw new OptionsException(ErrorCodes.OptionRange, "A given drawing goes into a square panel.") { Where = "height", Expected = $"as much as the width, and a multiple of {panels * run.Decoder.Downsampling}", Found = $"{run.Height * run.Decoder.Downsampling} x {run.Width * run.Decoder.Downsampling}" };
        var panel = Pictures.ToSquare(Pictures.ToRgb(drawing.Pixels), run.Height / panels * run.Decoder.Downsampling);
        conditions[Reference] = await run.Decoder.EncodeAsync(panel.Reshape([1, .. panel.Shape]), cancel).ConfigureAwait(false);
    }

    // Before every step the lower right panel is the drawing; what the last step makes of it stays.
    private static Action<Tensor<float>, int, Conditions> Keep(TextRun<StageOptions> run) => (sample, done, conditions) =>
    {
        if (done == run.Scheduler.Timesteps.Length || !conditions.TryGetValue(Reference, out var reference)) return;
        var (side, planes) = ((int)reference.Shape[2], (int)(sample.Shape[0] * sample.Shape[1]));
        for (var row = 0; row < planes * side; row++)
        {
            var place = (row / side * run.Height + run.Height - side + row % side) * run.Width + run.Width - side;
            reference.Span.Slice(row * side, side).CopyTo(sample.Span[place..]);
        }
    };
}
