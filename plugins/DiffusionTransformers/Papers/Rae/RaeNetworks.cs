using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.LightningDiT;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.Rae;

/// <summary>The encoder, the decoder (section 3) and DiT-DH.</summary>
internal static class RaeNetworks
{
    /// <summary>DINOv2's patch tokens of a picture that has its size and is normalised: (B, 3, H, W) -> (B, N, D).</summary>
    public static Value Encode(Scope dino, Value x, DinoConfig config, bool plainNorm)
    {
        var (width, embeddings) = ((long)config.HiddenSize, dino["embeddings"]);
        var patches = embeddings["patch_embeddings.projection"].PatchEmbed(x, width, config.PatchSize);
        var (rows, columns, own) = (x.Shape[2].Int / config.PatchSize, x.Shape[3].Int / config.PatchSize, config.ImageSize / config.PatchSize);
        var positions = embeddings.Weight("position_embeddings", 1, own * own + 1, width);
        var grid = positions.From(1, 1).Swap(1, 2).Reshape(1, width, own, own).Interpolate(Interpolation.Cubic, [rows, columns], antialias: true).Flatten(2).Swap(1, 2);
        Value Every(Value token) => token.Expand(x.Shape[0], token.Shape[1], width);
        var h = ValueShape.Concat(1, Every(embeddings.Weight("cls_token", 1, 1, width) + positions.Take(1, 1)), Every(embeddings.Weight("register_tokens", 1, config.NumRegisterTokens, width)), patches + grid);
        dino.Stage("encoder_embeddings", h);
        for (var i = 0; i < config.NumHiddenLayers; i++) h = dino.Stage($"encoder_block_{i}", EncoderLayer(dino["encoder.layer"][i], h, config));
        h = plainNorm ? h.LayerNorm(config.LayerNormEps) : dino["layernorm"].LayerNorm(h, config.LayerNormEps);
        return dino.Stage("encoder_tokens", h.From(1, 1 + config.NumRegisterTokens));
    }

    /// <summary>Tokens to patches of pixels: (B, N, D) -> (B, N, P P 3).</summary>
    public static Value Decode(Scope decoder, Value tokens, RaeDecoderConfig config, long patch)
    {
        var (width, count) = ((long)config.DecoderHiddenSize, tokens.Shape[1]);
        var h = decoder.Stage("decoder_embed", decoder["decoder_embed"].Linear(tokens, width));
        h = ValueShape.Concat(1, decoder.Weight("trainable_cls_token", 1, 1, width).Expand(tokens.Shape[0], 1, width), h) + decoder.Weight("decoder_pos_embed", 1, count.Size + 1, width);
        for (var i = 0; i < config.DecoderNumHiddenLayers; i++)
        {
            var layer = decoder["decoder_layers"][i];
            h += Attention(layer, layer["layernorm_before"].LayerNorm(h, config.LayerNormEps), config.DecoderNumAttentionHeads, config.QkvBias);
            h += layer["output.dense"].Linear(layer["intermediate.dense"].Linear(layer["layernorm_after"].LayerNorm(h, config.LayerNormEps), config.DecoderIntermediateSize).Gelu(), width);
            decoder.Stage($"decoder_block_{i}", h);
        }

        var pixels = decoder["decoder_pred"].Linear(decoder["decoder_norm"].LayerNorm(h, config.LayerNormEps), patch * patch * config.NumChannels);
        return decoder.Stage("decoder_pred", pixels).From(1, 1);
    }

    /// <summary>DiT-DH's velocity. x (B, C, H, W), t (B), y (B) -> (B, C, H, W).</summary>
    public static Value Denoise(Scope dit, Value x, Value t, Value y, DdtConfig config)
    {
        var (width, wide, tokens, blocks) = ((long)config.HiddenSize[0], (long)config.HiddenSize[1], (long)config.InputSize * config.InputSize, config.Blocks);
        var time = dit.Stage("t_embed", Time(dit["t_embedder"], t, width));
        var condition = (time + dit["y_embedder.embedding_table"].Embedding(y, config.NumClasses + (config.ClassDropoutProb > 0 ? 1 : 0), width)).Silu();
        var s = dit.Stage("s_embed", dit["s_embedder.proj"].PatchEmbed(x, width, 1));
        if (config.UsePosEmbed) s += dit.Weight("pos_embed", 1, tokens, width);
        var rope = config.UseRope ? LightningDiTNetwork.Rope(dit["enc_feat_rope"], tokens, width / config.NumHeads[0]) : default;
        for (var i = 0; i < config.Depth[0]; i++) s = dit.Stage($"block_{i}", LightningDiTNetwork.Block(dit["blocks"][i], s, condition, rope, config.NumHeads[0], blocks));

        // Each token's condition in the head is what the encoder made of it.
        s = (time.Unsqueeze(1) + s).Silu();
        if (width != wide) s = dit["s_projector"].Linear(s, wide);
        dit.Stage("s_projected", s);
        var h = dit["x_embedder.proj"].PatchEmbed(x, wide, 1);
        rope = config.UseRope ? LightningDiTNetwork.Rope(dit["dec_feat_rope"], tokens, wide / config.NumHeads[1]) : default;
        for (var i = 0; i < config.Depth[1]; i++) h = dit.Stage($"head_block_{i}", LightningDiTNetwork.Block(dit["blocks"][config.Depth[0] + i], h, s, rope, config.NumHeads[1], blocks));
        return LightningDiTNetwork.Final(dit["final_layer"], dit, h, s, config.InChannels, blocks).Unpatchify(1, config.InputSize, config.InputSize, config.InChannels);
    }

    // Gaussian Fourier features with stored frequencies, sines first.
    private static Value Time(Scope embedder, Value t, long width)
    {
        const long Frequencies = 256;
        var angles = t.Unsqueeze(1) * embedder.Weight("W", Frequencies).Reshape(1, Frequencies) * (2 * Math.PI);
        return embedder.TimestepMlp(ValueShape.Concat(-1, angles.Sin(), angles.Cos()), width);
    }

    private static Value EncoderLayer(Scope layer, Value h, DinoConfig config)
    {
        var width = (long)config.HiddenSize;
        Value Scaled(string name, Value x) => x * layer[name].Weight("lambda1", width);
        h += Scaled("layer_scale1", Attention(layer, layer["norm1"].LayerNorm(h, config.LayerNormEps), config.NumAttentionHeads, config.QkvBias));
        return h + Scaled("layer_scale2", Mlp(layer["mlp"], layer["norm2"].LayerNorm(h, config.LayerNormEps), config));
    }

    private static Value Mlp(Scope mlp, Value x, DinoConfig config)
    {
        var hidden = (long)(config.HiddenSize * config.MlpRatio);
        if (!config.UseSwigluFfn) return mlp.Mlp(x, hidden, v => v.Gelu());
        hidden = ((long)(hidden * 2 / 3.0) + 7) / 8 * 8;
        var (gate, value) = mlp["weights_in"].Linear(x, 2 * hidden).Chunk2();
        return mlp["weights_out"].Linear(gate.Silu() * value, config.HiddenSize);
    }

    private static Value Attention(Scope layer, Value x, long heads, bool bias)
    {
        var (attn, width) = (layer["attention"], x.Shape[-1].Size);
        Value Map(string name) => attn["attention"][name].Linear(x, width, bias);
        return attn["output.dense"].Linear(AttentionLayers.Attention(Map("query"), Map("key"), Map("value"), new() { Heads = heads }), width);
    }
}
