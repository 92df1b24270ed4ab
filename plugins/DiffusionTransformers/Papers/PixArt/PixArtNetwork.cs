using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.PixArt;

/// <summary>The network in the authors' layout.</summary>
internal static class PixArtNetwork
{
    public const string Resolution = "resolution", AspectRatio = "aspect_ratio";

    /// <summary>What the network takes.</summary>
    public static TextNetwork.Conditions Conditions(PixArtConfig config, bool sizes) =>
        sizes ? new(config.InChannels, config.CaptionChannels, true, (Resolution, 2), (AspectRatio, 1)) : new(config.InChannels, config.CaptionChannels, true);

    /// <summary>Predicts noise and variance (B, 2C, H, W).</summary>
    public static Value Build(Scope model, TextNetwork.Inputs inputs, PixArtConfig config)
    {
        var (width, patch) = ((long)config.HiddenSize, config.PatchSize);
        var (rows, columns) = (inputs.Sample.Shape[2].Int / patch, inputs.Sample.Shape[3].Int / patch);
        var h = model.Stage("patch_embed", model["x_embedder.proj"].PatchEmbed(inputs.Sample, width, patch));
        h += config.Model.StartsWith("PixArtMS", StringComparison.Ordinal)
            ? SinCosPositions.Grid(model.Graph, rows, columns, config.HiddenSize, config.InputSize / patch, config.PositionScale)
            : model.Weight("pos_embed", 1, rows * columns, width);                               // (B, N, D)

        var time = model.Stage("timestep_embed", model["t_embedder"].TimestepEmbedding(inputs.Time, width));
        if (inputs.Vectors.Count > 0)
            time += ValueShape.Concat(-1, Sizes(model["csize_embedder"], inputs.Vectors[Resolution], width / 3), Sizes(model["ar_embedder"], inputs.Vectors[AspectRatio], width / 3));
        var modulation = model.Stage("adaln_single", model["t_block.1"].Linear(time.Silu(), 6 * width));

        var projection = model["y_embedder.y_proj"];
        var caption = model.Stage("caption_projection", projection["fc2"].Linear(projection["fc1"].Linear(inputs.Text, width).Gelu(Gelu.Tanh), width));
        var mask = (inputs.Mask! - 1) * -AttentionLayers.Masked;
        for (var i = 0; i < config.Depth; i++)
            h = model.Stage($"block_{i}", Block(model, i, h, caption, mask.Unsqueeze(1, 2), modulation, (rows, columns), config));

        var final = model["final_layer"];
        var patches = final["linear"].Linear(final.AdaptiveNorm(h, time), (long)patch * patch * config.OutChannels);
        return model.Stage("final_layer", patches).Unpatchify(patch, rows, columns, config.OutChannels);
    }

    /// <summary>adaLN-single (section 2.3): a table of each block added to one modulation of the time. table (6, D), modulation (B, 6D) -> six of (B, 1, D).</summary>
    public static Value[] SingleModulation(this Scope block, Value modulation, long width) =>
        (block.Weight("scale_shift_table", 6, width).Unsqueeze(0) + modulation.Reshape(modulation.Shape[0], 6, width)).Chunk(6, 1);

    /// <summary>The last norm, shifted and scaled by a table (2, D) plus the time's embedding (B, D).</summary>
    public static Value AdaptiveNorm(this Scope scope, Value h, Value time)
    {
        var (shift, scale) = (scope.Weight("scale_shift_table", 2, h.Shape[-1].Size).Unsqueeze(0) + time.Unsqueeze(1)).Chunk2(1);
        return h.LayerNorm(1e-6) * (scale + 1) + shift;
    }

    private static Value Block(Scope model, int i, Value h, Value caption, Value mask, Value modulation, (int, int) grid, PixArtConfig config)
    {
        var (block, width) = (model["blocks"][i], (long)config.HiddenSize);
        var parts = block.SingleModulation(modulation, width);                                   // shift, scale, gate twice
        var self = model.Stage($"block_{i}_self_attention", SelfAttention(block["attn"], h.LayerNorm(1e-6) * (parts[1] + 1) + parts[0], i, grid, config));
        h += parts[2] * self;
        h += model.Stage($"block_{i}_cross_attention", CrossAttention(block["cross_attn"], h, caption, mask, config.NumHeads));
        return h + parts[5] * block["mlp"].Mlp(h.LayerNorm(1e-6) * (parts[4] + 1) + parts[3], (long)(width * config.MlpRatio), x => x.Gelu(Gelu.Tanh));
    }

    private static Value SelfAttention(Scope attn, Value x, int layer, (int, int) grid, PixArtConfig config)
    {
        var (q, k, v) = attn["qkv"].Qkv(x, config.HiddenSize);
        if (config.QkNorm) (q, k) = (attn["q_norm"].LayerNorm(q), attn["k_norm"].LayerNorm(k));
        if (config.KvCompressConfig is { ScaleFactor: > 1 } compression && compression.KvCompressLayer.Contains(layer)) (k, v) = (Shrink(attn, k, grid, compression), Shrink(attn, v, grid, compression));
        return attn["proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = config.NumHeads }), config.HiddenSize);
    }

    private static Value CrossAttention(Scope attn, Value x, Value caption, Value mask, int heads)
    {
        var width = x.Shape[-1].Size;
        var (k, v) = (attn["kv_linear"].LinearRows(caption, 2 * width, 0, width), attn["kv_linear"].LinearRows(caption, 2 * width, width, width));
        return attn["proj"].Linear(AttentionLayers.Attention(attn["q_linear"].Linear(x, width), k, v, new() { Heads = heads, Bias = mask }), width);
    }

    // Fewer tokens on the grid: by a learned convolution for each channel, or every n-th. x (B, N, D) -> (B, N / n^2, D).
    private static Value Shrink(Scope attn, Value x, (int Rows, int Columns) grid, KvCompression compression)
    {
        var n = compression.ScaleFactor;
        if (compression.Sampling == "uniform_every") return x.Stride(1, 0, n);
        var picture = x.Swap(1, 2).Reshape(x.Shape[0], x.Shape[2], grid.Rows, grid.Columns);
        return compression.Sampling switch
        {
            "conv" => attn["norm"].LayerNorm(attn["sr"].Conv(picture, x.Shape[2].Size, n, stride: n, groups: x.Shape[2].Size).Flatten(2).Swap(1, 2)),
            // The nearest sample of a mean-like resize is the first of each window, as is the strided one.
            "ave" or "uniform" => picture.Take(2, grid.Rows / n * n).Take(3, grid.Columns / n * n).Stride(2, 0, n).Stride(3, 0, n).Flatten(2).Swap(1, 2),
            _ => x,
        };
    }

    // Each number of a size by sinusoids, one after the other. sizes (B, count) -> (B, count width).
    private static Value Sizes(Scope embedder, Value sizes, long width) =>
        embedder.TimestepMlp(sizes.Reshape(-1).Sinusoid(256), width).Reshape(sizes.Shape[0], sizes.Shape[1] * width);
}
