using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>Operations that bring elements together.</summary>
public static class ValueReduce
{
    /// <summary>Sum over axes.</summary>
    public static Value Sum(this Value x, int axis, bool keep = false) => x.Reduce("ReduceSum", [axis], keep);

    /// <summary>Mean over axes.</summary>
    public static Value Mean(this Value x, int axis, bool keep = false) => x.Reduce("ReduceMean", [axis], keep);

    /// <summary>Largest over an axis.</summary>
    public static Value MaxOver(this Value x, int axis, bool keep = false) => x.Reduce("ReduceMax", [axis], keep);

    /// <summary>Smallest over an axis.</summary>
    public static Value MinOver(this Value x, int axis, bool keep = false) => x.Reduce("ReduceMin", [axis], keep);

    /// <summary>A reduction (<c>ReduceSum</c>, <c>ReduceMean</c>, <c>ReduceL2</c>...) over several axes.</summary>
    public static Value Reduce(this Value x, string op, ReadOnlySpan<int> axes, bool keep)
    {
        var positive = axes.ToArray().Select(axis => x.Shape.Axis(axis)).ToHashSet();
        Shape shape = [.. x.Shape.Select((dim, i) => (dim, i)).Where(pair => keep || !positive.Contains(pair.i)).Select(pair => positive.Contains(pair.i) ? 1 : pair.dim)];
        return x.Graph.Node(x.Path, op, [x, x.Graph.Constant<long>([.. positive.Order().Select(axis => (long)axis)], positive.Count)], x.Type, shape, ("keepdims", keep ? 1L : 0L));
    }

    /// <summary>Biased variance over axes (PyTorch's <c>unbiased=False</c>).</summary>
    public static Value Variance(this Value x, ReadOnlySpan<int> axes, bool keep = false)
    {
        var centred = x - x.Reduce("ReduceMean", axes, keep: true);
        return centred.Square().Reduce("ReduceMean", axes, keep);
    }

    /// <summary>Index of the largest element of an axis, the first of equals.</summary>
    public static Value ArgMax(this Value x, int axis) => x.Arg("ArgMax", axis);

    /// <summary>Index of the smallest element of an axis, the first of equals.</summary>
    public static Value ArgMin(this Value x, int axis) => x.Arg("ArgMin", axis);

    /// <summary>The largest elements of an axis, in descending order, and their indices.</summary>
    public static (Value Values, Value Indices) TopK(this Value x, long count, int axis = -1, bool largest = true)
    {
        var positive = x.Shape.Axis(axis);
        var shape = x.Shape.With(positive, count);
        var outputs = x.Graph.Nodes(x.Path, "TopK", [x, x.Graph.Constant([count], 1)], [(x.Type, shape), (ElementType.Int64, shape)], ("axis", (long)positive), ("largest", largest ? 1L : 0L), ("sorted", 1L));
        return (outputs[0], outputs[1]);
    }

    /// <summary>Running sum along an axis.</summary>
    public static Value CumulativeSum(this Value x, int axis) => x.Graph.Node(x.Path, "CumSum", [x, x.Graph.Constant([(long)x.Shape.Axis(axis)])], x.Type, x.Shape);

    /// <summary>e^x over its sum along an axis.</summary>
    public static Value Softmax(this Value x, int axis = -1) => x.Unary("Softmax", ("axis", (long)x.Shape.Axis(axis)));

    /// <summary>Logarithm of the softmax.</summary>
    public static Value LogSoftmax(this Value x, int axis = -1) => x.Unary("LogSoftmax", ("axis", (long)x.Shape.Axis(axis)));

    /// <summary>x / max(|x|, epsilon) along an axis (PyTorch's <c>F.normalize</c>).</summary>
    public static Value L2Normalize(this Value x, int axis = -1, double epsilon = 1e-12) => x / x.Reduce("ReduceL2", [axis], keep: true).Max(x.Graph.Scalar(x.Type, epsilon));

    /// <summary>Matrix product over the last two dimensions, with broadcasting over the others.</summary>
    public static Value MatMul(this Value a, Value b)
    {
        var fits = a.Rank >= 2 && b.Rank >= 2 && a.Shape[-1] == b.Shape[-2] && a.Type == b.Type;
        var batch = fits ? Shape.Broadcast(a.Shape[..^2], b.Shape[..^2]) : null;
        if (batch is null) throw new GraphException("A matrix product takes (.., N, K) and (.., K, M).") { Where = a.Path, Expected = a.ToString(), Found = b.ToString() };
        return a.Graph.Node(a.Path == "constant" ? b.Path : a.Path, "MatMul", [a, b], a.Type, [.. batch, a.Shape[-2], b.Shape[-1]]);
    }

    private static Value Arg(this Value x, string op, int axis)
    {
        var positive = x.Shape.Axis(axis);
        return x.Graph.Node(x.Path, op, [x], ElementType.Int64, [.. x.Shape.Where((_, i) => i != positive)], ("axis", (long)positive), ("keepdims", 0L));
    }
}
