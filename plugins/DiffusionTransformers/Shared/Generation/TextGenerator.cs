using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>Text to pictures: what every text-conditional model of this family does with its encoder, denoiser, scheduler and autoencoder.</summary>
/// <param name="pipeline">What is the paper's.</param>
/// <param name="published">The published scheduler; null where there is none.</param>
/// <param name="decoder">Latents to pictures.</param>
/// <typeparam name="TOptions">The model's options.</typeparam>
internal sealed class TextGenerator<TOptions>(TextPipeline<TOptions> pipeline, PublishedScheduler? published, IPictureDecoder decoder) : IGenerate<Image, TOptions>, IDisposable where TOptions : TextOptions, new()
{
    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Image>> GenerateAsync(Prompt prompt, TOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var scale = pipeline.Scale?.Invoke(options) ?? options.Guidance ?? pipeline.Guidance;
        var run = Run(prompt, options, scale != 1, seed);
        var asked = await pipeline.Encode(run, prompt.Text ?? "", false, cancel).ConfigureAwait(false);
        var avoided = run.Guided ? await pipeline.Encode(run, options.NegativePrompt, true, cancel).ConfigureAwait(false) : null;
        var (conditions, denoiser) = (Conditions.Of(asked, avoided, run.Count), await Task.Run(() => pipeline.Begin(run), cancel).ConfigureAwait(false));
        using var owned = denoiser.Owned;
        var sample = Batch.AddScaled(Tensor.Zeros<float>(run.Noise.Shape), run.Scheduler.InitNoiseSigma, run.Noise);
        denoiser.Keep?.Invoke(sample, 0, conditions);
        await foreach (var state in SchedulerLoop.RunAsync(run.Scheduler, sample, new PhiloxNoise(seed, run.Count), PredictAsync, cancel: cancel).ConfigureAwait(false))
        {
            denoiser.Keep?.Invoke(state.Sample, state.Step, conditions);
            if (state.Step == state.Steps) yield return Generation<Image>.Final(await ShowAsync(state.Sample).ConfigureAwait(false), state.Steps);
            else if (options.PreviewEvery > 0 && state.Step % options.PreviewEvery == 0) yield return Generation<Image>.Progress(state.Step, state.Steps, await ShowAsync(state.Clean).ConfigureAwait(false));
            else yield return Generation<Image>.Progress(state.Step, state.Steps);
        }

        async Task<Tensor<float>> PredictAsync(Tensor<float> x, float timestep)
        {
            var output = await denoiser.Predict(run.Guided ? Batch.Doubled(x) : x, timestep, conditions, cancel).ConfigureAwait(false);
            if (run.Guided) output = Guidance.Combine(output, scale);
            return output.Shape[1] > pipeline.Channels ? Batch.Channels(output, 0, pipeline.Channels) : output;
        }

        async Task<Image> ShowAsync(Tensor<float> latent)
        {
            var pictures = await decoder.DecodeAsync(latent, cancel).ConfigureAwait(false);
            return PictureGrid.Of(pipeline.Finish?.Invoke(run, pictures) ?? pictures);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var part in pipeline.Parts) part.Dispose();
        (decoder as IDisposable)?.Dispose();
    }

    // Every picture has its own stream of noise: alone or in a batch it is the same.
    private TextRun<TOptions> Run(Prompt prompt, TOptions options, bool guided, ulong seed)
    {
        var asked = pipeline.Size?.Invoke(options, prompt);
        var (height, width) = (Extent(options.Height ?? asked?.Height, "height"), Extent(options.Width ?? asked?.Width, "width"));
        var noise = Tensor.Zeros<float>(options.Count, pipeline.Channels, height, width);
        for (var i = 0; i < options.Count; i++) Philox.Of(seed, i, draw: 0).FillNormal(noise.Slice(i).Span);
        return new(options, prompt, guided, NewScheduler(), noise, decoder) { Seed = seed, NewScheduler = NewScheduler };

        IScheduler NewScheduler() => Scheduler(options, height / pipeline.PatchSize * (width / pipeline.PatchSize));
    }

    private IScheduler Scheduler(TOptions options, int tokens)
    {
        var config = options.Scheduler == SchedulerKind.Auto && published is not null ? published.Config
            : pipeline.IsFlow ? SchedulerChoice.Flow(options.Scheduler, FlowShift(tokens))
            : SchedulerChoice.Diffusion(options.Scheduler, learnedVariance: false, published);
        var (scheduler, steps) = (config.Create(), options.Steps ?? pipeline.Steps);
        scheduler.SetTimesteps(pipeline.Schedule?.Invoke(config, steps, tokens) ?? new(steps) { Mu = Mu(config, tokens) });
        return scheduler;
    }

    /// <summary>The shift of a flow that grows with the picture; null for others.</summary>
    public static double? Mu(ISchedulerConfig config, int tokens) => config is FlowMatchEulerConfig { UseDynamicShifting: true } flow ? flow.Mu(tokens) : null;

    private double FlowShift(int tokens) => published?.Config switch
    {
        DpmSolverConfig solver => solver.FlowShift,
        FlowMatchEulerConfig { UseDynamicShifting: true } flow => Math.Exp(flow.Mu(tokens)),
        FlowMatchEulerConfig flow => flow.Shift,
        _ => 1,
    };

    // In places of the latent.
    private int Extent(int? asked, string option)
    {
        var unit = decoder.Downsampling * pipeline.PatchSize;
        var extent = asked ?? pipeline.SampleSize * decoder.Downsampling;
        return extent % unit == 0 ? extent / decoder.Downsampling : throw new OptionsException(ErrorCodes.OptionRange, "The picture does not divide into the model's patches.") { Where = option, Expected = $"a multiple of {unit}", Found = $"{extent}" };
    }
}
