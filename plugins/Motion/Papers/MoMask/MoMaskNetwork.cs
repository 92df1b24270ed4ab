using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>The networks of MoMask, of which BAMM has two: a residual VQ-VAE, and post-norm transformers over its tokens. Scopes are the authors'.</summary>
internal static class MoMaskNetwork
{
    /// <summary>motion (B, T, F) -> codes (B, N, layers); each layer finds the nearest code of what the layers before it left.</summary>
    public static Value Encode(Scope vq, Value motion, ResidualTokenizerConfig config)
    {
        var residual = vq.Stage("latent", TemporalAutoencoder.Encode(vq["encoder"], motion, config.Layout, config.CodeDim));      // (B, C, N)
        var (codes, parts) = (new Value[config.NumQuantizers], new Value[config.NumQuantizers]);
        for (var i = 0; i < codes.Length; i++)
        {
            var layer = Layer(vq, i, config);
            codes[i] = TemporalAutoencoder.Quantize(layer, residual, config.NbCode);
            parts[i] = TemporalAutoencoder.Dequantize(layer, codes[i], config.NbCode, config.CodeDim);
            residual -= parts[i];
        }

        vq.Stage("codes_by_layer", ValueShape.Stack(0, parts));
        return ValueShape.Stack(-1, codes);
    }

    /// <summary>codes (B, N, layers), -1 for none -> motion (B, T, F).</summary>
    public static Value Decode(Scope vq, Value codes, ResidualTokenizerConfig config)
    {
        var nothing = vq.Graph.Constant<float>(new float[config.CodeDim], 1, config.CodeDim);
        var quantized = Enumerable.Range(0, config.NumQuantizers)
            .Select(i => ValueShape.Concat(0, nothing, TemporalAutoencoder.Table(Layer(vq, i, config), config.NbCode, config.CodeDim)).Gather(codes.At(-1, i) + 1))
            .Aggregate((sum, part) => sum + part);                                                                             // (B, N, C)
        return TemporalAutoencoder.Decode(vq["decoder"], vq.Stage("quantized", quantized.Swap(1, 2)), config.Layout, config.DimPose);
    }

    /// <summary>MoMask's scores of the first layer's codes. tokens (B, N), sentence (B, C), bias on attention scores -> (B, codes, N).</summary>
    public static Value Masked(Scope trans, Value tokens, Value sentence, Value bias, ResidualTokenizerConfig tokenizer, TokenTransformerConfig config)
    {
        var x = Place(trans, Embed(trans, tokens, special: 2, tokenizer, config));
        var h = Transform(trans, ValueShape.Concat(1, Condition(trans, sentence, config), x), bias, config, "block_0");
        return Head(trans, h.From(1, 1), tokenizer.NbCode, config).Swap(1, 2);
    }

    /// <summary>BAMM's scores of the first layer's codes and the end, for each place and the one after the last. tokens (B, N), sentence (B, C), bias on attention scores -> (B, codes + 1, 1 + N).</summary>
    public static Value Bidirectional(Scope trans, Value tokens, Value sentence, Value bias, ResidualTokenizerConfig tokenizer, TokenTransformerConfig config)
    {
        // The caption has a position too.
        var x = Place(trans, ValueShape.Concat(1, Condition(trans, sentence, config), Embed(trans, tokens, special: 3, tokenizer, config)));
        var h = config.Trans == "t2mgpt" ? PreNorm(trans, x, bias, config) : Transform(trans, x, bias, config, "block_0");
        return Head(trans, h, tokenizer.NbCode + 1, config).Swap(1, 2);
    }

    /// <summary>Scores of the next layer's codes and padding. history (B, N, C) sums the codes so far, layer is one-hot (B, layers) and its number less one (), sentence (B, C) -> (B, codes + 1, N).</summary>
    public static Value Residual(Scope res, Value history, Value oneHot, Value layer, Value sentence, Value bias, ResidualTokenizerConfig tokenizer, TokenTransformerConfig config)
    {
        var x = Place(res, res["input_process.poseEmbedding"].Linear(history, config.LatentDim));
        var heading = ValueShape.Concat(1, Condition(res, sentence, config), res["quant_emb"].Linear(oneHot, config.LatentDim).Unsqueeze(1));
        var h = Transform(res, ValueShape.Concat(1, heading, x), bias, config, "residual_block_0").From(1, 2);
        var codes = Head(res, h, tokenizer.CodeDim, config);                                                                   // (B, N, C)
        var (layers, rows) = (tokenizer.NumQuantizers - 1, tokenizer.NbCode + 1);
        var weights = config.ShareWeight
            ? ValueShape.Concat(0, res.Weight("embed_proj_shared_weight", layers - 1, rows, tokenizer.CodeDim), res.Weight("output_proj_weight_", 1, rows, tokenizer.CodeDim))
            : res.Weight("output_proj_weight", layers, rows, tokenizer.CodeDim);
        var logits = weights.Gather(layer).MatMul(codes.Swap(1, 2));                                                           // (B, rows, N)
        // Published: `output += output + bias`.
        return config.ShareWeight ? logits : logits + (logits + res.Weight("output_proj_bias", layers + 1, rows).Gather(layer).Unsqueeze(-1));
    }

    /// <summary>Codes of a layer as the residual transformer knows them. ids (B, N), layer () -> (B, N, C).</summary>
    public static Value ResidualEmbedding(Scope res, Value ids, Value layer, ResidualTokenizerConfig tokenizer, TokenTransformerConfig config)
    {
        var (layers, rows) = (tokenizer.NumQuantizers - 1, tokenizer.NbCode + 1);
        var weights = config.ShareWeight
            ? ValueShape.Concat(0, res.Weight("token_embed_weight_", 1, rows, tokenizer.CodeDim), res.Weight("embed_proj_shared_weight", layers - 1, rows, tokenizer.CodeDim))
            : res.Weight("token_embed_weight", layers, rows, tokenizer.CodeDim);
        return weights.Gather(layer).Gather(ids);
    }

    private static Scope Layer(Scope vq, int index, ResidualTokenizerConfig config) => vq["quantizer.layers"][config.SharedCodebook ? 0 : index];

    private static Value Embed(Scope trans, Value tokens, int special, ResidualTokenizerConfig tokenizer, TokenTransformerConfig config)
    {
        var x = trans["input_process.poseEmbedding"].Linear(trans["token_emb"].Embedding(tokens, tokenizer.NbCode + special, tokenizer.CodeDim), config.LatentDim);
        trans.Stage("token_embedding", x.Swap(0, 1));
        return x;
    }

    private static Value Condition(Scope trans, Value sentence, TokenTransformerConfig config) => trans["cond_emb"].Linear(sentence, config.LatentDim).Unsqueeze(1);

    // A table of 5000 sinusoids, as published.
    private static Value Place(Scope trans, Value x)
    {
        var positions = trans["position_enc"];
        var rows = positions.IsInventory ? 5000 : positions.ShapeOf("pe")[0];
        return x + positions.Weight("pe", rows, 1, x.Shape[-1].Size).Squeeze(1).Take(0, x.Shape[1]);
    }

    // torch.nn.TransformerEncoder: norms after the sums. x (B, N, D).
    private static Value Transform(Scope trans, Value x, Value bias, TokenTransformerConfig config, string firstStage)
    {
        for (var i = 0; i < config.NLayers; i++)
        {
            var layer = trans["seqTransEncoder.layers"][i];
            x = layer["norm1"].LayerNorm(x + Attend(layer["self_attn"], x, bias, config));
            x = layer["norm2"].LayerNorm(x + layer["linear2"].Linear(layer["linear1"].Linear(x, config.FfSize).Gelu(), config.LatentDim));
            if (i == 0) trans.Stage(firstStage, x.Swap(0, 1));
        }

        trans.Stage("encoder_output", x.Swap(0, 1));
        return x;
    }

    // The other transformer that BAMM can be trained with. x (B, N, D).
    private static Value PreNorm(Scope trans, Value x, Value bias, TokenTransformerConfig config)
    {
        for (var i = 0; i < config.NLayers; i++)
        {
            x = TransformerBlock.Build(trans["seqTransEncoder.blocks"][i], x, new() { Heads = config.NHeads, Bias = bias }, config.FfSize);
            if (i == 0) trans.Stage("block_0", x.Swap(0, 1));
        }

        trans.Stage("encoder_output", x.Swap(0, 1));
        return x;
    }

    private static Value Attend(Scope attention, Value x, Value bias, TokenTransformerConfig config)
    {
        var width = config.LatentDim;
        var (weight, offset) = (attention.Data("in_proj_weight", 3 * width, width), attention.Data("in_proj_bias", 3 * width));
        Value Part(int part) => attention.Linear(x,
            attention.Graph.Weight($"{attention.Path}.in_proj_weight[{part}]", weight.Rows(part * width, width), attention.Path),
            attention.Graph.Weight($"{attention.Path}.in_proj_bias[{part}]", offset.Rows(part * width, width), attention.Path));
        return attention["out_proj"].Linear(AttentionLayers.Attention(Part(0), Part(1), Part(2), new() { Heads = config.NHeads, Bias = bias }), width);
    }

    // BERT's output head. x (B, N, D) -> (B, N, outputs).
    private static Value Head(Scope trans, Value x, long outputs, TokenTransformerConfig config)
    {
        var head = trans["output_process"];
        return head["poseFinal"].Linear(head["LayerNorm"].LayerNorm(head["dense"].Linear(x, config.LatentDim).Gelu(), 1e-12), outputs);
    }
}
