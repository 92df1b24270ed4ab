using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Autoencoders;

// Deep Compression Autoencoder for Efficient High-Resolution Diffusion Models. Chen, Cai, Chen, Xie, Yang, Tang, Li, Lu, Han. arXiv:2410.10733. Layout of huggingface/diffusers: AutoencoderDC.

/// <summary>The published <c>config.json</c> of <c>AutoencoderDC</c>.</summary>
public sealed record AutoencoderDcConfig
{
    /// <summary>Channels of the picture.</summary>
    [Range(1, 64)] public int InChannels { get; init; } = 3;
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int LatentChannels { get; init; } = 32;
    /// <summary>Width of a head of the linear attention.</summary>
    [Range(1, 1024)] public int AttentionHeadDim { get; init; } = 32;
    /// <summary>Kind of the encoder's blocks, one for all or one a level: <c>ResBlock</c> or <c>EfficientViTBlock</c>.</summary>
    public JsonElement EncoderBlockTypes { get; init; }
    /// <summary>Kind of the decoder's blocks.</summary>
    public JsonElement DecoderBlockTypes { get; init; }
    /// <summary>Width of each level of the encoder.</summary>
    public int[] EncoderBlockOutChannels { get; init; } = [128, 256, 512, 512, 1024, 1024];
    /// <summary>Width of each level of the decoder.</summary>
    public int[] DecoderBlockOutChannels { get; init; } = [128, 256, 512, 512, 1024, 1024];
    /// <summary>Blocks of each level of the encoder; a first level without blocks is folded into the first convolution.</summary>
    public int[] EncoderLayersPerBlock { get; init; } = [2, 2, 2, 3, 3, 3];
    /// <summary>Blocks of each level of the decoder.</summary>
    public int[] DecoderLayersPerBlock { get; init; } = [3, 3, 3, 3, 3, 3];
    /// <summary>Kernels of the further scales of attention, by level of the encoder.</summary>
    public int[][] EncoderQkvMultiscales { get; init; } = [[], [], [], [5], [5], [5]];
    /// <summary>Kernels of the further scales of attention, by level of the decoder.</summary>
    public int[][] DecoderQkvMultiscales { get; init; } = [[], [], [], [5], [5], [5]];
    /// <summary>How levels grow: <c>pixel_shuffle</c> or <c>interpolate</c>.</summary>
    public string UpsampleBlockType { get; init; } = "pixel_shuffle";
    /// <summary>How levels shrink: <c>pixel_unshuffle</c> or <c>Conv</c>.</summary>
    public string DownsampleBlockType { get; init; } = "pixel_unshuffle";
    /// <summary>Norm of the decoder's blocks, one for all or one a level: <c>rms_norm</c> or <c>batch_norm</c>.</summary>
    public JsonElement DecoderNormTypes { get; init; }
    /// <summary>Activation of the decoder's blocks, one for all or one a level.</summary>
    public JsonElement DecoderActFns { get; init; }
    /// <summary>Whether channel means bypass the encoder's last convolution.</summary>
    public bool EncoderOutShortcut { get; init; } = true;
    /// <summary>Whether repeated channels bypass the decoder's first convolution.</summary>
    public bool DecoderInShortcut { get; init; } = true;
    /// <summary>Activation before the decoder's last convolution.</summary>
    public string DecoderConvActFn { get; init; } = "relu";
    /// <summary>Factor that brings latents to unit variance, for diffusion models.</summary>
    public double ScalingFactor { get; init; } = 1;

    /// <summary>Pixels per place of the latent, along each side.</summary>
    public int Downsampling => 1 << (EncoderBlockOutChannels.Length - 1);
}

/// <summary>DC-AE: residual blocks at high resolution, linear attention at low, and shortcuts around every change of resolution.</summary>
public static class AutoencoderDc
{
    /// <summary>Picture to latent. x (B, C, H, W) in -1..1 -> (B, latent, H / f, W / f). Stages: <c>conv_in</c>, <c>down_i</c>, <c>down_last</c>.</summary>
    public static Value Encode(Scope encoder, Value x, AutoencoderDcConfig config)
    {
        var (widths, layers) = (config.EncoderBlockOutChannels, config.EncoderLayersPerBlock);
        var fold = config.DownsampleBlockType == "pixel_unshuffle";
        var h = layers[0] > 0 ? encoder["conv_in"].Conv(x, widths[0], 3, padding: 1) : Down(encoder["conv_in"], x, widths[1], fold, shortcut: false);
        h = encoder.Stage("conv_in", h);
        for (var level = 0; level < widths.Length; level++)
        {
            var blocks = encoder["down_blocks"][level];
            for (var i = 0; i < layers[level]; i++) h = Block(blocks[i], h, Choose(config.EncoderBlockTypes, level, "ResBlock"), "rms_norm", "silu", config.EncoderQkvMultiscales[level], config);
            if (level < widths.Length - 1 && layers[level] > 0) h = Down(blocks[layers[level]], h, widths[level + 1], fold, shortcut: true);
            h = encoder.Stage(level == widths.Length - 1 ? "down_last" : $"down_{level}", h);
        }

        var latent = encoder["conv_out"].Conv(h, config.LatentChannels, 3, padding: 1);
        return config.EncoderOutShortcut ? latent + ChannelMeans(h, config.LatentChannels) : latent;
    }

    /// <summary>Latent to picture. z (B, latent, h, w), not scaled -> (B, C, h f, w f), about -1..1. Stages: <c>decoder_conv_in</c>, <c>up_last</c>, <c>up_i</c> by level.</summary>
    public static Value Decode(Scope decoder, Value z, AutoencoderDcConfig config)
    {
        var (widths, layers) = (config.DecoderBlockOutChannels, config.DecoderLayersPerBlock);
        var interpolate = config.UpsampleBlockType == "interpolate";
        var last = widths.Length - 1;
        var h = decoder.Stage("decoder_conv_in", decoder["conv_in"].Conv(z, widths[last], 3, padding: 1));
        if (config.DecoderInShortcut) h += z.RepeatInterleave(1, widths[last] / config.LatentChannels);
        for (var level = last; level >= 0; level--)
        {
            var blocks = decoder["up_blocks"][level];
            var first = level < last && layers[level] > 0 ? 1 : 0;
            if (first == 1) h = Up(blocks[0], h, widths[level], interpolate, shortcut: true);
            for (var i = 0; i < layers[level]; i++)
                h = Block(blocks[first + i], h, Choose(config.DecoderBlockTypes, level, "ResBlock"), Choose(config.DecoderNormTypes, level, "rms_norm"), Choose(config.DecoderActFns, level, "silu"), config.DecoderQkvMultiscales[level], config);
            h = decoder.Stage(level == last ? "up_last" : $"up_{level}", h);
        }

        h = Activate(ChannelNorm(decoder["norm_out"], h, "rms_norm"), config.DecoderConvActFn);
        return layers[0] > 0 ? decoder["conv_out"].Conv(h, config.InChannels, 3, padding: 1) : Up(decoder["conv_out"], h, config.InChannels, interpolate, shortcut: false);
    }

    private static Value Block(Scope block, Value x, string kind, string norm, string activation, int[] scales, AutoencoderDcConfig config) => kind switch
    {
        "ResBlock" => ChannelNorm(block["norm"], block["conv2"].Conv(Activate(block["conv1"].Conv(x, x.Shape[1].Size, 3, padding: 1), activation), x.Shape[1].Size, 3, padding: 1, bias: false), norm) + x,
        "EfficientViTBlock" => GatedConvolution(block["conv_out"], LinearAttention(block["attn"], x, scales, norm, config.AttentionHeadDim)),
        _ => throw Unknown("block type", kind, "ResBlock, EfficientViTBlock"),
    };

    // Multi-scale ReLU attention (EfficientViT, arXiv:2205.14756): relu(q) (relu(k)^T v) / (relu(q) relu(k)^T 1), on queries, keys and values as they are and convolved.
    private static Value LinearAttention(Scope attention, Value x, int[] scales, string norm, long headWidth)
    {
        var inner = x.Shape[1].Size / headWidth * headWidth;
        var channelsLast = x.Transpose(0, 2, 3, 1);
        var qkv = ValueShape.Concat(-1, attention["to_q"].Linear(channelsLast, inner, bias: false), attention["to_k"].Linear(channelsLast, inner, bias: false), attention["to_v"].Linear(channelsLast, inner, bias: false)).Transpose(0, 3, 1, 2);
        var branches = new List<Value> { qkv };
        for (var i = 0; i < scales.Length; i++)
        {
            var scale = attention["to_qkv_multiscale"][i];
            var near = scale["proj_in"].Conv(qkv, 3 * inner, scales[i], padding: scales[i] / 2, groups: 3 * inner, bias: false);
            branches.Add(scale["proj_out"].Conv(near, 3 * inner, 1, groups: 3 * inner / headWidth, bias: false));
        }

        // As published, heads are runs of 3 W channels of the concatenation: each holds its own queries, keys and values.
        var heads = ValueShape.Concat(1, [.. branches]).Reshape(x.Shape[0], inner / headWidth * (1 + scales.Length), 3 * headWidth, x.Shape[2] * x.Shape[3]);
        var (q, k, v) = heads.Chunk3(2);                                                   // (B, heads, W, n)
        var (queries, keys) = (q.Relu(), k.Relu().Swap(-1, -2));
        var seen = v.MatMul(keys).MatMul(queries);
        var sums = keys.Sum(2, keep: true).MatMul(queries) + 1e-15;                         // (B, heads, 1, n)
        var merged = (seen / sums).Reshape(x.Shape[0], inner * (1 + scales.Length), x.Shape[2], x.Shape[3]);
        var mapped = attention["to_out"].Linear(merged.Transpose(0, 2, 3, 1), x.Shape[1].Size, bias: false).Transpose(0, 3, 1, 2);
        return ChannelNorm(attention["norm_out"], mapped, norm) + x;
    }

    // An inverted bottleneck of four times the width whose second half gates the first.
    private static Value GatedConvolution(Scope block, Value x)
    {
        var (width, hidden) = (x.Shape[1].Size, 8 * x.Shape[1].Size);
        var h = block["conv_inverted"].Conv(x, hidden, 1).Silu();
        var (value, gate) = block["conv_depth"].Conv(h, hidden, 3, padding: 1, groups: hidden).Chunk2(1);
        return ChannelNorm(block["norm"], block["conv_point"].Conv(value * gate.Silu(), width, 1, bias: false), "rms_norm") + x;
    }

    private static Value Down(Scope block, Value x, long outputs, bool fold, bool shortcut)
    {
        var h = fold ? block["conv"].Conv(x, outputs / 4, 3, padding: 1).PixelUnshuffle(2) : block["conv"].Conv(x, outputs, 3, stride: 2, padding: 1);
        return shortcut ? h + ChannelMeans(x.PixelUnshuffle(2), outputs) : h;
    }

    private static Value Up(Scope block, Value x, long outputs, bool interpolate, bool shortcut)
    {
        var h = interpolate ? block["conv"].Conv(x.Upsample(2), outputs, 3, padding: 1) : block["conv"].Conv(x, 4 * outputs, 3, padding: 1).PixelShuffle(2);
        return shortcut ? h + x.RepeatInterleave(1, 4 * outputs / x.Shape[1].Size).PixelShuffle(2) : h;
    }

    // Neighbouring channels averaged until so many are left.
    private static Value ChannelMeans(Value x, long outputs) => x.Reshape(x.Shape[0], outputs, x.Shape[1].Size / outputs, x.Shape[2], x.Shape[3]).Mean(2);

    private static Value ChannelNorm(Scope scope, Value x, string kind) => kind switch
    {
        "rms_norm" => (scope.RmsNorm(x.Transpose(0, 2, 3, 1), 1e-5) + scope.Weight("bias", x.Shape[1].Size)).Transpose(0, 3, 1, 2),
        "batch_norm" => scope.BatchNorm(x),
        _ => throw Unknown("norm", kind, "rms_norm, batch_norm"),
    };

    private static Value Activate(Value x, string kind) => kind switch
    {
        "silu" or "swish" => x.Silu(),
        "relu" => x.Relu(),
        "relu6" => x.Clip(0, 6),
        "gelu" => x.Gelu(),
        _ => throw Unknown("activation", kind, "silu, relu, relu6, gelu"),
    };

    private static string Choose(JsonElement setting, int level, string otherwise) => setting.ValueKind switch
    {
        JsonValueKind.Array => setting[level].GetString() ?? otherwise,
        JsonValueKind.String => setting.GetString()!,
        _ => otherwise,
    };

    private static CheckpointException Unknown(string what, string found, string expected) => new(ErrorCodes.ConfigInvalid, $"The autoencoder has an unknown {what}.") { Expected = expected, Found = found };
}
