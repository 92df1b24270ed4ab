using ModelZoo.Contracts;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

namespace ModelZoo.Plugins.DiffusionTransformers.UNet;

/// <summary>Further inputs of a U-Net for a batch of so many rows at a timestep.</summary>
internal delegate (string Name, Tensor Tensor)[] UNetFurther(int batch, float timestep);

/// <summary>The published pipelines around the U-Net: Stable Diffusion 1 and 2 read texts by one CLIP, XL by two, and XL is told sizes.</summary>
internal static class StableDiffusion
{
    /// <summary>Name of the text's tokens in the conditions: (B, N, D).</summary>
    public const string Text = "encoder_hidden_states";

    /// <summary>The pipeline over a folder with the model's own U-Net; null when it has no text encoder.</summary>
    /// <param name="pipeline">The folder.</param>
    /// <param name="unet">The U-Net.</param>
    /// <param name="further">Begins a run: further inputs of the U-Net.</param>
    public static TextPipeline<TOptions>? Of<TOptions>(PipelineFolder pipeline, UNet unet, Func<TextRun<TOptions>, UNetFurther>? further = null) where TOptions : TextOptions, new() =>
        Over<TOptions>(pipeline, unet.Config, run => Denoiser(unet, further?.Invoke(run)));

    /// <summary>The pipeline over a folder with a U-Net that is built for each run.</summary>
    public static TextPipeline<TOptions>? Of<TOptions>(PipelineFolder pipeline, UNetConfig config, Func<TextRun<TOptions>, (UNet UNet, UNetFurther? Further)> build) where TOptions : TextOptions, new() => Over<TOptions>(pipeline, config, run =>
    {
        var (unet, further) = build(run);
        return Denoiser(unet, further) with { Owned = unet };
    });

    /// <summary>The pipeline over a folder with a denoiser of any kind.</summary>
    /// <param name="pipeline">The folder.</param>
    /// <param name="config">The U-Net's configuration.</param>
    /// <param name="begin">The denoiser of a run.</param>
    /// <param name="words">The states of a text's tokens where they are not the encoder's own; true for what is avoided. One encoder only.</param>
    public static TextPipeline<TOptions>? Over<TOptions>(PipelineFolder pipeline, UNetConfig config, Func<TextRun<TOptions>, Denoiser> begin, Func<ClipPrompts, TextRun<TOptions>, string, bool, CancellationToken, Task<Tensor<float>>>? words = null) where TOptions : TextOptions, new()
    {
        if (ClipPrompts.Open(pipeline) is not { } first) return null;
        var sdxl = UNetInputs.IsSdxl(config);
        var second = !sdxl ? null : ClipPrompts.Open(pipeline, "_2") ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "Stable Diffusion XL reads texts by two CLIPs.") { Where = pipeline.Root, Expected = "text_encoder_2, tokenizer_2" };
        return new(config.OutChannels, config.Extent, PatchSize: 1, IsFlow: false)
        {
            Steps = 50,
            Guidance = sdxl ? 5 : 7.5,
            Encode = async (run, text, avoided, cancel) => second is not null
                ? Sized(await EncodeAsync(first, second, text, pipeline.Flag("force_zeros_for_empty_prompt", true) && avoided && text.Length == 0, cancel).ConfigureAwait(false), run)
                : new() { [Text] = words is null ? (await first.EncodeAsync(text, cancel).ConfigureAwait(false)).Last : await words(first, run, text, avoided, cancel).ConfigureAwait(false) },
            Begin = begin,
            Parts = second is null ? [first] : [first, second],
        };
    }

    /// <summary>A U-Net as the denoiser of a run.</summary>
    public static Denoiser Denoiser(UNet unet, UNetFurther? further = null) => new(async (x, timestep, texts, cancel) =>
    {
        var added = UNetInputs.IsSdxl(unet.Config) ? new AddedConditions(texts[UNetInputs.PooledName], texts[UNetInputs.SizesName]) : null;
        return (await unet.RunAsync(x, Batch.Filled(1, timestep), texts[Text], added, cancel, further?.Invoke((int)x.Shape[0], timestep) ?? []).ConfigureAwait(false))["noise"];
    });

    private static async Task<Conditions> EncodeAsync(ClipPrompts first, ClipPrompts second, string text, bool nothing, CancellationToken cancel)
    {
        var (a, b) = (await first.EncodeAsync(text, cancel).ConfigureAwait(false), await second.EncodeAsync(text, cancel).ConfigureAwait(false));
        var (words, pooled) = (Columns.Join(a.Penultimate, b.Penultimate), b.Projected ?? b.Pooled);
        // XL was trained without text where nothing is avoided, not with an empty one.
        return nothing ? new() { [Text] = Tensor.Zeros<float>(words.Shape), [UNetInputs.PooledName] = Tensor.Zeros<float>(pooled.Shape) } : new() { [Text] = words, [UNetInputs.PooledName] = pooled };
    }

    // Original size, corner of the crop, and size, in pixels.
    private static Conditions Sized<TOptions>(Conditions conditions, TextRun<TOptions> run) where TOptions : TextOptions
    {
        var (height, width) = (run.Height * run.Decoder.Downsampling, run.Width * run.Decoder.Downsampling);
        conditions[UNetInputs.SizesName] = Tensor.Create<float>([height, width, 0, 0, height, width], 1, 6);
        return conditions;
    }
}
