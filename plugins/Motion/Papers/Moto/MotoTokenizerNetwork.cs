using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>Two pictures to the tokens of the motion between them, and one picture and tokens to the other picture. Scopes are the authors'.</summary>
internal static class MotoTokenizerNetwork
{
    /// <summary>
    /// ViT-MAE without masking: its patches still come in ascending order of the noise, the class token first. pixels (B, C, H, W), noise (B, patches) -> (B, 1 + patches, D).
    /// </summary>
    public static Value Features(Scope mae, Value pixels, Value noise, MotoVitConfig config)
    {
        if (mae["vit"].Exists && !mae.IsInventory) mae = mae["vit"];                                                          // published with the model for pre-training around it
        var (embeddings, patches, width) = (mae["embeddings"], noise.Shape[1].Size, config.HiddenSize);
        var positions = embeddings.Weight("position_embeddings", 1, 1 + patches, width);
        var h = Patches(embeddings["patch_embeddings.projection"], pixels, config) + positions.From(1, 1);
        var (_, order) = noise.TopK(patches, largest: false);
        h = h.GatherElements(order.Unsqueeze(-1).Expand(h.Shape[0], patches, width), 1);
        var first = (embeddings.Weight("cls_token", 1, 1, width) + positions.Take(1, 1)).Expand(h.Shape[0], 1, width);
        return mae["layernorm"].LayerNorm(Encoder(mae, ValueShape.Concat(1, first, h), config), config.LayerNormEps);
    }

    /// <summary>Features of two pictures (B, P, D) -> latent and quantized (B, Q, codebook), codes (B, Q).</summary>
    public static void Tokenize(Scope tokenizer, Value before, Value after, MotoTokenizerConfig config)
    {
        var (g, former, vit) = (tokenizer.Graph, tokenizer["m_former"], config.MFormer.Config);
        var (embeddings, width, batch) = (former["embeddings"], (long)vit.HiddenSize, before.Shape[0]);
        Value Token(string name, long count) => embeddings.Weight(name, 1, count, width).Expand(batch, count, width);
        Value Project(Value x) => embeddings["projection"].Linear(x, width);
        var types = embeddings.Weight("token_type_embeddings", 2, width);
        var first = ValueShape.Concat(1, Token("latent_motion_token", vit.QueryNum), Project(before), Token("sep_token", 1));
        var second = Project(after);
        var h = ValueShape.Concat(1, first, second) + embeddings.Weight("position_embeddings", 1, 2L * vit.NumPatches + 1 + vit.QueryNum, width);
        var (early, late) = (h.Take(1, first.Shape[1]) + types.At(0, 0), h.From(1, first.Shape[1]) + types.At(0, vit.Legacy ? 0 : 1));
        h = former.Stage("m_former_embedding", ValueShape.Concat(1, early, late));
        h = former["layernorm"].LayerNorm(Encoder(former, h, vit, "m_former_block_0"), vit.LayerNormEps).Take(1, vit.QueryNum);

        var down = tokenizer["vq_down_resampler"];
        var latent = down["2"].Linear(down["0"].Linear(h, config.Decoder.Config.HiddenSize).Tanh(), config.CodebookDim);
        var rows = tokenizer["vector_quantizer.embedding"].Weight("weight", config.VectorQuantizer.Codes, config.VectorQuantizer.EDim);
        var codes = (latent.Square().Sum(-1, keep: true) + rows.Square().Sum(-1) - 2 * latent.MatMul(rows.Swap(0, 1))).ArgMin(-1);
        g.Output("latent", latent);
        g.Output("codes", codes);
        g.Output("quantized", latent + (rows.Gather(codes) - latent));
    }

    /// <summary>The picture before (B, C, H, W) and codes (B, Q) -> the picture after.</summary>
    public static Value Decode(Scope tokenizer, Value pixels, Value codes, MotoTokenizerConfig config)
    {
        var (vit, up, decoder) = (config.Decoder.Config, tokenizer["vq_up_resampler"], tokenizer["decoder.transformer"]);
        var (width, embeddings, batch) = ((long)vit.HiddenSize, decoder["embeddings"], codes.Shape[0]);
        var motion = tokenizer["vector_quantizer.embedding"].Embedding(codes, config.VectorQuantizer.Codes, config.VectorQuantizer.EDim);
        motion = up["2"].Linear(up["0"].Linear(motion, config.CodebookDim).Tanh(), width);                                    // (B, Q, D)
        var h = Patches(embeddings["patch_embeddings.projection"], pixels, vit);
        if (vit.UseMaskToken) h = ValueShape.Concat(1, h, embeddings.Weight("mask_token", 1, 1, width).Expand(batch, vit.NumPatches, width));
        h = vit.QueryFusionMode == "add"
            ? h + embeddings["query_pooling_layer"].Linear(motion.Reshape(batch, vit.QueryNum * width), width).Unsqueeze(1)
            : ValueShape.Concat(1, motion, h);
        h = tokenizer.Stage("decoder_embedding", h + embeddings.Weight("position_embeddings", 1, h.Shape[1].Size, width));
        h = decoder["layernorm"].LayerNorm(Encoder(decoder, h, vit), vit.LayerNormEps).Last(1, vit.NumPatches);
        var side = (int)Math.Sqrt(vit.NumPatches);
        h = h.Swap(1, 2).Reshape(batch, width, side, side);
        return tokenizer["decoder.decoder.0"].Conv(h, (long)vit.EncoderStride * vit.EncoderStride * vit.NumChannels, 1).PixelShuffle(vit.EncoderStride);
    }

    // (B, C, H, W) -> (B, patches, D).
    private static Value Patches(Scope projection, Value pixels, MotoVitConfig config) => projection.Conv(pixels, config.HiddenSize, config.PatchSize, config.PatchSize).Flatten(2).Swap(1, 2);

    // transformers' ViTEncoder: pre-norm, separate maps.
    private static Value Encoder(Scope vit, Value h, MotoVitConfig config, string? firstStage = null)
    {
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            var (layer, attention) = (vit["encoder.layer"][i], vit["encoder.layer"][i]["attention.attention"]);
            var x = layer["layernorm_before"].LayerNorm(h, config.LayerNormEps);
            Value Map(string name) => attention[name].Linear(x, config.HiddenSize, config.QkvBias);
            h += layer["attention.output.dense"].Linear(AttentionLayers.Attention(Map("query"), Map("key"), Map("value"), new() { Heads = config.NumAttentionHeads }), config.HiddenSize);
            h += layer.Mlp(layer["layernorm_after"].LayerNorm(h, config.LayerNormEps), config.IntermediateSize, Activations.Named(config.HiddenAct), "intermediate.dense", "output.dense");
            if (i == 0 && firstStage is not null) vit.Stage(firstStage, h);
        }

        return h;
    }
}
