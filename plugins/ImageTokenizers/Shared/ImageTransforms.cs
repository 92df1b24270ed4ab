using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Changes to pictures (C, H, W) before a network sees them.</summary>
internal static class ImageTransforms
{
    /// <summary>Three channels: grey is repeated, what is transparent shows white.</summary>
    public static Tensor<float> ToRgb(Tensor<float> pixels)
    {
        var channels = (int)pixels.Shape[0];
        if (channels == 3) return pixels;
        var plane = (int)(pixels.Shape[1] * pixels.Shape[2]);
        var colours = channels >= 3 ? 3 : 1;
        var rgb = Tensor.Zeros<float>(3, pixels.Shape[1], pixels.Shape[2]);
        for (var channel = 0; channel < 3; channel++)
        {
            var source = pixels.Span.Slice(Math.Min(channel, colours - 1) * plane, plane);
            var target = rgb.Span.Slice(channel * plane, plane);
            source.CopyTo(target);
            if (channels is not (2 or 4)) continue;
            var alpha = pixels.Span.Slice((channels - 1) * plane, plane);
            for (var i = 0; i < plane; i++) target[i] = target[i] * alpha[i] + (1 - alpha[i]);
        }

        return rgb;
    }

    /// <summary>Resized so that the shorter side has <paramref name="size"/> pixels, with a triangle filter that widens when shrinking (bilinear with antialiasing, as Pillow and torchvision do it).</summary>
    public static Tensor<float> ResizeShorterSide(Tensor<float> pixels, int size)
    {
        var (height, width) = ((int)pixels.Shape[1], (int)pixels.Shape[2]);
        if (Math.Min(height, width) == size) return pixels;
        var (rows, columns) = height < width ? (size, (int)((long)size * width / height)) : ((int)((long)size * height / width), size);
        return ResizeRows(Swap(ResizeRows(Swap(pixels), columns)), rows);
    }

    /// <summary>The middle of a picture.</summary>
    public static Tensor<float> CenterCrop(Tensor<float> pixels, int rows, int columns)
    {
        var (height, width) = ((int)pixels.Shape[1], (int)pixels.Shape[2]);
        if (height == rows && width == columns) return pixels;
        var (top, left) = ((height - rows) / 2, (width - columns) / 2);
        var crop = Tensor.Zeros<float>(pixels.Shape[0], rows, columns);
        for (var channel = 0; channel < pixels.Shape[0]; channel++)
        {
            for (var y = 0; y < rows; y++)
                pixels.Span.Slice((channel * height + top + y) * width + left, columns).CopyTo(crop.Span[((channel * rows + y) * columns)..]);
        }

        return crop;
    }

    /// <summary>Pictures of one height side by side.</summary>
    public static Tensor<float> SideBySide(IReadOnlyList<Tensor<float>> pictures)
    {
        var (channels, height) = (pictures[0].Shape[0], (int)pictures[0].Shape[1]);
        var width = pictures.Sum(picture => (int)picture.Shape[2]);
        var strip = Tensor.Zeros<float>(channels, height, width);
        var left = 0;
        foreach (var picture in pictures)
        {
            var columns = (int)picture.Shape[2];
            for (var row = 0; row < channels * height; row++) picture.Span.Slice(row * columns, columns).CopyTo(strip.Span[(row * width + left)..]);
            left += columns;
        }

        return strip;
    }

    private static Tensor<float> ResizeRows(Tensor<float> pixels, int rows)
    {
        var (channels, height, width) = ((int)pixels.Shape[0], (int)pixels.Shape[1], (int)pixels.Shape[2]);
        var result = Tensor.Zeros<float>(channels, rows, width);
        var scale = (double)height / rows;
        var support = Math.Max(scale, 1);
        for (var y = 0; y < rows; y++)
        {
            var centre = (y + 0.5) * scale;
            var (first, last) = ((int)Math.Max(centre - support + 0.5, 0), (int)Math.Min(centre + support + 0.5, height));
            var weights = new double[last - first];
            for (var i = 0; i < weights.Length; i++) weights[i] = Math.Max(0, 1 - Math.Abs((i + first - centre + 0.5) / support));
            var sum = weights.Sum();
            for (var channel = 0; channel < channels; channel++)
            {
                var target = result.Span.Slice((channel * rows + y) * width, width);
                for (var i = 0; i < weights.Length; i++)
                {
                    var source = pixels.Span.Slice((channel * height + first + i) * width, width);
                    var weight = (float)(weights[i] / sum);
                    for (var x = 0; x < width; x++) target[x] += weight * source[x];
                }
            }
        }

        return result;
    }

    private static Tensor<float> Swap(Tensor<float> pixels)
    {
        var (channels, height, width) = ((int)pixels.Shape[0], (int)pixels.Shape[1], (int)pixels.Shape[2]);
        var swapped = Tensor.Zeros<float>(channels, width, height);
        for (var channel = 0; channel < channels; channel++)
        {
            for (var y = 0; y < height; y++)
            {
                for (var x = 0; x < width; x++) swapped.Span[(channel * width + x) * height + y] = pixels.Span[(channel * height + y) * width + x];
            }
        }

        return swapped;
    }
}
