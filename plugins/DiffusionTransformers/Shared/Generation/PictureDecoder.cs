using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>Turns a model's samples into pictures.</summary>
internal interface IPictureDecoder
{
    /// <summary>Samples (B, C, H, W) to pixels (B, 1 or 3, H f, W f) in 0..1.</summary>
    Task<Tensor<float>> DecodeAsync(Tensor<float> sample, CancellationToken cancel);

    /// <summary>Pixels per place of the latent, along each side.</summary>
    int Downsampling => 1;

    /// <summary>Pixels (B, 3, H f, W f) in 0..1 to samples (B, C, H, W), for methods that start from a picture.</summary>
    /// <exception cref="ModelZooException">There is no encoder.</exception>
    Task<Tensor<float>> EncodeAsync(Tensor<float> pixels, CancellationToken cancel) => throw new MediaException(ErrorCodes.MediaUnsupported, "The autoencoder of this model takes no pictures.");
}

/// <summary>For models of pixels in -1..1.</summary>
internal sealed class PixelDecoder : IPictureDecoder
{
    /// <inheritdoc/>
    public Task<Tensor<float>> DecodeAsync(Tensor<float> sample, CancellationToken cancel) => Task.FromResult(ToUnit(sample));

    /// <summary>(x + 1) / 2, kept within 0..1.</summary>
    public static Tensor<float> ToUnit(Tensor<float> pixels)
    {
        var result = Tensor.Zeros<float>(pixels.Shape);
        for (var i = 0; i < pixels.Length; i++) result.Span[i] = Math.Clamp(pixels.Span[i] / 2 + 0.5f, 0, 1);
        return result;
    }
}

/// <summary>For models of latents whose autoencoder is not in the folder.</summary>
/// <param name="channels">Channels of the latent.</param>
internal sealed class MissingDecoder(int channels) : IPictureDecoder
{
    /// <summary>Where pictures begin: nothing is computed in vain.</summary>
    /// <exception cref="CheckpointException">Always.</exception>
    public int Downsampling => throw Missing();

    /// <inheritdoc/>
    public Task<Tensor<float>> DecodeAsync(Tensor<float> sample, CancellationToken cancel) => throw Missing();

    private CheckpointException Missing() => new(ErrorCodes.CheckpointMissing, "The model makes latents, and the autoencoder that turns them into pictures is not there.")
    { Expected = $"vae/config.json and its weights, for {channels} channels", Remedy = "Put the published autoencoder into the folder 'vae' beside the model, or name its folder in the manifest: \"settings\": { \"vae\": \"DIR\" }." };
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
