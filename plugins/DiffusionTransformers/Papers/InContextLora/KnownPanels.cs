using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.Flux;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.InContextLora;

/// <summary>Options of a set of panels.</summary>
public sealed record PanelOptions : FluxOptions
{
    /// <summary>Strength of the adaptation.</summary>
    [Description("Strength of the low-rank adaptation; 0 for FLUX as it is."), Range(-10.0, 10.0)]
    public double LoraScale { get; init; } = 1;

    /// <summary>Panels of the picture.</summary>
    [Description("Panels of the picture, side by side, where a picture is given with the prompt."), Range(1, 16)]
    public int Panels { get; init; } = 2;

    /// <summary>Panels that are given.</summary>
    [Description("Which panels of the given picture stay as they are, from 0, as 0,2; the others are painted.")]
    public int[] Known { get; init; } = [0];
}

/// <summary>Panels of a picture that a run keeps: after each step they are put back with as much noise as there then is, so that they come out as they went in.</summary>
internal static class KnownPanels
{
    private const string Known = "known";

    /// <summary>Adds the latent of the prompt's picture to the conditions, where there is one.</summary>
    /// <exception cref="MediaException">The picture is of another size.</exception>
    public static async Task EncodeAsync(FluxEncoders encoders, TextRun<PanelOptions> run, string text, bool avoided, Conditions conditions, CancellationToken cancel)
    {
        if (run.Prompt.Media.OfType<Image>().FirstOrDefault() is not { } picture) return;
        var (height, width) = (run.Height * run.Decoder.Downsampling, run.Width * run.Decoder.Downsampling);
        if ((picture.Channels, picture.Height, picture.Width) != (3, height, width))
            throw new MediaException(ErrorCodes.MediaUnsupported, "The given panels have another size than the picture.") { Expected = $"3 x {height} x {width}", Found = $"{picture.Channels} x {picture.Height} x {picture.Width}", Remedy = "Say which with --option height=.. and --option width=.." };
        conditions[Known] = avoided ? Tensor.Zeros<float>([1, .. run.Noise.Shape[1..]]) : await run.Decoder.EncodeAsync(picture.Pixels.Reshape(1, 3, height, width), cancel).ConfigureAwait(false);
    }

    /// <summary>What keeps the panels.</summary>
    public static Action<Tensor<float>, int, Conditions> Keep(TextRun<PanelOptions> run) => (sample, done, conditions) =>
    {
        if (!conditions.TryGetValue(Known, out var known)) return;
        var noised = InContextLoraModel.Noised(Batch.Range(known, 0, run.Count), run.Noise, run.Scheduler.Sigmas[done]);
        foreach (var panel in run.Options.Known)
        {
            var (from, to) = (panel * run.Width / run.Options.Panels, (panel + 1) * run.Width / run.Options.Panels);
            for (var row = 0; from >= 0 && to <= run.Width && row < sample.Length / run.Width; row++)
                noised.Span[(row * run.Width + from)..(row * run.Width + to)].CopyTo(sample.Span[(row * run.Width + from)..]);
        }
    };
}
