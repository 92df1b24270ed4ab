using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>Recurrent layers, as ONNX Runtime's fused operators. Weights in PyTorch's names and gate order.</summary>
public static class RecurrentLayers
{
    // ONNX orders the gates i o f c, and z r h.
    private static readonly int[] LstmGates = [0, 3, 1, 2], GruGates = [1, 0, 2];

    /// <summary>
    /// Layers of LSTM. <c>weight_ih_lN</c> (4H, I), <c>weight_hh_lN</c> (4H, H), <c>bias_ih_lN</c>, <c>bias_hh_lN</c> (4H), gates i f g o; the reverse direction has the suffix <c>_reverse</c>. x (T, B, I) -> (T, B, H), twice H when bidirectional.
    /// </summary>
    public static Value Lstm(this Scope scope, Value x, long hidden, int layers = 1, bool bidirectional = false)
    {
        for (var layer = 0; layer < layers; layer++) x = scope.Recurrent("LSTM", x, hidden, layer, bidirectional, LstmGates, []);
        return x;
    }

    /// <summary>
    /// Layers of one-directional LSTM that go on from a state and give the next: hidden and cell (layers, B, H), null for zeros. x (T, B, I) -> (T, B, H).
    /// </summary>
    public static (Value Output, Value Hidden, Value Cell) LstmFrom(this Scope scope, Value x, long hidden, int layers, Value? initialHidden, Value? initialCell)
    {
        var (hiddens, cells) = (new Value[layers], new Value[layers]);
        for (var layer = 0; layer < layers; layer++)
        {
            var outputs = scope.RecurrentNode("LSTM", x, hidden, layer, false, LstmGates, [], initial: initialHidden?.Slice(0, layer, layer + 1), cell: initialCell?.Slice(0, layer, layer + 1));
            (x, hiddens[layer], cells[layer]) = (outputs[0].Squeeze(1), outputs[1], outputs[2]);
        }

        return (x, ValueShape.Concat(0, hiddens), ValueShape.Concat(0, cells));
    }

    /// <summary>Layers of GRU; gates r z n. x (T, B, I) -> (T, B, H), twice H when bidirectional.</summary>
    public static Value Gru(this Scope scope, Value x, long hidden, int layers = 1, bool bidirectional = false)
    {
        // PyTorch applies the reset gate after the matrix product.
        for (var layer = 0; layer < layers; layer++) x = scope.Recurrent("GRU", x, hidden, layer, bidirectional, GruGates, [("linear_before_reset", 1L)]);
        return x;
    }

    /// <summary>
    /// The last state of one layer of GRU over sequences of different lengths, as PyTorch gives it for packed sequences: the reverse direction starts at each sequence's true last step.
    /// x (T, B, I), initial (directions, B, H) or null for zeros, lengths (B) int64 -> (B, H), twice H when bidirectional.
    /// </summary>
    public static Value GruLast(this Scope scope, Value x, long hidden, bool bidirectional, Value? initial, Value lengths)
    {
        var outputs = scope.RecurrentNode("GRU", x, hidden, 0, bidirectional, GruGates, [("linear_before_reset", 1L)], lengths.Cast(ElementType.Int32), initial);
        return outputs[1].Transpose(1, 0, 2).Flatten(1);
    }

    private static Value Recurrent(this Scope scope, string op, Value x, long hidden, int layer, bool bidirectional, int[] gates, ReadOnlySpan<(string, object)> attributes) =>
        scope.RecurrentNode(op, x, hidden, layer, bidirectional, gates, attributes)[0].Transpose(0, 2, 1, 3).Flatten(2);      // (T, B, directions H)

    private static Value[] RecurrentNode(this Scope scope, string op, Value x, long hidden, int layer, bool bidirectional, int[] gates, ReadOnlySpan<(string, object)> attributes, Value? lengths = null, Value? initial = null, Value? cell = null)
    {
        var directions = bidirectional ? 2 : 1;
        var (inputs, rows) = (x.Shape[-1].Size, gates.Length * hidden);
        string[] suffixes = bidirectional ? [$"_l{layer}", $"_l{layer}_reverse"] : [$"_l{layer}"];
        WeightData[] All(string name, long[] shape) => [.. suffixes.Select(suffix => scope.Data(name + suffix, shape))];

        var (w, r, bi, bh) = (All("weight_ih", [rows, inputs]), All("weight_hh", [rows, hidden]), All("bias_ih", [rows]), All("bias_hh", [rows]));
        var weights = scope.Derive($"weight_ih_l{layer}:{op}", [directions, rows, inputs], target => Reorder(target, w, gates, hidden * inputs));
        var recurrence = scope.Derive($"weight_hh_l{layer}:{op}", [directions, rows, hidden], target => Reorder(target, r, gates, hidden * hidden));
        var bias = scope.Derive($"bias_l{layer}:{op}", [directions, 2 * rows], target => Reorder(target, [.. bi.Zip(bh).SelectMany(pair => (WeightData[])[pair.First, pair.Second])], gates, hidden));
        Shape state = [directions, x.Shape[1], hidden];
        ReadOnlySpan<(ElementType, Shape)> results = [(x.Type, [x.Shape[0], directions, x.Shape[1], hidden]), (x.Type, state), (x.Type, state)];
        return scope.Graph.Nodes(scope.Path, op, [x, weights, recurrence, bias, lengths, initial, cell], op == "LSTM" ? results : results[..2],
            [("hidden_size", hidden), ("direction", bidirectional ? "bidirectional" : "forward"), .. attributes]);
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
