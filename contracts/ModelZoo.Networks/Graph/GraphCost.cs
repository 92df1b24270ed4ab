using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>What a run of a graph costs at least, whatever computes it.</summary>
internal static class GraphCost
{
    /// <summary>Products that are added up, in matrix products, convolutions, attention and recurrences. Everything else is left out: it is little beside them.</summary>
    /// <exception cref="InvalidOperationException">An extent that this depends on is symbolic.</exception>
    public static long MultiplyAdds(Graph graph) => graph.NodesSoFar.Sum(node => MultiplyAdds(graph, node));

    private static long MultiplyAdds(Graph graph, GraphNode node)
    {
        Shape Input(int i) => graph.Find(node.Inputs[i])!.Shape;
        long Output() => Count(graph.Find(node.Outputs[0])!.Shape);
        switch (node.Operator)
        {
            case "MatMul" or "Gemm" or "MatMulNBits": return Output() * Input(0)[-1].Size;
            case "Conv": return Output() * Count(Input(1)) / Input(1)[0].Size;                   // weight (out, in / groups, ..)
            case "ConvTranspose": return Count(Input(0)) * Count(Input(1)) / Input(1)[0].Size;   // weight (in, out / groups, ..)
            case "LSTM" or "GRU": return Input(0)[0].Size * Input(0)[1].Size * (Count(Input(1)) + Count(Input(2)));
            case "MultiHeadAttention": return Count(Input(0)) * Input(1)[1].Size + Output() * Input(1)[1].Size;
            default: return 0;
        }
    }

    private static long Count(Shape shape) => shape.Aggregate(1L, (count, dim) => count * dim.Size);
}
