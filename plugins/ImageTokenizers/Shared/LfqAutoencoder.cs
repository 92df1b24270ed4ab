using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The published <c>ddconfig</c> of Open-MAGVIT2 and its descendants.</summary>
public sealed record LfqAutoencoderConfig
{
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int ZChannels { get; init; } = 18;
    /// <summary>Width of the first level.</summary>
    public int Ch { get; init; } = 128;
    /// <summary>Width of each level.</summary>
    public int[] ChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Residual blocks a level.</summary>
    public int NumResBlocks { get; init; } = 4;
    /// <summary>Whether the encoder gives means and log-variances; never here.</summary>
    public bool DoubleZ { get; init; }
    /// <summary>Size of the pictures.</summary>
    public int Resolution { get; init; } = 128;
    /// <summary>Channels of the picture.</summary>
    public int InChannels { get; init; } = 3;
    /// <summary>Channels of the picture that comes out.</summary>
    public int OutCh { get; init; } = 3;
    /// <summary>Groups of the group norms: 32 in the authors' code.</summary>
    public int NormGroups { get; init; } = 32;
}

/// <summary>MAGVIT-v2's encoder and decoder (Yu et al., arXiv:2310.05737) as Open-MAGVIT2 rebuilt them: no attention; the decoder's levels are modulated by the code's statistics.</summary>
internal static class LfqAutoencoder
{
    private const double Epsilon = 1e-6;

    /// <summary>Picture to latent. x (B, 3, H, W) -> (B, z, H / f, W / f). Stages: <c>conv_in</c>, <c>down_i</c>.</summary>
    public static Value Encoder(Scope encoder, Value x, LfqAutoencoderConfig config)
    {
        var h = encoder.Stage("conv_in", encoder["conv_in"].Conv(x, config.Ch, 3, padding: 1, bias: false));
        for (var level = 0; level < config.ChMult.Length; level++)
        {
            var down = encoder["down"][level];
            for (var i = 0; i < config.NumResBlocks; i++) h = ResBlock(down["block"][i], h, config.Ch * config.ChMult[level], config);
            if (level < config.ChMult.Length - 1) h = down["downsample"].Conv(h, h.Shape[1].Size, 3, stride: 2, padding: 1);
            h = encoder.Stage($"down_{level}", h);
        }

        for (var i = 0; i < config.NumResBlocks; i++) h = ResBlock(encoder["mid_block"][i], h, h.Shape[1].Size, config);
        return encoder["conv_out"].Conv(Norm(encoder["norm_out"], h, config).Silu(), config.ZChannels, 1);
    }

    /// <summary>Code to picture. z (B, z, h, w) -> (B, 3, h f, w f). Stages: <c>decoder_mid</c>, <c>adaptive_norm</c>.</summary>
    public static Value Decoder(Scope decoder, Value z, LfqAutoencoderConfig config, Value? noise = null) =>
        DecodeFrom(decoder, decoder["conv_in"].Conv(noise is null ? z : ValueShape.Concat(1, z, noise), config.Ch * config.ChMult[^1], 3, padding: 1), z, config);

    /// <summary>The decoder after its first convolution. h (B, width, h, w), code z (B, z, h, w) -> (B, 3, h f, w f).</summary>
    public static Value DecodeFrom(Scope decoder, Value h, Value z, LfqAutoencoderConfig config)
    {
        var deepest = config.ChMult.Length - 1;
        for (var i = 0; i < config.NumResBlocks; i++) h = ResBlock(decoder["mid_block"][i], h, h.Shape[1].Size, config);
        decoder.Stage("decoder_mid", h);
        for (var level = deepest; level >= 0; level--)
        {
            var up = decoder["up"][level];
            h = decoder["adaptive"][level].AdaptiveGroupNorm(h, z, config.NormGroups);
            decoder.Stage(level == deepest ? "adaptive_norm" : $"adaptive_norm_{level}", h);
            for (var i = 0; i < config.NumResBlocks; i++) h = ResBlock(up["block"][i], h, config.Ch * config.ChMult[level], config);
            if (level > 0) h = up["upsample.conv1"].Conv(h, 4 * h.Shape[1].Size, 3, padding: 1).DepthToSpace(2);
        }

        return decoder["conv_out"].Conv(Norm(decoder["norm_out"], h, config).Silu(), config.OutCh, 3, padding: 1);
    }

    /// <summary>Group norm whose scale and shift are linear in the deviation (unbiased) and the mean of each of the code's channels. x (B, C, h, w), code (B, z, ..) -> (B, C, h, w).</summary>
    public static Value AdaptiveGroupNorm(this Scope scope, Value x, Value code, long groups)
    {
        var channels = x.Shape[1].Size;
        var places = code.Flatten(2);                                                      // (B, z, n)
        var g = x.Graph;
        var mean = places.Mean(-1, keep: true);
        var freedom = (g.Extent(places.Shape[2]) - 1).Cast(ElementType.Float32);
        var deviation = ((places - mean).Square().Sum(-1) / freedom + Epsilon).Sqrt();
        var (scale, shift) = (scope["gamma"].Linear(deviation, channels), scope["beta"].Linear(mean.Squeeze(2), channels));
        return x.GroupNorm(groups, Epsilon) * scale.Unsqueeze(2, 3) + shift.Unsqueeze(2, 3);
    }

    /// <summary>Channels to pixels, the place within a block being the slowest part of the channel ("DCR"). x (B, f f C, H, W) -> (B, C, H f, W f).</summary>
    public static Value DepthToSpace(this Value x, long factor) =>
        x.Graph.Node(x.Path, "DepthToSpace", [x], x.Type, [x.Shape[0], x.Shape[1].Size / (factor * factor), x.Shape[2] * factor, x.Shape[3] * factor], ("blocksize", factor), ("mode", "DCR"));

    /// <summary>Two 3x3 convolutions without biases beside a shortcut. x (B, C, h, w) -> (B, outputs, h, w).</summary>
    public static Value ResBlock(Scope block, Value x, long outputs, LfqAutoencoderConfig config)
    {
        var h = block["conv1"].Conv(Norm(block["norm1"], x, config).Silu(), outputs, 3, padding: 1, bias: false);
        h = block["conv2"].Conv(Norm(block["norm2"], h, config).Silu(), outputs, 3, padding: 1, bias: false);
        return h + (x.Shape[1] == outputs ? x : block["nin_shortcut"].Conv(x, outputs, 1, bias: false));
    }

    private static Value Norm(Scope scope, Value x, LfqAutoencoderConfig config) => scope.GroupNorm(x, config.NormGroups, Epsilon);
}
