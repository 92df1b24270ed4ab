// Instella-T2I: Pushing the Limits of 1D Discrete Latent Space Image Generation. Wang et al. arXiv:2506.21022. github.com/AMD-AIG-AIMA/Instella-T2I: models/diff_model.py
// Published layout: diffusers folder config.json + model.safetensors. Deviations: none; the language model whose hidden states it reads is not part of it.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>How bits go from one time to the next; <c>protocal_1</c> and <c>protocal_2</c> in the authors' code.</summary>
public enum BinaryTransition
{
    /// <summary>The predicted bits with fresh noise of the next time.</summary>
    Renoise,
    /// <summary>The posterior given the predicted and the present bits.</summary>
    Posterior,
}

/// <summary>Options of Instella's diffusion generator; defaults are the authors'.</summary>
public sealed record InstellaDiffusionOptions : PictureOptions
{
    /// <summary>Number of steps.</summary>
    [Description("Steps."), Range(1, 1000)] public int Steps { get; init; } = 20;
    /// <summary>Scale of guidance.</summary>
    [Description("Classifier-free guidance: what is added of the distance from the empty prompt; 0 for none."), Range(0.0, 100.0)] public double Guidance { get; init; } = 7.5;
    /// <summary>Temperature.</summary>
    [Description("Temperature of the bits."), Range(1e-3, 100.0)] public double Temperature { get; init; } = 1;
    /// <summary>Power of the times.</summary>
    [Description("Power of the times between 1 and 0."), Range(0.01, 100.0)] public double Rho { get; init; } = 1;
    /// <summary>How bits go on.</summary>
    [Description("How bits go from one time to the next: renoise or posterior.")] public BinaryTransition Transition { get; init; }
}

internal static class InstellaDiffusionNetwork
{
    /// <summary>Bits hidden_states (rows, n, C) at a time (rows) in 0..1, features and mask of the texts -> logits (rows, n, C) that a bit is to be flipped.</summary>
    public static void Build(Scope model, InstellaConfig config)
    {
        var (g, width) = (model.Graph, config.Width);
        var bits = g.Input("hidden_states", [InstellaLayers.Rows, config.NumImgTkns, config.InChannels]);
        var t = g.Input("timestep", [InstellaLayers.Rows]).Unsqueeze(1);
        var features = InstellaLayers.Features(model, config);
        var bias = InstellaLayers.Padding(model, config.NumImgTkns);
        // The time itself goes into the perceptron: there are no sinusoids.
        var time = model.Stage("time_embedding", model["time_embed"].Linear2(t, width)).Silu();
        var x = model["x_embedder"].Linear(bits, width);
        for (var i = 0; i < config.NumLayers; i++)
        {
            var block = model["transformer_blocks"][i];
            var (shift1, scale1, gate1, shift2, scale2, gate2) = block["norm1.linear"].Linear(time, 6 * width).Chunk6();
            var h = x.LayerNorm(1e-6).Modulate(shift1, scale1) + block.Weight("pos_emb", 1, config.NumImgTkns, width);
            x += InstellaLayers.Attend(block["attn"], h, InstellaLayers.Text(block, features, i, config), bias, config) * gate1.Unsqueeze(1);
            x = model.Stage($"block_{i}", x + InstellaLayers.FeedForward(block["ff"], x.LayerNorm(1e-6).Modulate(shift2, scale2), config) * gate2.Unsqueeze(1));
        }

        var (scale, shift) = model["norm_out.linear"].Linear(time, 2 * width).Chunk2();
        g.Output("logits", model["proj_out"].Linear(x.LayerNorm(1e-6).Modulate(shift, scale), config.InChannels));
    }

    private static Value Linear2(this Scope embed, Value t, long width) => embed["linear_2"].Linear(embed["linear_1"].Linear(t, width).Silu(), width);
}

/// <summary>Instella's diffusion generator: a text to binary tokens, all at once.</summary>
public sealed class InstellaDiffusionModel : ImageGenerator<InstellaDiffusionOptions>
{
    private readonly InstellaConfig _config;
    private readonly Network _network;

    private InstellaDiffusionModel(ModelSource source, Checkpoint checkpoint, InstellaConfig config) : base(source, checkpoint, new(TokenLayout.Grid, [2]), decoder: null, paints: false)
    {
        _config = config;
        _network = Network.Build(NetworkContext.Of(source, checkpoint), "instella", model => InstellaDiffusionNetwork.Build(model, config));
        checkpoint.ThrowIfUnused();
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/instella-diffusion",
            Paper = "Instella-T2I: Pushing the Limits of 1D Discrete Latent Space Image Generation",
            ArXiv = "2506.21022",
            Authors = ["Ze Wang", "Hao Chen", "Benran Hu", "Jiang Liu", "Ximeng Sun", "Jialian Wu", "Yusheng Su", "Xiaodong Yu", "Emad Barsoum", "Zicheng Liu"],
            Repository = "AMD-AIG-AIMA/Instella-T2I",
            CodeLicense = "ResearchRAIL-MS",
            Inputs = [Modality.Tensors],
            Outputs = [Modality.Tokens],
            Layouts = ["diffusers: config.json + model.safetensors"],
            Sizes = [new("amd/Instella-T2I: diffusion", 1_292_517_440, [])],
        },
        (source, _) => Generators.Open(source, checkpoint => new InstellaDiffusionModel(source, checkpoint, PublishedConfig.Read<InstellaConfig>(source.RequireFolder()).Value)));

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_network];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "forward":
                string[] names = ["hidden_states", "timestep", "llm_features", "text_mask"];
                return (await _network.RunAsync(cancel, [.. names.Select(name => (name, arguments.Tensor(name)))]).ConfigureAwait(false)).ToResults();
            case "sample":
                var options = new InstellaDiffusionOptions
                {
                    Steps = arguments.Literal("num_sampling_steps", 20),
                    Guidance = arguments.Literal("guidance_scale", 7.5),
                    Temperature = arguments.Literal("temp", 1.0),
                    Rho = arguments.Literal("rho", 1.0),
                    Transition = arguments.Literal("protocal", "protocal_1") switch
                    {
                        "protocal_1" => BinaryTransition.Renoise,
                        "protocal_2" => BinaryTransition.Posterior,
                        var other => throw new ModelZooException(ErrorCodes.VerbUnsupported, "There is no such protocol.") { Where = "protocal", Expected = "protocal_1 or protocal_2", Found = other },
                    },
                };
                Tensor<float>? bits = null;
                await foreach (var next in RunAsync(InstellaText.Of(arguments), options, Draws.Given(arguments.Tensor<float>("uniform")), cancel).ConfigureAwait(false)) bits = next;
                return new CallResults().Add("codes", Codes(bits!));
            default:
                throw Unsupported(call, "forward", "sample");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, InstellaDiffusionOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var done = 0;
        await foreach (var bits in RunAsync(InstellaText.Of(prompt, _config, options.Count), options, Draws.Uniform(seed, options.Count), cancel).ConfigureAwait(false))
        {
            done++;
            yield return new(done, options.Steps, done == options.Steps ? Codes(bits) : null);
        }
    }

    // The bits (B, n, C) after each step.
    private async IAsyncEnumerable<Tensor<float>> RunAsync(InstellaText text, InstellaDiffusionOptions options, Draw uniforms, [EnumeratorCancellation] CancellationToken cancel)
    {
        var bits = Tensor.Zeros<float>(text.Batch, _config.NumImgTkns, _config.InChannels);
        var numbers = new float[bits.Length];
        uniforms(0, numbers);
        for (var i = 0; i < numbers.Length; i++) bits.Span[i] = numbers[i] < 0.5f ? 1 : 0;
        for (var step = 0; step < options.Steps; step++)
        {
            var (t, next) = (Time(step, options), Time(step + 1, options));
            var times = Tensor.Zeros<float>(2 * text.Batch);
            times.Span.Fill(t);
            var logits = (await _network.RunAsync(cancel, ("hidden_states", bits.Doubled()), ("timestep", times), ("llm_features", text.Features), ("text_mask", text.Mask)).ConfigureAwait(false))["logits"];
            var last = step == options.Steps - 1;
            if (!last) uniforms(step + 1, numbers);
            bits = Advance(bits, logits.Span, options, last, t, next, numbers);
            yield return bits;
        }
    }

    private static float Time(int step, InstellaDiffusionOptions options) => (float)Math.Pow(1 - (double)step / options.Steps, options.Rho);

    private static Tensor<float> Advance(Tensor<float> bits, ReadOnlySpan<float> logits, InstellaDiffusionOptions options, bool last, float t, float next, float[] uniforms)
    {
        var (scale, temperature) = ((float)options.Guidance, (float)options.Temperature);
        var result = Tensor.Zeros<float>(bits.Shape);
        for (var i = 0; i < result.Length; i++)
        {
            var guided = (float)(1 + options.Guidance) * (logits[i] / temperature) - scale * (logits[bits.Length + i] / temperature);
            var (z, flip) = (bits.Span[i], 1 / (1 + MathF.Exp(-guided)));
            var p = z * (1 - flip) + (1 - z) * flip;                                            // that the clean bit is 1
            result.Span[i] = (last ? p > 0.5f : uniforms[i] < (options.Transition == BinaryTransition.Renoise ? p * (1 - next) + 0.5f * next : Posterior(p, z, t, next))) ? 1 : 0;
        }

        return result;
    }

    // Proportional to what the clean bit makes of the next time, times what the present bit allows; of 1 against 0.
    private static float Posterior(float p, float z, float t, float next)
    {
        float Share(float clean, float present) => (clean * (1 - next) + 0.5f * next) * (present - (t - next) * (present - 0.5f));
        var (one, zero) = (Share(p, z), Share(1 - p, 1 - z));
        return one / (one + zero);
    }

    private static Tensor<long> Codes(Tensor<float> bits) => Tensor.Create(Array.ConvertAll(bits.Span.ToArray(), bit => (long)bit), bits.Shape);
}
