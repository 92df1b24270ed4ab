using System.Buffers.Binary;
using System.IO.Compression;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageTokenizers.Tests;

/// <summary>Reads the demonstration pictures: 8-bit RGB, not interlaced.</summary>
internal static class SmallPng
{
    public static Image Read(string path)
    {
        var file = File.ReadAllBytes(path).AsSpan();
        var (width, height) = (BinaryPrimitives.ReadInt32BigEndian(file[16..]), BinaryPrimitives.ReadInt32BigEndian(file[20..]));
        Assert.Equal((8, 2, 0), (file[24], file[25], file[28]));
        using var data = new MemoryStream();
        for (var at = 8; at < file.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(file[at..]);
            if (file.Slice(at + 4, 4).SequenceEqual("IDAT"u8)) data.Write(file.Slice(at + 8, length));
            at += length + 12;
        }

        data.Position = 0;
        using var rows = new ZLibStream(data, CompressionMode.Decompress);
        var (line, above) = (new byte[3 * width], new byte[3 * width]);
        var pixels = Tensor.Zeros<float>(3, height, width);
        for (var y = 0; y < height; y++)
        {
            var filter = rows.ReadByte();
            rows.ReadExactly(line);
            for (var i = 0; i < line.Length; i++)
            {
                int left = i < 3 ? 0 : line[i - 3], up = above[i], corner = i < 3 ? 0 : above[i - 3];
                line[i] += (byte)(filter switch { 1 => left, 2 => up, 3 => (left + up) / 2, 4 => Paeth(left, up, corner), _ => 0 });
                pixels[i % 3, y, i / 3] = line[i] / 255f;
            }

            (line, above) = (above, line);
        }

        return new(pixels);
    }

    private static int Paeth(int left, int up, int corner)
    {
        var (a, b, c) = (Math.Abs(up - corner), Math.Abs(left - corner), Math.Abs(left + up - 2 * corner));
        return a <= b && a <= c ? left : b <= c ? up : corner;
    }
}
