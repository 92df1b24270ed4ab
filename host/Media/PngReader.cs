using System.Buffers.Binary;
using System.IO.Compression;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Media;

/// <summary>Reads PNG files: every colour type and depth, interlaced or not, palettes and transparent colours. Values are the stored ones over their maximum; no gamma is applied.</summary>
internal static class PngReader
{
    /// <summary>Largest number of pixels that is read.</summary>
    public const long PixelLimit = 1L << 28;

    // Bytes that one byte of a deflated stream can stand for: a match of 258 in two bits.
    private const long MostInflated = 1032;

    // Adam7: first column and row of each pass, and its steps.
    private static readonly (int X, int Y, int DX, int DY)[] Passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    private sealed record Header(int Width, int Height, int Depth, int Color, bool Interlaced)
    {
        public int Samples => Color switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };
    }

    /// <summary>Reads a picture: grey, RGB or RGBA as the file has it; grey with alpha becomes RGBA.</summary>
    /// <param name="file">The file's bytes.</param>
    /// <param name="where">Its name, for errors.</param>
    /// <param name="limit">Most pixels that are taken; more are refused before room is made for them.</param>
    /// <exception cref="MediaException">It is damaged, truncated or too large.</exception>
    public static Image Read(ReadOnlySpan<byte> file, string where, long limit = PixelLimit)
    {
        var chunks = PngChunks.Read(file, where);
        if (chunks[0].Type != "IHDR") throw PngChunks.Malformed("The PNG file has no header.", where);
        var header = ReadHeader(file[chunks[0].Data], where, limit);
        byte[]? palette = null, transparent = null;
        using var compressed = new MemoryStream();
        foreach (var (type, data) in chunks)
        {
            if (type == "PLTE") palette = file[data].ToArray();
            else if (type == "tRNS") transparent = file[data].ToArray();
            else if (type == "IDAT") compressed.Write(file[data]);
        }

        if (header.Color == 3 && palette is null) throw PngChunks.Malformed("The PNG file has no palette.", where);
        // Few bytes that claim many pixels end too early, whatever they hold.
        if ((long)header.Width * header.Height * header.Samples * header.Depth / 8 > MostInflated * (compressed.Length + 1)) throw PngChunks.Malformed("The PNG file's pixels are damaged or truncated.", where);
        compressed.Position = 0;
        var samples = new ushort[(long)header.Width * header.Height * header.Samples];
        try
        {
            using var inflated = new ZLibStream(compressed, CompressionMode.Decompress);
            if (header.Interlaced)
            {
                foreach (var pass in Passes) ReadPass(inflated, header, pass, samples, where);
            }
            else
            {
                ReadPass(inflated, header, (0, 0, 1, 1), samples, where);
            }
        }
        catch (Exception error) when (error is InvalidDataException or EndOfStreamException)
        {
            throw new MediaException(ErrorCodes.MediaMalformed, "The PNG file's pixels are damaged or truncated.", error) { Where = where };
        }

        return ToImage(header, samples, palette, transparent, where);
    }

    private static Header ReadHeader(ReadOnlySpan<byte> data, string where, long limit)
    {
        if (data.Length != 13) throw PngChunks.Malformed("The PNG file's header has a wrong length.", where);
        var (width, height) = (BinaryPrimitives.ReadUInt32BigEndian(data), BinaryPrimitives.ReadUInt32BigEndian(data[4..]));
        if (width == 0 || height == 0 || (long)width * height > PixelLimit)
            throw PngChunks.Malformed("The PNG file's size makes no sense.", where, $"at most {PixelLimit} pixels", $"{width} x {height}");
        if ((long)width * height > limit) throw new MediaException(ErrorCodes.MediaUnsupported, "The picture is too large.") { Where = where, Expected = $"at most {limit} pixels", Found = $"{width} x {height}" };
        var (depth, color) = (data[8], data[9]);
        var known = (color, depth) switch { (0, 1 or 2 or 4 or 8 or 16) or (3, 1 or 2 or 4 or 8) or (2 or 4 or 6, 8 or 16) => true, _ => false };
        if (!known || data[10] != 0 || data[11] != 0 || data[12] > 1) throw PngChunks.Malformed("The PNG file is of a kind that does not exist.", where, null, $"colour type {color}, depth {depth}");
        return new((int)width, (int)height, depth, color, data[12] == 1);
    }

    private static void ReadPass(Stream pixels, Header header, (int X, int Y, int DX, int DY) pass, ushort[] samples, string where)
    {
        var (columns, rows) = ((header.Width - pass.X + pass.DX - 1) / pass.DX, (header.Height - pass.Y + pass.DY - 1) / pass.DY);
        if (columns <= 0 || rows <= 0) return;
        var stride = Math.Max(1, header.Depth * header.Samples / 8);
        var length = (columns * header.Depth * header.Samples + 7) / 8;
        byte[] row = new byte[length + 1], previous = new byte[length + 1];
        for (var y = 0; y < rows; y++)
        {
            pixels.ReadExactly(row);
            Unfilter(row[0], row.AsSpan(1), previous.AsSpan(1), stride, where);
            for (var i = 0; i < columns * header.Samples; i++)
            {
                var (x, sample) = (i / header.Samples, i % header.Samples);
                samples[((long)(pass.Y + y * pass.DY) * header.Width + pass.X + x * pass.DX) * header.Samples + sample] = Sample(row.AsSpan(1), i, header.Depth);
            }

            (row, previous) = (previous, row);
        }
    }

    private static ushort Sample(ReadOnlySpan<byte> row, int index, int depth) => depth switch
    {
        8 => row[index],
        16 => BinaryPrimitives.ReadUInt16BigEndian(row[(2 * index)..]),
        _ => (ushort)(row[index * depth / 8] >> (8 - depth - index * depth % 8) & ((1 << depth) - 1)),
    };

    private static void Unfilter(byte filter, Span<byte> row, ReadOnlySpan<byte> above, int stride, string where)
    {
        if (filter > 4) throw PngChunks.Malformed("The PNG file uses a filter that does not exist.", where, "0..4", $"{filter}");
        for (var i = 0; i < row.Length && filter != 0; i++)
        {
            int left = i >= stride ? row[i - stride] : 0, up = above[i], corner = i >= stride ? above[i - stride] : 0;
            row[i] += (byte)(filter switch { 1 => left, 2 => up, 3 => (left + up) / 2, _ => Paeth(left, up, corner) });
        }
    }

    private static int Paeth(int left, int up, int corner)
    {
        var estimate = left + up - corner;
        var (a, b, c) = (Math.Abs(estimate - left), Math.Abs(estimate - up), Math.Abs(estimate - corner));
        return a <= b && a <= c ? left : b <= c ? up : corner;
    }

    private static Image ToImage(Header header, ushort[] samples, byte[]? palette, byte[]? transparent, string where)
    {
        var pixels = header.Width * header.Height;
        var maximum = (float)((1 << header.Depth) - 1);
        var channels = header.Color switch { 0 => transparent is null ? 1 : 4, 2 => transparent is null ? 3 : 4, 3 => transparent is null ? 3 : 4, _ => 4 };
        var result = new float[channels * pixels];
        for (var i = 0; i < pixels; i++)
        {
            var at = samples.AsSpan(i * header.Samples, header.Samples);
            float red, green, blue, alpha = 1;
            if (header.Color == 3)
            {
                if (3 * at[0] + 2 >= palette!.Length) throw PngChunks.Malformed("The PNG file has a pixel outside of its palette.", where, $"below {palette.Length / 3}", $"{at[0]}");
                (red, green, blue) = (palette[3 * at[0]] / 255f, palette[3 * at[0] + 1] / 255f, palette[3 * at[0] + 2] / 255f);
                if (transparent is not null) alpha = at[0] < transparent.Length ? transparent[at[0]] / 255f : 1;
            }
            else
            {
                var colored = header.Color is 2 or 6;
                (red, green, blue) = colored ? (at[0] / maximum, at[1] / maximum, at[2] / maximum) : (at[0] / maximum, at[0] / maximum, at[0] / maximum);
                if (header.Color is 4 or 6) alpha = at[^1] / maximum;
                else if (transparent is not null && IsTransparent(at, transparent)) alpha = 0;
            }

            result[i] = red;
            if (channels >= 3) (result[pixels + i], result[2 * pixels + i]) = (green, blue);
            if (channels == 4) result[3 * pixels + i] = alpha;
        }

        return new(Tensor.Create(result, channels, header.Height, header.Width));
    }

    private static bool IsTransparent(ReadOnlySpan<ushort> color, ReadOnlySpan<byte> transparent)
    {
        for (var i = 0; i < color.Length; i++)
        {
            if (2 * i + 1 >= transparent.Length || color[i] != BinaryPrimitives.ReadUInt16BigEndian(transparent[(2 * i)..])) return false;
        }

        return true;
    }
}
