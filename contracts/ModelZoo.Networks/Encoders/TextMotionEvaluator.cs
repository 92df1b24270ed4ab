namespace ModelZoo.Networks.Encoders;

// Generating Diverse and Natural 3D Human Motions from Text. Guo et al. CVPR 2022. Layout of EricGuo5513/text-to-motion: text_mot_match/model/finest.tar, three state dicts under their keys.

/// <summary>The evaluator of text-to-motion models: texts and motions in one space, where matching pairs are near. Widths are read off the weights, since the authors' code has them as constants.</summary>
public static class TextMotionEvaluator
{
    /// <summary>Snippets of four frames. motion (B, T, D), the last four features of which are foot contacts and are dropped -> (B, T / 4, M).</summary>
    public static Value Movements(Scope encoder, Value motion)
    {
        var h = motion.Take(-1, motion.Shape[-1] - 4).Swap(1, 2);
        h = encoder["main.0"].Conv(h, Rows(encoder, "main.0.weight"), 4, stride: 2, padding: 1).LeakyRelu(0.2);
        h = encoder["main.3"].Conv(h, Rows(encoder, "main.3.weight"), 4, stride: 2, padding: 1).LeakyRelu(0.2);
        return encoder["out_net"].Linear(h.Swap(1, 2), Rows(encoder, "out_net.weight"));
    }

    /// <summary>Motions. movements (B, N, M), lengths (B) int64 in snippets -> (B, E).</summary>
    public static Value Motion(Scope encoder, Value movements, Value lengths) => Embed(encoder, encoder["input_emb"].Linear(movements, Rows(encoder, "input_emb.weight")), lengths);

    /// <summary>Texts. words (B, L, 300) GloVe vectors, partsOfSpeech (B, L, 15) one-hot, lengths (B) int64 -> (B, E).</summary>
    public static Value Text(Scope encoder, Value words, Value partsOfSpeech, Value lengths)
    {
        var inputs = words + encoder["pos_emb"].Linear(partsOfSpeech, words.Shape[-1].Size);
        return Embed(encoder, encoder["input_emb"].Linear(inputs, Rows(encoder, "input_emb.weight")), lengths);
    }

    // The last states of a bidirectional GRU that starts from learned ones, and a small network.
    private static Value Embed(Scope encoder, Value x, Value lengths)
    {
        var hidden = x.Shape[-1].Size;
        var initial = encoder.Weight("hidden", 2, 1, hidden).Expand(2, x.Shape[0], hidden);
        var last = encoder["gru"].GruLast(x.Swap(0, 1), hidden, bidirectional: true, initial, lengths);                          // (B, 2 H)
        var h = encoder["output_net.1"].LayerNorm(encoder["output_net.0"].Linear(last, hidden)).LeakyRelu(0.2);
        return encoder["output_net.3"].Linear(h, Rows(encoder, "output_net.3.weight"));
    }

    private static long Rows(Scope scope, string weight) => scope.ShapeOf(weight)[0];
}
