// Efficient Transformers with Dynamic Token Pooling. Nawrot, Chorowski, Lancucki, Ponti. arXiv:2211.09761. github.com/PiotrNawrot/dynamic-pooling
// Its layers: Transformer-XL. Dai, Yang, Yang, Carbonell, Le, Salakhutdinov. arXiv:1901.02860, section 3.3.
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Keys and values of the characters (or groups) before the new ones: each (B, P, heads W).</summary>
internal readonly record struct PastLayer(Value Keys, Value Values);

/// <summary>The layers of the hourglass. <c>model</c> is the scope of the published names.</summary>
internal static class HourglassNetwork
{
    /// <summary>Attention by content and by distance, then a feed-forward network, each with its norm behind it. x (B, N, D) -> (B, N, D), and the keys and values of all M = P + N places.</summary>
    /// <param name="model">Where the biases are that all layers share.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="x">New places.</param>
    /// <param name="distances">Keys of the distances C - 1 .. 0 (heads, W, C), of which the last M are used; see <see cref="Distances"/>.</param>
    /// <param name="past">What came before.</param>
    /// <param name="config">Published settings.</param>
    public static (Value X, PastLayer Present) Layer(Scope model, Scope layer, Value x, Value distances, PastLayer past, HourglassConfig config)
    {
        var attention = layer["dec_attn"];
        var (q, k, v) = attention["qkv_net"].Qkv(x, config.HeadsWidth);
        var present = new PastLayer(ValueShape.Concat(1, past.Keys, k), ValueShape.Concat(1, past.Values, v));
        var seen = Look(model, q, present, distances, config);
        x = attention["layer_norm"].LayerNorm(x + attention["o_net"].Linear(seen, config.DModel));
        var feedForward = layer["pos_ff"];
        var inner = feedForward["CoreNet"].Mlp(x, config.DInner, Activations.Named(config.ActivationFunction), "0", "3");
        return (feedForward["layer_norm"].LayerNorm(x + inner), present);
    }

    /// <summary>Keys of distances (C), the largest first: r_net of their sinusoids. -> (heads, W, C).</summary>
    public static Value Distances(Scope model, Scope layer, Value distances, HourglassConfig config)
    {
        var angles = distances.Reshape(-1, 1) * Frequencies(model, config).Reshape(1, -1);                              // (C, D/2)
        var keys = layer["dec_attn"]["r_net"].Linear(ValueShape.Concat(-1, angles.Sin(), angles.Cos()), config.HeadsWidth);
        return keys.Reshape(-1, config.NHead, config.DHead).Transpose(1, 2, 0);
    }

    /// <summary>The logit of a boundary at each place. hidden (B, N, D) -> (B, N).</summary>
    public static Value Boundaries(Scope predictor, Value hidden, HourglassConfig config)
    {
        var scope = predictor["boundary_predictor"];
        return scope["2"].Linear(Activations.Named(config.ActivationFunction)(scope["0"].Linear(hidden, config.DInner)), 1).Squeeze(-1);
    }

    // softmax(((q + u) k^T + (q + v) r^T) / sqrt(W)) v, where r is the key of the distance between the two places.
    private static Value Look(Scope model, Value q, PastLayer present, Value distances, HourglassConfig config)
    {
        var (g, heads, places, keys) = (q.Graph, config.NHead, q.Shape[1], present.Keys.Shape[1]);
        var (content, position) = (Bias("r_w_bias"), Bias("r_r_bias"));
        var byContent = (q + content).SplitHeads(heads).MatMul(present.Keys.SplitHeads(heads).Swap(-1, -2));           // (B, heads, N, M)
        var byDistance = Shift((q + position).SplitHeads(heads).MatMul(distances.Last(-1, keys)));
        var scores = (byContent + byDistance) * (1 / Math.Sqrt(config.DHead)) + AttentionMasks.Causal(g, places, keys);
        return scores.Softmax().MatMul(present.Values.SplitHeads(heads)).MergeHeads();

        Value Bias(string name) => g.Weight($"{name}", model.Data(name, heads, config.DHead).Reshape(config.HeadsWidth), model.Path);
    }

    // From a column for each distance, the largest first, to a column for each key: row i moves left by N - 1 - i. What enters from the row below is masked. (B, heads, N, M) -> (B, heads, N, M).
    private static Value Shift(Value x)
    {
        var (rows, columns) = (x.Shape[2], x.Shape[3]);
        return x.Pad(-1, 1, 0).Reshape(x.Shape[0], x.Shape[1], columns + 1, rows).From(2, 1).Reshape(x.Shape[0], x.Shape[1], rows, columns);
    }

    // A buffer of the published files; 10000^(-2i/D).
    private static Value Frequencies(Scope model, HourglassConfig config)
    {
        var positions = model["pos_emb"];
        var count = (config.DModel + 1) / 2;
        return positions.Has("inv_freq")
            ? positions.Weight("inv_freq", count)
            : model.Graph.Constant<float>([.. Enumerable.Range(0, count).Select(i => 1 / MathF.Pow(10000, 2f * i / config.DModel))], count);
    }
}
