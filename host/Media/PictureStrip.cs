using ModelZoo.Contracts;

namespace ModelZoo.Host.Media;

/// <summary>Pictures of one generation side by side, as they came.</summary>
internal sealed class PictureStrip
{
    private readonly List<Image> _pictures = [];

    /// <summary>Takes a partial or final result; what is no picture is passed over.</summary>
    public void Add(Contracts.Media? result)
    {
        if (result is Image picture) _pictures.Add(picture);
    }

    /// <summary>The strip: as high as the highest, black below lower ones.</summary>
    /// <exception cref="MediaException">There was no picture.</exception>
    public Image ToImage()
    {
        if (_pictures.Count == 0) throw new MediaException(ErrorCodes.MediaUnsupported, "The model shows no pictures on its way.") { Where = "--strip", Remedy = "Leave --strip out; `modelzoo info MODEL` says what the model makes." };
        var (channels, height, width) = (_pictures.Max(picture => picture.Pixels.Shape[0]), _pictures.Max(picture => picture.Pixels.Shape[1]), _pictures.Sum(picture => picture.Pixels.Shape[2]));
        var (strip, left) = (Tensor.Zeros<float>(channels, height, width), 0L);
        foreach (var picture in _pictures)
        {
            var pixels = picture.Pixels;
            for (var c = 0; c < channels; c++)
            {
                for (var y = 0; y < pixels.Shape[1]; y++)
                {
                    // Grey beside colour: its one channel is all three.
                    var row = pixels.Span.Slice((int)((Math.Min(c, pixels.Shape[0] - 1) * pixels.Shape[1] + y) * pixels.Shape[2]), (int)pixels.Shape[2]);
                    row.CopyTo(strip.Span[(int)((c * height + y) * width + left)..]);
                }
            }

            left += pixels.Shape[2];
        }

        return new(strip);
    }
}
