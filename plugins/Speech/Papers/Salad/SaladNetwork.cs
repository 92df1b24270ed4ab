// Continuous Speech Synthesis using per-token Latent Diffusion (SALAD). Turetzky, Shabtay, Shechtman, Haws, Aronowitz, Hoory, Dekel. arXiv:2410.16048. No public code: the specification beside the parity cases says what is computed.
// Layout: config.json + model.safetensors. Deviations: none from the specification; the codec's autoencoder is not published, so latents go in and come out.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>Sizes.</summary>
public sealed record SaladConfig
{
    [AllowedValues("t2a", "s2a-ar", "s2a-nar")] public string Variant { get; init; } = "t2a";
    [Range(1, 65536)] public int Width { get; init; } = 1024;
    [Range(1, 1024)] public int Heads { get; init; } = 16;
    [Range(1, 1024)] public int Depth { get; init; } = 24;
    [Range(1, 65536)] public int LatentDim { get; init; } = 32;
    [Range(1, 1 << 20)] public int SemanticVocab { get; init; } = 1024;
    [Range(1, 1 << 24)] public int TextVocab { get; init; } = 256;
    [Range(1, 1 << 20)] public int MaxLength { get; init; } = 4096;
    [Range(1, 65536)] public int HeadWidth { get; init; } = 1024;
    [Range(1, 1024)] public int HeadDepth { get; init; } = 12;
}

/// <summary>A transformer that gives one state a frame, and a small network that denoises the frame's latent from it.</summary>
internal static class SaladNetwork
{
    private const int Frequencies = 256;

    /// <summary>Frames whose latents are known: semantic_embed(s) + latent_proj(z). ids (B, N), latents (B, N, D) -> (B, N, d).</summary>
    public static Value Frames(Scope model, Value ids, Value latents, SaladConfig config) => Semantic(model, ids, config) + Latent(model, latents, config);

    /// <summary>Rows of the semantic table, whose last is the end. ids (..) -> (.., d).</summary>
    public static Value Semantic(Scope model, Value ids, SaladConfig config) => model["semantic_embed"].Embedding(ids, config.SemanticVocab + 1, config.Width);

    /// <summary>latents (.., D) -> (.., d).</summary>
    public static Value Latent(Scope model, Value latents, SaladConfig config) => model["latent_proj"].Linear(latents, config.Width);

    /// <summary>Pre-norm blocks over embedded places x (B, N, d) -> (B, N, d).</summary>
    public static Value Transformer(Scope model, Value x, SaladConfig config)
    {
        var h = x + model.Weight("pos_embed", config.MaxLength, config.Width).Take(0, x.Shape[1]);
        for (var i = 0; i < config.Depth; i++)
        {
            var block = model["blocks"][i];
            var (q, k, v) = block["attn.qkv"].Qkv(block["norm1"].LayerNorm(h), config.Width);
            h += block["attn.proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = config.Heads, Causal = config.Variant != "s2a-nar" }), config.Width);
            var hidden = block["mlp.fc1"].Inventory(4 * config.Width);
            h += block["mlp"].Mlp(block["norm2"].LayerNorm(h), hidden, y => y.Gelu());
            model.Stage($"block_{i}", h);
        }

        return model["norm"].LayerNorm(h);
    }

    /// <summary>MAR's diffusion head (Li et al., arXiv:2406.11838): x (N, D), t (N), condition (N, d) -> noise and fraction of the variance (N, 2 D).</summary>
    public static Value Head(Scope net, Value x, Value t, Value condition, SaladConfig config)
    {
        var width = config.HeadWidth;
        var time = net["time_embed.mlp.2"].Linear(net["time_embed.mlp.0"].Linear(t.Sinusoid(Frequencies), width).Silu(), width);
        var y = (time + net["cond_embed"].Linear(condition, width)).Silu();
        var h = net["input_proj"].Linear(x, width);
        for (var i = 0; i < config.HeadDepth; i++)
        {
            var block = net["res_blocks"][i];
            var (shift, scale, gate) = block["adaLN_modulation.1"].Linear(y, 3 * width).Chunk3();
            var modulated = block["in_ln"].LayerNorm(h, 1e-6) * (scale + 1) + shift;
            var hidden = block["mlp.0"].Inventory(width);
            h += gate * block["mlp.2"].Linear(block["mlp.0"].Linear(modulated, hidden).Silu(), width);
        }

        var (offset, factor) = net["final_layer.adaLN_modulation.1"].Linear(y, 2 * width).Chunk2();
        return net["final_layer.linear"].Linear(h.LayerNorm(1e-6) * (factor + 1) + offset, 2 * config.LatentDim);
    }

    // Hidden widths are those of the tensors.
    private static long Inventory(this Scope linear, long otherwise) => linear.IsInventory ? otherwise : linear.ShapeOf("weight")[0];
}
