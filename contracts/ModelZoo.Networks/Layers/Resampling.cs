using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>How <see cref="ResamplingLayers.Interpolate"/> fills in.</summary>
public enum Interpolation
{
    /// <summary>PyTorch's <c>nearest</c>: floor(i / scale).</summary>
    Nearest,
    /// <summary>PyTorch's <c>nearest-exact</c>: the nearest pixel centre.</summary>
    NearestExact,
    /// <summary>Linear in each dimension.</summary>
    Linear,
    /// <summary>Cubic in each dimension, a = -0.75.</summary>
    Cubic,
    /// <summary>Mean over the area that an output covers (adaptive average pooling).</summary>
    Area,
}

/// <summary>Changes of resolution.</summary>
public static class ResamplingLayers
{
    /// <summary>PyTorch's <c>F.interpolate</c> to the given extents of the dimensions after the first two, which must be known for <see cref="Interpolation.Area"/> and for corners that are aligned with antialiasing. x (B, C, ..).</summary>
    public static Value Interpolate(this Value x, Interpolation mode, ReadOnlySpan<Dim> size, bool alignCorners = false, bool antialias = false)
    {
        Shape shape = [.. x.Shape[..2], .. size];
        if (shape.Rank != x.Rank) throw Unmatched(x, size.Length);
        if (shape.Equals(x.Shape)) return x;
        var isKnown = shape[2..].IsKnown && x.Shape[2..].IsKnown;
        if (mode == Interpolation.Area || (antialias && alignCorners)) return x.Weigh(mode, shape, null, alignCorners, antialias);
        if (mode is not (Interpolation.Nearest or Interpolation.NearestExact)) return x.Resize(mode, shape, alignCorners, antialias);
        return isKnown ? x.Nearest(mode, shape, [.. shape[2..].Sizes.Select((to, i) => (float)x.Shape[i + 2].Size / to)]) : x.NearestAtRunTime(mode, shape);
    }

    /// <summary>
    /// PyTorch's <c>F.interpolate</c> with a <c>scale_factor</c>: extents are rounded down, and positions are computed with the factor itself, not with the ratio of the extents. x (B, C, ..) with known extents after the first two.
    /// </summary>
    public static Value InterpolateBy(this Value x, Interpolation mode, double factor, bool alignCorners = false, bool antialias = false) =>
        x.InterpolateBy(mode, [.. Enumerable.Repeat(factor, x.Rank - 2)], alignCorners, antialias);

    /// <summary>The same with a factor for each dimension after the first two.</summary>
    public static Value InterpolateBy(this Value x, Interpolation mode, ReadOnlySpan<double> factors, bool alignCorners = false, bool antialias = false)
    {
        var scales = factors.ToArray();
        if (scales.Length != x.Rank - 2) throw Unmatched(x, scales.Length);
        Shape shape = [.. x.Shape[..2], .. x.Shape[2..].Select((dim, i) => (Dim)(long)(dim.Size * scales[i]))];
        if (shape[2..].Sizes.Any(extent => extent < 1)) throw new GraphException("A picture is made too small to have a pixel.") { Where = x.Path, Expected = "extents of at least 1", Found = $"{x}, factors {string.Join(", ", scales)}" };
        return mode is Interpolation.Nearest or Interpolation.NearestExact ? x.Nearest(mode, shape, [.. scales.Select(factor => (float)(1 / factor))]) : x.Weigh(mode, shape, scales, alignCorners, antialias);
    }

    /// <summary>Nearest-neighbour enlargement by a whole factor. x (B, C, ..).</summary>
    public static Value Upsample(this Value x, long factor) => x.Interpolate(Interpolation.Nearest, [.. x.Shape[2..].Select(dim => dim * factor)]);

    /// <summary>Mean over windows. x (B, C, ..).</summary>
    public static Value AveragePool(this Value x, long kernel, long stride, long padding = 0, bool countPadding = true) => x.Pool("AveragePool", kernel, stride, padding, [("count_include_pad", countPadding ? 1L : 0L)]);

    /// <summary>Largest of windows; with <paramref name="ceil"/> a last partial window counts too. x (B, C, ..).</summary>
    public static Value MaxPool(this Value x, long kernel, long stride, long padding = 0, bool ceil = false) => x.Pool("MaxPool", kernel, stride, padding, [("ceil_mode", ceil ? 1L : 0L)], ceil);

    /// <summary>Channels to pixels (PyTorch's <c>PixelShuffle</c>). x (B, C f f, H, W) -> (B, C, H f, W f).</summary>
    public static Value PixelShuffle(this Value x, long factor) =>
        x.Graph.Node(x.Path, "DepthToSpace", [x], x.Type, [x.Shape[0], x.Shape[1].Size / (factor * factor), x.Shape[2] * factor, x.Shape[3] * factor], ("blocksize", factor), ("mode", "CRD"));

    /// <summary>Pixels to channels. x (B, C, H f, W f) -> (B, C f f, H, W).</summary>
    public static Value PixelUnshuffle(this Value x, long factor) =>
        x.Reshape(x.Shape[0], x.Shape[1], x.Shape[2] / factor, factor, x.Shape[3] / factor, factor).Transpose(0, 1, 3, 5, 2, 4).Flatten(1, 3);

    /// <summary>A picture as a row of patches. x (B, C, H P, W P) -> (B, H W, P P C), the channel fastest.</summary>
    public static Value Patchify(this Value x, long patch) =>
        x.Reshape(x.Shape[0], x.Shape[1], x.Shape[2] / patch, patch, x.Shape[3] / patch, patch).Transpose(0, 2, 4, 3, 5, 1).Reshape(x.Shape[0], x.Shape[2] / patch * (x.Shape[3] / patch), x.Shape[1] * (patch * patch));

    /// <summary>Patches back to a picture: x (B, H W, P P C) -> (B, C, H P, W P), the channel fastest.</summary>
    public static Value Unpatchify(this Value x, long patch, Dim rows, Dim columns, long channels) =>
        x.Reshape(x.Shape[0], rows, columns, patch, patch, channels).Transpose(0, 5, 1, 3, 2, 4).Reshape(x.Shape[0], channels, rows * patch, columns * patch);

    private static GraphException Unmatched(Value x, int given) => new("Each dimension after the first two has a size of its own.") { Where = x.Path, Expected = $"{x.Rank - 2} for {x}", Found = given.ToString() };

    private static Value Resize(this Value x, Interpolation mode, Shape shape, bool alignCorners = false, bool antialias = false)
    {
        var nearest = mode == Interpolation.Nearest;
        return x.Graph.Node(x.Path, "Resize", [x, null, null, x.Graph.Extents([.. shape])], x.Type, shape,
            ("mode", nearest ? "nearest" : mode == Interpolation.Cubic ? "cubic" : "linear"),
            ("coordinate_transformation_mode", nearest ? "asymmetric" : alignCorners ? "align_corners" : "half_pixel"),
            ("nearest_mode", "floor"), ("cubic_coeff_a", antialias ? -0.5f : -0.75f), ("antialias", antialias ? 1L : 0L), ("exclude_outside", antialias ? 1L : 0L));
    }

    // PyTorch finds the pixel in single precision, which differs from the exact quotient at some sizes: a table of pixels for each axis, unless pixels are merely repeated.
    private static Value Nearest(this Value x, Interpolation mode, Shape shape, float[] ratios)
    {
        var half = Half(mode);
        var tables = new long[ratios.Length][];
        var repeats = true;
        for (var i = 0; i < tables.Length; i++)
        {
            var (from, to) = (x.Shape[i + 2].Size, shape[i + 2].Size);
            tables[i] = [.. Enumerable.Range(0, (int)to).Select(o => Math.Min((long)MathF.Floor((o + half) * ratios[i]), from - 1))];
            repeats &= to % from == 0 && tables[i].Select((source, o) => source == o / (to / from)).All(same => same);
        }

        if (repeats) return x.Resize(Interpolation.Nearest, shape);
        for (var i = 0; i < tables.Length; i++)
        {
            if (!tables[i].Select((source, o) => source == o).All(same => same) || shape[i + 2] != x.Shape[i + 2]) x = x.Gather(x.Graph.Constant<long>(tables[i], tables[i].Length), i + 2);
        }

        return x;
    }

    // Extents that only a run knows: the same quotients, computed there, unless an exact factor repeats pixels.
    private static Value NearestAtRunTime(this Value x, Interpolation mode, Shape shape)
    {
        var g = x.Graph;
        if (Enumerable.Range(2, x.Rank - 2).All(axis => ExactFactors.Any(factor => shape[axis] == x.Shape[axis] * factor))) return x.Resize(Interpolation.Nearest, shape);
        Value Number(Dim extent) => g.Extent(extent).Cast(ElementType.Float32);
        for (var axis = 2; axis < x.Rank; axis++)
        {
            var (from, to) = (x.Shape[axis], shape[axis]);
            if (from == to) continue;
            var places = (AttentionLayers.Range(g, to).Cast(ElementType.Float32) + Half(mode)) * (Number(from) / Number(to));
            x = x.Gather(places.Floor().Cast(ElementType.Int64).Min(g.Extent(from - 1)), axis);
        }

        return x;
    }

    // Quotients by these are exact in any precision.
    private static readonly long[] ExactFactors = [1, 2, 4, 8, 16, 32];

    private static float Half(Interpolation mode) => mode == Interpolation.NearestExact ? 0.5f : 0;

    // Axis by axis a product with what each output takes from each input.
    private static Value Weigh(this Value x, Interpolation mode, Shape shape, double[]? factors, bool alignCorners, bool antialias)
    {
        for (var axis = 2; axis < x.Rank; axis++)
        {
            var (from, to) = (x.Shape[axis].Int, shape[axis].Int);
            var weights = mode == Interpolation.Area ? InterpolationWeights.Area(from, to) : InterpolationWeights.Of(mode == Interpolation.Cubic, from, to, factors?[axis - 2], alignCorners, antialias);
            if (weights is not null) x = x.Swap(axis, -1).MatMul(x.Graph.Constant<float>(weights, from, to)).Swap(axis, -1);
        }

        return x;
    }

    private static Value Pool(this Value x, string op, long kernel, long stride, long padding, ReadOnlySpan<(string, object)> attributes, bool ceil = false)
    {
        var dimensions = x.Rank - 2;
        // A partial window counts when it begins before the padding at the end.
        var reach = ceil ? Math.Min(2 * padding - kernel + stride - 1, padding - 1) : 2 * padding - kernel;
        long[] Same(int count, long value) => [.. Enumerable.Repeat(value, count)];
        Dim[] windows = [.. x.Shape[2..].Select(dim => (dim + reach) / stride + 1)];
        if (windows.Any(count => count.IsKnown && count.Size < 1)) throw new GraphException("A window is larger than what it moves over.") { Where = x.Path, Expected = $"at least {kernel} elements with a padding of {padding}", Found = x.ToString() };
        return x.Graph.Node(x.Path, op, [x], x.Type, [.. x.Shape[..2], .. windows],
            [("kernel_shape", Same(dimensions, kernel)), ("strides", Same(dimensions, stride)), ("pads", Same(2 * dimensions, padding)), .. attributes]);
    }
}
