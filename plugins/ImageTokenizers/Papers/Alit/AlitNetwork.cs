using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>ALIT: one rollout of encoder and decoder, and what comes between two.</summary>
internal static class AlitNetwork
{
    // MAR's factor on continuous latents.
    private const double LatentScale = 0.2325;

    /// <summary>imgs (B, 3, S, S) -> encoder_input (B, 1 + P + n, D), base_tokens (B, C, h, w), base_codes (B, P) with a quantized base.</summary>
    public static void Prepare(Scope model, AlitConfig config)
    {
        var (g, size, tokens) = (model.Graph, config.Model, config.Tokenizer);
        var images = g.Input("imgs", [TokenizerInputs.Batch, 3, tokens.ImgSize, tokens.ImgSize]);
        var grid = BaseLatent(model["base_tokenizer"], images, config);
        if (config.IsQuantizedBase) g.Output("base_codes", VectorQuantization.Nearest(grid.ChannelsLast(), BaseTable(model, config)).Flatten(1));
        g.Stage("base_tokens", grid);
        var patches = model["patch_embed"].Conv(images, size.EncoderWidth - config.BaseWidth, tokens.PatchSize, stride: tokens.PatchSize);
        var x = ValueShape.Concat(1, grid, patches).Flatten(2).Swap(1, 2).L2Normalize();
        x = ValueShape.Concat(1, model.Weight("encoder_class_embedding", 1, size.EncoderWidth).Unsqueeze(0).Expand(images.Shape[0], 1, size.EncoderWidth), x)
          + model.Weight("encoder_positional_embedding", config.Grid * config.Grid + 1, size.EncoderWidth);
        x = ValueShape.Concat(1, x, NewTokens(model, g.Constant([0L]), images.Shape[0], config));
        g.Output("encoder_input", model["encoder_ln_pre"].LayerNorm(x));
    }

    /// <summary>x (B, 1 + P + n, D) -> x through the encoder, encoder (B, n, D), latent (B, n, C), codes (B, n), decoder (B, P, K or C).</summary>
    public static void Rollout(Scope model, AlitConfig config)
    {
        var (g, size, images) = (model.Graph, config.Model, config.Grid * config.Grid + 1);
        var x = g.Input("x", [TokenizerInputs.Batch, Dim.Symbol("tokens") + images, size.EncoderWidth]);
        for (var i = 0; i < size.EncoderNumLayers; i++) x = model["encoder.transformer"][i].ResidualAttentionBlock(x, size.EncoderNumHeads);
        g.Output("x_encoded", x);
        var tokens = x.From(1, images);
        g.Output("encoder", tokens);
        var latent = model["encoder_ln_post"].LayerNorm(tokens);
        if (config.IsFactorized) latent = model["pre_quantizer_mlp"].Linear(latent, config.Tokenizer.VqTokenDim);
        g.Output("latent", latent);
        if (size.QuantizeLatent)
        {
            var table = Table(model, config);
            var codes = VectorQuantization.Nearest(config.Tokenizer.VqUseL2Norm ? latent.L2Normalize() : latent, table);
            g.Output("codes", codes);
            latent = table.Gather(codes);
        }

        g.Output("decoder", Decode(model, latent, config));
    }

    /// <summary>Decoder's output (B, P, K or C) -> reconstruction (B, 3, S, S).</summary>
    public static void Paint(Scope model, AlitConfig config) =>
        model.Graph.Output("reconstruction", Paint(model, model.Graph.Input("decoder", [TokenizerInputs.Batch, config.Grid * config.Grid, config.IsQuantizedBase ? config.BaseTokenizer.Params.NEmbed : config.BaseTokenizer.EmbedDim]), config));

    /// <summary>Tokens (B, n), or continuous (B, n, C) -> reconstruction (B, 3, S, S).</summary>
    public static void DecodeTokens(Scope model, AlitConfig config)
    {
        var (g, count) = (model.Graph, Dim.Symbol("tokens"));
        var latent = config.Model.QuantizeLatent
            ? Table(model, config).Gather(g.Input("tokens", ElementType.Int64, [TokenizerInputs.Batch, count]))
            : g.Input("tokens", [TokenizerInputs.Batch, count, config.TokenWidth]);
        g.Output("reconstruction", Paint(model, Decode(model, latent, config), config));
    }

    /// <summary>Between two rollouts: places that are drawn well (drop (B, P) = 1) are masked, and the initial tokens are appended again. iteration () counts from 1.</summary>
    public static void Extend(Scope model, AlitConfig config)
    {
        var (g, width, places) = (model.Graph, config.Model.EncoderWidth, config.Grid * config.Grid);
        var x = g.Input("x", [TokenizerInputs.Batch, Dim.Symbol("tokens") + (places + 1), width]);
        var drop = g.Input("drop", [TokenizerInputs.Batch, places]).Unsqueeze(-1);
        var masked = model.Weight("encoder_positional_embedding", places + 1, width).From(0, 1) + model.Weight("encoder_mask_token", 1, 1, width);
        x = ValueShape.Concat(1, x.Take(1, 1), masked * drop + (1 - drop) * x.Slice(1, 1, places + 1), x.From(1, places + 1));
        x = ValueShape.Concat(1, x, NewTokens(model, g.Input("iteration", ElementType.Int64, []), x.Shape[0], config));
        g.Output("x_extended", model["encoder_ln_recursive"].LayerNorm(x));
    }

    private static Value NewTokens(Scope model, Value iteration, Dim batch, AlitConfig config)
    {
        var (count, width) = (config.Tokenizer.NumInitLatentTokens, config.Model.EncoderWidth);
        var tokens = model.Weight("latent_tokens", count, width) + model.Weight("latent_token_positional_embedding", count, width)
                   + model.Weight("timestep_embedding", config.Tokenizer.MaxRolloutIters, count, width).Gather(iteration);
        return tokens.Unsqueeze(0).Expand(batch, count, width);
    }

    private static Value Decode(Scope model, Value latent, AlitConfig config)
    {
        var (decoder, width, places, batch) = (model["decoder"], config.Model.DecoderWidth, config.Grid * config.Grid, latent.Shape[0]);
        var canvas = ValueShape.Concat(1, model.Weight("decoder_class_embedding", 1, width).Unsqueeze(0).Expand(batch, 1, width), model.Weight("decoder_mask_token", 1, 1, width).Expand(batch, places, width))
                   + model.Weight("decoder_positional_embedding", places + 1, width);
        if (config.IsFactorized) latent = decoder["decoder_embed"].Linear(latent, width);
        var tokens = latent + decoder.Weight("latent_token_positional_embedding", 256, width).Take(0, latent.Shape[1]);
        var x = decoder["ln_pre"].LayerNorm(ValueShape.Concat(1, canvas, tokens));
        for (var i = 0; i < config.Model.DecoderNumLayers; i++) x = decoder["transformer"][i].ResidualAttentionBlock(x, config.Model.DecoderNumHeads);
        x = decoder["ln_post"].LayerNorm(x.Slice(1, 1, places + 1));
        return decoder["ffn.2"].Linear(decoder["ffn.0"].Linear(x, 2 * width).Tanh(), config.IsQuantizedBase ? config.BaseTokenizer.Params.NEmbed : config.BaseTokenizer.EmbedDim);
    }

    private static Value Paint(Scope model, Value decoded, AlitConfig config)
    {
        var code = config.IsQuantizedBase ? decoded.Softmax().MatMul(BaseTable(model, config)) : decoded;
        var grid = code.Swap(1, 2).Reshape(decoded.Shape[0], config.BaseWidth, config.Grid, config.Grid);
        if (config.IsQuantizedBase) return MageVqgan.Decode(model["base_tokenizer.vqgan.decoder"], grid, config.BaseTokenizer.Params.Ddconfig, config.Fixed.NormNumGroups);
        var vae = model["base_tokenizer.vae"];
        return LdmAutoencoder.Decoder(vae["decoder"], vae["post_quant_conv"].Conv(grid, config.BaseTokenizer.EmbedDim, 1), config.Vae);
    }

    private static Value BaseLatent(Scope model, Value images, AlitConfig config)
    {
        if (config.IsQuantizedBase) return MageVqgan.Encode(model["vqgan.encoder"], images, config.BaseTokenizer.Params.Ddconfig, config.Fixed.NormNumGroups);
        var vae = model["vae"];
        var moments = vae["quant_conv"].Conv(LdmAutoencoder.Encoder(vae["encoder"], images, config.Vae), 2 * config.BaseTokenizer.EmbedDim, 1);
        return DiagonalGaussian.Of(moments).Sample(model.Graph.Input("posterior_noise", [TokenizerInputs.Batch, config.BaseTokenizer.EmbedDim, config.Grid, config.Grid])) * LatentScale;
    }

    private static Value BaseTable(Scope model, AlitConfig config) =>
        (model.Path.Length == 0 ? model["base_tokenizer"] : model)["vqgan.quantize.embedding"].Weight("weight", config.BaseTokenizer.Params.NEmbed, config.BaseTokenizer.Params.EmbedDim);

    private static Value Table(Scope model, AlitConfig config)
    {
        var table = model["quantize.embedding"].Weight("weight", config.Tokenizer.VqCodebookSize, config.Tokenizer.VqTokenDim);
        return config.Tokenizer.VqUseL2Norm ? table.L2Normalize() : table;
    }
}

/// <summary>The VQGAN of MaskGIT as MAGE (Li et al., arXiv:2211.09117) published it: no attention, no biases within residual blocks, levels shrink by averaging.</summary>
internal static class MageVqgan
{
    /// <summary>x (B, 3, H, W) -> (B, z, H / f, W / f).</summary>
    public static Value Encode(Scope encoder, Value x, LdmAutoencoderConfig config, int groups)
    {
        var h = encoder["conv_in"].Conv(x, config.Ch, 3, padding: 1, bias: false);
        for (var level = 0; level < config.ChMult.Length; level++)
        {
            for (var i = 0; i < config.NumResBlocks; i++) h = ResnetBlock(encoder["down"][level]["block"][i], h, config.Ch * config.ChMult[level], groups);
            if (level < config.ChMult.Length - 1) h = h.AveragePool(2, 2);
        }

        return encoder["conv_out"].Conv(encoder["norm_out"].GroupNorm(Middle(encoder["mid"], h, groups), groups, 1e-6).Silu(), config.ZChannels, 1);
    }

    /// <summary>z (B, z, h, w) -> (B, 3, h f, w f).</summary>
    public static Value Decode(Scope decoder, Value z, LdmAutoencoderConfig config, int groups)
    {
        var h = Middle(decoder["mid"], decoder["conv_in"].Conv(z, config.Ch * config.ChMult[^1], 3, padding: 1), groups);
        for (var level = config.ChMult.Length - 1; level >= 0; level--)
        {
            var up = decoder["up"][level];
            for (var i = 0; i < config.NumResBlocks; i++) h = ResnetBlock(up["block"][i], h, config.Ch * config.ChMult[level], groups);
            if (level > 0) h = up["upsample.conv"].UpsampleConv(h, h.Shape[1].Size);
        }

        return decoder["conv_out"].Conv(decoder["norm_out"].GroupNorm(h, groups, 1e-6).Silu(), config.OutCh, 3, padding: 1);
    }

    private static Value Middle(Scope middle, Value h, int groups) => ResnetBlock(middle["block_2"], ResnetBlock(middle["block_1"], h, h.Shape[1].Size, groups), h.Shape[1].Size, groups);

    // As published: where the width changes, the shortcut is taken from the block's own output.
    private static Value ResnetBlock(Scope block, Value x, long outputs, int groups)
    {
        var h = block["conv1"].Conv(block["norm1"].GroupNorm(x, groups, 1e-6).Silu(), outputs, 3, padding: 1, bias: false);
        h = block["conv2"].Conv(block["norm2"].GroupNorm(h, groups, 1e-6).Silu(), outputs, 3, padding: 1, bias: false);
        return h + (x.Shape[1] == outputs ? x : block["nin_shortcut"].Conv(h, outputs, 1, bias: false));
    }
}
