// "Principal Components" Enable A New Language of Images. Wen, Zhao, Elezi, Deng, Qi. arXiv:2503.08685. github.com/visual-gen/semanticist: semanticist/stage2
// Published layout: semanticist_ar_gen_*.pkl + config.json (gpt_model of autoregressive_*.yaml). Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The arguments of the authors' <c>Transformer</c>; defaults are those of GPT-L in autoregressive_l.yaml.</summary>
public sealed record SemanticistArConfig
{
    /// <summary>Width.</summary>
    [Range(1, 1 << 16)] public int Dim { get; init; } = 1024;
    /// <summary>Blocks.</summary>
    [Range(1, 256)] public int NLayer { get; init; } = 24;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int NHead { get; init; } = 16;
    /// <summary>Classes; the dropped class follows them.</summary>
    [Range(1, 1 << 20)] public int NumClasses { get; init; } = 1000;
    /// <summary>Rate at which classes were dropped in training; 0 when there is no dropped class.</summary>
    public double ClassDropoutProb { get; init; } = 0.1;
    /// <summary>Positions that the class takes.</summary>
    [Range(1, 1024)] public int ClsTokenNum { get; init; } = 1;
    /// <summary>The most tokens.</summary>
    [Range(1, 1 << 16)] public int NumSlots { get; init; } = 32;
    /// <summary>Channels of a token.</summary>
    [Range(1, 1 << 16)] public int SlotDim { get; init; } = 16;
    /// <summary>Blocks of the head.</summary>
    public int DifflossD { get; init; } = 12;
    /// <summary>Width of the head.</summary>
    public int DifflossW { get; init; } = 1536;
    /// <summary>Steps of the diffusion, where it is one.</summary>
    public string NumSamplingSteps { get; init; } = "100";
    /// <summary>Whether the diffusion's head predicts the clean token.</summary>
    public bool PredictXstart { get; init; }
    /// <summary>Whether the head is a stochastic interpolant.</summary>
    public bool UseSi { get; init; } = true;
    /// <summary>How the head takes the condition.</summary>
    [AllowedValues("adaln", "concat")] public string CondMethod { get; init; } = "concat";
}

/// <summary>Options of Semanticist's generator; defaults are the authors'.</summary>
public sealed record SemanticistArOptions : PictureOptions
{
    /// <summary>Tokens.</summary>
    [Description("Tokens a picture; as many as the model knows when left out."), Range(1, 1 << 16)] public int? Tokens { get; init; }
    /// <summary>Scale of guidance.</summary>
    [Description("Classifier-free guidance; 1 for none."), Range(1.0, 100.0)] public double Guidance { get; init; } = 6;
    /// <summary>Course of guidance.</summary>
    [Description("Whether guidance grows from token to token (linear) or stays (constant)."), AllowedValues("linear", "constant")] public string GuidanceSchedule { get; init; } = "linear";
    /// <summary>Factor on the noise of the steps.</summary>
    [Description("Factor on the noise of the head's steps."), Range(0.0, 10.0)] public double Temperature { get; init; } = 1;
}

internal static class SemanticistArNetwork
{
    private const double Epsilon = 1e-5;
    private static readonly Dim Rows = Dim.Symbol("rows");

    /// <summary>The class's positions: labels (rows) -> (rows, T, D).</summary>
    public static void Start(Scope model, SemanticistArConfig config)
    {
        var labels = model.Graph.Input("labels", ElementType.Int64, [Rows]);
        var embedded = model["cls_embedding.embedding_table"].Embedding(labels, config.NumClasses + (config.ClassDropoutProb > 0 ? 1 : 0), config.Dim);
        model.Graph.Output("x", embedded.Unsqueeze(1).Expand(Rows, config.ClsTokenNum, config.Dim));
    }

    /// <summary>A token's position: slot (rows, 1, C) -> (rows, 1, D).</summary>
    public static void Next(Scope model, SemanticistArConfig config) => model.Graph.Output("x", model["z_proj"].Linear(model.Graph.Input("slot", [Rows, 1, config.SlotDim]), config.Dim));

    /// <summary>New positions x (rows, n, D) -> hidden (rows, D) of the last, and that with the head's position, condition (rows, D).</summary>
    public static void Step(Scope model, SemanticistArConfig config)
    {
        var (count, width) = (Dim.Symbol("positions"), config.Dim);
        var x = model.Graph.Input("x", [Rows, count, width]);
        var sizes = new LlamaSizes(width, config.NHead, LlamaSizes.HiddenOf(width, 256));
        var cache = sizes.Cache(model.Graph, Rows, count);
        x = model["z_proj_ln"].RmsNorm(x + model.Weight("pos_embed_learned", 1, config.NumSlots + config.ClsTokenNum, width).Squeeze(0).Gather(cache.Positions), Epsilon);
        for (var i = 0; i < config.NLayer; i++)
        {
            var layer = i;
            x = model["layers"][i].LlamaBlock(x, sizes, rotary: null, (q, k, v, options) => cache.Attention(layer, q, k, v, options));
        }

        var hidden = model["norm"].RmsNorm(x, Epsilon).At(1, count - 1);
        model.Graph.Output("hidden", hidden);
        var at = cache.Positions.At(1, count - 1) - (config.ClsTokenNum - 1);
        model.Graph.Output("condition", hidden + model.Weight("diffusion_pos_embed_learned", 1, config.NumSlots, width).Squeeze(0).Gather(at));
    }

    /// <summary>The head: latent (n, C), timestep (n), condition (n, D) -> velocity (n, C), or noise and variance (n, 2 C).</summary>
    public static void Head(Scope net, SemanticistArConfig config)
    {
        var (g, n, width) = (net.Graph, Dim.Symbol("tokens"), (long)config.DifflossW);
        var x = net["input_proj"].Linear(g.Input("latent", [n, config.SlotDim]), width);
        var time = net["time_embed.mlp.2"].Linear(net["time_embed.mlp.0"].Linear(g.Input("timestep", [n]).Sinusoid(256), width).Silu(), width);
        var condition = net["cond_embed"].Linear(g.Input("condition", [n, config.Dim]), width);
        // Concatenated conditions leave the modulation to the time alone.
        var concat = config.CondMethod == "concat";
        var y = (concat ? time : time + condition).Silu();
        Value With(Value h) => concat ? ValueShape.Concat(-1, h, condition) : h;
        for (var i = 0; i < config.DifflossD; i++)
        {
            var block = net["res_blocks"][i];
            var (shift, scale, gate) = block["adaLN_modulation.1"].Linear(y, 3 * width).Chunk3();
            var h = With(block["in_ln"].LayerNorm(x, 1e-6) * (scale + 1) + shift);
            x += gate * block["mlp.2"].Linear(block["mlp.0"].Linear(h, width).Silu(), width);
        }

        var (finalShift, finalScale) = net["final_layer.adaLN_modulation.1"].Linear(y, 2 * width).Chunk2();
        g.Output("head", net["final_layer.linear"].Linear(With(x.LayerNorm(1e-6) * (finalScale + 1) + finalShift), config.UseSi ? config.SlotDim : 2 * config.SlotDim));
    }
}

/// <summary>Semanticist's generator: a class to the principal components of a picture, one token after the other.</summary>
public sealed class SemanticistArModel : ImageGenerator<SemanticistArOptions>
{
    private readonly SemanticistArConfig _config;
    private readonly Network _start, _next, _step, _head;
    private readonly SemanticistArSampler _sampler;

    private SemanticistArModel(ModelSource source, Checkpoint checkpoint, SemanticistArConfig config) : base(source, checkpoint, SampleSpace.Latents, decoder: null, paints: false)
    {
        _config = config;
        var context = NetworkContext.Of(source, checkpoint);
        _start = Network.Build(context, "semanticist/start", model => SemanticistArNetwork.Start(model, config), independentRows: true);
        _next = Network.Build(context, "semanticist/next", model => SemanticistArNetwork.Next(model, config), independentRows: true);
        _step = Network.Build(context, "semanticist/step", model => SemanticistArNetwork.Step(model, config));
        _head = Network.Build(context, "semanticist/head", model => SemanticistArNetwork.Head(model["diffloss.net"], config));
        _sampler = new(_head, config);
        checkpoint.ThrowIfUnused();
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/semanticist-ar",
            Paper = "\"Principal Components\" Enable A New Language of Images",
            ArXiv = "2503.08685",
            Authors = ["Xin Wen", "Bingchen Zhao", "Ismail Elezi", "Jiankang Deng", "Xiaojuan Qi"],
            Repository = "visual-gen/semanticist",
            CodeLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tensors],
            Layouts = ["authors: semanticist_ar_gen_*.pkl + config.json"],
            Sizes = [new("tennant/semanticist: semanticist_ar_gen_L", 488_566_800, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_start, _next, _step, _head];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "denoise":
                return (await _head.RunAsync(cancel, ("latent", arguments.Tensor("latent")), ("timestep", arguments.Tensor("timestep")), ("condition", arguments.Tensor("condition"))).ConfigureAwait(false)).ToResults();
            case "generate":
                var (labels, noise, steps) = (arguments.Tensor<long>("labels").Span.ToArray(), arguments.Tensor<float>("noise"), arguments.Tensor<float>("step_noise"));
                var options = new SemanticistArOptions
                {
                    Tokens = arguments.Literal<int>("num_slots"),
                    Guidance = arguments.Literal("cfg_scale", 1.0),
                    GuidanceSchedule = arguments.Literal("cfg_schedule", "constant"),
                    Temperature = arguments.Literal("temperature", 1.0),
                };
                var (hidden, slots) = (new List<Tensor<float>>(), new List<Tensor<float>>());
                await foreach (var token in RunAsync(labels, options, Given, cancel).ConfigureAwait(false))
                {
                    hidden.Add(token.Hidden.Reshape(token.Hidden.Shape[0], 1, _config.Dim));
                    slots.Add(token.Slot);
                }

                return new CallResults().Add("hidden", TensorParts.Concat(1, hidden)).Add("slots", TensorParts.Concat(1, slots));

                // Starting noise (B, tokens, C); that of the steps (rows, tokens, steps, C), of which the conditional rows count.
                void Given(int token, int draw, Span<float> destination)
                {
                    for (var row = 0; row < labels.Length; row++)
                    {
                        var numbers = draw == 0 ? noise.Slice(row).Slice(token) : steps.Slice(row).Slice(token).Slice(draw - 1);
                        numbers.Span.CopyTo(destination[(row * _config.SlotDim)..]);
                    }
                }
            default:
                throw Unsupported(call, "denoise", "generate");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, SemanticistArOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.NumClasses, options.Count);
        var count = options.Tokens ?? _config.NumSlots;
        if (count > _config.NumSlots) throw new OptionsException(ErrorCodes.OptionRange, "The model has not so many tokens.") { Where = "tokens", Expected = $"1..{_config.NumSlots}", Found = count.ToString() };
        var slots = new List<Tensor<float>>();
        await foreach (var token in RunAsync(labels, options, (token, draw, destination) => Draws.Normal(seed, labels.Length, token)(draw, destination), cancel).ConfigureAwait(false))
        {
            slots.Add(token.Slot);
            yield return new(slots.Count, count, slots.Count == count ? TensorParts.Concat(1, slots) : null);
        }
    }

    // Token by token: hidden (rows, D) and slot (B, 1, C).
    private async IAsyncEnumerable<(Tensor<float> Hidden, Tensor<float> Slot)> RunAsync(long[] labels, SemanticistArOptions options, SlotNoise noise, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (guided, count) = (options.Guidance > 1, options.Tokens ?? _config.NumSlots);
        long[] rows = guided ? [.. labels, .. labels.Select(_ => (long)_config.NumClasses)] : labels;
        var x = (await _start.RunAsync(cancel, ("labels", Tensor.Create(rows, rows.Length))).ConfigureAwait(false))["x"];
        using var state = _step.Begin(rows.Length);
        for (var i = 0; i < count; i++)
        {
            var outputs = await state.StepAsync(cancel, ("x", x)).ConfigureAwait(false);
            var guidance = options.GuidanceSchedule == "linear" ? 1 + (options.Guidance - 1) * (i + 1) / count : options.Guidance;
            var token = i;
            var slot = await _sampler.SampleAsync(outputs["condition"], labels.Length, (float)guidance, (float)options.Temperature, (draw, destination) => noise(token, draw, destination), cancel).ConfigureAwait(false);
            yield return (outputs["hidden"], slot);
            if (i + 1 < count) x = (await _next.RunAsync(cancel, ("slot", guided ? slot.Doubled() : slot)).ConfigureAwait(false))["x"];
        }
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        Generators.Open(source, checkpoint => new SemanticistArModel(source, checkpoint, PublishedConfig.Read<SemanticistArConfig>(source.RequireFolder()).Value));

    // The draw-th noise (B, C) of a token, 0 being where it starts.
    private delegate void SlotNoise(int token, int draw, Span<float> destination);
}

/// <summary>Tokens from noise: SiT's stochastic equation from noise (t = 0) to data (t = 1), or ancestral diffusion.</summary>
internal sealed class SemanticistArSampler(Network head, SemanticistArConfig config)
{
    private const int Points = 250;
    private const float LastStep = 0.04f;

    /// <summary>Conditions (B, D), or (2 B, D) when guided, to tokens (B, 1, C). The whole loop is one task, which a cancellation leaves within a step.</summary>
    public Task<Tensor<float>> SampleAsync(Tensor<float> conditions, int batch, float guidance, float temperature, Draw noise, CancellationToken cancel) => Task.Run(
        () =>
        {
            var x = new float[batch * config.SlotDim];
            noise(0, x);
            if (config.UseSi) Interpolate(conditions, x, guidance, temperature, noise, cancel);
            else Diffuse(conditions, x, guidance, temperature, noise, cancel);
            return Tensor.Create(x, batch, 1, config.SlotDim);
        },
        cancel);

    // Euler-Maruyama with diffusion sigma(t) = 1 - t on the linear path; drift = velocity + sigma score, score = (t velocity - x) / (1 - t).
    private void Interpolate(Tensor<float> conditions, float[] x, float guidance, float temperature, Draw noise, CancellationToken cancel)
    {
        var fresh = new float[x.Length];
        var dt = (1 - LastStep) / (Points - 1);
        for (var i = 0; i < Points; i++)
        {
            var t = i * dt;
            var last = i == Points - 1;
            var (velocity, _) = Predict(conditions, x, t, guidance, cancel);
            if (!last) noise(i + 1, fresh);
            var spread = MathF.Sqrt(2 * (1 - t)) * MathF.Sqrt(dt) * temperature;
            for (var k = 0; k < x.Length; k++)
            {
                var drift = velocity[k] + (t * velocity[k] - x[k]);
                x[k] = last ? x[k] + drift * LastStep : x[k] + drift * dt + spread * fresh[k];
            }
        }
    }

    private void Diffuse(Tensor<float> conditions, float[] x, float guidance, float temperature, Draw noise, CancellationToken cancel)
    {
        var diffusion = new SpacedDiffusion(config.NumSamplingSteps, BetaSchedule.SquaredCosine);
        var fresh = new float[x.Length];
        for (var step = diffusion.Count - 1; step >= 0; step--)
        {
            var (output, variance) = Predict(conditions, x, diffusion.Timesteps[step], guidance, cancel);
            if (config.PredictXstart) diffusion.NoiseOf(step, output, x);
            if (step > 0) noise(diffusion.Count - step, fresh);
            diffusion.Step(step, output, variance, x, fresh, temperature);
        }
    }

    // Guided output (B C), and the conditional rows' variance where there is one.
    private (float[] Output, float[] Variance) Predict(Tensor<float> conditions, float[] x, float t, float guidance, CancellationToken cancel)
    {
        var (rows, width) = ((int)conditions.Shape[0], config.SlotDim);
        var (latent, times) = (Tensor.Zeros<float>(rows, width), Tensor.Zeros<float>(rows));
        for (var start = 0; start < latent.Length; start += x.Length) x.CopyTo(latent.Span[start..]);
        times.Span.Fill(t);
        var output = head.Run(cancel, ("latent", latent), ("timestep", times), ("condition", conditions))["head"];
        var (stride, guided) = ((int)output.Shape[1], latent.Length > x.Length);
        var (values, variance) = (new float[x.Length], new float[stride > width ? x.Length : 0]);
        for (var i = 0; i < x.Length; i++)
        {
            var at = i / width * stride + i % width;
            values[i] = output.Span[at];
            if (variance.Length > 0) variance[i] = output.Span[at + width];
            if (!guided) continue;
            var without = output.Span[at + x.Length / width * stride];
            values[i] = without + guidance * (values[i] - without);
        }

        return (values, variance);
    }
}
