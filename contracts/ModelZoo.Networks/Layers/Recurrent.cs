using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>Recurrent layers, as ONNX Runtime's fused operators. Weights in PyTorch's names and gate order.</summary>
public static class RecurrentLayers
{
    /// <summary>
    /// Layers of LSTM. <c>weight_ih_lN</c> (4H, I), <c>weight_hh_lN</c> (4H, H), <c>bias_ih_lN</c>, <c>bias_hh_lN</c> (4H), gates i f g o; the reverse direction has the suffix <c>_reverse</c>. x (T, B, I) -> (T, B, H), twice H when bidirectional.
    /// </summary>
    public static Value Lstm(this Scope scope, Value x, long hidden, int layers = 1, bool bidirectional = false)
    {
        // ONNX orders the gates i o f c.
        for (var layer = 0; layer < layers; layer++) x = scope.Recurrent("LSTM", x, hidden, layer, bidirectional, [0, 3, 1, 2], []);
        return x;
    }

    /// <summary>Layers of GRU; gates r z n. x (T, B, I) -> (T, B, H), twice H when bidirectional.</summary>
    public static Value Gru(this Scope scope, Value x, long hidden, int layers = 1, bool bidirectional = false)
    {
        // ONNX orders the gates z r h; PyTorch applies the reset gate after the matrix product.
        for (var layer = 0; layer < layers; layer++) x = scope.Recurrent("GRU", x, hidden, layer, bidirectional, [1, 0, 2], [("linear_before_reset", 1L)]);
        return x;
    }

    private static Value Recurrent(this Scope scope, string op, Value x, long hidden, int layer, bool bidirectional, int[] gates, ReadOnlySpan<(string, object)> attributes)
    {
        var directions = bidirectional ? 2 : 1;
        var (inputs, rows) = (x.Shape[-1].Size, gates.Length * hidden);
        string[] suffixes = bidirectional ? [$"_l{layer}", $"_l{layer}_reverse"] : [$"_l{layer}"];
        WeightData[] All(string name, long[] shape) => [.. suffixes.Select(suffix => scope.Data(name + suffix, shape))];

        var (w, r, bi, bh) = (All("weight_ih", [rows, inputs]), All("weight_hh", [rows, hidden]), All("bias_ih", [rows]), All("bias_hh", [rows]));
        var weights = scope.Derive($"weight_ih_l{layer}:{op}", [directions, rows, inputs], target => Reorder(target, w, gates, hidden * inputs));
        var recurrence = scope.Derive($"weight_hh_l{layer}:{op}", [directions, rows, hidden], target => Reorder(target, r, gates, hidden * hidden));
        var bias = scope.Derive($"bias_l{layer}:{op}", [directions, 2 * rows], target => Reorder(target, [.. bi.Zip(bh).SelectMany(pair => (WeightData[])[pair.First, pair.Second])], gates, hidden));
        var y = scope.Node(op, [x, weights, recurrence, bias], [x.Shape[0], directions, x.Shape[1], hidden],
            [("hidden_size", hidden), ("direction", bidirectional ? "bidirectional" : "forward"), .. attributes]);
        return y.Transpose(0, 2, 1, 3).Flatten(2);                                          // (T, B, directions H)
    }

    private static void Reorder(Span<float> target, WeightData[] sources, int[] gates, long gateSize)
    {
        var position = 0;
        foreach (var source in sources)
        {
            foreach (var gate in gates)
            {
                source.Span<float>().Slice((int)(gate * gateSize), (int)gateSize).CopyTo(target[position..]);
                position += (int)gateSize;
            }
        }
    }
}
