using System.ComponentModel;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.CoCoIns;

/// <summary>Options of pictures with subjects that come back.</summary>
public sealed record SubjectOptions : TextOptions
{
    /// <summary>Nouns of subjects.</summary>
    [Description("Nouns of the prompt whose subjects have a code, as man,dog; none for Stable Diffusion as it is.")]
    public string[] Subjects { get; init; } = [];

    /// <summary>Codes.</summary>
    [Description("A number for each subject: the same number is the same subject in every prompt and for every seed; 0, 1, .. when left out.")]
    public int[] Codes { get; init; } = [];
}

/// <summary>Stable Diffusion whose prompts have a pseudo-word before each subject's noun.</summary>
internal static class CoCoInsPipeline
{
    /// <summary>The generator over a folder.</summary>
    /// <exception cref="CheckpointException">The pipeline is one with two text encoders.</exception>
    public static TextGenerator<SubjectOptions>? Open(PipelineFolder pipeline, CoCoInsCalls calls, UNet.UNet unet)
    {
        if (UNetInputs.IsSdxl(unet.Config)) throw new CheckpointException(ErrorCodes.ConfigInvalid, "Pseudo-words go into one text encoder.") { Where = "unet", Expected = "Stable Diffusion 1 or 2", Found = "Stable Diffusion XL" };
        return StableDiffusion.Over<SubjectOptions>(pipeline, unet.Config, _ => StableDiffusion.Denoiser(unet), async (clip, run, text, avoided, cancel) =>
        {
            var subjects = avoided ? [] : run.Options.Subjects;
            return subjects.Length == 0 ? (await clip.EncodeAsync(text, cancel).ConfigureAwait(false)).Last : await EncodeAsync(calls, clip, text, run.Options, cancel).ConfigureAwait(false);
        })?.Open(pipeline);
    }

    private static Task<Tensor<float>> EncodeAsync(CoCoInsCalls calls, ClipPrompts clip, string text, SubjectOptions options, CancellationToken cancel)
    {
        var (subjects, chosen) = (options.Subjects, options.Codes);
        if (chosen.Length > 0 && chosen.Length != subjects.Length) throw new OptionsException(ErrorCodes.OptionRange, "Every subject has one code.") { Where = "codes", Expected = $"{subjects.Length}", Found = $"{chosen.Length}" };
        var codes = Tensor.Zeros<float>(1, subjects.Length, calls.CodeLength);
        // A stream apart from those of pictures.
        for (var i = 0; i < subjects.Length; i++) Philox.Of((ulong)(chosen.Length > 0 ? chosen[i] : i), 0, draw: int.MaxValue).FillNormal(codes.Slice(0).Slice(i).Span);
        long[] places = [.. subjects.Select(subject => (long)PromptWords.Places(clip.Words, text, subject, "subjects")[0])];
        return calls.EncodeAsync(clip.Ids(text), codes, Tensor.Create(places, 1, places.Length), cancel);
    }
}
