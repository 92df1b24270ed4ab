using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>The denoiser of one run: sample (B, C, H, W), the model's time, classes (B).</summary>
internal delegate Task<Tensor<float>> ClassDenoiser(Tensor<float> sample, float time, Tensor<long> classes, CancellationToken cancel);

/// <summary>Class to pictures: what every class-conditional model of this family does with its network.</summary>
/// <param name="sample">Extents (C, H, W) of what the denoiser takes.</param>
/// <param name="begin">Begins a run of so many steps.</param>
/// <param name="process">How its time and prediction are meant.</param>
/// <param name="classes">Its classes; the null class comes after them.</param>
/// <param name="decoder">Samples to pictures.</param>
/// <typeparam name="TOptions">The model's options.</typeparam>
internal sealed class ClassGenerator<TOptions>(IReadOnlyList<long> sample, Func<ClassOptions, int, ClassDenoiser> begin, ClassProcess process, ClassNames classes, IPictureDecoder decoder) : IGenerate<Image, TOptions>, IEvaluate where TOptions : ClassOptions, new()
{
    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Image>> GenerateAsync(Prompt prompt, TOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var asked = classes.Parse(prompt.RequireText());
        long[] labels = [.. Enumerable.Range(0, Math.Max(options.Count, asked.Length)).Select(i => asked[i % asked.Length])];
        await foreach (var state in SampleAsync(labels, 0, options, seed, cancel).ConfigureAwait(false))
        {
            if (state.Step == state.Steps) yield return Generation<Image>.Final(await ShowAsync(state.Sample, cancel).ConfigureAwait(false), state.Steps);
            else if (options.PreviewEvery > 0 && state.Step % options.PreviewEvery == 0) yield return Generation<Image>.Progress(state.Step, state.Steps, await ShowAsync(state.Clean, cancel).ConfigureAwait(false));
            else yield return Generation<Image>.Progress(state.Step, state.Steps);
        }
    }

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Image;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => ["class-agreement", "pixel-fid"];

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<ClassEvaluationOptions>();

    /// <inheritdoc/>
    public int BatchSize(ModelOptions options) => options.Expect<ClassEvaluationOptions>().BatchSize;

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var settings = options.Expect<ClassEvaluationOptions>();
        await foreach (var batch in examples.Chunk(settings.BatchSize).WithCancellation(cancel).ConfigureAwait(false))
        {
            // The first examples of the data set give classes to generate; the others are references alone.
            var asked = batch.TakeWhile(example => example.Ordinal < settings.Samples).ToList();
            foreach (var observation in await ObserveAsync(asked, settings, seed, cancel).ConfigureAwait(false)) yield return observation;
            foreach (var example in batch.Skip(asked.Count)) yield return new(example.Id, example.Media, null) { Label = example.Label };
        }
    }

    private async Task<IReadOnlyList<Observation>> ObserveAsync(List<Example> examples, ClassEvaluationOptions options, ulong seed, CancellationToken cancel)
    {
        if (examples.Count == 0) return [];
        long[] labels = [.. examples.Select(example => classes.Parse(example.Label ?? throw new MediaException(ErrorCodes.DatasetInvalid, "The example has no class.") { Where = example.Id })[0])];
        var pictures = Tensor.Zeros<float>(0, 1, 1, 1);
        await foreach (var state in SampleAsync(labels, examples[0].Ordinal, options, seed, cancel).ConfigureAwait(false))
        {
            if (state.Step == state.Steps) pictures = await decoder.DecodeAsync(state.Sample, cancel).ConfigureAwait(false);
        }

        return [.. examples.Select((example, i) => new Observation(example.Id, example.Media, new Image(pictures.Slice(i))) { Label = example.Label })];
    }

    // Every sample has its own stream of noise, numbered from the first: alone or in a batch it is the same.
    private IAsyncEnumerable<SamplingState> SampleAsync(long[] labels, int first, ClassOptions options, ulong seed, CancellationToken cancel)
    {
        var scale = options.Guidance ?? process.Guidance;
        var scheduler = process.Scheduler(options.Scheduler, options.Steps ?? process.Steps);
        var denoiser = begin(options, scheduler.Timesteps.Length);
        var noise = Tensor.Zeros<float>([labels.Length, .. sample]);
        for (var i = 0; i < labels.Length; i++) Philox.Of(seed, first + i, draw: 0).FillNormal(noise.Slice(i).Span);
        if (scheduler.InitNoiseSigma != 1) noise = Batch.AddScaled(Tensor.Zeros<float>(noise.Shape), scheduler.InitNoiseSigma, noise);
        var guided = scale != 1;
        var y = Tensor.Create<long>(guided ? [.. labels, .. labels.Select(_ => (long)classes.Count)] : labels, (guided ? 2 : 1) * labels.Length);
        var channels = (int)sample[0];
        var keepsVariance = process.LearnedVariance && options.Scheduler == SchedulerKind.Ddpm;
        return SchedulerLoop.RunAsync(scheduler, noise, new PhiloxNoise(seed, labels.Length, first), PredictAsync, new() { Eta = (float)options.Eta }, cancel);

        async Task<Tensor<float>> PredictAsync(Tensor<float> x, float timestep)
        {
            var output = await denoiser(guided ? Batch.Doubled(x) : x, process.Time(timestep), y, cancel).ConfigureAwait(false);
            if (guided) output = Batch.FirstHalf(Guidance.Apply(output, scale, Math.Min(process.GuidedChannels, channels)));
            if (output.Shape[1] > channels && !keepsVariance) output = Batch.Channels(output, 0, channels);
            return process.Sign == 1 ? output : Batch.AddScaled(Tensor.Zeros<float>(output.Shape), process.Sign, output);
        }
    }

    private async Task<Image> ShowAsync(Tensor<float> sample, CancellationToken cancel) => PictureGrid.Of(await decoder.DecodeAsync(sample, cancel).ConfigureAwait(false));
}
