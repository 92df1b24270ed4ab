using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>Lookup-free quantization (Yu et al., arXiv:2310.05737): a channel is a bit, 1 where it is positive.</summary>
public static class LookupFree
{
    /// <summary>1 where positive, else -1.</summary>
    public static Value Signs(Value x)
    {
        var g = x.Graph;
        return x.Greater(g.Scalar(x.Type, 0)).Where(g.Scalar(x.Type, 1), g.Scalar(x.Type, -1));
    }

    /// <summary>Ids of the signs on the last axis. signs (.., bits) -> (..), int64.</summary>
    public static Value Ids(Value signs, bool mostSignificantFirst = false) =>
        (signs.Greater(signs.Graph.Scalar(signs.Type, 0)).Cast(ElementType.Int64) * Powers(signs.Graph, signs.Shape[-1].Int, mostSignificantFirst)).Sum(-1);

    /// <summary>Signs of ids. ids (..) -> (.., bits), float32.</summary>
    public static Value SignsOf(Value ids, int bits, bool mostSignificantFirst = false) =>
        (ids.Unsqueeze(-1) / Powers(ids.Graph, bits, mostSignificantFirst)).Modulo(2).Cast(ElementType.Float32) * 2 - 1;

    private static Value Powers(Graph graph, int bits, bool mostSignificantFirst) =>
        graph.Constant<long>([.. Enumerable.Range(0, bits).Select(bit => 1L << (mostSignificantFirst ? bits - 1 - bit : bit))], bits);
}
