using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>How a picture becomes what a network takes, and back: three channels, shorter side resized, centre cut out, numbers mapped from 0..1.</summary>
/// <param name="Size">Published size in pixels; a square of it is cut out. With 0, pictures keep their size.</param>
/// <param name="Multiple">Height and width are cut to a multiple of it.</param>
/// <param name="Scale">The network's number is scale x + offset.</param>
/// <param name="Offset">The network's number is scale x + offset.</param>
/// <param name="Fixed">True when the network takes no other size than the published one.</param>
internal sealed record ImagePreparation(int Size, int Multiple, float Scale, float Offset, bool Fixed = false)
{
    /// <summary>Networks that take 0..1.</summary>
    public static ImagePreparation UnitRange(int size, int multiple, bool isFixed = false) => new(size, multiple, 1, 0, isFixed);

    /// <summary>Networks that take -1..1.</summary>
    public static ImagePreparation SignedRange(int size, int multiple, bool isFixed = false) => new(size, multiple, 2, -1, isFixed);

    /// <summary>The part of a picture that the network sees, in 0..1, three channels.</summary>
    public Image Crop(Image image, int? size)
    {
        if (Fixed && size is { } asked && asked != Size)
            throw new OptionsException(ErrorCodes.OptionRange, "This model takes one size only.") { Where = "size", Expected = Size.ToString(), Found = asked.ToString() };
        var pixels = ImageTransforms.ToRgb(image.Pixels);
        var side = size ?? Size;
        if (side > 0) pixels = ImageTransforms.ResizeShorterSide(pixels, side);
        var (height, width) = ((int)pixels.Shape[1], (int)pixels.Shape[2]);
        var (rows, columns) = side > 0 && (Fixed || size is null) ? (side, side) : (height, width);
        (rows, columns) = (rows - rows % Multiple, columns - columns % Multiple);
        if (rows == 0 || columns == 0) throw new MediaException(ErrorCodes.MediaUnsupported, "The picture is too small.") { Expected = $"at least {Multiple} pixels a side", Found = $"{width} x {height}" };
        return new(ImageTransforms.CenterCrop(pixels, rows, columns));
    }

    /// <summary>What the network takes, (1, 3, H, W).</summary>
    public Tensor<float> ToNetwork(Image crop)
    {
        var tensor = Tensor.Zeros<float>([1, .. crop.Pixels.Shape]);
        for (var i = 0; i < tensor.Length; i++) tensor.Span[i] = crop.Pixels.Span[i] * Scale + Offset;
        return tensor;
    }

    /// <summary>The picture of what the network gave, (1, 3, H, W), cut to 0..1.</summary>
    public Image FromNetwork(Tensor<float> output)
    {
        var pixels = Tensor.Zeros<float>(output.Shape[1..]);
        for (var i = 0; i < pixels.Length; i++) pixels.Span[i] = Math.Clamp((output.Span[i] - Offset) / Scale, 0, 1);
        return new(pixels);
    }
}
