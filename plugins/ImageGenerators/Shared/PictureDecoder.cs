using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Turns what a generator makes into pictures: the tokenizer that it was trained over.</summary>
internal interface IPictureDecoder : IDisposable
{
    /// <summary>Codes (B, ..), int64, or latents (B, ..), float32, to pixels (B, 3, H, W) in 0..1.</summary>
    Task<Tensor<float>> DecodeAsync(Tensor samples, CancellationToken cancel);
}

/// <summary>Pictures side by side.</summary>
internal static class PictureGrid
{
    /// <summary>A grid that is as square as can be, rows first, black where there is none. pictures (B, C, H, W).</summary>
    public static Image Of(Tensor<float> pictures)
    {
        var (count, channels, height, width) = ((int)pictures.Shape[0], (int)pictures.Shape[1], (int)pictures.Shape[2], (int)pictures.Shape[3]);
        if (count == 1) return new(pictures.Slice(0));
        var columns = (int)Math.Ceiling(Math.Sqrt(count));
        var rows = (count + columns - 1) / columns;
        var grid = Tensor.Zeros<float>(channels, rows * height, columns * width);
        for (var i = 0; i < count; i++)
        {
            for (var c = 0; c < channels; c++)
            {
                for (var y = 0; y < height; y++)
                    pictures.Span.Slice(((i * channels + c) * height + y) * width, width).CopyTo(grid.Span[((c * rows * height + i / columns * height + y) * columns * width + i % columns * width)..]);
            }
        }

        return new(grid);
    }
}
