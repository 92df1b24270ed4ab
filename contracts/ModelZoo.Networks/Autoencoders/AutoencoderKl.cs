using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.Autoencoders;

// High-Resolution Image Synthesis with Latent Diffusion Models. Rombach, Blattmann, Lorenz, Esser, Ommer. arXiv:2112.10752. Layout of huggingface/diffusers: AutoencoderKL and VQModel.

/// <summary>The published <c>config.json</c> of diffusers' autoencoders.</summary>
public record DiffusersAutoencoderConfig
{
    /// <summary>Channels of the picture that goes in.</summary>
    [Range(1, 64)] public int InChannels { get; init; } = 3;
    /// <summary>Channels of the picture that comes out.</summary>
    [Range(1, 64)] public int OutChannels { get; init; } = 3;
    /// <summary>Kinds of the encoder's levels: <c>DownEncoderBlock2D</c> or <c>AttnDownEncoderBlock2D</c>.</summary>
    public string[] DownBlockTypes { get; init; } = ["DownEncoderBlock2D"];
    /// <summary>Kinds of the decoder's levels: <c>UpDecoderBlock2D</c> or <c>AttnUpDecoderBlock2D</c>.</summary>
    public string[] UpBlockTypes { get; init; } = ["UpDecoderBlock2D"];
    /// <summary>Width of each level.</summary>
    [MinLength(1)] public int[] BlockOutChannels { get; init; } = [64];
    /// <summary>Residual blocks a level of the encoder; the decoder has one more.</summary>
    [Range(1, 16)] public int LayersPerBlock { get; init; } = 1;
    /// <summary>Activation of the residual blocks.</summary>
    [AllowedValues("silu", "swish", "mish", "gelu", "relu")] public string ActFn { get; init; } = "silu";
    /// <summary>Channels of the latent.</summary>
    [Range(1, 1024)] public int LatentChannels { get; init; } = 4;
    /// <summary>Groups of the group norms.</summary>
    [Range(1, 1024)] public int NormNumGroups { get; init; } = 32;
    /// <summary>Size of the pictures it was trained on.</summary>
    public int SampleSize { get; init; } = 32;
    /// <summary>Whether the middle has attention.</summary>
    public bool MidBlockAddAttention { get; init; } = true;
    /// <summary>Factor that brings latents to unit variance, for diffusion models.</summary>
    public double ScalingFactor { get; init; } = 0.18215;

    /// <summary>Pixels per place of the latent, along each side.</summary>
    public int Downsampling => 1 << (BlockOutChannels.Length - 1);
}

/// <summary>The published <c>config.json</c> of <c>AutoencoderKL</c>.</summary>
public sealed record AutoencoderKlConfig : DiffusersAutoencoderConfig
{
    /// <summary>Subtracted from latents before they are scaled; null is zero.</summary>
    public double? ShiftFactor { get; init; }
    /// <summary>Channel means of latents, where a pipeline uses them.</summary>
    public double[]? LatentsMean { get; init; }
    /// <summary>Channel deviations of latents, where a pipeline uses them.</summary>
    public double[]? LatentsStd { get; init; }
    /// <summary>Whether float16 was too narrow for it; this implementation computes in float32.</summary>
    public bool ForceUpcast { get; init; } = true;
    /// <summary>Whether a 1x1 convolution follows the encoder.</summary>
    public bool UseQuantConv { get; init; } = true;
    /// <summary>Whether a 1x1 convolution precedes the decoder.</summary>
    public bool UsePostQuantConv { get; init; } = true;
}

/// <summary>The autoencoder of latent diffusion, with diffusers' names.</summary>
public static class AutoencoderKl
{
    /// <summary>Means and log-variances. x (B, C, H, W) in -1..1 -> (B, 2 latent, H / f, W / f).</summary>
    public static Value Moments(Scope vae, Value x, AutoencoderKlConfig config)
    {
        var h = DiffusersAutoencoder.Encoder(vae["encoder"], x, config, 2 * config.LatentChannels);
        return config.UseQuantConv ? vae["quant_conv"].Conv(h, 2 * config.LatentChannels, 1) : h;
    }

    /// <summary>The distribution of latents of a picture. x (B, C, H, W) in -1..1.</summary>
    public static DiagonalGaussian Encode(Scope vae, Value x, AutoencoderKlConfig config) => DiagonalGaussian.Of(vae.Stage("moments", Moments(vae, x, config)));

    /// <summary>The picture of a latent. z (B, latent, h, w), not scaled -> (B, C, h f, w f), about -1..1.</summary>
    public static Value Decode(Scope vae, Value z, AutoencoderKlConfig config) =>
        DiffusersAutoencoder.Decoder(vae["decoder"], config.UsePostQuantConv ? vae["post_quant_conv"].Conv(z, config.LatentChannels, 1) : z, config);

    /// <summary>Latents as diffusion models take them: (z - shift) scale, or (z - mean) scale / std where each channel has its own.</summary>
    public static Value Normalize(Value z, AutoencoderKlConfig config) =>
        config is { LatentsMean: { } mean, LatentsStd: { } deviation } ? (z - Channels(z, mean)) * config.ScalingFactor / Channels(z, deviation) : (z - (config.ShiftFactor ?? 0)) * config.ScalingFactor;

    /// <summary>The reverse of <see cref="Normalize"/>.</summary>
    public static Value Denormalize(Value z, AutoencoderKlConfig config) =>
        config is { LatentsMean: { } mean, LatentsStd: { } deviation } ? z * Channels(z, deviation) / config.ScalingFactor + Channels(z, mean) : z / config.ScalingFactor + (config.ShiftFactor ?? 0);

    private static Value Channels(Value z, double[] values) => z.Graph.Constant<float>([.. values.Select(value => (float)value)], 1, values.Length, 1, 1);
}
