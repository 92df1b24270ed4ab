// Multimodal Latent Language Modeling with Next-Token Diffusion. Sun, Bao, Wang, Peng, Dong, Huang, Wang, Wei. arXiv:2412.08635. github.com/microsoft/unilm: LatentLM/models/Transformer.py, LatentLM/schedule/dpm_solver.py
// Published layout: model.safetensors + other_state.pth + config.json (the arguments of the authors' Transformer and of their scheduler). Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The arguments of the authors' <c>Transformer</c> and of their sampling script; defaults are those of Transformer-L.</summary>
public sealed record LatentLmConfig
{
    /// <summary>Places along each side of the latent.</summary>
    [Range(1, 1024)] public int InputSize { get; init; } = 16;
    /// <summary>Places a token, along each side.</summary>
    [Range(1, 64)] public int PatchSize { get; init; } = 1;
    /// <summary>Whether latents are sequences (B, N, C) rather than maps.</summary>
    public bool FlattenInput { get; init; }
    /// <summary>Channels of the latent.</summary>
    [Range(1, 1 << 16)] public int InChannels { get; init; } = 32;
    /// <summary>Width.</summary>
    [Range(1, 1 << 16)] public int HiddenSize { get; init; } = 1024;
    /// <summary>Blocks.</summary>
    [Range(1, 256)] public int Depth { get; init; } = 32;
    /// <summary>Blocks of the head.</summary>
    [Range(0, 256)] public int DiffusionDepth { get; init; } = 8;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int NumHeads { get; init; } = 16;
    /// <summary>Key and value heads.</summary>
    public int? NumKvHeads { get; init; }
    /// <summary>Decides the hidden width of the gated perceptrons.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Rate at which classes were dropped in training; 0 when there is no dropped class.</summary>
    public double ClassDropoutProb { get; init; } = 0.1;
    /// <summary>Classes; the dropped class follows them.</summary>
    public int NumClasses { get; init; } = 1000;
    /// <summary>Factor on the base of the rotary angles.</summary>
    public double PosiScale { get; init; } = 1;
    /// <summary>Steps that the head was trained on.</summary>
    public int DdpmNumSteps { get; init; } = 1000;
    /// <summary>How their noise grows.</summary>
    [AllowedValues("linear", "scaled_linear", "squaredcos_cap_v2", "cosine", "cauchy", "laplace")] public string DdpmBetaSchedule { get; init; } = "cosine";
    /// <summary>What the head predicts.</summary>
    public PredictionType PredictionType { get; init; } = PredictionType.Epsilon;

    internal int KeyValueHeads => NumKvHeads ?? NumHeads;

    internal int HeadWidth => HiddenSize / NumHeads;

    internal int Side => InputSize / PatchSize;

    internal int Tokens => FlattenInput ? InputSize * InputSize : Side * Side;

    // The published hidden width, rounded down to a multiple of 64.
    internal long Hidden => (long)(HiddenSize * MlpRatio * 2 / 3 / 64) * 64;

    /// <summary>The sampler: DPM-Solver++ of second order over the trained steps.</summary>
    internal DpmSolverConfig Solver => new()
    {
        NumTrainTimesteps = DdpmNumSteps,
        PredictionType = PredictionType,
        BetaSchedule = DdpmBetaSchedule switch { "linear" => BetaSchedule.Linear, "scaled_linear" => BetaSchedule.ScaledLinear, _ => BetaSchedule.SquaredCosine },
        TrainedBetas = DdpmBetaSchedule switch { "cauchy" => Betas(Cauchy), "laplace" => Betas(Laplace), _ => null },
    };

    // The authors' own schedules: alpha-bar at a time in 0..1 by a log signal-to-noise ratio.
    private static double Cauchy(double t) => 1 - 1 / (Math.Exp(3 + Math.Tan(Math.PI * (0.5 - t) * 0.9)) + 1.1);

    private static double Laplace(double t) => 1 - 1 / (Math.Exp(-Math.CopySign(1, 0.5 - t) * Math.Log(1 - 2 * Math.Abs(t - 0.5) * 0.98)) + 1.02);

    private float[] Betas(Func<double, double> alphaBar) =>
        [.. Enumerable.Range(0, DdpmNumSteps).Select(i => (float)Math.Min(1 - alphaBar((i + 1.0) / DdpmNumSteps) / alphaBar((double)i / DdpmNumSteps), 0.999))];
}

/// <summary>Options of LatentLM.</summary>
public sealed record LatentLmOptions : PictureOptions
{
    /// <summary>Number of steps of the head.</summary>
    [Description("Steps of the solver for each token."), Range(1, 1000)] public int Steps { get; init; } = 20;
    /// <summary>Scale of guidance.</summary>
    [Description("Classifier-free guidance of the head; 1 for none."), Range(0.0, 100.0)] public double Guidance { get; init; } = 4;
}

internal static class LatentLmNetwork
{
    private const double Epsilon = 1e-6;
    private static readonly Dim Rows = Dim.Symbol("rows");

    /// <summary>The teacher-forced pass: latents x (rows, C, H, W) or (rows, N, C), class y (rows) -> condition (rows, N, D) of every token.</summary>
    public static void Parallel(Scope model, LatentLmConfig config)
    {
        var tokens = model.Stage("x_embed", Embed(model["x_embedder"], Latents(model.Graph, config, config.Tokens, config.Side), config));
        var x = ValueShape.Concat(1, Class(model, config), tokens.Take(1, config.Tokens - 1));
        model.Graph.Output("condition", Transformer(model, x, AttentionLayers.Range(model.Graph, x.Shape[1]), config, (_, q, k, v, options) => AttentionLayers.Attention(q, k, v, options)));
    }

    /// <summary>The first position: y (rows) -> embedded (rows, 1, D).</summary>
    public static void Start(Scope model, LatentLmConfig config) => model.Graph.Output("embedded", Class(model, config));

    /// <summary>A token's position: x (rows, C, p, p) or (rows, 1, C) -> embedded (rows, 1, D).</summary>
    public static void Next(Scope model, LatentLmConfig config) => model.Graph.Output("embedded", Embed(model["x_embedder"], Latents(model.Graph, config, 1, 1), config));

    /// <summary>A position after those in the cache: embedded (rows, 1, D) -> condition (rows, 1, D).</summary>
    public static void Step(Scope model, LatentLmConfig config)
    {
        var x = model.Graph.Input("embedded", [Rows, 1, config.HiddenSize]);
        var cache = new KeyValueCache(model.Graph, Rows, 1, config.KeyValueHeads, config.HeadWidth);
        model.Graph.Output("condition", Transformer(model, x, cache.Positions, config, cache.Attention));
    }

    /// <summary>The head: a noisy token x (rows, C, p, p) or (rows, 1, C), its step t (rows), condition (rows, 1, D) -> model_output, of the token's shape.</summary>
    public static void Head(Scope model, LatentLmConfig config)
    {
        var (g, width) = (model.Graph, config.HiddenSize);
        var x = Embed(model["noisy_x_embedder"], Latents(g, config, 1, 1), config);
        var mlp = model["t_embedder.mlp"];
        var time = mlp["2"].Linear(mlp["0"].Linear(g.Input("t", [Rows]).Sinusoid(256), width, bias: false).Silu(), width, bias: false);
        var c = (g.Input("condition", [Rows, 1, width]) + time.Unsqueeze(1)).Silu();
        for (var i = 0; i < config.DiffusionDepth; i++)
        {
            var block = model["diffusion_blocks"][i];
            var (shift, scale, gate) = block["adaLN_modulation.1"].Linear(c, 3 * width, bias: false).Chunk3();
            x += gate * Gated(block["mlp"], x.RmsNorm(epsilon: Epsilon) * (scale + 1) + shift, config);
        }

        var (finalShift, finalScale) = model["final_layer.adaLN_modulation.1"].Linear(c, 2 * width, bias: false).Chunk2();
        var patch = config.FlattenInput ? 1 : config.PatchSize;
        var y = model["final_layer.linear"].Linear(x.RmsNorm(epsilon: Epsilon) * (finalScale + 1) + finalShift, patch * patch * config.InChannels, bias: false);
        g.Output("model_output", config.FlattenInput ? y : y.Unpatchify(patch, 1, 1, config.InChannels));
    }

    private static Value Latents(Graph g, LatentLmConfig config, int tokens, int side) =>
        config.FlattenInput ? g.Input("x", [Rows, tokens, config.InChannels]) : g.Input("x", [Rows, config.InChannels, side * config.PatchSize, side * config.PatchSize]);

    private static Value Embed(Scope embedder, Value x, LatentLmConfig config) =>
        config.FlattenInput ? embedder.Linear(x, config.HiddenSize, bias: false) : embedder["proj"].PatchEmbed(x, config.HiddenSize, config.PatchSize);

    private static Value Class(Scope model, LatentLmConfig config) =>
        model["y_embedder.embedding_table"].Embedding(model.Graph.Input("y", ElementType.Int64, [Rows]), config.NumClasses + (config.ClassDropoutProb > 0 ? 1 : 0), config.HiddenSize).Unsqueeze(1);

    private static Value Transformer(Scope model, Value x, Value positions, LatentLmConfig config, Func<int, Value, Value, Value, AttentionOptions, Value> attention)
    {
        var (width, shared) = (config.HiddenSize, config.KeyValueHeads * config.HeadWidth);
        var (cos, sin) = Tables(model.Graph, config).At(positions);
        for (var i = 0; i < config.Depth; i++)
        {
            var block = model["blocks"][i];
            var (h, qkv) = (x.RmsNorm(epsilon: Epsilon), block["attn.qkv"]);
            var q = qkv.LinearRows(h, width + 2 * shared, 0, width, bias: false).Rotary(config.NumHeads, cos, sin, interleaved: true);
            var k = qkv.LinearRows(h, width + 2 * shared, width, shared, bias: false).Rotary(config.KeyValueHeads, cos, sin, interleaved: true);
            var v = qkv.LinearRows(h, width + 2 * shared, width + shared, shared, bias: false);
            x += block["attn.proj"].Linear(attention(i, q, k, v, new() { Heads = config.NumHeads, KeyValueHeads = config.KeyValueHeads, Causal = true }), width, bias: false);
            x = model.Stage($"block_{i}", x + Gated(block["mlp"], x.RmsNorm(epsilon: Epsilon), config));
        }

        return model["condition_layer.linear"].Linear(x.RmsNorm(epsilon: Epsilon), width, bias: false);
    }

    private static Value Gated(Scope mlp, Value x, LatentLmConfig config) => mlp.GatedMlp(x, config.Hidden, value => value.Silu(), "fc1", "gate", "fc2");

    // Frequencies run from 1 down to 1 / (10000 scale) itself, the end included.
    private static (Value Cos, Value Sin) Tables(Graph g, LatentLmConfig config)
    {
        var half = config.HeadWidth / 2;
        var (cos, sin) = (new float[config.InputSize * config.InputSize * half], new float[config.InputSize * config.InputSize * half]);
        for (var i = 0; i < cos.Length; i++)
        {
            var exponent = half == 1 ? 0 : (float)(i % half) / (half - 1);
            var angle = i / half * (1 / (float)Math.Pow(10000 * config.PosiScale, exponent));
            (cos[i], sin[i]) = (MathF.Cos(angle), MathF.Sin(angle));
        }

        return (g.Constant<float>(cos, cos.Length / half, half), g.Constant<float>(sin, sin.Length / half, half));
    }
}

/// <summary>LatentLM: a class to latent vectors, one after the other, each from a diffusion head.</summary>
public sealed class LatentLmModel : ImageGenerator<LatentLmOptions>
{
    private readonly LatentLmConfig _config;
    private readonly Network _parallel, _start, _next, _step, _head;
    private readonly (float Scaling, float Bias) _factors;

    private LatentLmModel(ModelSource source, Checkpoint checkpoint, LatentLmConfig config) : base(source, checkpoint, SampleSpace.Latents, config.FlattenInput ? null : TokenizerPictures.Diffusers(source))
    {
        _config = config;
        var context = NetworkContext.Of(source, checkpoint);
        _parallel = Network.Build(context, "latentlm/parallel", model => LatentLmNetwork.Parallel(model, config));
        _start = Network.Build(context, "latentlm/start", model => LatentLmNetwork.Start(model, config), independentRows: true);
        _next = Network.Build(context, "latentlm/next", model => LatentLmNetwork.Next(model, config), independentRows: true);
        _step = Network.Build(context with { Stages = false }, "latentlm/step", model => LatentLmNetwork.Step(model, config));
        _head = Network.Build(context, "latentlm/head", model => LatentLmNetwork.Head(model, config));
        _factors = (Factor("scaling_factor", 1), Factor("bias_factor", 0));
        checkpoint.ThrowIfUnused(@"^ema(\.|$)");

        float Factor(string name, float otherwise) => checkpoint.Find(name) is { } data ? WeightConversion.ToFloat32(data).Span<float>()[0] : otherwise;
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/latentlm",
            Paper = "Multimodal Latent Language Modeling with Next-Token Diffusion",
            ArXiv = "2412.08635",
            Authors = ["Yutao Sun", "Hangbo Bao", "Wenhui Wang", "Zhiliang Peng", "Li Dong", "Shaohan Huang", "Jianyong Wang", "Furu Wei"],
            Repository = "microsoft/unilm",
            CodeLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tensors, Modality.Image],
            Layouts = ["authors: model.safetensors + other_state.pth + config.json, vae/ in diffusers' layout for pictures"],
            Sizes = [new("microsoft/unilm: latentlm-L", 495_266_816, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_parallel, _start, _next, _step, _head];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "forward_parallel":
                return (await _parallel.RunAsync(cancel, ("x", arguments.Tensor("x")), ("y", arguments.Tensor("y"))).ConfigureAwait(false)).ToResults();
            case "forward_diffusion":
                return (await _head.RunAsync(cancel, ("x", arguments.Tensor("x")), ("t", arguments.Tensor("t")), ("condition", arguments.Tensor("condition"))).ConfigureAwait(false)).ToResults();
            case "sample_with_cfg":
                var (labels, steps) = (arguments.Tensor<long>("labels").Span.ToArray(), arguments.Literal<int>("num_inference_steps"));
                var options = new LatentLmOptions { Guidance = arguments.Literal("cfg_scale", 1.0), Steps = steps };
                var tokens = new List<Tensor<float>>();
                await foreach (var token in RunAsync(labels, options, Draws.Given(arguments.Tensor<float>("noise")), cancel).ConfigureAwait(false)) tokens.Add(token);
                var scheduler = Scheduler(steps);
                long[] timesteps = [.. scheduler.Timesteps.ToArray().Select(t => (long)t)];
                return new CallResults().Add("timesteps", Tensor.Create(timesteps, timesteps.Length)).Add("sigmas", Tensor.Create(scheduler.Sigmas.ToArray(), scheduler.Sigmas.Length)).Add("latents", Whole(tokens));
            default:
                throw Unsupported(call, "forward_parallel", "forward_diffusion", "sample_with_cfg");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, LatentLmOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.NumClasses, options.Count);
        var tokens = new List<Tensor<float>>();
        await foreach (var token in RunAsync(labels, options, Draws.Normal(seed, labels.Length), cancel).ConfigureAwait(false))
        {
            tokens.Add(token);
            yield return new(tokens.Count, _config.Tokens, tokens.Count == _config.Tokens ? Unscaled(Whole(tokens)) : null);
        }
    }

    // Token after token, each (B, C, p, p) or (B, 1, C); both halves of the guided batch start from the same noise.
    private async IAsyncEnumerable<Tensor<float>> RunAsync(long[] labels, LatentLmOptions options, Draw noise, [EnumeratorCancellation] CancellationToken cancel)
    {
        long[] rows = [.. labels, .. labels.Select(_ => (long)_config.NumClasses)];
        long[] shape = _config.FlattenInput ? [labels.Length, 1, _config.InChannels] : [labels.Length, _config.InChannels, _config.PatchSize, _config.PatchSize];
        var embedded = (await _start.RunAsync(cancel, ("y", Tensor.Create(rows, rows.Length))).ConfigureAwait(false))["embedded"];
        using var state = _step.Begin(rows.Length);
        for (var i = 0; i < _config.Tokens; i++)
        {
            var condition = (await state.StepAsync(cancel, ("embedded", embedded)).ConfigureAwait(false))["condition"];
            var token = Tensor.Zeros<float>(shape);
            noise(i, token.Span);
            await Task.Run(() => Denoise(token, condition, options, cancel), cancel).ConfigureAwait(false);
            yield return token;
            if (i + 1 < _config.Tokens) embedded = (await _next.RunAsync(cancel, ("x", token.Doubled())).ConfigureAwait(false))["embedded"];
        }
    }

    // The solver over one token, in place.
    private void Denoise(Tensor<float> token, Tensor<float> condition, LatentLmOptions options, CancellationToken cancel)
    {
        var scheduler = Scheduler(options.Steps);
        var (times, none) = (Tensor.Zeros<float>(condition.Shape[0]), new PhiloxNoise(0, samples: 1));
        for (var i = 0; i < scheduler.Timesteps.Length; i++)
        {
            times.Span.Fill(scheduler.Timesteps[i]);
            var both = _head.Run(cancel, ("x", token.Doubled()), ("t", times), ("condition", condition))["model_output"];
            scheduler.Step(new(Guidance.FromUnconditional(both, (float)options.Guidance).Span, token.Span, SampleShape.Of(token.Shape), none));
        }
    }

    private IScheduler Scheduler(int steps)
    {
        var scheduler = _config.Solver.Create();
        scheduler.SetTimesteps(new(steps));
        return scheduler;
    }

    // Tokens as a sequence (B, N, C), or side by side as a map (B, C, H, W).
    private Tensor<float> Whole(List<Tensor<float>> tokens)
    {
        if (_config.FlattenInput) return TensorParts.Concat(1, tokens);
        var rows = Enumerable.Range(0, _config.Side).Select(row => TensorParts.Concat(3, [.. tokens.Skip(row * _config.Side).Take(_config.Side)]));
        return TensorParts.Concat(2, [.. rows]);
    }

    // As the autoencoder takes it.
    private Tensor<float> Unscaled(Tensor<float> latents)
    {
        foreach (ref var value in latents.Span) value = value / _factors.Scaling - _factors.Bias;
        return latents;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        if (source.Parts.Count == 0 && PublishedFiles.Find(folder, "other_state.pth") is { } state) source = source with { Parts = [new(PublishedFiles.One(folder, "*.safetensors")), new(state)] };
        return Generators.Open(source, checkpoint => new LatentLmModel(source, checkpoint, PublishedConfig.Read<LatentLmConfig>(folder).Value));
    }
}
