using System.Buffers.Binary;
using System.IO.Compression;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Media;

/// <summary>Writes PNG files with 8 bits a sample: grey, grey with alpha, RGB or RGBA. Rows are filtered by the smallest sum of differences.</summary>
internal static class PngWriter
{
    /// <summary>Writes a picture; values outside of 0..1 are clipped.</summary>
    public static void Write(Stream output, Image image)
    {
        var (width, height, channels) = (image.Width, image.Height, image.Channels);
        if (channels is < 1 or > 4) throw new MediaException(ErrorCodes.MediaUnsupported, "A picture has 1 to 4 channels.") { Found = image.Pixels.ToString() };
        output.Write(PngChunks.Signature);
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        (header[8], header[9]) = (8, channels switch { 1 => 0, 2 => 4, 3 => 2, _ => 6 });
        PngChunks.Write(output, "IHDR"u8, header);

        using var data = new MemoryStream();
        using (var deflate = new ZLibStream(data, CompressionLevel.Optimal, leaveOpen: true))
        {
            var rows = (Row: new byte[width * channels], Above: new byte[width * channels]);
            var filtered = new byte[5][];
            for (var filter = 0; filter < 5; filter++) filtered[filter] = new byte[width * channels + 1];
            for (var y = 0; y < height; y++)
            {
                Fill(rows.Row, image, y);
                deflate.Write(BestFilter(rows.Row, rows.Above, channels, filtered));
                rows = (rows.Above, rows.Row);
            }
        }

        PngChunks.Write(output, "IDAT"u8, data.GetBuffer().AsSpan(0, (int)data.Length));
        PngChunks.Write(output, "IEND"u8, []);
    }

    private static void Fill(byte[] row, Image image, int y)
    {
        var pixels = image.Pixels.Span;
        for (var x = 0; x < image.Width; x++)
        {
            for (var channel = 0; channel < image.Channels; channel++)
            {
                var value = pixels[(channel * image.Height + y) * image.Width + x];
                row[x * image.Channels + channel] = (byte)MathF.Round(255 * (float.IsNaN(value) ? 0 : Math.Clamp(value, 0, 1)));
            }
        }
    }

    private static byte[] BestFilter(byte[] row, byte[] above, int stride, byte[][] filtered)
    {
        var (best, smallest) = (0, long.MaxValue);
        for (var filter = 0; filter < 5; filter++)
        {
            var sum = 0L;
            filtered[filter][0] = (byte)filter;
            for (var i = 0; i < row.Length; i++)
            {
                int left = i >= stride ? row[i - stride] : 0, up = above[i], corner = i >= stride ? above[i - stride] : 0;
                var value = (byte)(row[i] - filter switch { 0 => 0, 1 => left, 2 => up, 3 => (left + up) / 2, _ => Paeth(left, up, corner) });
                filtered[filter][i + 1] = value;
                sum += Math.Abs((int)(sbyte)value);
            }

            if (sum < smallest) (best, smallest) = (filter, sum);
        }

        return filtered[best];
    }

    private static int Paeth(int left, int up, int corner)
    {
        var estimate = left + up - corner;
        var (a, b, c) = (Math.Abs(estimate - left), Math.Abs(estimate - up), Math.Abs(estimate - corner));
        return a <= b && a <= c ? left : b <= c ? up : corner;
    }
}
