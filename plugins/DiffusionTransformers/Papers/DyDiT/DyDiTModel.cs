// DyDiT++: Dynamic Diffusion Transformers for Efficient Visual Generation. Zhao et al. arXiv:2504.06803; DyDiT: arXiv:2410.03456. github.com/alibaba-damo-academy/DyDiT
// Published layouts: train.py's {model, ema, ...}. Deviations: what is switched off is multiplied by zero, not left out; the result is the same.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.DyDiT;

/// <summary>DiT whose time chooses heads and channels, and whose tokens choose whether they go through the MLP (sections 3.2 and 3.3).</summary>
internal static class DyDiTNetwork
{
    /// <summary>Predicts noise and variance. x (B, C, H, W), t (B), y (B) -> (B, 2C, H, W). The complete model has everything switched on.</summary>
    public static Value Build(Scope dit, Value x, Value t, Value y, DiTConfig config, bool complete)
    {
        var (h, condition) = DiTNetwork.Embed(dit, x, t, y, config);
        var time = dit["t_embedder"].TimestepEmbedding(t, config.HiddenSize);
        var (heads, channels, tokens) = (new List<Value>(), new List<Value>(), new List<Value>());
        for (var i = 0; i < config.Depth; i++)
        {
            var block = dit["blocks"][i];
            var (shift1, scale1, gate1, shift2, scale2, gate2) = block.Modulation6(condition);
            var headMask = Route(block["attn_rate.router"], time, config);
            var attention = Attention(block["attn"], h.LayerNorm(1e-6).Modulate(shift1, scale1), complete ? null : headMask, config);
            h += dit.Stage($"block_{i}_attention", attention).Gated(gate1);
            // Tokens are judged before the norm.
            var (tokenMask, channelMask) = (Select(block["token_selection.mlp_head"], h), Route(block["mlp_rate.router"], time, config));
            var mlp = dit.Stage($"block_{i}_mlp", Mlp(block["mlp"], h.LayerNorm(1e-6).Modulate(shift2, scale2), complete ? null : channelMask, config)).Gated(gate2);
            h = dit.Stage($"block_{i}", complete ? h + mlp : h + tokenMask * mlp);
            heads.Add(headMask);
            channels.Add(channelMask);
            tokens.Add(tokenMask.Squeeze(-1));
        }

        if (!complete)
        {
            dit.Stage("attention_head_mask", Masks(heads));                                      // (B, blocks, heads)
            dit.Stage("mlp_channel_mask", Masks(channels));
            dit.Stage("token_select", Masks(tokens));                                            // (B, blocks, N)
        }

        return DiTNetwork.Unpatch(dit, h, condition, config);
    }

    // 1 where a head or a group of channels is on, from the time alone; the first always is. (B, D) -> (B, heads).
    private static Value Route(Scope router, Value time, DiTConfig config)
    {
        var chosen = On(router.Linear(time, config.NumHeads - 1));
        return chosen.Pad(1, 1, 0, value: 1);
    }

    // 1 where a token goes through the MLP. (B, N, D) -> (B, N, 1).
    private static Value Select(Scope head, Value x) => On(head["2"].Linear(head["0"].Linear(x, x.Shape[-1].Size / 16).Relu(), 1));

    private static Value On(Value logits) => logits.Sigmoid().Greater(logits.Graph.Scalar(ElementType.Float32, 0.5)).Cast(ElementType.Float32);

    private static Value Attention(Scope attn, Value x, Value? mask, DiTConfig config)
    {
        var (q, k, v) = attn["qkv"].Qkv(x, config.HiddenSize);
        var seen = AttentionLayers.Attention(q, k, v, new() { Heads = config.NumHeads });
        return attn["proj"].Linear(Grouped(seen, mask, config), config.HiddenSize);
    }

    // Channels are switched off before the activation.
    private static Value Mlp(Scope mlp, Value x, Value? mask, DiTConfig config) =>
        mlp["fc2"].Linear(Grouped(mlp["fc1"].Linear(x, config.MlpWidth), mask, config).Gelu(Gelu.Tanh), config.HiddenSize);

    private static Value Grouped(Value x, Value? mask, DiTConfig config) => mask is null ? x : x.PerHead(config.NumHeads, group => group * mask.Unsqueeze(1, 3));

    private static Value Masks(List<Value> masks) => ValueShape.Stack(1, [.. masks]).Cast(ElementType.Int64);
}

/// <summary>DyDiT++: published files in, pictures out.</summary>
public static class DyDiTModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/dydit-plus-plus",
            Paper = "DyDiT++: Dynamic Diffusion Transformers for Efficient Visual Generation",
            ArXiv = "2504.06803",
            Authors = ["Wangbo Zhao", "Yizeng Han", "Jiasheng Tang", "Kai Wang", "Hao Luo", "Yibing Song", "Gao Huang", "Fan Wang", "Yang You"],
            Repository = "alibaba-damo-academy/DyDiT",
            CodeLicense = "none stated",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: *.pt + config.json (constructor arguments)"],
            Sizes = [new("alibaba-damo-academy/DyDiT: DyDiT-XL", 678_424_644, [])],
            Deviations = "What is switched off is multiplied by zero, not left out.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<DiTConfig>(source.RequireFolder()).Value;
        return Architect(config, complete: false).OpenAsync(source, (network, context) => async (call, arguments, token) =>
        {
            if (!arguments.Literal("complete_model", false)) return await new DiffusionCalls(network, config.LearnSigma).CallAsync(call, arguments, token).ConfigureAwait(false);
            using var complete = ClassNetwork.Build(context, "dydit", "complete_noise_and_variance", config.Sample, Architect(config, complete: true).Build);
            return await new DiffusionCalls(complete, config.LearnSigma).CallAsync(call, arguments, token).ConfigureAwait(false);
        });
    }

    private static ClassArchitecture Architect(DiTConfig config, bool complete) =>
        new("dydit", "noise_and_variance", config.Sample, config.NumClasses, ClassProcess.Diffusion(config.LearnSigma, 3), (scope, x, t, y) => DyDiTNetwork.Build(scope, x, t, y, config, complete));
}
