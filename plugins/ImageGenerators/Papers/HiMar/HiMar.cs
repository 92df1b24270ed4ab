using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Options of Hi-MAR.</summary>
public sealed record HiMarOptions : PictureOptions
{
    /// <summary>Number of iterations over the grid.</summary>
    [Description("Iterations over the grid, after those over the pivots."), Range(1, 4096)] public int Steps { get; init; } = 4;
    /// <summary>Scale of guidance.</summary>
    [Description("Scale of classifier-free guidance of the grid; 1 for none."), Range(0.0, 100.0)] public double Guidance { get; init; } = 2.5;
    /// <summary>Scale of guidance of the pivots.</summary>
    [Description("Scale of classifier-free guidance of the pivots; 1 for none."), Range(0.0, 100.0)] public double PivotGuidance { get; init; } = 2.5;
    /// <summary>Course of guidance.</summary>
    [Description("How guidance changes over the iterations."), AllowedValues("linear", "constant")] public string GuidanceSchedule { get; init; } = "linear";
    /// <summary>Factor on the noise.</summary>
    [Description("Factor on the noise of both diffusions."), Range(0.0, 10.0)] public float Temperature { get; init; } = 1;
    /// <summary>Steps of the pivots' diffusion.</summary>
    [Description("Steps of the pivots' diffusion: a number, or numbers for equal sections; as published when left out.")] public string? NumSamplingSteps { get; init; }
    /// <summary>Steps of the grid's diffusion.</summary>
    [Description("Steps of the grid's diffusion: a number, or numbers for equal sections.")] public string NumGlobalSamplingSteps { get; init; } = "250";
}

/// <summary>Hi-MAR: a class to a few pivots, and from what is said of these to the latents of the whole grid.</summary>
public sealed class HiMarModel : ImageGenerator<HiMarOptions>
{
    private const double LatentScale = 0.2325;

    private readonly HiMarConfig _config;
    private readonly Network[] _stages;
    private readonly Network _denoiser;
    private readonly DiffusionHead _head;

    private HiMarModel(ModelSource source, Checkpoint checkpoint, HiMarConfig config) : base(source, checkpoint, SampleSpace.Latents, TokenizerPictures.Kl(source, config.VaeEmbedDim, LatentScale))
    {
        _config = config;
        var context = NetworkContext.Of(source, checkpoint);
        _stages = [.. Enumerable.Range(0, 2).Select(stage => Network.Build(context, $"hi-mar/stage {stage + 1}", scope => HiMarNetwork.Conditions(scope, config, stage)))];
        _denoiser = Network.Build(context, "hi-mar/grid", scope => HiMarNetwork.Denoise(scope["cond_diffloss.net"], config));
        _head = new(context, new(config.VaeEmbedDim, config.DecoderEmbedDim, config.DifflossW, config.DifflossD));
        checkpoint.ThrowIfUnused("^cond_tokens$", @"\.c_pos_embed$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/hi-mar",
            Paper = "Hierarchical Masked Autoregressive Models with Low-Resolution Token Pivots",
            ArXiv = "2505.20288",
            Authors = ["Guangting Zheng", "Yehao Li", "Yingwei Pan", "Jiajun Deng", "Ting Yao", "Yanyong Zhang", "Tao Mei"],
            Repository = "HiDream-ai/himar",
            CodeLicense = "none stated",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tensors, Modality.Image],
            Layouts = ["authors: checkpoint-last.pth + config.json (constructor arguments), vae/kl16.ckpt for pictures"],
            Sizes =
            [
                new("HiDream-ai/Hi-MAR: Hi-MAR-B", 244_598_064, []),
                new("HiDream-ai/Hi-MAR: Hi-MAR-L", 529_358_384, []),
                new("HiDream-ai/Hi-MAR: Hi-MAR-H", 1_090_768_176, []),
            ],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [.. _stages, _denoiser, _head];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "stage1":
            case "stage2":
                var stage = call == "stage1" ? 0 : 1;
                return (await RunAsync(stage, arguments.Tensor<float>(stage == 0 ? "cond" : "small_z"), arguments.Tensor<float>("tokens"), arguments.Tensor<float>("mask"), arguments.Tensor<long>("labels").Span.ToArray(), cancel).ConfigureAwait(false)).ToResults();
            case "cond_diffloss_net":
                return (await _denoiser.RunAsync(cancel, ("x", arguments.Tensor<float>("x")), ("t", arguments.Floats("t")), ("z", arguments.Tensor<float>("z"))).ConfigureAwait(false)).ToResults();
            case "sample_tokens":
                var orders = arguments.Tensor<long>("orders").ToRows();
                var labels = arguments.FindTensor<long>("labels")?.Span.ToArray() ?? [.. Enumerable.Repeat((long)_config.ClassNum, orders.Length)];
                var options = new HiMarOptions
                {
                    Steps = arguments.Literal("num_iter", 64),
                    Guidance = arguments.Literal("cfg", 1.0),
                    PivotGuidance = arguments.Literal("re_cfg", 1.0),
                    GuidanceSchedule = arguments.Literal("cfg_schedule", "linear"),
                    Temperature = arguments.Literal("temperature", 1f),
                    NumSamplingSteps = arguments.Literal("num_sampling_steps", _config.NumSamplingSteps),
                    NumGlobalSamplingSteps = arguments.Literal("num_global_sampling_steps", "250"),
                };
                var grid = arguments.Tensor<float>("noise_big");
                var run = new Run(labels, orders, options, TokenNoises.ByPlace(arguments.Tensor<float>("noise_small")), (step, draw, destination) => grid.Slice(step).Slice(draw).Span.CopyTo(destination));
                State? last = null;
                await foreach (var state in RunAsync(run, cancel).ConfigureAwait(false)) last = state;
                var (pivots, latents) = (LatentPatches.ToLatents(last!.Pivots, 1, _config.CondScale, _config.CondScale), Latents(last.Tokens));
                var results = new CallResults().Add("small_latents", pivots).Add("latents", latents);
                for (var i = 0; i < 10; i++) results.Add($"small_latents_{i}", pivots).Add($"latents_{i}", latents);
                return results;
            default:
                throw Unsupported(call, "stage1", "stage2", "cond_diffloss_net", "sample_tokens");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, HiMarOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.ClassNum, options.Count);
        // Pivots come before the grid in every order.
        var (first, second) = (Draws.Orders(seed, labels.Length, _config.Pivots), Draws.Orders(seed, labels.Length, _config.Positions - _config.Pivots, series: 1));
        long[][] orders = [.. first.Zip(second, (pivots, places) => (long[])[.. pivots, .. places.Select(place => place + _config.Pivots)])];
        var run = new Run(labels, orders, options, TokenNoises.Seeded(seed), (step, draw, destination) => Draws.Normal(seed, labels.Length, series: 2 + step)(draw, destination));
        var (step, steps) = (0, PivotIterations + options.Steps);
        await foreach (var state in RunAsync(run, cancel).ConfigureAwait(false)) yield return new(++step, steps, step == steps ? Latents(state.Tokens) : null);
    }

    private delegate void GridNoise(int step, int draw, Span<float> destination);

    private sealed record Run(long[] Labels, long[][] Orders, HiMarOptions Options, TokenNoise PivotNoise, GridNoise GridNoise);

    private sealed record State(Tensor<float> Pivots, Tensor<float> Tokens);

    private int PivotIterations => 4 * _config.CondScale;

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        Generators.Open(source, checkpoint => new HiMarModel(source, checkpoint, PublishedConfig.Read<HiMarConfig>(source.RequireFolder()).Value), "model_ema", "model");

    private async IAsyncEnumerable<State> RunAsync(Run run, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (rows, options, pivots) = (run.Labels.Length, run.Options, _config.Pivots);
        var grid = Tensor.Zeros<float>(rows, _config.Positions - pivots, _config.VaeEmbedDim);
        var said = Tensor.Zeros<float>(rows, pivots, _config.DecoderEmbedDim);
        var made = Tensor.Zeros<float>(rows, pivots, _config.CondDim);
        await foreach (var tokens in PivotsAsync(run, grid, said, cancel).ConfigureAwait(false)) yield return new(made = tokens, grid);

        var (guided, count) = (options.Guidance != 1, _config.Positions - pivots);
        var (classes, conditions) = (Classes(run.Labels, guided), guided ? said.Doubled() : said);
        var diffusion = new SpacedDiffusion(options.NumGlobalSamplingSteps, BetaSchedule.SquaredCosine);
        var unknown = Tensor.Zeros<float>(rows, count);
        unknown.Span.Fill(1);
        for (var (step, masked) = (0, count); step < options.Steps; step++)
        {
            var mask = TensorParts.Concat(1, Tensor.Zeros<float>(rows, pivots), unknown);
            var z = (await RunAsync(1, conditions, guided ? grid.Doubled() : grid, guided ? mask.Doubled() : mask, classes, cancel).ConfigureAwait(false))["stage2_z"].Part(1, pivots, _config.Positions);
            masked = Math.Max(1, Math.Min(masked - 1, (int)Math.Floor(count * Math.Cos(Math.PI / 2 * (step + 1) / options.Steps))));
            var scale = options.GuidanceSchedule == "constant" ? (float)options.Guidance : 1 + (float)(options.Guidance - 1) * (count - masked) / count;
            var sample = await DenoiseAsync(run, step, diffusion, Latents(z), Latents(grid), unknown, scale, cancel).ConfigureAwait(false);
            // What was unknown is written; the next mask hides most of it again.
            var written = LatentPatches.ToTokens(sample, 1);
            grid = Tensor.Create(grid.Span.ToArray(), grid.Shape);
            for (var i = 0; i < grid.Length; i++) grid.Span[i] = unknown.Span[i / _config.VaeEmbedDim] != 0 ? written.Span[i] : grid.Span[i];
            unknown = Tensor.Zeros<float>(rows, count);
            for (var row = 0; row < rows; row++)
            {
                foreach (var place in run.Orders[row].AsSpan(pivots, masked)) unknown[row, place - pivots] = 1;
            }

            yield return new(made, grid);
        }
    }

    // The pivots as MAR makes tokens; what the transformer says of each when it is predicted is kept.
    private IAsyncEnumerable<Tensor<float>> PivotsAsync(Run run, Tensor<float> grid, Tensor<float> said, CancellationToken cancel)
    {
        var (rows, options) = (run.Labels.Length, run.Options);
        var guided = options.PivotGuidance != 1;
        var classes = Classes(run.Labels, guided);
        var head = run.PivotNoise.Head(_head, new SpacedDiffusion(options.NumSamplingSteps ?? _config.NumSamplingSteps, BetaSchedule.SquaredCosine), options.Temperature, _config.CondDim);
        var sampler = new TokenDiffusionSampler([.. run.Orders.Select(order => order[.._config.Pivots])], _config.CondDim) { Iterations = PivotIterations, Guidance = options.PivotGuidance, Schedule = options.GuidanceSchedule };
        return sampler.RunAsync(
            async (tokens, mask, stop) =>
            {
                var hidden = Tensor.Zeros<float>(rows, _config.Positions - _config.Pivots);
                hidden.Span.Fill(1);
                var all = TensorParts.Concat(1, mask, hidden);
                return (await RunAsync(0, guided ? tokens.Doubled() : tokens, guided ? grid.Doubled() : grid, guided ? all.Doubled() : all, classes, stop).ConfigureAwait(false))["stage1_z"].Part(1, 0, _config.Pivots);
            },
            (conditions, guidance, places, stop) =>
            {
                for (var i = 0; i < places.Count; i++) conditions.Slice(i).Span.CopyTo(said.Slice(places[i].Sample).Slice(places[i].Position).Span);
                return head(conditions, guidance, places, stop);
            },
            cancel);
    }

    // The whole grid from noise; before every step known places are put back, with the noise of the step.
    private Task<Tensor<float>> DenoiseAsync(Run run, int iteration, SpacedDiffusion diffusion, Tensor<float> z, Tensor<float> known, Tensor<float> unknown, float guidance, CancellationToken cancel) => Task.Run(
        () =>
        {
            var (rows, all, places) = ((int)known.Shape[0], (int)z.Shape[0], _config.Side * _config.Side);
            var (start, fresh, noised, epsilon) = (new float[known.Length], new float[known.Length], new float[known.Length], new float[known.Length]);
            run.GridNoise(iteration, 0, start);
            var (x, times) = (start.ToArray(), Tensor.Zeros<float>(all));
            for (var step = diffusion.Count - 1; step >= 0; step--)
            {
                diffusion.AddNoise(step, known.Span, start, noised);
                for (var i = 0; i < x.Length; i++)
                {
                    if (unknown.Span[i / (places * _config.VaeEmbedDim) * places + i % places] == 0) x[i] = noised[i];
                }

                var input = Tensor.Create(x, known.Shape);
                times.Span.Fill(diffusion.Timesteps[step]);
                var eps = _denoiser.Run(cancel, ("x", all > rows ? input.Doubled() : input), ("t", times), ("z", z))["eps"].Span;
                for (var i = 0; i < x.Length; i++) epsilon[i] = all > rows ? eps[x.Length + i] + guidance * (eps[i] - eps[x.Length + i]) : eps[i];
                if (step > 0) run.GridNoise(iteration, diffusion.Count - step, fresh);
                diffusion.Step(step, epsilon, [], x, fresh, run.Options.Temperature);
            }

            return Tensor.Create(x, known.Shape);
        },
        cancel);

    private long[] Classes(long[] labels, bool guided) => guided ? [.. labels, .. labels.Select(_ => (long)_config.ClassNum)] : labels;

    private Tensor<float> Latents(Tensor<float> tokens) => LatentPatches.ToLatents(tokens, 1, _config.Side, _config.Side);

    private Task<NetworkOutputs> RunAsync(int stage, Tensor<float> pivots, Tensor<float> tokens, Tensor<float> mask, long[] labels, CancellationToken cancel)
    {
        var (rows, buffer, known) = (labels.Length, _config.BufferSize, mask.Slice(0).Span.Count(0f));
        var (kept, sources) = (Tensor.Zeros<long>(rows, buffer + known), Tensor.Zeros<long>(rows, buffer + _config.Positions));
        for (var row = 0; row < rows; row++)
        {
            var next = 0;
            for (var place = 0; place < buffer + _config.Positions; place++)
            {
                var isUnknown = place >= buffer && mask[row, place - buffer] != 0;
                sources[row, place] = isUnknown ? buffer + known + place - buffer : next;
                if (!isUnknown) kept[row, next++] = place;
            }
        }

        return _stages[stage].RunAsync(cancel, ("pivots", pivots), ("tokens", tokens), ("labels", Tensor.Create(labels, rows)), ("kept", kept), ("sources", sources));
    }
}
