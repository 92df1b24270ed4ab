using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>The gradient of each operator with respect to its inputs.</summary>
internal static class GradientRules
{
    private delegate Value?[] Rule(GradientNode node);

    // Steps and choices: their gradient is nothing.
    private static readonly HashSet<string> Constants = ["ArgMax", "ArgMin", "Equal", "Less", "Greater", "GreaterOrEqual", "And", "Or", "Not", "Shape", "Range", "Round", "Floor", "Sign", "Mod"];

    private static readonly Dictionary<string, Rule> Rules = new()
    {
        ["Identity"] = n => [n.Gradient()],
        ["Neg"] = n => [-n.Gradient()],
        ["Exp"] = n => [n.Gradient() * n.Output()],
        ["Log"] = n => [n.Gradient() / n.Input(0)],
        ["Sqrt"] = n => [n.Gradient() / (n.Output() * 2)],
        ["Sin"] = n => [n.Gradient() * n.Input(0).Cos()],
        ["Cos"] = n => [-n.Gradient() * n.Input(0).Sin()],
        ["Tanh"] = n => [n.Gradient() * (1 - n.Output().Square())],
        ["Sigmoid"] = n => [n.Gradient() * n.Output() * (1 - n.Output())],
        ["Abs"] = n => [n.Gradient() * n.Input(0).Sign()],
        ["Erf"] = n => [n.Gradient() * (-n.Input(0).Square()).Exp() * (2 / Math.Sqrt(Math.PI))],
        ["Softplus"] = n => [n.Gradient() * n.Input(0).Sigmoid()],
        ["Relu"] = n => [n.Gradient() * Positive(n.Input(0))],
        ["LeakyRelu"] = n => [n.Gradient() * (Positive(n.Input(0)) * (1 - n.Attribute("alpha", 0.01f)) + n.Attribute("alpha", 0.01f))],
        ["Elu"] = n => [n.Gradient() * n.Input(0).Greater(Zero(n)).Where(n.Graph.Scalar(ElementType.Float32, 1), n.Output() + n.Attribute("alpha", 1f))],
        ["Mish"] = Mish,
        ["com.microsoft:QuickGelu"] = QuickGelu,
        ["Gelu"] = Gelu,
        ["Clip"] = n => [n.Gradient() * Between(n.Input(0), n.Input(1), n.Input(2)), null, null],
        ["Cast"] = n => [n.Input(0).Type.IsFloat() && n.Output().Type.IsFloat() ? n.Gradient().Cast(n.Input(0).Type) : null],
        ["Add"] = n => [n.Gradient().SumTo(n.Input(0).Shape), n.Gradient().SumTo(n.Input(1).Shape)],
        ["Sub"] = n => [n.Gradient().SumTo(n.Input(0).Shape), (-n.Gradient()).SumTo(n.Input(1).Shape)],
        ["Mul"] = n => Each(n, 0, () => n.Gradient() * n.Input(1), () => n.Gradient() * n.Input(0)),
        ["Div"] = n => Each(n, 0, () => n.Gradient() / n.Input(1), () => -n.Gradient() * n.Output() / n.Input(1)),
        ["Pow"] = n => Each(n, 0, () => n.Gradient() * n.Input(1).Same(n.Graph.Scalar(n.Input(1).Type, 0)).Where(Zero(n), n.Input(1) * n.Graph.Elementwise("Pow", n.Input(0), n.Input(1) - 1)), () => throw n.Unsupported("a variable exponent")),
        ["Max"] = n => Each(n, 0, () => n.Gradient() * Share(n.Input(0), n.Input(1)), () => n.Gradient() * Share(n.Input(1), n.Input(0))),
        ["Min"] = n => Each(n, 0, () => n.Gradient() * Share(n.Input(1), n.Input(0)), () => n.Gradient() * Share(n.Input(0), n.Input(1))),
        ["Where"] = n => Each(n, 1, () => n.Input(0).Where(n.Gradient(), Zero(n)), () => n.Input(0).Where(Zero(n), n.Gradient())),
        ["MatMul"] = n => Each(n, 0, () => n.Gradient().MatMul(n.Input(1).Swap(-1, -2)), () => n.Input(0).Swap(-1, -2).MatMul(n.Gradient())),
        ["Gemm"] = Gemm,
        ["com.microsoft:MatMulNBits"] = n => throw new GraphException("This model computes gradients, and none go through weights of 8 or 4 bits.")
        {
            Where = n.Output().Path, Expected = WeightPrecision.Float32.Name(), Found = n.Graph.Precision.Name(), Remedy = "Open it with float32 weights (--precision float32).",
        },
        ["Conv"] = Conv,
        ["Softmax"] = n => [Softmax(n.Output(), n.Gradient(), (int)n.Attribute("axis", -1L))],
        ["LogSoftmax"] = n => [n.Gradient() - n.Output().Exp() * n.Gradient().Sum((int)n.Attribute("axis", -1L), keep: true)],
        ["LayerNormalization"] = n => [Normalization(n, n.Input(0), centred: true, weighted: true)],
        ["RMSNormalization"] = n => [Normalization(n, n.Input(0), centred: false, weighted: true)],
        ["InstanceNormalization"] = n => [Normalization(n, n.Input(0), centred: true, weighted: false)],
        ["com.microsoft:MultiHeadAttention"] = Attention,
        ["ReduceSum"] = n => [Spread(n)],
        ["ReduceMean"] = n => [Spread(n) / Count(n)],
        // Of nothing but zeros: zero.
        ["ReduceL2"] = n => [Spread(n) * n.Input(0) / Wide(n, n.Output()).Max(n.Graph.Scalar(n.Input(0).Type, 1.2e-38))],
        ["ReduceMax"] = Extreme,
        ["ReduceMin"] = Extreme,
        ["Reshape"] = n => [n.Gradient().Reshape([.. n.Input(0).Shape])],
        ["Unsqueeze"] = n => [n.Gradient().Reshape([.. n.Input(0).Shape])],
        ["Squeeze"] = n => [n.Gradient().Reshape([.. n.Input(0).Shape])],
        ["Expand"] = n => [n.Gradient().SumTo(n.Input(0).Shape)],
        ["Transpose"] = Transpose,
        ["Concat"] = Concat,
        ["Split"] = n => [ValueShape.Concat((int)n.Attribute("axis", 0L), [.. Enumerable.Range(0, n.Outputs).Select(n.Gradient)])],
        ["Slice"] = Slice,
        ["Gather"] = Gather,
        ["GatherElements"] = n => [Zeros(n.Input(0)).ScatterElements(n.Input(1), n.Gradient(), (int)n.Attribute("axis", 0L), add: true)],
        ["Resize"] = Resize,
    };

    /// <summary>True when gradients go through an operator.</summary>
    public static bool Differentiates(GraphNode node) => !Constants.Contains(node.Operator);

    /// <summary>The gradients with respect to an operator's inputs; null where there is none or it is not wanted.</summary>
    public static Value?[] Apply(GradientNode node) => Rules.TryGetValue(node.Operator, out var rule) ? rule(node) : throw node.Unsupported("no rule for it is known");

    private static Value Positive(Value x) => x.Greater(x.Graph.Scalar(x.Type, 0)).Cast(x.Type);

    // 1 where the first is larger, a half where both are equal.
    private static Value Share(Value a, Value b) => (a.GreaterOrEqual(b).Cast(a.Type) + a.Greater(b).Cast(a.Type)) * 0.5;

    private static Value Between(Value x, Value low, Value high) => x.GreaterOrEqual(low).And(high.GreaterOrEqual(x)).Cast(x.Type);

    private static Value Zero(GradientNode n) => n.Graph.Scalar(ElementType.Float32, 0);

    private static Value Zeros(Value x) => x.Graph.Scalar(x.Type, 0).Expand([.. x.Shape]);

    // Two operands that are broadcast, from the given input on; each only where it is wanted.
    private static Value?[] Each(GradientNode n, int first, Func<Value> left, Func<Value> right)
    {
        var result = new Value?[n.Count];
        if (n.Wants(first)) result[first] = left().SumTo(n.Input(first).Shape);
        if (n.Wants(first + 1)) result[first + 1] = right().SumTo(n.Input(first + 1).Shape);
        return result;
    }

    // x s(a x): s + a x s (1 - s).
    private static Value?[] QuickGelu(GradientNode n)
    {
        var (x, alpha) = (n.Input(0), n.Attribute("alpha", 1.702f));
        var s = (x * alpha).Sigmoid();
        return [n.Gradient() * (s + x * alpha * s * (1 - s))];
    }

    // x t with t = tanh(softplus(x)): t + x (1 - t^2) s(x).
    private static Value?[] Mish(GradientNode n)
    {
        var x = n.Input(0);
        var t = x.Softplus().Tanh();
        return [n.Gradient() * (t + x * (1 - t.Square()) * x.Sigmoid())];
    }

    // x Phi(x): Phi + x phi; the tanh form has its own derivative.
    private static Value?[] Gelu(GradientNode n)
    {
        var x = n.Input(0);
        if (n.Attribute("approximate", "none") == "none")
            return [n.Gradient() * (((x * Math.Sqrt(0.5)).Erf() + 1) * 0.5 + x * (x.Square() * -0.5).Exp() * (1 / Math.Sqrt(2 * Math.PI)))];
        var scale = Math.Sqrt(2 / Math.PI);
        var tanh = ((x + x * x.Square() * 0.044715) * scale).Tanh();
        return [n.Gradient() * ((tanh + 1) * 0.5 + x * (1 - tanh.Square()) * (x.Square() * (3 * 0.044715) + 1) * (0.5 * scale))];
    }

    private static Value?[] Gemm(GradientNode n)
    {
        if (n.Attribute("transA", 0L) != 0 || n.Attribute("alpha", 1f) != 1 || n.Attribute("beta", 1f) != 1) throw n.Unsupported("a transposed or scaled product");
        var transposed = n.Attribute("transB", 0L) != 0;
        return
        [
            n.Wants(0) ? n.Gradient().MatMul(transposed ? n.Input(1) : n.Input(1).Swap(0, 1)) : null,
            n.Wants(1) ? transposed ? n.Gradient().Swap(0, 1).MatMul(n.Input(0)) : n.Input(0).Swap(0, 1).MatMul(n.Gradient()) : null,
            n.Wants(2) ? n.Gradient().SumTo(n.Input(2).Shape) : null,
        ];
    }

    // With respect to the picture: a transposed convolution with the same weights.
    private static Value?[] Conv(GradientNode n)
    {
        if (n.Wants(1)) throw n.Unsupported("a variable kernel");
        var (x, weight, dy) = (n.Input(0), n.Input(1), n.Gradient());
        var dimensions = x.Rank - 2;
        var (strides, pads, dilations) = (n.Attribute("strides", Ones(dimensions)), n.Attribute("pads", new long[2 * dimensions]), n.Attribute("dilations", Ones(dimensions)));
        var kernels = weight.Shape[2..].Sizes;
        long[] rest = [.. Enumerable.Range(0, dimensions).Select(i => x.Shape[i + 2].Size - ((dy.Shape[i + 2].Size - 1) * strides[i] + dilations[i] * (kernels[i] - 1) + 1 - pads[i] - pads[i + dimensions]))];
        return
        [
            n.Graph.Node(x.Path, "ConvTranspose", [dy, weight], x.Type, x.Shape, ("kernel_shape", kernels), ("strides", strides), ("pads", pads), ("dilations", dilations), ("output_padding", rest), ("group", n.Attribute("group", 1L))),
            null,
            n.Wants(2) ? throw n.Unsupported("a variable bias") : null,
        ];
    }

    private static Value Softmax(Value y, Value dy, int axis) => y * (dy - (dy * y).Sum(axis, keep: true));

    // With h = (x - mean) r: r (dh - mean(dh) - h mean(dh h)); without centring the mean of dh stays.
    private static Value Normalization(GradientNode n, Value x, bool centred, bool weighted)
    {
        if (n.Wants(1) || n.Wants(2)) throw n.Unsupported("variable weights");
        // Instance normalisation has a weight for each of the second axis.
        var weight = weighted ? n.Input(1) : n.Input(1).Reshape([1, n.Input(1).Shape[0], .. Enumerable.Repeat((Dim)1, x.Rank - 2)]);
        int[] axes = weighted ? [-1] : [.. Enumerable.Range(2, x.Rank - 2)];
        Value Mean(Value value) => value.Reduce("ReduceMean", axes, keep: true);
        var from = centred ? x - Mean(x) : x;
        var r = (Mean(from.Square()) + n.Attribute("epsilon", 1e-5f)).Rsqrt();
        var (h, dh) = (from * r, n.Gradient() * weight);
        var inner = dh - h * Mean(dh * h);
        return r * (centred ? inner - Mean(dh) : inner);
    }

    // Scores and probabilities are computed again. Inputs: q, k, v, -, -, bias.
    private static Value?[] Attention(GradientNode n)
    {
        var (q, k, v, bias) = (n.Input(0), n.Input(1), n.Input(2), n.Optional(5));
        if (n.Optional(3) is not null || n.Optional(4) is not null) throw n.Unsupported("a bias of projections or a mask of padding");
        var heads = n.Attribute("num_heads", 1L);
        var scale = (double)n.Attribute("scale", 0f);
        if (scale == 0) scale = 1 / Math.Sqrt(q.Shape[-1].Size / heads);
        var (qs, ks, vs, dy) = (q.SplitHeads(heads), k.SplitHeads(heads), v.SplitHeads(heads), n.Gradient().SplitHeads(heads));
        var scores = qs.MatMul(ks.Swap(-1, -2)) * scale;
        if (bias is not null) scores += bias;
        if (n.Attribute("unidirectional", 0L) != 0) scores += AttentionMasks.Causal(n.Graph, q.Shape[1], k.Shape[1]);
        var p = scores.Softmax();
        var ds = Softmax(p, dy.MatMul(vs.Swap(-1, -2)), -1);
        return
        [
            n.Wants(0) ? (ds.MatMul(ks) * scale).MergeHeads() : null, n.Wants(1) ? (ds.Swap(-1, -2).MatMul(qs) * scale).MergeHeads() : null, n.Wants(2) ? p.Swap(-1, -2).MatMul(dy).MergeHeads() : null,
            null, null, n.Wants(5) ? ds.SumTo(bias!.Shape) : null,
        ];
    }

    // A reduced value over the extents of what it was reduced from.
    private static Value Wide(GradientNode n, Value reduced)
    {
        var x = n.Input(0);
        return reduced.Reshape([.. n.Constant(1).Aggregate(x.Shape, (shape, axis) => shape.With((int)axis, 1))]);
    }

    private static Value Spread(GradientNode n) => Wide(n, n.Gradient()).Expand([.. n.Input(0).Shape]);

    private static Value Count(GradientNode n) => n.Graph.Extent(n.Constant(1).Aggregate((Dim)1, (count, axis) => count * n.Input(0).Shape[(int)axis])).Cast(ElementType.Float32);

    // Equals share.
    private static Value?[] Extreme(GradientNode n)
    {
        var chosen = n.Input(0).Same(Wide(n, n.Output())).Cast(ElementType.Float32);
        var count = n.Constant(1).Aggregate(chosen, (sum, axis) => sum.Sum((int)axis, keep: true));
        return [Wide(n, n.Gradient()) * chosen / count];
    }

    private static Value?[] Transpose(GradientNode n)
    {
        var order = n.Attribute("perm", Array.Empty<long>());
        return [n.Gradient().Transpose([.. Enumerable.Range(0, order.Length).Select(axis => Array.IndexOf(order, axis))])];
    }

    private static Value?[] Concat(GradientNode n)
    {
        var (axis, start, parts) = ((int)n.Attribute("axis", 0L), (Dim)0, new Value?[n.Count]);
        for (var i = 0; i < parts.Length; i++)
        {
            var end = start + n.Input(i).Shape[axis];
            if (n.Wants(i)) parts[i] = n.Gradient().Slice(axis, start, end);
            start = end;
        }

        return parts;
    }

    private static Value?[] Slice(GradientNode n)
    {
        if (n.Count > 4) throw n.Unsupported("steps");
        var (x, axis) = (n.Input(0), (int)n.Constant(3)[0]);
        // The start is an extent, which is only a number when it is known.
        var start = (Dim)n.Constant(1)[0];
        return [n.Gradient().Pad(axis, start, x.Shape[axis] - start - n.Output().Shape[axis])];
    }

    private static Value?[] Gather(GradientNode n)
    {
        var (x, indices, axis, dy) = (n.Input(0), n.Input(1), (int)n.Attribute("axis", 0L), n.Gradient());
        // The gathered axis to the front: (indices, rest), added to the rows of zeros.
        Shape rest = [.. x.Shape[..axis], .. x.Shape[(axis + 1)..]];
        int[] front = [.. Enumerable.Range(axis, indices.Rank), .. Enumerable.Range(0, axis), .. Enumerable.Range(axis + indices.Rank, x.Rank - axis - 1)];
        var rows = dy.Transpose(front).Reshape([indices.Shape.Count, .. rest]);
        var places = indices.Reshape([indices.Shape.Count, .. rest.Select(_ => (Dim)1)]).Expand([.. rows.Shape]);
        var sum = n.Graph.Scalar(x.Type, 0).Expand([x.Shape[axis], .. rest]).ScatterElements(places, rows, 0, add: true);
        return [sum.Transpose([.. Enumerable.Range(1, axis), 0, .. Enumerable.Range(axis + 1, x.Rank - axis - 1)]), null];
    }

    // Pixels that were repeated a whole number of times.
    private static Value?[] Resize(GradientNode n)
    {
        var (x, dy) = (n.Input(0), n.Gradient());
        if (n.Attribute("mode", "nearest") != "nearest" || n.Attribute("coordinate_transformation_mode", "") != "asymmetric") throw n.Unsupported("interpolation");
        for (var axis = 2; axis < x.Rank; axis++)
        {
            var (from, to) = (x.Shape[axis].Size, dy.Shape[axis].Size);
            if (to % from != 0) throw n.Unsupported("a change of size that is no whole factor");
            if (to != from) dy = dy.Reshape([.. dy.Shape[..axis], from, to / from, .. dy.Shape[(axis + 1)..]]).Sum(axis + 1);
        }

        return [dy, null, null, null];
    }

    private static long[] Ones(int count) => [.. Enumerable.Repeat(1L, count)];
}
