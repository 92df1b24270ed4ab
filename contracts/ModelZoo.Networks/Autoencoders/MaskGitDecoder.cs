using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.Autoencoders;

/// <summary>Sizes of MaskGIT's VQGAN decoder; fixed in the authors' code.</summary>
public sealed record MaskGitDecoderConfig
{
    /// <summary>Width of each level, in units of <see cref="HiddenChannels"/>.</summary>
    [MinLength(1)] public int[] ChannelMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Number of levels.</summary>
    public int NumResolutions { get; init; } = 5;
    /// <summary>Rate of dropout in training.</summary>
    public double Dropout { get; init; }
    /// <summary>Width of the first level.</summary>
    public int HiddenChannels { get; init; } = 128;
    /// <summary>Channels of the picture.</summary>
    public int NumChannels { get; init; } = 3;
    /// <summary>Residual blocks a level.</summary>
    public int NumResBlocks { get; init; } = 2;
    /// <summary>Size of the pictures it was trained on.</summary>
    public int Resolution { get; init; } = 256;
    /// <summary>Channels of the latent.</summary>
    public int ZChannels { get; init; } = 256;
}

/// <summary>The decoder of MaskGIT's VQGAN (Chang et al., arXiv:2202.04200): VQGAN without attention.</summary>
public static class MaskGitDecoder
{
    /// <summary>z (B, Z, h, w) -> (B, 3, h f, w f). Stage: <c>pixel_mid_0</c>.</summary>
    public static Value Build(Scope decoder, Value z, MaskGitDecoderConfig config)
    {
        var h = decoder["conv_in"].Conv(z, config.HiddenChannels * config.ChannelMult[^1], 3, padding: 1);
        for (var i = 0; i < config.NumResBlocks; i++) h = decoder.Stage($"pixel_mid_{i}", ResnetBlock(decoder["mid"][i], h, h.Shape[1].Size));
        for (var level = config.NumResolutions - 1; level >= 0; level--)
        {
            var up = decoder["up"][level];
            for (var i = 0; i < config.NumResBlocks; i++) h = ResnetBlock(up["block"][i], h, config.HiddenChannels * config.ChannelMult[level]);
            if (level > 0) h = up["upsample_conv"].UpsampleConv(h, h.Shape[1].Size);
        }

        return decoder["conv_out"].Conv(decoder["norm_out"].GroupNorm(h, 32, 1e-6).Silu(), config.NumChannels, 3, padding: 1);
    }

    // As published: where the width changes, the shortcut is taken from the block's own output and the input is lost.
    private static Value ResnetBlock(Scope block, Value x, long outputs)
    {
        var h = block["conv1"].Conv(block["norm1"].GroupNorm(x, 32, 1e-6).Silu(), outputs, 3, padding: 1, bias: false);
        h = block["conv2"].Conv(block["norm2"].GroupNorm(h, 32, 1e-6).Silu(), outputs, 3, padding: 1, bias: false);
        return h + (x.Shape[1] == outputs ? x : block["nin_shortcut"].Conv(h, outputs, 1, bias: false));
    }
}
