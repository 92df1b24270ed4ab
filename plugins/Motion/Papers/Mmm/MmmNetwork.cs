using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>MMM's bidirectional transformer over the tokens of a VQ-VAE. Scopes are the authors'.</summary>
internal static class MmmNetwork
{
    /// <summary>Scores of the codes. tokens (B, N), sentence (B, C), words (B, W, C), keys (B, 1 + N) with 1 for the caption and the tokens that are seen -> (B, 1 + N, codes).</summary>
    public static Value Logits(Scope trans, Value tokens, Value sentence, Value words, Value keys, MmmConfig config)
    {
        var trunk = trans["trans_base"];
        return Transform(trans, Embed(trunk, tokens, config), sentence, words, keys, config);
    }

    /// <summary>The transformer on embedded tokens (B, N, D).</summary>
    public static Value Transform(Scope trans, Value tokens, Value sentence, Value words, Value keys, MmmConfig config)
    {
        var (trunk, head) = (trans["trans_base"], trans["trans_head"]);
        var positions = trunk["pos_embed"].Weight("embed", config.BlockSize, 1, config.EmbedDimGpt).Squeeze(1);
        Value Place(Value x) => x + positions.Take(0, x.Shape[1]);

        var x = trans.Stage("token_embedding", tokens);                                                                       // (B, N, D)
        if (config.NumLocalLayer > 0)
        {
            // Positions are added here, and once more below.
            x = Place(x);
            var context = trunk["word_emb"].Linear(words, config.EmbedDimGpt);
            for (var i = 0; i < config.NumLocalLayer; i++) x = trans.Stage($"cross_block_{i}", TransformerBlock.Cross(trunk["cross_att"][i], x, context, config.NHeadGpt, config.FfRate));
        }

        x = Place(ValueShape.Concat(1, trunk["cond_emb"].Linear(sentence, config.EmbedDimGpt).Unsqueeze(1), x));              // (B, 1 + N, D)
        var attention = new AttentionOptions { Heads = config.NHeadGpt, Bias = AttentionMasks.Padding(keys) };
        x = trans.Stage("trans_base", TransformerBlock.Stack(trunk["blocks"], x, config.NumLayers - config.NumLocalLayer, attention, config.FfRate, "block_0"));
        x = TransformerBlock.Stack(head["blocks"], x, config.NumLayers, attention, config.FfRate);
        return head["head"].Linear(head["ln_f"].LayerNorm(x), config.NbCode, bias: false);
    }

    // Codes are embedded with the transformer's own copy of the codebook, then come end, padding and mask.
    private static Value Embed(Scope trunk, Value tokens, MmmConfig config)
    {
        var codebook = TemporalAutoencoder.Table(trunk["vqvae.vqvae.quantizer"], config.NbCode, config.CodeDim);
        var table = ValueShape.Concat(0, codebook, trunk["learn_tok_emb"].Weight("weight", 3, config.CodeDim));
        return trunk["to_emb"].Linear(table.Gather(tokens), config.EmbedDimGpt);
    }
}
