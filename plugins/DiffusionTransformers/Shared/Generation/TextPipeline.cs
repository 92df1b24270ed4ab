using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>What a denoiser is told of texts: tensors (B, ..) by name.</summary>
internal sealed class Conditions : Dictionary<string, Tensor<float>>
{
    /// <summary>So many copies of what is asked for, and as many of what is avoided where there is guidance. What has a row for each picture is taken as it is, and what only the first has holds for both.</summary>
    public static Conditions Of(Conditions asked, Conditions? avoided, int count)
    {
        var all = new Conditions();
        foreach (var (name, tensor) in asked) all[name] = Batch.Concat([.. Rows(tensor), .. avoided is null ? [] : Rows(avoided.GetValueOrDefault(name, tensor))]);
        return all;

        IEnumerable<Tensor<float>> Rows(Tensor<float> tensor) => tensor.Shape[0] == count ? [tensor] : Enumerable.Repeat(tensor, count);
    }
}

/// <summary>One run of a sampler.</summary>
/// <param name="Options">What the user chose.</param>
/// <param name="Prompt">What the user asked for.</param>
/// <param name="Guided">True when the second half of each batch is what is avoided.</param>
/// <param name="Scheduler">At the start of the run.</param>
/// <param name="Noise">What the run starts from (B, C, H, W), at unit variance.</param>
/// <param name="Decoder">Latents to pictures.</param>
/// <typeparam name="TOptions">The model's options.</typeparam>
internal sealed record TextRun<TOptions>(TOptions Options, Prompt Prompt, bool Guided, IScheduler Scheduler, Tensor<float> Noise, IPictureDecoder Decoder) where TOptions : TextOptions
{
    /// <summary>What the run's draws begin from; picture i draws from stream i.</summary>
    public ulong Seed { get; init; }

    /// <summary>Further schedulers like the run's, at the start of their own.</summary>
    public required Func<IScheduler> NewScheduler { get; init; }

    /// <summary>Pictures.</summary>
    public int Count => (int)Noise.Shape[0];

    /// <summary>Rows of the latent.</summary>
    public int Height => (int)Noise.Shape[2];

    /// <summary>Columns of the latent.</summary>
    public int Width => (int)Noise.Shape[3];

    /// <summary>Zeros in the rows of what is avoided, the given values in those of what is asked for: for conditions that the unguided half does not see. value (1, ..).</summary>
    public Tensor<float> AskedOnly(Tensor<float> value) => Batch.Concat([.. Enumerable.Repeat(value, Count), .. Guided ? Enumerable.Repeat(Tensor.Zeros<float>(value.Shape), Count) : []]);
}

/// <summary>A denoiser during one run.</summary>
/// <param name="Predict">Its prediction for the scaled sample (B, C, H, W), or (2 B, C, H, W) with what is avoided behind, at a scheduler's timestep.</param>
internal sealed record Denoiser(Func<Tensor<float>, float, Conditions, CancellationToken, Task<Tensor<float>>> Predict)
{
    /// <summary>Changes the sample in place before the first step and after each one, given how many are done and the conditions: for methods that keep a part of the picture.</summary>
    public Action<Tensor<float>, int, Conditions>? Keep { get; init; }

    /// <summary>A network that is built for the run and goes with it; null for the model's own.</summary>
    public IDisposable? Owned { get; init; }
}

/// <summary>What makes a text-conditional paper a generator. Everything else, from noise to pictures, is <see cref="TextGenerator{TOptions}"/>'s.</summary>
/// <param name="Channels">Channels of the latent.</param>
/// <param name="SampleSize">Height and width of the latent that the model was trained for.</param>
/// <param name="PatchSize">Places of the latent per token, along each side.</param>
/// <param name="IsFlow">True when it predicts a velocity, false for noise.</param>
/// <typeparam name="TOptions">Its options.</typeparam>
internal sealed record TextPipeline<TOptions>(int Channels, int SampleSize, int PatchSize, bool IsFlow) where TOptions : TextOptions, new()
{
    /// <summary>The usual number of steps.</summary>
    public int Steps { get; init; } = 20;

    /// <summary>The usual scale of guidance.</summary>
    public double Guidance { get; init; } = 4.5;

    /// <summary>The scale of classifier-free guidance of a run; null is what the options say, or the usual one.</summary>
    public Func<TOptions, double>? Scale { get; init; }

    /// <summary>A text to what the denoiser is told; true for what the picture should not show.</summary>
    public required Func<TextRun<TOptions>, string, bool, CancellationToken, Task<Conditions>> Encode { get; init; }

    /// <summary>The denoiser of a run.</summary>
    public required Func<TextRun<TOptions>, Denoiser> Begin { get; init; }

    /// <summary>Noise levels where they are not the scheduler's own: from the number of steps and of tokens.</summary>
    public Func<ISchedulerConfig, int, int, ScheduleRequest>? Schedule { get; init; }

    /// <summary>The paper's scheduler, for folders without one; null for the usual one of diffusion or flow.</summary>
    public PublishedScheduler? Scheduler { get; init; }

    /// <summary>Height and width in pixels where the options leave them out; null for those that the model was trained for.</summary>
    public Func<TOptions, Prompt, (int Height, int Width)>? Size { get; init; }

    /// <summary>What is done to decoded pictures (B, 3, H, W) before they are shown; null for nothing.</summary>
    public Func<TextRun<TOptions>, Tensor<float>, Tensor<float>>? Finish { get; init; }

    /// <summary>What is disposed with the generator.</summary>
    public IReadOnlyList<IDisposable> Parts { get; init; } = [];

    /// <summary>The generator over a pipeline's scheduler and autoencoder.</summary>
    public TextGenerator<TOptions> Open(PipelineFolder pipeline) => new(this, pipeline.Scheduler ?? Scheduler, VaeDecoder.For(pipeline, Channels));
}
