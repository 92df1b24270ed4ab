// REPA Works Until It Doesn't: Early-Stopped, Holistic Alignment Supercharges Diffusion Training (HASTE). Wang, Zhao, Zhou, Li, Liang, Shi, Zhao, Zhou, Zhang, Wang, Wang, You. arXiv:2505.16792. github.com/NUS-HPC-AI-Lab/HASTE
// Published layouts: train.py's {model, ema, opt, args, steps}. Deviations: none; the alignment losses take any layers, where the authors' code names those of SiT-XL against DINOv2-B.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Haste;

/// <summary>The arguments of the authors' constructor.</summary>
public sealed record HasteConfig : DiTConfig
{
    /// <summary>With the authors' defaults: no variance is predicted.</summary>
    public HasteConfig() => LearnSigma = false;

    /// <summary>Width at the last layer.</summary>
    public int? DecoderHiddenSize { get; init; }
    /// <summary>Blocks whose attention is aligned; the last of them gives the features.</summary>
    public int EncoderDepth { get; init; } = 8;
    /// <summary>Widths of the teachers' features.</summary>
    public int[] ZDims { get; init; } = [768];
    /// <summary>Width inside the projectors.</summary>
    public int ProjectorDim { get; init; } = 2048;
    /// <summary>True when queries and keys are normalised, head by head.</summary>
    public bool QkNorm { get; init; }
}

/// <summary>SiT whose early blocks' attention and features are aligned with a vision model's in training (section 3).</summary>
internal static class HasteNetwork
{
    /// <summary>Predicts the velocity. x (B, C, H, W), t (B), y (B) -> (B, C, H, W).</summary>
    public static Value Build(Scope sit, Value x, Value t, Value y, HasteConfig config)
    {
        var (h, condition) = DiTNetwork.Embed(sit, x, t, y, config);
        var logits = new List<Value>();
        for (var i = 0; i < config.Depth; i++)
        {
            var block = sit["blocks"][i];
            var (shift1, scale1, gate1, shift2, scale2, gate2) = block.Modulation6(condition);
            var (seen, scores) = Attention(block["attn"], h.LayerNorm(1e-6).Modulate(shift1, scale1), config);
            h += seen.Gated(gate1);
            h = sit.Stage($"block_{i}", h + block["mlp"].Mlp(h.LayerNorm(1e-6).Modulate(shift2, scale2), config.MlpWidth, v => v.Gelu(Gelu.Tanh)).Gated(gate2));
            if (i < config.EncoderDepth) logits.Add(scores);
            if (i + 1 != config.EncoderDepth) continue;
            for (var z = 0; z < config.ZDims.Length; z++) sit.Stage(z == 0 ? "projected" : $"projected_{z}", Project(sit["projectors"][z], h, config.ProjectorDim, config.ZDims[z]));
        }

        sit.Stage("attention_logits", ValueShape.Stack(0, [.. logits]));                         // (blocks, B, heads, N, N)
        return DiTNetwork.Unpatch(sit, h, condition, config);
    }

    private static (Value Seen, Value Scores) Attention(Scope attn, Value x, HasteConfig config)
    {
        var (heads, width) = (config.NumHeads, (long)config.HiddenSize);
        var (q, k, v) = attn["qkv"].Qkv(x, width);
        if (config.QkNorm) (q, k) = (q.PerHead(heads, head => attn["q_norm"].LayerNorm(head)), k.PerHead(heads, head => attn["k_norm"].LayerNorm(head)));
        var scores = (q * Math.Pow((double)width / heads, -0.5)).SplitHeads(heads).MatMul(k.SplitHeads(heads).Swap(-1, -2));
        return (attn["proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = heads }), width), scores);
    }

    private static Value Project(Scope projector, Value h, long hidden, long outputs) =>
        projector["4"].Linear(projector["2"].Linear(projector["0"].Linear(h, hidden).Silu(), hidden).Silu(), outputs);
}

/// <summary>HASTE: published files in, pictures out.</summary>
public static class HasteModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/haste",
            Paper = "REPA Works Until It Doesn't: Early-Stopped, Holistic Alignment Supercharges Diffusion Training",
            ArXiv = "2505.16792",
            Authors = ["Ziqiao Wang", "Wangbo Zhao", "Yuhao Zhou", "Zekai Li", "Zhiyuan Liang", "Mingjia Shi", "Xuanlei Zhao", "Pengfei Zhou", "Kaipeng Zhang", "Zhangyang Wang", "Kai Wang", "Yang You"],
            Repository = "NUS-HPC-AI-Lab/HASTE",
            CodeLicense = "none stated",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: *.pt + config.json (constructor arguments)"],
            Sizes = [new("NUS-HPC-AI-Lab/HASTE: SiT-XL/2", 683_242_512, [])],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<HasteConfig>(source.RequireFolder()).Value;
        // Without stages the projectors' outputs are unused, and the engine leaves them out.
        return new ClassArchitecture("haste", "velocity", config.Sample, config.NumClasses, ClassProcess.FlowToNoise(config.InChannels, guidance: 1.8), (scope, x, t, y) => HasteNetwork.Build(scope, x, t, y, config))
            .OpenAsync(source, (network, context) => new HasteCalls(network, context, config).CallAsync);
    }
}
