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
        var g = x.Graph;
        Shape shape = [.. x.Shape[..2], .. size];
        if (shape.Equals(x.Shape)) return x;
        if (mode == Interpolation.Area) return x.AreaPool(size);
        var nearest = mode is Interpolation.Nearest or Interpolation.NearestExact;
        return g.Node(x.Path, "Resize", [x, null, null, g.Extents([.. shape])], x.Type, shape,
            ("mode", nearest ? "nearest" : mode == Interpolation.Cubic ? "cubic" : "linear"),
            ("coordinate_transformation_mode", mode == Interpolation.Nearest ? "asymmetric" : alignCorners ? "align_corners" : mode == Interpolation.NearestExact ? "half_pixel" : "pytorch_half_pixel"),
            ("nearest_mode", mode == Interpolation.NearestExact ? "round_prefer_ceil" : "floor"), ("cubic_coeff_a", antialias ? -0.5f : -0.75f), ("antialias", antialias ? 1L : 0L));
    }

    /// <summary>Nearest-neighbour enlargement by a whole factor. x (B, C, ..).</summary>
    public static Value Upsample(this Value x, long factor) => x.Interpolate(Interpolation.Nearest, [.. x.Shape[2..].Select(dim => dim * factor)]);

    /// <summary>Mean over windows. x (B, C, ..).</summary>
    public static Value AveragePool(this Value x, long kernel, long stride, long padding = 0, bool countPadding = true) => x.Pool("AveragePool", kernel, stride, padding, [("count_include_pad", countPadding ? 1L : 0L)]);

    /// <summary>Largest of windows. x (B, C, ..).</summary>
    public static Value MaxPool(this Value x, long kernel, long stride, long padding = 0) => x.Pool("MaxPool", kernel, stride, padding, []);

    /// <summary>Channels to pixels (PyTorch's <c>PixelShuffle</c>). x (B, C f f, H, W) -> (B, C, H f, W f).</summary>
    public static Value PixelShuffle(this Value x, long factor) =>
        x.Graph.Node(x.Path, "DepthToSpace", [x], x.Type, [x.Shape[0], x.Shape[1].Size / (factor * factor), x.Shape[2] * factor, x.Shape[3] * factor], ("blocksize", factor), ("mode", "CRD"));

    /// <summary>Pixels to channels. x (B, C, H f, W f) -> (B, C f f, H, W).</summary>
    public static Value PixelUnshuffle(this Value x, long factor) =>
        x.Reshape(x.Shape[0], x.Shape[1], x.Shape[2] / factor, factor, x.Shape[3] / factor, factor).Transpose(0, 1, 3, 5, 2, 4).Flatten(1, 3);

    /// <summary>Patches back to a picture: x (B, H W, P P C) -> (B, C, H P, W P), the channel fastest.</summary>
    public static Value Unpatchify(this Value x, long patch, Dim rows, Dim columns, long channels) =>
        x.Reshape(x.Shape[0], rows, columns, patch, patch, channels).Transpose(0, 5, 1, 3, 2, 4).Reshape(x.Shape[0], channels, rows * patch, columns * patch);

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

    private static Value Pool(this Value x, string op, long kernel, long stride, long padding, ReadOnlySpan<(string, object)> attributes)
    {
        var dimensions = x.Rank - 2;
        long[] Same(int count, long value) => [.. Enumerable.Repeat(value, count)];
        return x.Graph.Node(x.Path, op, [x], x.Type, [.. x.Shape[..2], .. x.Shape[2..].Select(dim => (dim + (2 * padding - kernel)) / stride + 1)],
            [("kernel_shape", Same(dimensions, kernel)), ("strides", Same(dimensions, stride)), ("pads", Same(2 * dimensions, padding)), .. attributes]);
    }
}
