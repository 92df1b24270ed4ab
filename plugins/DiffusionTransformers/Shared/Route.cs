using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>Which experts see a token, and with what weight.</summary>
/// <param name="Experts">Their numbers, ascending: (.., k) int64.</param>
/// <param name="Weights">Their weights: (.., k).</param>
internal sealed record Route(Value Experts, Value Weights)
{
    /// <summary>The k experts with the highest scores, weighted by them. scores (.., experts).</summary>
    public static Route TopK(Value scores, long k)
    {
        var (values, indices) = scores.TopK(k);
        var (experts, order) = indices.TopK(k, largest: false);
        return new(experts, values.GatherElements(order, -1));
    }

    /// <summary>The weight of an expert for each token, 0 where it does not see it: (.., 1).</summary>
    public Value WeightOf(long expert) => (Experts.Same(Experts.Graph.Scalar(ElementType.Int64, expert)).Cast(ElementType.Float32) * Weights).Sum(-1, keep: true);
}
