using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.Autoencoders;

/// <summary>The published <c>ddconfig</c> of the autoencoders of taming-transformers and latent-diffusion.</summary>
public sealed record LdmAutoencoderConfig
{
    /// <summary>Width of the first level.</summary>
    [Range(1, 4096)] public int Ch { get; init; } = 128;
    /// <summary>Channels of the picture that comes out.</summary>
    [Range(1, 64)] public int OutCh { get; init; } = 3;
    /// <summary>Width of each level, in units of <see cref="Ch"/>.</summary>
    [MinLength(1)] public int[] ChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Residual blocks a level of the encoder; the decoder has one more.</summary>
    [Range(1, 16)] public int NumResBlocks { get; init; } = 2;
    /// <summary>Resolutions at which a level has attention.</summary>
    public int[] AttnResolutions { get; init; } = [16];
    /// <summary>Channels of the picture that goes in.</summary>
    [Range(1, 64)] public int InChannels { get; init; } = 3;
    /// <summary>Size of the pictures it was trained on; it decides where attention is, whatever the size of the input.</summary>
    [Range(1, 8192)] public int Resolution { get; init; } = 256;
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int ZChannels { get; init; } = 256;
    /// <summary>Whether the encoder gives means and log-variances.</summary>
    public bool DoubleZ { get; init; }
    /// <summary>Rate of dropout in training.</summary>
    public double Dropout { get; init; }
    /// <summary>Whether levels change resolution with a convolution; else by averaging and repeating.</summary>
    public bool ResampWithConv { get; init; } = true;
    /// <summary>Groups of the group norms: 32 in the authors' code.</summary>
    [Range(1, 1024)] public int NormGroups { get; init; } = 32;
    /// <summary>Kind of attention in latent-diffusion: <c>vanilla</c> or <c>none</c>.</summary>
    [AllowedValues("vanilla", "none")] public string AttnType { get; init; } = "vanilla";
    /// <summary>Whether the middle has attention; some descendants leave it out.</summary>
    public bool UsingMidSa { get; init; } = true;
    /// <summary>Whether the decoder's levels have attention where the encoder's do; null when the checkpoint says so by having it. MAR's published decoder has it in the middle only.</summary>
    public bool? DecoderAttention { get; init; } = true;

    /// <summary>Pixels per place of the latent, along each side.</summary>
    public int Downsampling => 1 << (ChMult.Length - 1);

    /// <summary>Whether a level has attention.</summary>
    public bool HasAttention(int level) => AttnType != "none" && AttnResolutions.Contains(Resolution >> level);
}

/// <summary>
/// Encoder and decoder of VQGAN (Esser et al., arXiv:2012.09841) and latent diffusion, with the names of the authors' code. Stages: <c>conv_in</c>, <c>down_i</c>, <c>encoder_mid</c>, <c>encoder_out</c>, <c>decoder_mid</c>, <c>up_i</c>.
/// </summary>
public static class LdmAutoencoder
{
    private const double Epsilon = 1e-6;

    /// <summary>Picture to latent. x (B, C, H, W) -> (B, z, H / f, W / f), twice z with <c>double_z</c>.</summary>
    public static Value Encoder(Scope encoder, Value x, LdmAutoencoderConfig config)
    {
        var h = Trunk(encoder, x, config);
        return encoder.Stage("encoder_out", encoder["conv_out"].Conv(Norm(encoder["norm_out"], h, config).Silu(), (config.DoubleZ ? 2 : 1) * config.ZChannels, 3, padding: 1));
    }

    /// <summary>The encoder without its last norm and convolution. x (B, C, H, W) -> (B, width, H / f, W / f).</summary>
    public static Value Trunk(Scope encoder, Value x, LdmAutoencoderConfig config)
    {
        var h = encoder.Stage("conv_in", encoder["conv_in"].Conv(x, config.Ch, 3, padding: 1));
        for (var level = 0; level < config.ChMult.Length; level++)
        {
            var down = encoder["down"][level];
            for (var i = 0; i < config.NumResBlocks; i++)
            {
                h = ResnetBlock(down["block"][i], h, config.Ch * config.ChMult[level], config);
                if (config.HasAttention(level)) h = Attention(down["attn"][i], h, config);
            }

            if (level < config.ChMult.Length - 1) h = config.ResampWithConv ? down["downsample.conv"].Downsample(h, h.Shape[1].Size) : h.AveragePool(2, 2);
            h = encoder.Stage($"down_{level}", h);
        }

        return encoder.Stage("encoder_mid", Middle(encoder["mid"], h, config));
    }

    /// <summary>Latent to picture. z (B, z, h, w) -> (B, C, h f, w f).</summary>
    public static Value Decoder(Scope decoder, Value z, LdmAutoencoderConfig config)
    {
        var deepest = config.ChMult.Length - 1;
        var attends = config.DecoderAttention ?? !decoder.IsInventory && Enumerable.Range(0, deepest + 1).Any(level => decoder["up"][level]["attn"].Exists);
        var h = decoder.Stage("decoder_conv_in", decoder["conv_in"].Conv(z, config.Ch * config.ChMult[deepest], 3, padding: 1));
        h = decoder.Stage("decoder_mid", Middle(decoder["mid"], h, config));
        for (var level = deepest; level >= 0; level--)
        {
            var up = decoder["up"][level];
            for (var i = 0; i <= config.NumResBlocks; i++)
            {
                h = decoder.Stage($"decoder_block_{(deepest - level) * (config.NumResBlocks + 1) + i}", ResnetBlock(up["block"][i], h, config.Ch * config.ChMult[level], config));
                if (attends && config.HasAttention(level)) h = Attention(up["attn"][i], h, config);
            }

            if (level > 0) h = config.ResampWithConv ? up["upsample.conv"].UpsampleConv(h, h.Shape[1].Size) : h.Upsample(2);
            h = decoder.Stage($"up_{level}", h);
        }

        return decoder["conv_out"].Conv(Norm(decoder["norm_out"], h, config).Silu(), config.OutCh, 3, padding: 1);
    }

    private static Value Middle(Scope middle, Value h, LdmAutoencoderConfig config)
    {
        h = ResnetBlock(middle["block_1"], h, h.Shape[1].Size, config);
        if (config.UsingMidSa && config.AttnType != "none") h = Attention(middle["attn_1"], h, config);
        return ResnetBlock(middle["block_2"], h, h.Shape[1].Size, config);
    }

    private static Value ResnetBlock(Scope block, Value x, long outputs, LdmAutoencoderConfig config) =>
        block.ResnetBlock(x, outputs, (scope, value) => Norm(scope, value, config), "nin_shortcut");

    // Queries, keys and values are 1x1 convolutions; VAR's descendants fuse them into one.
    private static Value Attention(Scope attention, Value x, LdmAutoencoderConfig config)
    {
        var width = x.Shape[1].Size;
        Func<Value, Value> Map(string name) => value => attention[name].PointwiseLinear(value, width);
        Func<Value, Value> Third(long part) => value => attention["qkv"].PointwiseRows(value, 3 * width, part * width, width);
        var fused = attention.Has("qkv.weight") && !attention.Has("q.weight");
        return AutoencoderBlocks.SpatialAttention(Norm(attention["norm"], x, config), fused ? (Third(0), Third(1), Third(2)) : (Map("q"), Map("k"), Map("v")), Map("proj_out")) + x;
    }

    private static Value Norm(Scope scope, Value x, LdmAutoencoderConfig config) => scope.GroupNorm(x, config.NormGroups, Epsilon);
}
