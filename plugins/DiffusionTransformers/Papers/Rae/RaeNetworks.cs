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
        var positions = embeddings.Weight("position_embeddings", 1, Places(config.ImageSize, config.PatchSize) + 1, width);
        var grid = Resized(positions.From(1, 1), x, config.PatchSize, antialias: true);
        Value Every(Value token) => token.Expand(x.Shape[0], token.Shape[1], width);
        var h = ValueShape.Concat(1, Every(embeddings.Weight("cls_token", 1, 1, width) + positions.Take(1, 1)), Every(embeddings.Weight("register_tokens", 1, config.NumRegisterTokens, width)), patches + grid);
        dino.Stage("encoder_embeddings", h);
        for (var i = 0; i < config.NumHiddenLayers; i++) h = dino.Stage($"encoder_block_{i}", EncoderLayer(dino["encoder.layer"][i], h, config));
        h = plainNorm ? h.LayerNorm(config.LayerNormEps) : dino["layernorm"].LayerNorm(h, config.LayerNormEps);
        return dino.Stage("encoder_tokens", h.From(1, 1 + config.NumRegisterTokens));
    }

    /// <summary>MAE's patch tokens, none of them masked, after a norm without weights.</summary>
    public static Value EncodeMae(Scope mae, Value x, RaeVisionConfig config)
    {
        var (vit, width, epsilon) = (mae["vit"], (long)config.HiddenSize, config.LayerNormEps ?? 1e-12);
        var embeddings = vit["embeddings"];
        var positions = embeddings.Weight("position_embeddings", 1, Places(config.ImageSize, config.PatchSize) + 1, width);
        var patches = embeddings["patch_embeddings.projection"].PatchEmbed(x, width, config.PatchSize) + Resized(positions.From(1, 1), x, config.PatchSize, antialias: false);
        var first = (embeddings.Weight("cls_token", 1, 1, width) + positions.Take(1, 1)).Expand(x.Shape[0], 1, width);
        var h = mae.Stage("encoder_embeddings", ValueShape.Concat(1, first, patches));
        for (var i = 0; i < config.NumHiddenLayers; i++)
            h = mae.Stage($"encoder_block_{i}", MaeLayer(vit["encoder.layer"][i], h, config.NumAttentionHeads, config.IntermediateSize, epsilon, config.QkvBias, config.HiddenAct ?? "gelu"));
        return mae.Stage("encoder_tokens", h.LayerNorm(epsilon).From(1, 1));
    }

    /// <summary>SigLIP's tokens after a norm without weights.</summary>
    public static Value EncodeSiglip(Scope siglip, Value x, RaeVisionConfig config)
    {
        var (vision, width, epsilon) = (siglip["vision_model"], (long)config.HiddenSize, config.LayerNormEps ?? 1e-6);
        var positions = vision["embeddings.position_embedding"].Weight("weight", Places(config.ImageSize, config.PatchSize), width).Unsqueeze(0);
        var h = siglip.Stage("encoder_embeddings", vision["embeddings.patch_embedding"].PatchEmbed(x, width, config.PatchSize) + Resized(positions, x, config.PatchSize, antialias: false));
        for (var i = 0; i < config.NumHiddenLayers; i++)
            h = siglip.Stage($"encoder_block_{i}", SiglipLayer(vision["encoder.layers"][i], h, config, epsilon));
        return siglip.Stage("encoder_tokens", h.LayerNorm(epsilon));
    }

    /// <summary>Tokens to patches of pixels: (B, N, D) -> (B, N, P P 3).</summary>
    public static Value Decode(Scope decoder, Value tokens, RaeDecoderConfig config, long patch)
    {
        var (width, count) = ((long)config.DecoderHiddenSize, tokens.Shape[1]);
        var h = decoder.Stage("decoder_embed", decoder["decoder_embed"].Linear(tokens, width));
        h = ValueShape.Concat(1, decoder.Weight("trainable_cls_token", 1, 1, width).Expand(tokens.Shape[0], 1, width), h) + decoder.Weight("decoder_pos_embed", 1, count.Size + 1, width);
        for (var i = 0; i < config.DecoderNumHiddenLayers; i++)
        {
            h = decoder.Stage($"decoder_block_{i}", MaeLayer(decoder["decoder_layers"][i], h, config.DecoderNumAttentionHeads, config.DecoderIntermediateSize, config.LayerNormEps, config.QkvBias, config.HiddenAct));
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
        rope = config.UseRope ? LightningDiTNetwork.Rope(dit["dec_feat_rope"], tokens, wide / config.NumHeads[^1]) : default;
        for (var i = 0; i < config.Depth[1]; i++) h = dit.Stage($"head_block_{i}", LightningDiTNetwork.Block(dit["blocks"][config.Depth[0] + i], h, s, rope, config.NumHeads[^1], blocks));
        return LightningDiTNetwork.Final(dit["final_layer"], dit, h, s, config.InChannels, blocks).Unpatchify(1, config.InputSize, config.InputSize, config.InChannels);
    }

    private static long Places(int size, int patch) => (long)(size / patch) * (size / patch);

    // Positions (1, N, D) of the square grid that they were learned on, for the picture's.
    private static Value Resized(Value positions, Value picture, int patch, bool antialias)
    {
        var (own, width) = ((long)Math.Sqrt(positions.Shape[1].Size), positions.Shape[2].Size);
        return positions.Swap(1, 2).Reshape(1, width, own, own).Interpolate(Interpolation.Cubic, [picture.Shape[2].Int / patch, picture.Shape[3].Int / patch], antialias: antialias).Flatten(2).Swap(1, 2);
    }

    private static Value MaeLayer(Scope layer, Value h, long heads, long hidden, double epsilon, bool bias, string activation)
    {
        h += Attention(layer, layer["layernorm_before"].LayerNorm(h, epsilon), heads, bias);
        return h + layer["output.dense"].Linear(Activations.Named(activation)(layer["intermediate.dense"].Linear(layer["layernorm_after"].LayerNorm(h, epsilon), hidden)), h.Shape[-1].Size);
    }

    private static Value SiglipLayer(Scope layer, Value h, RaeVisionConfig config, double epsilon)
    {
        var (attn, normed, width) = (layer["self_attn"], layer["layer_norm1"].LayerNorm(h, epsilon), h.Shape[-1].Size);
        Value Map(string name) => attn[name].Linear(normed, width);
        h += attn["out_proj"].Linear(AttentionLayers.Attention(Map("q_proj"), Map("k_proj"), Map("v_proj"), new() { Heads = config.NumAttentionHeads }), width);
        return h + layer["mlp"].Mlp(layer["layer_norm2"].LayerNorm(h, epsilon), config.IntermediateSize, Activations.Named(config.HiddenAct ?? "gelu_pytorch_tanh"));
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
        if (!config.UseSwigluFfn) return mlp.Mlp(x, hidden, Activations.Named(config.HiddenAct));
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
