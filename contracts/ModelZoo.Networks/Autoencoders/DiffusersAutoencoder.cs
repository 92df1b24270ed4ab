using ModelZoo.Contracts;

namespace ModelZoo.Networks.Autoencoders;

/// <summary>Encoder and decoder of diffusers' convolutional autoencoders. Stages: <c>conv_in</c>, <c>down_i</c>, <c>encoder_mid</c>, <c>encoder_out</c>, <c>decoder_conv_in</c>, <c>decoder_mid</c>, <c>up_i</c>.</summary>
public static class DiffusersAutoencoder
{
    private const double Epsilon = 1e-6;

    /// <summary>Picture to latent. x (B, C, H, W) -> (B, outputs, H / f, W / f).</summary>
    /// <param name="encoder">Where its weights are.</param>
    /// <param name="x">The picture.</param>
    /// <param name="config">Published sizes.</param>
    /// <param name="outputs">Channels that come out.</param>
    /// <param name="middleStage">Name of the stage after the middle.</param>
    public static Value Encoder(Scope encoder, Value x, DiffusersAutoencoderConfig config, long outputs, string middleStage = "encoder_mid")
    {
        Value Norm(Scope scope, Value value) => scope.GroupNorm(value, config.NormNumGroups, Epsilon);
        Require(config.DownBlockTypes, config, "DownEncoderBlock2D", "AttnDownEncoderBlock2D");
        var h = encoder.Stage("conv_in", encoder["conv_in"].Conv(x, config.BlockOutChannels[0], 3, padding: 1));
        for (var level = 0; level < config.BlockOutChannels.Length; level++)
        {
            var block = encoder["down_blocks"][level];
            for (var layer = 0; layer < config.LayersPerBlock; layer++)
            {
                h = block["resnets"][layer].ResnetBlock(h, config.BlockOutChannels[level], Norm, "conv_shortcut", Activations.Named(config.ActFn));
                if (config.DownBlockTypes[level] == "AttnDownEncoderBlock2D") h = Attention(block["attentions"][layer], h, scope => Norm(scope["group_norm"], h));
            }

            if (level < config.BlockOutChannels.Length - 1) h = block["downsamplers.0.conv"].Downsample(h, config.BlockOutChannels[level]);
            h = encoder.Stage($"down_{level}", h);
        }

        h = encoder.Stage(middleStage, Middle(encoder["mid_block"], h, config, Norm, "group_norm"));
        return encoder.Stage("encoder_out", encoder["conv_out"].Conv(Norm(encoder["conv_norm_out"], h).Silu(), outputs, 3, padding: 1));
    }

    /// <summary>Latent to picture. z (B, latent, h, w) -> (B, C, h f, w f).</summary>
    /// <param name="decoder">Where its weights are.</param>
    /// <param name="z">What the decoder starts from.</param>
    /// <param name="config">Published sizes.</param>
    /// <param name="guide">A latent that modulates every norm (MoVQ's spatial norm); null for plain group norms.</param>
    /// <param name="firstLevel">Stored number of the first level that runs; nested autoencoders leave the deepest out.</param>
    public static Value Decoder(Scope decoder, Value z, DiffusersAutoencoderConfig config, Value? guide = null, int firstLevel = 0)
    {
        Value Norm(Scope scope, Value value) => guide is null ? scope.GroupNorm(value, config.NormNumGroups, Epsilon) : SpatialNorm(scope, value, guide);
        Require(config.UpBlockTypes, config, "UpDecoderBlock2D", "AttnUpDecoderBlock2D");
        var attentionNorm = guide is null ? "group_norm" : "spatial_norm";
        var widths = config.BlockOutChannels.Reverse().ToArray();
        var h = decoder.Stage("decoder_conv_in", decoder["conv_in"].Conv(z, widths[0], 3, padding: 1));
        h = decoder.Stage("decoder_mid", Middle(decoder["mid_block"], h, config, Norm, attentionNorm));
        for (var level = 0; level < widths.Length; level++)
        {
            var block = decoder["up_blocks"][firstLevel + level];
            for (var layer = 0; layer <= config.LayersPerBlock; layer++)
            {
                h = block["resnets"][layer].ResnetBlock(h, widths[level], Norm, "conv_shortcut", Activations.Named(config.ActFn));
                if (config.UpBlockTypes[level] == "AttnUpDecoderBlock2D") h = Attention(block["attentions"][layer], h, scope => Norm(scope[attentionNorm], h));
            }

            if (level < widths.Length - 1) h = block["upsamplers.0.conv"].UpsampleConv(h, widths[level]);
            h = decoder.Stage($"up_{level}", h);
        }

        return decoder["conv_out"].Conv(Norm(decoder["conv_norm_out"], h).Silu(), config.OutChannels, 3, padding: 1);
    }

    private static Value Middle(Scope middle, Value h, DiffusersAutoencoderConfig config, Func<Scope, Value, Value> norm, string attentionNorm)
    {
        h = middle["resnets.0"].ResnetBlock(h, h.Shape[1].Size, norm, "conv_shortcut", Activations.Named(config.ActFn));
        if (config.MidBlockAddAttention) h = Attention(middle["attentions.0"], h, scope => norm(scope[attentionNorm], h));
        return middle["resnets.1"].ResnetBlock(h, h.Shape[1].Size, norm, "conv_shortcut", Activations.Named(config.ActFn));
    }

    // Files from before 2023 say query, key, value and proj_attn.
    private static Value Attention(Scope attention, Value x, Func<Scope, Value> norm)
    {
        var width = x.Shape[1].Size;
        var (q, k, v, o) = attention.Has("query.weight") && !attention.Has("to_q.weight") ? ("query", "key", "value", "proj_attn") : ("to_q", "to_k", "to_v", "to_out.0");
        Func<Value, Value> Map(string name) => value => attention[name].Linear(value, width);
        return AutoencoderBlocks.SpatialAttention(norm(attention), (Map(q), Map(k), Map(v)), Map(o)) + x;
    }

    // MoVQ (Zheng et al., arXiv:2209.09002, eq. 3): a group norm whose scale and shift are read off the latent. Its 32 groups are fixed in the published code.
    private static Value SpatialNorm(Scope scope, Value x, Value guide)
    {
        var width = x.Shape[1].Size;
        var wide = guide.Interpolate(Interpolation.Nearest, [x.Shape[2], x.Shape[3]]);
        return scope["norm_layer"].GroupNorm(x, 32, Epsilon) * scope["conv_y"].Conv(wide, width, 1) + scope["conv_b"].Conv(wide, width, 1);
    }

    private static void Require(string[] types, DiffusersAutoencoderConfig config, params string[] known)
    {
        if (types.Length != config.BlockOutChannels.Length || types.FirstOrDefault(type => !known.Contains(type)) is not null)
            throw new CheckpointException(ErrorCodes.ConfigInvalid, "The autoencoder's levels cannot be taken.")
            { Expected = $"{config.BlockOutChannels.Length} of {string.Join(", ", known)}", Found = string.Join(", ", types) };
    }
}
