using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>How padding fills what it adds.</summary>
public enum PadMode
{
    /// <summary>With a constant.</summary>
    Constant,
    /// <summary>With a mirror image that leaves the edge out.</summary>
    Reflect,
    /// <summary>With the edge ("replicate").</summary>
    Edge,
    /// <summary>With the other end ("circular").</summary>
    Wrap,
}

/// <summary>Operations on shapes. Axes may be negative; nothing is computed.</summary>
public static class ValueShape
{
    /// <summary>The same elements under another shape. One extent may be -1: what is left.</summary>
    public static Value Reshape(this Value x, params ReadOnlySpan<Dim> shape)
    {
        var dims = shape.ToArray();
        var open = Array.FindIndex(dims, dim => dim == -1);
        if (open >= 0) dims[open] = Infer(x, dims, open);
        var target = new Shape(dims);
        if (target.Equals(x.Shape)) return x;
        if (x.Shape.IsKnown && target.IsKnown && x.Shape.Count != target.Count) throw new GraphException("Reshape keeps the number of elements.") { Where = x.Path, Expected = x.ToString(), Found = target.ToString() };
        var (sizes, isLiteral) = ReshapeTarget(x, dims);
        return x.Graph.Node(x.Path, "Reshape", [x, sizes], x.Type, target, ("allowzero", isLiteral ? 1L : 0L));
    }

    /// <summary>Dimensions in another order.</summary>
    public static Value Transpose(this Value x, params ReadOnlySpan<int> order)
    {
        var axes = order.ToArray();
        if (axes.Length != x.Rank || axes.Distinct().Count() != x.Rank) throw new GraphException("Transpose names every dimension once.") { Where = x.Path, Expected = x.ToString(), Found = $"[{string.Join(", ", axes)}]" };
        if (axes.SequenceEqual(Enumerable.Range(0, x.Rank))) return x;
        return x.Graph.Node(x.Path, "Transpose", [x], x.Type, [.. axes.Select(axis => x.Shape[axis])], ("perm", axes.Select(axis => (long)axis).ToArray()));
    }

    /// <summary>Two dimensions exchanged.</summary>
    public static Value Swap(this Value x, int a, int b)
    {
        var order = Enumerable.Range(0, x.Rank).ToArray();
        (order[x.Shape.Axis(a)], order[x.Shape.Axis(b)]) = (order[x.Shape.Axis(b)], order[x.Shape.Axis(a)]);
        return x.Transpose(order);
    }

    /// <summary>Dimensions of extent 1 put in; axes are those of the result.</summary>
    public static Value Unsqueeze(this Value x, params ReadOnlySpan<int> axes)
    {
        var rank = x.Rank + axes.Length;
        var positive = axes.ToArray().Select(axis => axis < 0 ? axis + rank : axis).ToHashSet();
        var next = 0;
        var dims = new Dim[rank];
        for (var i = 0; i < rank; i++) dims[i] = positive.Contains(i) ? 1 : x.Shape[next++];
        return x.Graph.Node(x.Path, "Unsqueeze", [x, x.Graph.Constant<long>([.. positive.Select(axis => (long)axis)], positive.Count)], x.Type, new(dims));
    }

    /// <summary>A dimension of extent 1 taken out.</summary>
    public static Value Squeeze(this Value x, int axis)
    {
        var positive = x.Shape.Axis(axis);
        if (x.Shape[positive] != 1) throw new GraphException("Squeeze takes out extents of 1.") { Where = x.Path, Found = $"{x}, axis {axis}" };
        return x.Graph.Node(x.Path, "Squeeze", [x, x.Graph.Constant([(long)positive], 1)], x.Type, [.. x.Shape.Where((_, i) => i != positive)]);
    }

    /// <summary>Dimensions <paramref name="from"/> to <paramref name="to"/> merged into one.</summary>
    public static Value Flatten(this Value x, int from, int to = -1)
    {
        var (first, last) = (x.Shape.Axis(from), x.Shape.Axis(to));
        return x.Reshape([.. x.Shape[..first], x.Shape[first..(last + 1)].Count, .. x.Shape[(last + 1)..]]);
    }

    /// <summary>Elements <paramref name="start"/> up to <paramref name="end"/> along an axis. Bounds are extents and not negative.</summary>
    public static Value Slice(this Value x, int axis, Dim start, Dim end)
    {
        var positive = x.Shape.Axis(axis);
        if (start == 0 && end == x.Shape[positive]) return x;
        if (start.IsKnown && end.IsKnown && (start.Size < 0 || end.Size < start.Size || (x.Shape[positive].IsKnown && end.Size > x.Shape[positive].Size)))
            throw new GraphException("A slice is outside the tensor.") { Where = x.Path, Expected = x.ToString(), Found = $"{start}..{end} of axis {axis}" };
        return x.Graph.Node(x.Path, "Slice", [x, x.Graph.Extent(start), x.Graph.Extent(end), x.Graph.Constant([(long)positive], 1)], x.Type, x.Shape.With(positive, end - start));
    }

    /// <summary>Elements from <paramref name="start"/> on.</summary>
    public static Value From(this Value x, int axis, Dim start) => x.Slice(axis, start, x.Shape[axis]);

    /// <summary>The first elements.</summary>
    public static Value Take(this Value x, int axis, Dim count) => x.Slice(axis, 0, count);

    /// <summary>The last elements.</summary>
    public static Value Last(this Value x, int axis, Dim count) => x.Slice(axis, x.Shape[axis] - count, x.Shape[axis]);

    /// <summary>Every <paramref name="step"/>-th element from <paramref name="start"/> on; the extent must be known.</summary>
    public static Value Stride(this Value x, int axis, long start, long step)
    {
        var positive = x.Shape.Axis(axis);
        var g = x.Graph;
        return g.Node(x.Path, "Slice", [x, g.Constant([start], 1), g.Extent(x.Shape[positive]), g.Constant([(long)positive], 1), g.Constant([step], 1)], x.Type,
            x.Shape.With(positive, Dim.CeilDiv(x.Shape[positive] - start, step)));
    }

    /// <summary>The element at <paramref name="index"/> of an axis, which goes.</summary>
    public static Value At(this Value x, int axis, Dim index) => x.Slice(axis, index, index + 1).Squeeze(axis);

    /// <summary>The elements of an axis in reverse; its extent must be known.</summary>
    public static Value Reverse(this Value x, int axis)
    {
        var positive = x.Shape.Axis(axis);
        var g = x.Graph;
        return g.Node(x.Path, "Slice", [x, g.Constant([-1L], 1), g.Constant([long.MinValue + 1], 1), g.Constant([(long)positive], 1), g.Constant([-1L], 1)], x.Type, x.Shape);
    }

    /// <summary>The elements of an axis moved by <paramref name="places"/> towards the start, those that leave coming back at the end (PyTorch's <c>roll</c> by minus that). Where the extent is symbolic, at most that many places.</summary>
    public static Value Roll(this Value x, int axis, Dim places)
    {
        if (places.IsKnown && x.Shape[axis] is { IsKnown: true, Size: > 0 and var extent }) places = (places.Size % extent + extent) % extent;
        return places == 0 ? x : Concat(axis, x.From(axis, places), x.Take(axis, places));
    }

    /// <summary>Parts of the given sizes along an axis.</summary>
    public static Value[] Split(this Value x, int axis, params ReadOnlySpan<long> sizes)
    {
        var positive = x.Shape.Axis(axis);
        var outputs = new (ElementType, Shape)[sizes.Length];
        for (var i = 0; i < sizes.Length; i++) outputs[i] = (x.Type, x.Shape.With(positive, sizes[i]));
        if (x.Shape[positive].IsKnown && x.Shape[positive].Size != sizes.ToArray().Sum()) throw new GraphException("The parts do not add up.") { Where = x.Path, Expected = x.ToString(), Found = $"[{string.Join(", ", sizes.ToArray())}]" };
        return x.Graph.Nodes(x.Path, "Split", [x, x.Graph.Constant(sizes, sizes.Length)], outputs, ("axis", (long)positive));
    }

    /// <summary>Equal parts along an axis.</summary>
    public static Value[] Chunk(this Value x, int parts, int axis)
    {
        var extent = x.Shape[axis].Size;
        if (extent % parts != 0) throw new GraphException($"An extent of {extent} has no {parts} equal parts.") { Where = x.Path, Found = x.ToString() };
        return x.Split(axis, [.. Enumerable.Repeat(extent / parts, parts)]);
    }

    /// <summary>Two equal parts along an axis.</summary>
    public static (Value, Value) Chunk2(this Value x, int axis = -1) => x.Chunk(2, axis) is [var a, var b] ? (a, b) : default;

    /// <summary>Three equal parts along an axis.</summary>
    public static (Value, Value, Value) Chunk3(this Value x, int axis = -1) => x.Chunk(3, axis) is [var a, var b, var c] ? (a, b, c) : default;

    /// <summary>Six equal parts along an axis: shift, scale and gate of two branches.</summary>
    public static (Value, Value, Value, Value, Value, Value) Chunk6(this Value x, int axis = -1) =>
        x.Chunk(6, axis) is [var a, var b, var c, var d, var e, var f] ? (a, b, c, d, e, f) : default;

    /// <summary>Tensors one after the other along an axis.</summary>
    public static Value Concat(int axis, params ReadOnlySpan<Value> parts)
    {
        if (parts.Length == 1) return parts[0];
        var first = parts[0];
        var positive = first.Shape.Axis(axis);
        Dim sum = 0;
        foreach (var part in parts)
        {
            if (part.Type != first.Type || part.Rank != first.Rank || !part.Shape.With(positive, 0).Equals(first.Shape.With(positive, 0)))
                throw new GraphException($"Concatenation along axis {axis} takes tensors that agree in the others.") { Where = first.Path, Expected = first.ToString(), Found = part.ToString() };
            sum += part.Shape[positive];
        }

        return first.Graph.Node(first.Path, "Concat", [.. parts], first.Type, first.Shape.With(positive, sum), ("axis", (long)positive));
    }

    /// <summary>Tensors of one shape as slices of a new axis.</summary>
    public static Value Stack(int axis, params ReadOnlySpan<Value> parts)
    {
        var slices = new Value[parts.Length];
        for (var i = 0; i < slices.Length; i++) slices[i] = parts[i].Unsqueeze(axis);
        return Concat(axis < 0 ? axis + slices[0].Rank : axis, slices);
    }

    /// <summary>Repeats extents of 1.</summary>
    public static Value Expand(this Value x, params ReadOnlySpan<Dim> shape)
    {
        var target = new Shape(shape);
        if (target.Equals(x.Shape)) return x;
        if (Shape.Broadcast(x.Shape, target) is not { } both || !both.Equals(target)) throw new GraphException("The tensor cannot be expanded to that shape.") { Where = x.Path, Expected = target.ToString(), Found = x.ToString() };
        return x.Graph.Node(x.Path, "Expand", [x, x.Graph.Extents(shape)], x.Type, target);
    }

    /// <summary>The whole tensor repeated along an axis.</summary>
    public static Value Tile(this Value x, int axis, Dim times)
    {
        var positive = x.Shape.Axis(axis);
        var repeats = Enumerable.Repeat((Dim)1, x.Rank).ToArray();
        repeats[positive] = times;
        return times == 1 ? x : x.Graph.Node(x.Path, "Tile", [x, x.Graph.Extents(repeats)], x.Type, x.Shape.With(positive, x.Shape[positive] * times));
    }

    /// <summary>Each element of an axis repeated in place.</summary>
    public static Value RepeatInterleave(this Value x, int axis, long times)
    {
        var positive = x.Shape.Axis(axis);
        if (times == 1) return x;
        var wide = x.Unsqueeze(positive + 1);
        return wide.Expand([.. wide.Shape.With(positive + 1, times)]).Reshape([.. x.Shape.With(positive, x.Shape[positive] * times)]);
    }

    /// <summary>Puts elements before and after those of an axis.</summary>
    public static Value Pad(this Value x, int axis, Dim before, Dim after, PadMode mode = PadMode.Constant, double value = 0) => x.Pad([(axis, before, after)], mode, value);

    /// <summary>Puts elements before and after those of several axes; negative amounts take elements off, but not where a symbolic extent wraps. What wraps comes from the other end at most once.</summary>
    /// <exception cref="GraphException">More is to wrap than there is.</exception>
    public static Value Pad(this Value x, ReadOnlySpan<(int Axis, Dim Before, Dim After)> pads, PadMode mode = PadMode.Constant, double value = 0)
    {
        var amounts = Enumerable.Repeat((Dim)0, 2 * x.Rank).ToArray();
        var dims = x.Shape.ToArray();
        foreach (var (axis, before, after) in pads)
        {
            var positive = x.Shape.Axis(axis);
            (amounts[positive], amounts[positive + x.Rank]) = (before, after);
            dims[positive] += before + after;
        }

        if (amounts.All(amount => amount == 0)) return x;
        if (mode == PadMode.Wrap) return x.Wrap(pads) ?? PadNode();
        return PadNode();

        Value PadNode() => x.Graph.Node(x.Path, "Pad", [x, x.Graph.Extents(amounts), mode == PadMode.Constant ? x.Graph.Scalar(x.Type, value) : null], x.Type, new(dims), ("mode", mode.ToString().ToLowerInvariant()));
    }

    /// <summary>Entries of an axis by index: the axis is replaced by the indices' shape.</summary>
    public static Value Gather(this Value x, Value indices, int axis = 0)
    {
        var positive = x.Shape.Axis(axis);
        return x.Graph.Node(indices.Path == "constant" ? x.Path : indices.Path, "Gather", [x, indices], x.Type, [.. x.Shape[..positive], .. indices.Shape, .. x.Shape[(positive + 1)..]], ("axis", (long)positive));
    }

    /// <summary>One element of an axis for each index; all other axes agree (PyTorch's <c>gather</c>).</summary>
    public static Value GatherElements(this Value x, Value indices, int axis) =>
        x.Graph.Node(x.Path, "GatherElements", [x, indices], x.Type, indices.Shape, ("axis", (long)x.Shape.Axis(axis)));

    /// <summary>A copy whose elements at <paramref name="indices"/> of an axis are replaced, or with <paramref name="add"/> added to; all other axes agree (PyTorch's <c>scatter</c> and <c>scatter_add</c>).</summary>
    public static Value ScatterElements(this Value x, Value indices, Value updates, int axis, bool add = false) =>
        x.Graph.Node(x.Path == "constant" ? updates.Path : x.Path, "ScatterElements", [x, indices, updates], x.Type, x.Shape, ("axis", (long)x.Shape.Axis(axis)), ("reduction", add ? "add" : "none"));

    /// <summary>One row for each sample. x (B, N, D), rows (B) int64 -> (B, D).</summary>
    public static Value Pick(this Value x, Value rows) => x.GatherElements(rows.Unsqueeze(1, 2).Expand(x.Shape[0], 1, x.Shape[2]), 1).Squeeze(1);

    // The operator reads beyond the tensor where more wraps than there is, so it takes known extents that were looked at; others are gathered. Null when the operator may.
    private static Value? Wrap(this Value x, ReadOnlySpan<(int Axis, Dim Before, Dim After)> pads)
    {
        var isKnown = true;
        foreach (var (axis, before, after) in pads)
        {
            var extent = x.Shape[axis];
            if (!extent.IsKnown || !before.IsKnown || !after.IsKnown) isKnown = false;
            else if (Math.Max(before.Size, after.Size) > extent.Size)
                throw new GraphException("Padding wraps around more than once.") { Where = x.Path, Expected = $"at most {extent} elements", Found = $"{before} before and {after} after axis {axis} of {x}" };
        }

        if (isKnown) return null;
        foreach (var (axis, before, after) in pads)
        {
            var places = AttentionLayers.Range(x.Graph, before + x.Shape[axis] + after) - x.Graph.Extent(before);
            x = x.Gather(x.Graph.Elementwise("Mod", places, x.Graph.Extent(x.Shape[axis])), axis);
        }

        return x;
    }

    private static Dim Infer(Value x, Dim[] dims, int open)
    {
        var given = dims.Where((_, i) => i != open).Aggregate((Dim)1, (product, dim) => product * dim);
        return x.Shape.Count.DividedBy(given)
            ?? throw new GraphException(given.IsKnown && x.Shape.IsKnown ? "Reshape keeps the number of elements." : "The open extent of a reshape cannot be told.") { Where = x.Path, Expected = $"[{string.Join(", ", dims)}]", Found = x.ToString() };
    }

    // ONNX: 0 keeps the input's extent at that place, one -1 takes what is left; more unknowns, and extents of nothing, are given literally.
    private static (Value Sizes, bool IsLiteral) ReshapeTarget(Value x, Dim[] dims)
    {
        var target = new long[dims.Length];
        var open = 0;
        for (var i = 0; i < dims.Length; i++)
        {
            target[i] = dims[i].IsKnown ? dims[i].Size : i < x.Rank && dims[i] == x.Shape[i] ? 0 : -1;
            if (target[i] == -1) open++;
        }

        return open <= 1 && !dims.Any(dim => dim == 0) ? (x.Graph.Constant(target, target.Length), false) : (x.Graph.Extents(dims), true);
    }
}
