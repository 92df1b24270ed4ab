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
    /// <summary>Mean over the area, for whole factors.</summary>
    Area,
}

/// <summary>Changes of resolution.</summary>
public static class ResamplingLayers
{
    /// <summary>PyTorch's <c>F.interpolate</c> to the given extents of the dimensions after the first two. x (B, C, ..).</summary>
    public static Value Interpolate(this Value x, Interpolation mode, ReadOnlySpan<Dim> size, bool alignCorners = false, bool antialias = false)
    {
        Shape shape = [.. x.Shape[..2], .. size];
        if (shape.Equals(x.Shape)) return x;
        if (mode == Interpolation.Area) return x.AreaPool(size);
        if (!shape[2..].IsKnown || !x.Shape[2..].IsKnown) return x.Resize(mode, shape, null, alignCorners, antialias);
        var ratios = shape[2..].Sizes.Select((to, i) => (float)x.Shape[i + 2].Size / to).ToArray();
        return x.Nearest(mode, shape, ratios) ?? x.Resize(mode, shape, null, alignCorners, antialias);
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
        Shape shape = [.. x.Shape[..2], .. x.Shape[2..].Select((dim, i) => (Dim)(long)(dim.Size * scales[i]))];
        if (mode == Interpolation.Area) return x.AreaPool([.. shape[2..]]);
        return x.Nearest(mode, shape, [.. scales.Select(factor => (float)(1 / factor))]) ?? x.Resize(mode, shape, [.. scales.Select(factor => (float)factor)], alignCorners, antialias);
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

    private static Value Resize(this Value x, Interpolation mode, Shape shape, float[]? factors, bool alignCorners, bool antialias)
    {
        var g = x.Graph;
        var nearest = mode is Interpolation.Nearest or Interpolation.NearestExact;
        var scales = factors is null ? null : g.Constant<float>([1, 1, .. factors], x.Rank);
        return g.Node(x.Path, "Resize", [x, null, scales, scales is null ? g.Extents([.. shape]) : null], x.Type, shape,
            ("mode", nearest ? "nearest" : mode == Interpolation.Cubic ? "cubic" : "linear"),
            ("coordinate_transformation_mode", mode == Interpolation.Nearest ? "asymmetric" : alignCorners ? "align_corners" : "half_pixel"),
            ("nearest_mode", mode == Interpolation.NearestExact ? "round_prefer_ceil" : "floor"), ("cubic_coeff_a", antialias ? -0.5f : -0.75f), ("antialias", antialias ? 1L : 0L), ("exclude_outside", antialias ? 1L : 0L));
    }

    // PyTorch finds the pixel in single precision, which differs from the exact quotient at some sizes: a table of pixels for each axis, unless pixels are merely repeated.
    private static Value? Nearest(this Value x, Interpolation mode, Shape shape, float[] ratios)
    {
        if (mode is not (Interpolation.Nearest or Interpolation.NearestExact)) return null;
        var half = mode == Interpolation.NearestExact ? 0.5f : 0;
        var tables = new long[ratios.Length][];
        var repeats = true;
        for (var i = 0; i < tables.Length; i++)
        {
            var (from, to) = (x.Shape[i + 2].Size, shape[i + 2].Size);
            tables[i] = [.. Enumerable.Range(0, (int)to).Select(o => Math.Min((long)MathF.Floor((o + half) * ratios[i]), from - 1))];
            repeats &= to % from == 0 && tables[i].Select((source, o) => source == o / (to / from)).All(same => same);
        }

        if (repeats) return x.Resize(Interpolation.Nearest, shape, null, alignCorners: false, antialias: false);
        for (var i = 0; i < tables.Length; i++)
        {
            if (shape[i + 2] != x.Shape[i + 2]) x = x.Gather(x.Graph.Constant<long>(tables[i], tables[i].Length), i + 2);
        }

        return x;
    }

    private static Value AreaPool(this Value x, ReadOnlySpan<Dim> size)
    {
        // Adaptive mean: output i covers floor(i n / m) up to ceil((i + 1) n / m); a product with averaging matrices.
        for (var i = 0; i < size.Length; i++)
        {
            var (axis, n, m) = (i + 2, x.Shape[i + 2].Int, size[i].Int);
            if (n == m) continue;
            var weights = new float[n * m];
            for (var o = 0; o < m; o++)
            {
                var (start, end) = (o * n / m, ((o + 1) * n + m - 1) / m);
                for (var k = start; k < end; k++) weights[k * m + o] = 1f / (end - start);
            }

            x = x.Swap(axis, -1).MatMul(x.Graph.Constant<float>(weights, n, m)).Swap(axis, -1);
        }

        return x;
    }

    private static Value Pool(this Value x, string op, long kernel, long stride, long padding, ReadOnlySpan<(string, object)> attributes, bool ceil = false)
    {
        var dimensions = x.Rank - 2;
        long[] Same(int count, long value) => [.. Enumerable.Repeat(value, count)];
        return x.Graph.Node(x.Path, op, [x], x.Type, [.. x.Shape[..2], .. x.Shape[2..].Select(dim => (dim + (2 * padding - kernel + (ceil ? stride - 1 : 0))) / stride + 1)],
            [("kernel_shape", Same(dimensions, kernel)), ("strides", Same(dimensions, stride)), ("pads", Same(2 * dimensions, padding)), .. attributes]);
    }
}
