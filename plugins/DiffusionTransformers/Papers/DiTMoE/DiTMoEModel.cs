// Scaling Diffusion Transformers to 16 Billion Parameters. Fei, Fan, Yu, Li, Huang. arXiv:2407.11633. github.com/feizc/DiT-MoE
// Published layouts: dit_moe_*.pt (state dict, or {model, ema, ...}). Deviations: every expert computes every token and the router's weights, zero for most, mix them; the result is the same.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.DiTMoE;

/// <summary>The arguments of the authors' constructor; an expert is as wide as DiT's MLP.</summary>
public sealed record DiTMoEConfig : DiTConfig
{
    /// <summary>Number of experts.</summary>
    [Range(1, 1024)] public int NumExperts { get; init; } = 8;
    /// <summary>Experts that see a token.</summary>
    [Range(1, 1024)] public int NumExpertsPerTok { get; init; } = 2;
    /// <summary>Into how many products the authors' code splits each map; the result is the same.</summary>
    public int PretrainingTp { get; init; } = 2;
}

/// <summary>DiT whose MLPs are mixtures of experts (section 3.1): two shared ones, and the best few of many for each token.</summary>
internal static class DiTMoENetwork
{
    /// <summary>Predicts noise and variance. x (B, C, H, W), t (B), y (B) -> (B, 2C, H, W).</summary>
    public static Value Build(Scope dit, Value x, Value t, Value y, DiTMoEConfig config)
    {
        var (h, condition) = DiTNetwork.Embed(dit, x, t, y, config);
        var routes = new List<Route>();
        for (var i = 0; i < config.Depth; i++)
        {
            var block = dit["blocks"][i];
            var (shift1, scale1, gate1, shift2, scale2, gate2) = block.Modulation6(condition);
            h += block["attn"].SelfAttention(h.LayerNorm(1e-6).Modulate(shift1, scale1), config.NumHeads).Gated(gate1);
            var (mixed, route) = Mixture(block["moe"], h.LayerNorm(1e-6).Modulate(shift2, scale2), config);
            h = dit.Stage($"block_{i}", h + dit.Stage($"block_{i}_moe", mixed).Gated(gate2));
            routes.Add(route);
        }

        dit.Stage("router_indices", ValueShape.Stack(0, [.. routes.Select(route => route.Experts.Flatten(0, 1))]));      // (blocks, B N, k)
        dit.Stage("router_weights", ValueShape.Stack(0, [.. routes.Select(route => route.Weights.Flatten(0, 1))]));
        return DiTNetwork.Unpatch(dit, h, condition, config);
    }

    private static (Value Mixed, Route Route) Mixture(Scope moe, Value x, DiTMoEConfig config)
    {
        var scores = moe["gate"].Linear(x, config.NumExperts, bias: false).Softmax();            // (B, N, E)
        var route = Route.TopK(scores, config.NumExpertsPerTok);
        var sum = Expert(moe["shared_experts"], x, 2 * config.HiddenSize);
        for (var e = 0; e < config.NumExperts; e++) sum += route.WeightOf(e) * Expert(moe["experts"][e], x, config.MlpWidth);
        return (sum, route);
    }

    private static Value Expert(Scope expert, Value x, long hidden) =>
        expert["down_proj"].Linear(expert["gate_proj"].Linear(x, hidden, bias: false).Silu() * expert["up_proj"].Linear(x, hidden, bias: false), x.Shape[-1].Size, bias: false);
}

/// <summary>DiT-MoE: published files in, pictures out.</summary>
public static class DiTMoEModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/dit-moe",
            Paper = "Scaling Diffusion Transformers to 16 Billion Parameters",
            ArXiv = "2407.11633",
            Authors = ["Zhengcong Fei", "Mingyuan Fan", "Changqian Yu", "Debang Li", "Junshi Huang"],
            Repository = "feizc/DiT-MoE",
            CodeLicense = "none stated",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: dit_moe_*.pt + config.json (constructor arguments)"],
            Sizes =
            [
                new("feizc/DiT-MoE: DiT-MoE-S/2-8E2A", 199_307_552, []),
                new("feizc/DiT-MoE: DiT-MoE-S/2-16E2A", 369_213_728, []),
                new("feizc/DiT-MoE: DiT-MoE-B/2-8E2A", 795_861_536, []),
                new("feizc/DiT-MoE: DiT-MoE-XL/2-8E2A", 4_168_164_128, []),
                new("feizc/DiT-MoE: DiT-MoE-G/2-16E2A", 16_503_717_152, []),
            ],
            Deviations = "Every expert computes every token; the router's weights, zero for most, mix them.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<DiTMoEConfig>(source.RequireFolder()).Value;
        return new ClassArchitecture("dit-moe", "noise_and_variance", config.Sample, config.NumClasses, ClassProcess.FlowToNoise(config.InChannels, guidance: 4), (scope, x, t, y) => DiTMoENetwork.Build(scope, x, t, y, config))
            .OpenAsync(source, network => (call, arguments, token) =>
                call == "rectified_flow_sample" ? RectifiedFlowAsync(network, config, arguments, token) : new DiffusionCalls(network, config.LearnSigma).CallAsync(call, arguments, token));
    }

    // diffusion/rectified_flow.py: t from 1 (noise) down, guidance on all channels.
    private static async Task<CallResults> RectifiedFlowAsync(ClassNetwork network, DiTMoEConfig config, CallArguments arguments, CancellationToken cancel)
    {
        var (z, cond) = (arguments.Tensor<float>("z"), arguments.Tensor<long>("cond"));
        var none = arguments.FindTensor<long>("null_cond");
        var (steps, scale) = (arguments.Literal("sample_steps", 50), arguments.Literal("cfg", 2.0));
        var states = new List<Tensor<float>> { z };
        for (var i = steps; i > 0; i--)
        {
            var t = i / (float)steps;
            var velocity = await VelocityAsync(cond).ConfigureAwait(false);
            if (none is not null) velocity = Guidance.Combine(Batch.Concat(velocity, await VelocityAsync(none).ConfigureAwait(false)), scale);
            states.Add(z = Batch.AddScaled(z, -1 / (float)steps, velocity));

            async Task<Tensor<float>> VelocityAsync(Tensor<long> classes) => Batch.Channels(await network.PredictAsync(z, t, classes, cancel).ConfigureAwait(false), 0, config.InChannels);
        }

        return new CallResults().Add("trajectory", Batch.Stack(states)).Add("sample", z);
    }
}
