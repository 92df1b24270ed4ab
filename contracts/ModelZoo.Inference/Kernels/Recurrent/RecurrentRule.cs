namespace ModelZoo.Inference.Kernels;

/// <summary>LSTM and GRU from zero states whose last states nobody reads, over sequences of one length.</summary>
internal static class RecurrentRule
{
    private const int Outputs = 1, Bias = 3, Others = 4;

    public static void Apply(RewrittenGraph graph, GraphNode node)
    {
        if (node is not { Operator: "LSTM" or "GRU", Domain: "" } || !node.Outputs.Skip(Outputs).All(graph.IsUnread) || node.Inputs.Skip(Others).Any(input => input != "")) return;
        var (gru, bidirectional) = (node.Operator == "GRU", node.Attributes.GetValueOrDefault("direction") is "bidirectional");
        if (node.Attributes.Any(attribute => !Understood(gru, attribute.Key, attribute.Value)) || gru && !node.Attributes.ContainsKey("linear_before_reset")) return;
        if (graph.Weight(node, 1) is not { } input || graph.Weight(node, 2) is not { } state) return;
        var bias = graph.Weight(node, Bias);
        if (bias is null && RewrittenGraph.Named(node, Bias) is not null) return;
        var directions = Enumerable.Range(0, bidirectional ? 2 : 1).Select(direction => new RecurrentWeights(gru, One(input, direction), One(state, direction), bias is null ? null : One(bias, direction)));
        graph.Replace(new RecurrentKernel(gru, [.. directions]), [node.Inputs[0]], node);
    }

    private static bool Understood(bool gru, string name, object value) => name switch
    {
        "hidden_size" => true,
        "direction" => value is "forward" or "bidirectional",
        "linear_before_reset" => gru && value is 1L,
        _ => false,
    };

    // Without the axis of directions.
    private static WeightData One(WeightData weights, int direction) => weights.Rows(direction, 1).Reshape(weights.Shape[1..]);
}
