using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>Changes to given pictures (C, H, W) before a network sees them.</summary>
internal static class Pictures
{
    /// <summary>Three channels: grey is repeated, transparency is left out.</summary>
    public static Tensor<float> ToRgb(Tensor<float> pixels)
    {
        if (pixels.Shape[0] == 3) return pixels;
        var plane = pixels.Length / (int)pixels.Shape[0];
        var rgb = Tensor.Zeros<float>(3, pixels.Shape[1], pixels.Shape[2]);
        for (var channel = 0; channel < 3; channel++) pixels.Span.Slice(pixels.Shape[0] >= 3 ? channel * plane : 0, plane).CopyTo(rgb.Span[(channel * plane)..]);
        return rgb;
    }

    /// <summary>Resized by Keys' cubic filter (a = -0.5), which widens when shrinking, as Pillow's BICUBIC does; kept within 0..1.</summary>
    public static Tensor<float> Resize(Tensor<float> pixels, int height, int width)
    {
        if ((pixels.Shape[1], pixels.Shape[2]) == (height, width)) return pixels;
        var wide = Rows(Swap(pixels), width);
        var result = Rows(Swap(wide), height);
        for (var i = 0; i < result.Length; i++) result.Span[i] = Math.Clamp(result.Span[i], 0, 1);
        return result;
    }

    /// <summary>Resized to a square, with black around what is not one.</summary>
    public static Tensor<float> ToSquare(Tensor<float> pixels, int side)
    {
        var (channels, height, width) = ((int)pixels.Shape[0], (int)pixels.Shape[1], (int)pixels.Shape[2]);
        var largest = Math.Max(height, width);
        var (top, left, square) = ((largest - height) / 2, (largest - width) / 2, Tensor.Zeros<float>(channels, largest, largest));
        for (var row = 0; row < channels * height; row++) pixels.Span.Slice(row * width, width).CopyTo(square.Span[((row / height * largest + top + row % height) * largest + left)..]);
        return Resize(square, side, side);
    }

    private static Tensor<float> Rows(Tensor<float> pixels, int rows)
    {
        var (channels, height, width) = ((int)pixels.Shape[0], (int)pixels.Shape[1], (int)pixels.Shape[2]);
        if (height == rows) return pixels;
        var result = Tensor.Zeros<float>(channels, rows, width);
        var scale = (double)height / rows;
        var stretch = Math.Max(scale, 1);
        for (var y = 0; y < rows; y++)
        {
            var centre = (y + 0.5) * scale;
            var (first, last) = ((int)Math.Max(centre - 2 * stretch + 0.5, 0), (int)Math.Min(centre + 2 * stretch + 0.5, height));
            var weights = Enumerable.Range(first, last - first).Select(row => Cubic((row - centre + 0.5) / stretch)).ToArray();
            var sum = weights.Sum();
            for (var channel = 0; channel < channels; channel++)
            {
                var target = result.Span.Slice((channel * rows + y) * width, width);
                for (var i = 0; i < weights.Length; i++)
                    System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(pixels.Span.Slice((channel * height + first + i) * width, width), (float)(weights[i] / sum), target, target);
            }
        }

        return result;
    }

    private static double Cubic(double x)
    {
        x = Math.Abs(x);
        return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
    }

    private static Tensor<float> Swap(Tensor<float> pixels)
    {
        var (channels, height, width) = ((int)pixels.Shape[0], (int)pixels.Shape[1], (int)pixels.Shape[2]);
        var swapped = Tensor.Zeros<float>(channels, width, height);
        for (var i = 0; i < pixels.Length; i++) swapped.Span[(i / (height * width) * width + i % width) * height + i / width % height] = pixels.Span[i];
        return swapped;
    }
}
