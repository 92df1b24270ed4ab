using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Sizes of a DINOv2 vision transformer (Oquab et al., arXiv:2304.07193), with registers (Darcet et al., arXiv:2309.16588) or without, in the layout of facebookresearch/dinov2.</summary>
public sealed record DinoV2Config
{
    /// <summary>Picture size of the position table.</summary>
    public int ImgSize { get; init; } = 518;
    /// <summary>Pixels a patch.</summary>
    public int PatchSize { get; init; } = 14;
    /// <summary>Width.</summary>
    public int EmbedDim { get; init; } = 768;
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 12;
    /// <summary>Heads.</summary>
    public int NumHeads { get; init; } = 12;
    /// <summary>Registers: tokens that take part and are dropped.</summary>
    public int NumRegisterTokens { get; init; } = 4;
    /// <summary>Whether positions are antialiased when the grid is smaller than the table.</summary>
    public bool Antialias { get; init; } = true;
    /// <summary>Added to the grid when positions are resized by a factor; 0 resizes to the size itself.</summary>
    public double Offset { get; init; }

    /// <summary>ViT-L/14 with registers.</summary>
    public static DinoV2Config Large { get; } = new() { EmbedDim = 1024, Depth = 24, NumHeads = 16 };
}

internal static class DinoV2
{
    /// <summary>Class token, registers and patches after each block asked for. image (B, 3, H, W), standardised -> the last state of <paramref name="blocks"/> blocks, (B, 1 + registers + N, D), not normed.</summary>
    public static Value Blocks(Scope dino, Value image, DinoV2Config config, int blocks)
    {
        var (width, batch) = (config.EmbedDim, image.Shape[0]);
        var patches = dino.Stage("patch_embed", dino["patch_embed.proj"].PatchEmbed(image, width, config.PatchSize));                        // (B, N, D)
        var table = config.ImgSize / config.PatchSize;
        var positions = dino.Weight("pos_embed", 1, table * table + 1, width);
        var (rows, columns) = (image.Shape[2] / config.PatchSize, image.Shape[3] / config.PatchSize);
        var x = ValueShape.Concat(1, (dino.Weight("cls_token", 1, 1, width) + positions.Take(1, 1)).Expand(batch, 1, width), patches + Resized(positions.From(1, 1), table, rows.Int, columns.Int, config));
        if (config.NumRegisterTokens > 0) x = ValueShape.Concat(1, x.Take(1, 1), dino.Weight("register_tokens", 1, config.NumRegisterTokens, width).Expand(batch, config.NumRegisterTokens, width), x.From(1, 1));
        for (var i = 0; i < blocks; i++) x = dino.Stage($"block_{i}", dino["blocks"][i].VitBlock(x, config.NumHeads, layerScale: true));
        return x;
    }

    /// <summary>The final norm, of which the class token (B, 1, D) and the patches (B, N, D) are kept.</summary>
    public static (Value Class, Value Patches) Features(Scope dino, Value x, DinoV2Config config)
    {
        var normed = dino["norm"].LayerNorm(x, 1e-6);
        return (normed.Take(1, 1), normed.From(1, 1 + config.NumRegisterTokens));
    }

    // (1, T T, D) -> (1, rows columns, D)
    private static Value Resized(Value positions, int table, int rows, int columns, DinoV2Config config)
    {
        if ((rows, columns) == (table, table)) return positions;
        var map = positions.Reshape(1, table, table, config.EmbedDim).ChannelsFirst();
        var resized = config.Offset == 0
            ? map.Interpolate(Interpolation.Cubic, [rows, columns], antialias: config.Antialias)
            : map.InterpolateBy(Interpolation.Cubic, [(rows + config.Offset) / table, (columns + config.Offset) / table], antialias: config.Antialias);
        return resized.ChannelsLast().Reshape(1, rows * columns, config.EmbedDim);
    }
}
