using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.Autoencoders;

/// <summary>Section <c>model.vq_model</c> of the published file.</summary>
public sealed record MaskBitConfig
{
    /// <summary><c>lookup-free</c>: a channel is a bit; <c>lookup</c>: a codebook.</summary>
    [AllowedValues("lookup-free", "lookup")] public string QuantizerType { get; init; } = "lookup-free";
    /// <summary>Entries of the vocabulary.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 4096;
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int TokenSize { get; init; } = 12;
    /// <summary>Whether a codebook is searched on the unit sphere.</summary>
    public bool UseL2Normalisation { get; init; }
    /// <summary>Channels of the picture.</summary>
    public int NumChannels { get; init; } = 3;
    /// <summary>Width of the first level.</summary>
    public int HiddenChannels { get; init; } = 128;
    /// <summary>Width of each level.</summary>
    public int[] ChannelMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Number of levels.</summary>
    public int NumResolutions { get; init; } = 5;
    /// <summary>Residual blocks a level.</summary>
    public int NumResBlocks { get; init; } = 2;
    /// <summary>Residual blocks a level of the decoder, where they differ.</summary>
    public int? NumResBlocksDecoder { get; init; }
    /// <summary>Whether levels shrink with a convolution; else by averaging.</summary>
    public bool SampleWithConv { get; init; } = true;
    /// <summary>Groups of the group norms: 32 in the authors' code.</summary>
    public int NormGroups { get; init; } = 32;
}

/// <summary>MaskBit's VQGAN+ (Weber et al., arXiv:2409.16211): convolutions without attention, tokens that are bits.</summary>
public static class MaskBitAutoencoder
{
    /// <summary>What codes stand for. codes (..), int64 -> (.., C).</summary>
    public static Value Entries(Scope model, Value codes, MaskBitConfig config) =>
        config.QuantizerType == "lookup-free" ? LookupFree.SignsOf(codes, config.TokenSize) : Table(model, config).Gather(codes);

    /// <summary>The codebook, (K, C); on the unit sphere where the model compares there.</summary>
    public static Value Table(Scope model, MaskBitConfig config)
    {
        var table = model["quantize.embedding"].Weight("weight", config.CodebookSize, config.TokenSize);
        return config.UseL2Normalisation ? table.L2Normalize() : table;
    }

    /// <summary>Picture to latent. x (B, 3, H, W) -> (B, C, H / f, W / f). Stages: <c>conv_in</c>, <c>down_i</c>, <c>encoder_mid</c>.</summary>
    public static Value Encoder(Scope encoder, Value x, MaskBitConfig config)
    {
        var h = encoder.Stage("conv_in", encoder["conv_in"].Conv(x, config.HiddenChannels, 3, padding: 1, bias: false));
        for (var level = 0; level < config.NumResolutions; level++)
        {
            var down = encoder["down"][level];
            h = Blocks(down, h, config.HiddenChannels * config.ChannelMult[level], config.NumResBlocks, config);
            if (level < config.NumResolutions - 1) h = config.SampleWithConv ? HalveSame(down["down_conv"], h) : h.AveragePool(2, 2);
            h = encoder.Stage($"down_{level}", h);
        }

        h = encoder.Stage("encoder_mid", Blocks(encoder["mid"], h, h.Shape[1].Size, config.NumResBlocks, config));
        return encoder["conv_out"].Conv(Norm(encoder["norm_out"], h, config).Silu(), config.TokenSize, 1);
    }

    /// <summary>Latent to picture; levels are stored in the order in which they run. z (B, C, h, w) -> (B, 3, h f, w f). Stages: <c>decoder_mid</c>, <c>up_i</c>.</summary>
    public static Value Decoder(Scope decoder, Value z, MaskBitConfig config)
    {
        var blocks = config.NumResBlocksDecoder ?? config.NumResBlocks;
        var h = decoder["conv_in"].Conv(z, config.HiddenChannels * config.ChannelMult[config.NumResolutions - 1], 3, padding: 1);
        h = decoder.Stage("decoder_mid", Blocks(decoder["mid"], h, h.Shape[1].Size, blocks, config));
        for (var step = 0; step < config.NumResolutions; step++)
        {
            var up = decoder["up"][step];
            h = Blocks(up, h, config.HiddenChannels * config.ChannelMult[config.NumResolutions - 1 - step], blocks, config);
            if (step < config.NumResolutions - 1) h = up["upsample_conv"].UpsampleConv(h, h.Shape[1].Size);
            h = decoder.Stage($"up_{step}", h);
        }

        return decoder["conv_out"].Conv(Norm(decoder["norm_out"], h, config).Silu(), config.NumChannels, 3, padding: 1);
    }

    private static Value Blocks(Scope stage, Value h, long outputs, int count, MaskBitConfig config)
    {
        for (var i = 0; i < count; i++) h = ResidualBlock(stage["res_blocks"][i], h, outputs, config);
        return h;
    }

    // As published: where the width changes, the shortcut is taken from the block's own output and the input is lost.
    private static Value ResidualBlock(Scope block, Value x, long outputs, MaskBitConfig config)
    {
        var h = block["conv1"].Conv(Norm(block["norm1"], x, config).Silu(), outputs, 3, padding: 1, bias: false);
        h = block["conv2"].Conv(Norm(block["norm2"], h, config).Silu(), outputs, 3, padding: 1, bias: false);
        return h + (x.Shape[1] == outputs ? x : block["nin_shortcut"].Conv(h, outputs, 1, bias: false));
    }

    // TensorFlow's "same" padding of a 3x3 convolution with stride 2: nothing before an even extent, one place after it; one on both sides of an odd one.
    private static Value HalveSame(Scope scope, Value x)
    {
        var width = x.Shape[1].Size;
        (int, Dim, Dim) Padding(int axis) => (axis, x.Shape[axis] - x.Shape[axis] / 2 * 2, 1);
        return scope.Conv(x.Pad([Padding(2), Padding(3)]), width, 3, stride: 2);
    }

    private static Value Norm(Scope scope, Value x, MaskBitConfig config) => scope.GroupNorm(x, config.NormGroups, 1e-6);
}
