// Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing Guidance (ProMoE). Wei, Zhang, Yuan, Han, Chen, Wang, Zou, Liu, Zhang, Liu, Shan. arXiv:2510.24711. github.com/ali-vilab/ProMoE
// Published layouts: step*.pth ({ema_model_state_dict, ...}) of ProMoE_TC and ProMoE_EC. Deviations: every expert computes every token and the router's weights, zero for most, mix them; the result is the same.
using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.ProMoE;

/// <summary>The arguments of the authors' constructor.</summary>
public sealed record ProMoEConfig : DiTConfig
{
    /// <summary>Name of the published model; <c>EC</c> in it means that experts choose tokens, else tokens choose experts.</summary>
    public string ModelName { get; init; } = "ProMoE_TC";
    /// <summary>True when queries and keys are normalised, head by head.</summary>
    public bool QkNorm { get; init; }
    /// <summary>True when dense MLPs have the experts' names.</summary>
    public bool UseSwiglu { get; init; }
    /// <summary>Width of a head; that of the tokens over the number of heads when left out.</summary>
    public int? HeadDim { get; init; }
    /// <summary>The mixture of experts.</summary>
    [JsonPropertyName("MoE_config")] public ProMoEExperts Experts { get; init; } = new();

    internal int TopK => Experts.TopK ?? (ExpertsChoose ? 1 : 2);

    internal bool ExpertsChoose => ModelName.Contains("EC", StringComparison.Ordinal);
}

/// <summary><c>MoE_config</c> of the published configuration.</summary>
public sealed record ProMoEExperts
{
    /// <summary>Experts with a prototype.</summary>
    [Range(1, 1024)] public int NumRoutedExperts { get; init; } = 8;
    /// <summary>Width inside an expert.</summary>
    public int MoeIntermediateSize { get; init; } = 768;
    /// <summary>Width inside the shared expert.</summary>
    public int SharedExpertIntermediateSize { get; init; } = 768;
    /// <summary>True when one expert sees every token.</summary>
    public bool UseSharedExpert { get; init; } = true;
    /// <summary>True when tokens without a class go to an expert of their own.</summary>
    public bool UseUncondExpert { get; init; } = true;
    /// <summary>True when only every second block is a mixture.</summary>
    public bool Interleave { get; init; }
    /// <summary>Experts that see a token, on average where experts choose; when left out 1 where they do and 2 where tokens choose.</summary>
    [Range(1, 1024)] public int? TopK { get; init; }
    /// <summary>How similarities become weights.</summary>
    [AllowedValues("identity", "sigmoid", "softmax")] public string RouterWeightMode { get; init; } = "softmax";
}

/// <summary>DiT whose MLPs are mixtures of experts with prototypes: the token's cosine to a prototype routes it (section 4).</summary>
internal static class ProMoENetwork
{
    /// <summary>The published code names ImageNet's null class.</summary>
    public const long NullClass = 1000;

    /// <summary>Predicts the velocity, and beside it C more channels when there is a variance. x (B, C, H, W), t (B), y (B).</summary>
    public static Value Build(Scope dit, Value x, Value t, Value y, ProMoEConfig config)
    {
        var (h, condition) = DiTNetwork.Embed(dit, x, t, y, config);
        var unconditional = y.Same(y.Graph.Scalar(ElementType.Int64, NullClass));                // (B)
        var routes = new List<(Value Indices, Value Weights)>();
        for (var i = 0; i < config.Depth; i++)
        {
            var block = dit["blocks"][i];
            var (shift1, scale1, gate1, shift2, scale2, gate2) = block.Modulation6(condition);
            h += Attention(block["attn"], h.LayerNorm(1e-6).Modulate(shift1, scale1), config).Gated(gate1);
            var normed = h.LayerNorm(1e-6).Modulate(shift2, scale2);
            var mixture = !config.Experts.Interleave || i % 2 == 1;
            h = dit.Stage($"block_{i}", h + (!mixture ? Dense(block["mlp"], normed, config) : config.ExpertsChoose ? ExpertChoice(block["mlp"], normed, unconditional, config) : TokenChoice(block["mlp"], normed, unconditional, routes, config)).Gated(gate2));
        }

        if (routes.Count > 0)
        {
            dit.Stage("router_indices", ValueShape.Stack(0, [.. routes.Select(route => route.Indices)]));  // (mixtures, B, N, k)
            dit.Stage("router_weights", ValueShape.Stack(0, [.. routes.Select(route => route.Weights)]));
        }

        return DiTNetwork.Unpatch(dit, h, condition, config);
    }

    // Each token takes its k nearest prototypes; tokens without a class take the last expert.
    private static Value TokenChoice(Scope moe, Value x, Value unconditional, List<(Value, Value)> routes, ProMoEConfig config)
    {
        var (g, experts) = (x.Graph, config.Experts);
        var similarity = Similarity(moe, x, config);                                             // (B, N, E)
        var scores = experts.RouterWeightMode switch { "softmax" => similarity.Softmax(), "sigmoid" => similarity.Sigmoid(), _ => similarity };
        var (weights, indices) = scores.TopK(config.TopK);
        if (experts.UseUncondExpert)
        {
            var none = unconditional.Reshape(-1, 1, 1);
            var first = new float[config.TopK];
            first[0] = 1;
            (weights, indices) = (none.Where(g.Constant<float>(first, config.TopK), weights), none.Where(g.Scalar(ElementType.Int64, experts.NumRoutedExperts), indices));
        }

        routes.Add((indices, weights));
        var route = new Route(indices, weights);
        var sum = Shared(moe, x, config);
        for (var e = 0; e < experts.NumRoutedExperts + (experts.UseUncondExpert ? 1 : 0); e++) sum = Add(sum, route.WeightOf(e) * Expert(moe["experts"][e], x, experts.MoeIntermediateSize));
        return sum!;
    }

    // Each prototype takes its nearest tokens of each picture.
    private static Value ExpertChoice(Scope moe, Value x, Value unconditional, ProMoEConfig config)
    {
        var (experts, tokens) = (config.Experts, x.Shape[1].Size);
        var similarity = Similarity(moe, x, config).Swap(1, 2);                                  // (B, E, N)
        var scores = experts.RouterWeightMode switch { "softmax" => similarity.Softmax(), "sigmoid" => similarity.Sigmoid(), _ => similarity };
        var count = Math.Max(1, Math.Min((long)((double)tokens / experts.NumRoutedExperts * config.TopK), tokens));
        var (values, places) = scores.TopK(count);
        var weights = x.Graph.Node(moe.Path, "ScatterElements", [scores * 0, places, values], ElementType.Float32, scores.Shape, ("axis", 2L));
        Value? routed = null;
        for (var e = 0; e < experts.NumRoutedExperts; e++) routed = Add(routed, weights.At(1, e).Unsqueeze(-1) * Expert(moe["experts"][e], x, experts.MoeIntermediateSize));
        if (experts.UseUncondExpert) routed = unconditional.Reshape(-1, 1, 1).Where(Expert(moe["experts"][experts.NumRoutedExperts], x, experts.MoeIntermediateSize), routed!);
        return Add(Shared(moe, x, config), routed!);
    }

    private static Value Similarity(Scope moe, Value x, ProMoEConfig config) =>
        x.L2Normalize().MatMul(moe.Weight("cluster_centers", config.Experts.NumRoutedExperts, config.HiddenSize).L2Normalize().Swap(0, 1).Unsqueeze(0));

    private static Value? Shared(Scope moe, Value x, ProMoEConfig config) =>
        config.Experts.UseSharedExpert ? Expert(moe["shared_expert"], x, config.Experts.SharedExpertIntermediateSize) : null;

    private static Value Add(Value? sum, Value term) => sum is null ? term : sum + term;

    private static Value Expert(Scope expert, Value x, long hidden) => expert.Mlp(x, hidden, v => v.Gelu(Gelu.Tanh), "up_proj", "down_proj");

    private static Value Dense(Scope mlp, Value x, ProMoEConfig config) => config.UseSwiglu ? Expert(mlp, x, config.MlpWidth) : mlp.Mlp(x, config.MlpWidth, v => v.Gelu(Gelu.Tanh));

    private static Value Attention(Scope attn, Value x, ProMoEConfig config)
    {
        var inner = (long)config.NumHeads * (config.HeadDim ?? config.HiddenSize / config.NumHeads);
        var (q, k, v) = attn["qkv"].Qkv(x, inner);
        if (config.QkNorm) (q, k) = (q.PerHead(config.NumHeads, head => attn["q_norm"].LayerNorm(head)), k.PerHead(config.NumHeads, head => attn["k_norm"].LayerNorm(head)));
        return attn["proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = config.NumHeads }), config.HiddenSize);
    }
}

/// <summary>ProMoE: published files in, pictures out.</summary>
public static class ProMoEModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/promoe",
            Paper = "Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing Guidance",
            ArXiv = "2510.24711",
            Authors = ["Yujie Wei", "Shiwei Zhang", "Hangjie Yuan", "Yujin Han", "Zhekai Chen", "Jiayu Wang", "Difan Zou", "Xihui Liu", "Yingya Zhang", "Yu Liu", "Hongming Shan"],
            Repository = "ali-vilab/ProMoE",
            CodeLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: step*.pth + config.json (constructor arguments)"],
            Sizes =
            [
                new("ali-vilab/ProMoE: ProMoE-S-Flow", 75_537_424, []),
                new("ali-vilab/ProMoE: ProMoE-B-Flow", 300_595_216, []),
                new("ali-vilab/ProMoE: ProMoE-L-Flow", 1_062_668_304, []),
                new("ali-vilab/ProMoE: ProMoE-XL-Flow", 1_567_715_344, []),
            ],
            Deviations = "Every expert computes every token; the router's weights, zero for most, mix them.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<ProMoEConfig>(source.RequireFolder()).Value;
        var process = new ClassProcess(true, t => t, 1, false, config.InChannels, 50, 1.5);
        return new ClassArchitecture("promoe", "velocity", config.Sample, config.NumClasses, process, (scope, x, t, y) => ProMoENetwork.Build(scope, x, t, y, config)) { Keys = ["ema_model_state_dict", "model_state_dict"] }
            .OpenAsync(source, network => (call, arguments, token) => call switch
            {
                "forward" => network.ForwardAsync(arguments.Tensor("x"), arguments.Tensor("timestep"), arguments.Tensor("context"), token),
                "sample" => SampleAsync(network, config, arguments, token),
                _ => throw Calls.Unknown(call, "forward, sample"),
            });
    }

    // sample.py: Euler steps of a flow whose times are shifted, guidance on all channels.
    private static async Task<CallResults> SampleAsync(ClassNetwork network, ProMoEConfig config, CallArguments arguments, CancellationToken cancel)
    {
        var (steps, shift, scale) = (arguments.Literal("sample_steps", 50), arguments.Literal("sample_shift", 1.0), arguments.Literal("guide_scale", 1.0));
        var y = arguments.Tensor<long>("y");
        var none = arguments.FindTensor<long>("y_null") ?? Tensor.Create<long>([.. Enumerable.Repeat((long)config.NumClasses, y.Length)], y.Length);
        var scheduler = new FlowMatchEulerConfig().Create();
        scheduler.SetTimesteps(new() { Sigmas = [.. Enumerable.Range(0, steps).Select(i => 1 - i / (double)steps).Select(sigma => shift * sigma / (1 + (shift - 1) * sigma))] });
        var timesteps = scheduler.Timesteps.ToArray();
        var states = new List<Tensor<float>>();
        await foreach (var state in SchedulerLoop.RunAsync(scheduler, Batch.Copy(arguments.Tensor<float>("noise")), NoNoise.Instance, PredictAsync, cancel: cancel).ConfigureAwait(false)) states.Add(Batch.Copy(state.Sample));
        return new CallResults().Add("timesteps", Tensor.Create(timesteps, timesteps.Length)).Add("trajectory", Batch.Stack(states)).Add("sample", states[^1]);

        async Task<Tensor<float>> PredictAsync(Tensor<float> x, float t)
        {
            var output = await network.PredictAsync(x, t, y, cancel).ConfigureAwait(false);
            if (scale > 1) output = Guidance.Combine(Batch.Concat(output, await network.PredictAsync(x, t, none, cancel).ConfigureAwait(false)), scale);
            return output.Shape[1] == config.InChannels ? output : Batch.Channels(output, 0, config.InChannels);
        }
    }
}
