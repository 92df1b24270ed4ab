// ImageFolder: Autoregressive Image Generation with Folded Tokens. Li, Qiu, Chen, Kuen, Gu, Raj, Lin. arXiv:2410.01756. github.com/lxa9867/ImageFolder: tokenizer/tokenizer_image
using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.Autoencoders;

/// <summary>The published configuration.</summary>
public sealed record ImageFolderConfig
{
    /// <summary>Kind of encoder.</summary>
    [AllowedValues("dinov2")] public string EncType { get; init; } = "dinov2";
    /// <summary>Kind of decoder.</summary>
    [AllowedValues("dinov2")] public string DecType { get; init; } = "dinov2";
    /// <summary>Whether latents have positions.</summary>
    [AllowedValues(true)] public bool AbsPosEmbed { get; init; } = true;
    /// <summary>Width of a code.</summary>
    [Range(1, 4096)] public int CodebookEmbedDim { get; init; } = 32;
    /// <summary>Entries of each codebook.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 4096;
    /// <summary>Whether codes are compared by cosine.</summary>
    public bool CodebookL2Norm { get; init; } = true;
    /// <summary>Whether codes are signs in place of entries, when there are several scales.</summary>
    public bool Lfq { get; init; }
    /// <summary>Branches, each with its codebook.</summary>
    [Range(1, 16)] public int ProductQuant { get; init; } = 1;
    /// <summary>Tokens of each branch.</summary>
    public int NumLatentTokens { get; init; } = 256;
    /// <summary>Places along each side, scale by scale.</summary>
    public int[] VPatchNums { get; init; } = [1, 1, 2, 3, 3, 4, 5, 6, 8, 11];
    /// <summary>Convolutions that the scales share.</summary>
    public int ShareQuantResi { get; init; } = 4;
    /// <summary>What the names of encoder and decoder stand for.</summary>
    public ImageFolderSizes Fixed { get; init; } = new();

    /// <summary>Places along each side of a branch.</summary>
    public int Side => (int)Math.Round(Math.Sqrt(NumLatentTokens));
}

/// <summary>Sizes that the authors' code fixes.</summary>
public sealed record ImageFolderSizes
{
    /// <summary>Size of the pictures.</summary>
    public int ImgSize { get; init; } = 256;
    /// <summary>Pixels a patch.</summary>
    public int PatchSize { get; init; } = 16;
    /// <summary>Width.</summary>
    public int EmbedDim { get; init; } = 768;
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 12;
    /// <summary>Heads.</summary>
    public int NumHeads { get; init; } = 12;

    /// <summary>Patches along each side.</summary>
    public int Grid => ImgSize / PatchSize;
}

/// <summary>Encoder, decoder and quantizers of ImageFolder, which its generator shares.</summary>
public static class ImageFolderNetwork
{
    /// <summary>Latents of all branches before quantization: (B, C, branches tokens, 1), or (B, C, s, s) with one branch.</summary>
    public static Value Latent(Scope model, ImageFolderConfig config)
    {
        var (encoder, sizes) = (model["encoder"], config.Fixed);
        var (vit, width, side) = (encoder["model"], sizes.EmbedDim, config.Side);
        var image = model.Graph.Input("image", [Dim.Symbol("batch"), 3, sizes.ImgSize, sizes.ImgSize]);
        var patches = encoder.Stage("patch_embed", vit["patch_embed.proj"].PatchEmbed(image, width, sizes.PatchSize));
        var batch = image.Shape[0];
        var table = vit.Weight("pos_embed", 1, 1 + sizes.Grid * sizes.Grid, width);
        var levels = encoder.Weight("lvl_embed.weight", 1 + config.ProductQuant, width);
        var canvas = ValueShape.Concat(1, vit.Weight("cls_token", 1, 1, width).Expand(batch, 1, width), patches) + table + levels.Take(0, 1);
        var latents = encoder.Weight("latent_tokens", 1, config.ProductQuant * config.NumLatentTokens, width);
        var positions = Resampled(table.From(1, 1), sizes.Grid, side);                      // (1, tokens, D), the same for each branch
        var groups = Enumerable.Range(0, config.ProductQuant).Select(group => latents.Slice(1, group * config.NumLatentTokens, (group + 1) * config.NumLatentTokens) + positions + levels.Slice(0, group + 1, group + 2));
        var x = ValueShape.Concat(1, canvas, ValueShape.Concat(1, [.. groups]).Expand(batch, config.ProductQuant * config.NumLatentTokens, width));

        var tokens = encoder.Stage("encoder_tokens", Transformer(vit, x, sizes, "encoder_block").Last(1, config.ProductQuant * config.NumLatentTokens));
        var map = config.ProductQuant > 1 ? tokens.Swap(1, 2).Unsqueeze(3) : tokens.Swap(1, 2).Reshape(batch, width, side, side);
        return model.Stage("latent", model["quant_conv"].Conv(map, config.CodebookEmbedDim, 1));
    }

    /// <summary>Picture of quantized branches (B, branches C, s, s) -> (B, 3, S, S), within -1..1.</summary>
    public static Value Decode(Scope model, Value quantized, ImageFolderConfig config)
    {
        var (decoder, sizes) = (model["decoder"], config.Fixed);
        var (vit, width, side, grid) = (decoder["model"], sizes.EmbedDim, config.Side, sizes.Grid);
        var batch = quantized.Shape[0];
        var z = model.Stage("post_quant", model["post_quant_conv"].Conv(quantized, width, 1)).Flatten(2).Swap(1, 2);
        var table = vit.Weight("pos_embed", 1, 1 + grid * grid, width);
        var levels = decoder.Weight("lvl_embed.weight", 2, width);
        var cls = vit.Weight("cls_token", 1, 1, width).Expand(batch, 1, width);
        var canvas = ValueShape.Concat(1, cls, decoder.Weight("mask_token", 1, 1, width).Expand(batch, grid * grid, width)) + table + levels.Take(0, 1);
        var latents = ValueShape.Concat(1, cls, z) + ValueShape.Concat(1, table.Take(1, 1), Resampled(table.From(1, 1), grid, side)) + levels.From(0, 1);
        var x = Transformer(vit, ValueShape.Concat(1, canvas, latents), sizes, "decoder_block").Slice(1, 1, 1 + grid * grid);
        var pixels = decoder["to_pixel.model"].Linear(x, 3 * sizes.PatchSize * sizes.PatchSize);
        return pixels.Unpatchify(sizes.PatchSize, grid, grid, 3).Clip(-1, 1);
    }

    /// <summary>The maps of each branch, (B, C, s, s), out of <see cref="Latent"/>.</summary>
    public static Value[] Branches(Value latent, ImageFolderConfig config) =>
        config.ProductQuant == 1 ? [latent] : [.. latent.Chunk(config.ProductQuant, 2).Select(part => part.Reshape(part.Shape[0], config.CodebookEmbedDim, config.Side, config.Side))];

    /// <summary>A branch's quantizer.</summary>
    public static Scope Quantizer(Scope model, int branch, ImageFolderConfig config) => config.ProductQuant > 1 ? model["quantizes"][branch] : model["quantize"];

    /// <summary>Codes of a branch (B, n) and what they stand for after each scale, (B, C, s, s).</summary>
    public static (Value Codes, IReadOnlyList<Value> Sums) Quantize(Scope quantizer, Value map, ImageFolderConfig config)
    {
        if (config.VPatchNums.Length == 1)
        {
            var table = Normalized(quantizer, config);
            var z = map.ChannelsLast();
            var codes = VectorQuantization.Nearest(config.CodebookL2Norm ? z.L2Normalize() : z, table);
            return (codes.Flatten(1), [table.Gather(codes).ChannelsFirst()]);
        }

        return MultiScale(quantizer, config).QuantizeScales(map);
    }

    /// <summary>What codes (B, n) of a branch stand for, (B, C, s, s).</summary>
    public static Value Entries(Scope quantizer, Value codes, ImageFolderConfig config) => config.VPatchNums.Length == 1
        ? Normalized(quantizer, config).Gather(codes.Reshape(codes.Shape[0], config.Side, config.Side)).ChannelsFirst()
        : MultiScale(quantizer, config).Parts(codes, config.VPatchNums.Length).Aggregate((a, b) => a + b);

    /// <summary>The single codebook, on the unit sphere where codes are compared there.</summary>
    public static Value Normalized(Scope quantizer, ImageFolderConfig config)
    {
        var table = quantizer["embedding"].Weight("weight", config.CodebookSize, config.CodebookEmbedDim);
        return config.CodebookL2Norm ? table.L2Normalize() : table;
    }

    /// <summary>The quantizer of a branch with several scales.</summary>
    public static MultiScaleQuantizer MultiScale(Scope quantizer, ImageFolderConfig config) =>
        new(quantizer, new(config.CodebookSize, config.CodebookEmbedDim, config.VPatchNums, Cosine: !config.Lfq || config.CodebookL2Norm) { SharedConvolutions = config.ShareQuantResi, Binary = config.Lfq });

    private static Value Transformer(Scope vit, Value x, ImageFolderSizes sizes, string stage)
    {
        for (var i = 0; i < sizes.Depth; i++) x = vit.Stage($"{stage}_{i}", vit["blocks"][i].VitBlock(x, sizes.NumHeads, layerScale: true));
        return vit["norm"].LayerNorm(x, 1e-6);
    }

    // The position table on another grid (bicubic with antialiasing). (1, n n, D) -> (1, m m, D).
    private static Value Resampled(Value table, int from, int to) =>
        from == to ? table : table.Swap(1, 2).Reshape(1, table.Shape[2], from, from).Interpolate(Interpolation.Cubic, [to, to], antialias: true).Flatten(2).Swap(1, 2);
}
