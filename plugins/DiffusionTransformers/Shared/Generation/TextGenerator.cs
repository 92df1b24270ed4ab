using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>What makes a text-conditional paper a generator.</summary>
/// <param name="Channels">Channels of the latent.</param>
/// <param name="SampleSize">Height and width of the latent that the model was trained for.</param>
/// <param name="PatchSize">Places of the latent per token, along each side.</param>
/// <param name="IsFlow">True when it predicts a velocity, false for noise.</param>
internal sealed record TextPipeline(int Channels, int SampleSize, int PatchSize, bool IsFlow)
{
    /// <summary>Tokens of a text that the model sees.</summary>
    public int TextLength { get; init; } = 300;

    /// <summary>The model's time over the scheduler's.</summary>
    public float TimeScale { get; init; } = 1;

    /// <summary>What the text encoder is told before a prompt.</summary>
    public string Instruction { get; init; } = "";

    /// <summary>Further inputs by name: width of each and its values for a picture's height and width.</summary>
    public IReadOnlyDictionary<string, Func<int, int, float[]>> Vectors { get; init; } = new Dictionary<string, Func<int, int, float[]>>();

    /// <summary>The generator over a published folder with text_encoder, tokenizer, scheduler and vae; null when it has no text encoder.</summary>
    public TextGenerator? Open(ModelSource source, TextNetwork network)
    {
        if (PromptEncoder.Open(source) is not { } encoder) return null;
        var file = Path.Combine(source.RequireFolder(), "scheduler", "scheduler_config.json");
        var published = File.Exists(file) ? SchedulerConfigs.Parse(File.ReadAllText(file), file) : null;
        return new(this, network, encoder, published, VaeDecoder.For(source, Channels));
    }
}

/// <summary>Text to pictures: text encoder, denoiser, scheduler and autoencoder of one published folder.</summary>
/// <param name="pipeline">What is the paper's.</param>
/// <param name="network">The denoiser.</param>
/// <param name="encoder">The text encoder.</param>
/// <param name="published">The published scheduler; null where there is none.</param>
/// <param name="decoder">Latents to pictures.</param>
internal sealed class TextGenerator(TextPipeline pipeline, TextNetwork network, PromptEncoder encoder, ISchedulerConfig? published, IPictureDecoder decoder) : IGenerate<Image, TextOptions>, IDisposable
{
    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Image>> GenerateAsync(Prompt prompt, TextOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var scheduler = Scheduler(options);
        var (height, width) = (Extent(options.Height, nameof(options.Height)), Extent(options.Width, nameof(options.Width)));
        // The published pipelines lower the case of texts and trim them; what the picture should not show goes without instruction.
        var asked = await encoder.EncodeAsync(Plain(prompt.RequireText()), pipeline.TextLength, pipeline.Instruction, cancel).ConfigureAwait(false);
        var guided = options.Guidance != 1;
        var avoided = guided ? await encoder.EncodeAsync(Plain(options.NegativePrompt), pipeline.TextLength, "", cancel).ConfigureAwait(false) : null;
        var (tokens, mask) = (Repeated(asked.Tokens, avoided?.Tokens, options.Count), Repeated(asked.Mask, avoided?.Mask, options.Count));
        var batch = (int)tokens.Shape[0];
        var vectors = pipeline.Vectors.ToDictionary(vector => vector.Key, vector => Rows(vector.Value(height, width), batch));

        // Every picture has its own stream of noise: alone or in a batch it is the same.
        var sample = Tensor.Zeros<float>(options.Count, pipeline.Channels, height / decoder.Downsampling, width / decoder.Downsampling);
        for (var i = 0; i < options.Count; i++) Philox.Of(seed, i, draw: 0).FillNormal(sample.Slice(i).Span);
        if (scheduler.InitNoiseSigma != 1) sample = Batch.AddScaled(Tensor.Zeros<float>(sample.Shape), scheduler.InitNoiseSigma, sample);
        await foreach (var state in SchedulerLoop.RunAsync(scheduler, sample, new PhiloxNoise(seed, options.Count), PredictAsync, cancel: cancel).ConfigureAwait(false))
        {
            if (state.Step == state.Steps) yield return Generation<Image>.Final(await ShowAsync(state.Sample).ConfigureAwait(false), state.Steps);
            else if (options.PreviewEvery > 0 && state.Step % options.PreviewEvery == 0) yield return Generation<Image>.Progress(state.Step, state.Steps, await ShowAsync(state.Clean).ConfigureAwait(false));
            else yield return Generation<Image>.Progress(state.Step, state.Steps);
        }

        async Task<Tensor<float>> PredictAsync(Tensor<float> x, float timestep)
        {
            var output = await network.PredictAsync(guided ? Batch.Doubled(x) : x, Batch.Filled(batch, timestep * pipeline.TimeScale), tokens, mask, vectors, cancel).ConfigureAwait(false);
            if (guided) output = Guidance.Combine(output, options.Guidance);
            return output.Shape[1] > pipeline.Channels ? Batch.Channels(output, 0, pipeline.Channels) : output;
        }

        async Task<Image> ShowAsync(Tensor<float> latent) => PictureGrid.Of(await decoder.DecodeAsync(latent, cancel).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        encoder.Dispose();
        (decoder as IDisposable)?.Dispose();
    }

    private IScheduler Scheduler(TextOptions options)
    {
        var config = options.Scheduler == SchedulerKind.Auto && published is not null ? published
            : pipeline.IsFlow ? SchedulerChoice.Flow(options.Scheduler, FlowShift)
            : SchedulerChoice.Diffusion(options.Scheduler, learnedVariance: false);
        var scheduler = config.Create();
        scheduler.SetTimesteps(new(options.Steps));
        return scheduler;
    }

    private double FlowShift => published switch
    {
        DpmSolverConfig solver => solver.FlowShift,
        FlowMatchEulerConfig euler => euler.Shift,
        _ => 1,
    };

    private int Extent(int? asked, string option)
    {
        var unit = decoder.Downsampling * pipeline.PatchSize;
        var extent = asked ?? pipeline.SampleSize * decoder.Downsampling;
        return extent % unit == 0 ? extent : throw new OptionsException(ErrorCodes.OptionRange, "The picture does not divide into the model's patches.") { Where = option.ToLowerInvariant(), Expected = $"a multiple of {unit}", Found = $"{extent}" };
    }

    private static string Plain(string text) => text.ToLowerInvariant().Trim();

    // (1, ..) and perhaps what is avoided: each so many times, the conditional half first.
    private static Tensor<float> Repeated(Tensor<float> asked, Tensor<float>? avoided, int count)
    {
        Tensor<float>[] parts = [.. Enumerable.Repeat(asked, count), .. avoided is null ? [] : Enumerable.Repeat(avoided, count)];
        return Batch.Concat(parts);
    }

    private static Tensor<float> Rows(float[] values, int count) => Tensor.Create<float>([.. Enumerable.Repeat(values, count).SelectMany(row => row)], count, values.Length);
}
