using System.Buffers.Binary;
using System.IO.Compression;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Media.Tests;

public class PngTests
{
    // A naive encoder of every kind of PNG, with filter and interlacing written out from the specification.
    private static byte[] Encode(int width, int height, int depth, int color, bool interlaced, Func<int, int, int, int> sample, byte[]? palette = null, byte[]? transparent = null)
    {
        var samples = color switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };
        using var pixels = new MemoryStream();
        (int, int, int, int)[] passes = interlaced ? [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)] : [(0, 0, 1, 1)];
        foreach (var (x0, y0, dx, dy) in passes)
        {
            byte[] previous = [];
            var filter = 0;
            for (var y = y0; y < height; y += dy)
            {
                var bits = new List<int>();
                for (var x = x0; x < width; x += dx)
                {
                    for (var s = 0; s < samples; s++)
                        for (var bit = depth - 1; bit >= 0; bit--) bits.Add(sample(x, y, s) >> bit & 1);
                }

                if (bits.Count == 0) continue;
                var row = Enumerable.Range(0, (bits.Count + 7) / 8).Select(i => (byte)Enumerable.Range(0, 8).Sum(b => 8 * i + b < bits.Count ? bits[8 * i + b] << (7 - b) : 0)).ToArray();
                if (previous.Length == 0) previous = new byte[row.Length];
                var step = Math.Max(1, depth * samples / 8);
                pixels.WriteByte((byte)filter);
                for (var i = 0; i < row.Length; i++)
                {
                    int a = i >= step ? row[i - step] : 0, b = previous[i], c = i >= step ? previous[i - step] : 0;
                    var p = a + b - c;
                    var paeth = Math.Abs(p - a) <= Math.Abs(p - b) && Math.Abs(p - a) <= Math.Abs(p - c) ? a : Math.Abs(p - b) <= Math.Abs(p - c) ? b : c;
                    pixels.WriteByte((byte)(row[i] - (filter == 0 ? 0 : filter == 1 ? a : filter == 2 ? b : filter == 3 ? (a + b) / 2 : paeth)));
                }

                previous = row;
                filter = (filter + 1) % 5;
            }
        }

        using var file = new MemoryStream();
        file.Write(PngChunks.Signature);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = ((byte)depth, (byte)color, (byte)(interlaced ? 1 : 0));
        PngChunks.Write(file, "IHDR"u8, header);
        if (palette is not null) PngChunks.Write(file, "PLTE"u8, palette);
        if (transparent is not null) PngChunks.Write(file, "tRNS"u8, transparent);
        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.Fastest, leaveOpen: true)) zlib.Write(pixels.ToArray());
        var data = compressed.ToArray();
        PngChunks.Write(file, "IDAT"u8, data.AsSpan(0, data.Length / 2));
        PngChunks.Write(file, "IDAT"u8, data.AsSpan(data.Length / 2));
        PngChunks.Write(file, "IEND"u8, []);
        return file.ToArray();
    }

    public static TheoryData<int, int, bool> Kinds
    {
        get
        {
            var kinds = new TheoryData<int, int, bool>();
            foreach (var (color, depths) in new (int, int[])[] { (0, [1, 2, 4, 8, 16]), (2, [8, 16]), (4, [8, 16]), (6, [8, 16]) })
                foreach (var depth in depths)
                    foreach (var interlaced in new[] { false, true }) kinds.Add(color, depth, interlaced);
            return kinds;
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Read_EveryColourTypeAndDepth_GivesTheStoredValues(int color, int depth, bool interlaced)
    {
        var maximum = (1 << depth) - 1;
        int Sample(int x, int y, int s) => (x * 31 + y * 57 + s * 101) * 77 & maximum;
        var image = PngReader.Read(Encode(11, 9, depth, color, interlaced, Sample), "x");
        Assert.Equal((11, 9, color switch { 0 => 1, 2 => 3, _ => 4 }), (image.Width, image.Height, image.Channels));
        for (var y = 0; y < 9; y++)
        {
            for (var x = 0; x < 11; x++)
            {
                for (var channel = 0; channel < image.Channels; channel++)
                {
                    var stored = color == 4 ? Sample(x, y, channel < 3 ? 0 : 1) : Sample(x, y, channel);
                    Assert.Equal(stored / (float)maximum, image.Pixels[channel, y, x], 6);
                }
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void Read_PaletteWithTransparency_GivesColours(int depth)
    {
        var image = PngReader.Read(Encode(5, 3, depth, 3, false, (x, _, _) => x % 2, [255, 0, 0, 0, 0, 255], [51]), "x");
        Assert.Equal(4, image.Channels);
        Assert.Equal([1f, 0, 0, 0.2f], Enumerable.Range(0, 4).Select(c => image.Pixels[c, 0, 0]));
        Assert.Equal([0f, 0, 1, 1], Enumerable.Range(0, 4).Select(c => image.Pixels[c, 0, 1]));
    }

    [Fact]
    public void Read_TransparentColour_BecomesAlpha()
    {
        var image = PngReader.Read(Encode(2, 1, 8, 0, false, (x, _, _) => x * 7, transparent: [0, 7]), "x");
        Assert.Equal((1f, 0f), (image.Pixels[3, 0, 0], image.Pixels[3, 0, 1]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    public void Write_ThenRead_IsTheSameWithinHalfAStep(int channels)
    {
        var values = Enumerable.Range(0, channels * 13 * 17).Select(i => (float)(0.5 + 0.5 * Math.Sin(i * 0.37))).ToArray();
        using var stream = new MemoryStream();
        PngWriter.Write(stream, new(Tensor.Create(values, channels, 13, 17)));
        var again = PngReader.Read(stream.ToArray(), "x");
        Assert.True(again.Pixels.Shape.SequenceEqual([channels, 13, 17]));
        for (var i = 0; i < values.Length; i++) Assert.InRange(again.Pixels.Span[i], values[i] - 0.51f / 255, values[i] + 0.51f / 255);
    }

    [Fact]
    public void Read_AbsurdSize_IsRefusedBeforeMemoryIsTaken()
    {
        var file = Encode(4, 4, 8, 0, false, (_, _, _) => 0);
        using var stream = new MemoryStream();
        stream.Write(PngChunks.Signature);
        var header = file[16..29];
        BinaryPrimitives.WriteInt32BigEndian(header, int.MaxValue);
        PngChunks.Write(stream, "IHDR"u8, header);
        stream.Write(file.AsSpan(33));
        Assert.Contains("size makes no sense", Assert.Throws<MediaException>(() => PngReader.Read(stream.ToArray(), "x")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_RandomDamage_NeverCrashes()
    {
        var good = Encode(9, 9, 8, 6, true, (x, y, s) => x * y + s);
        var random = new Random(1);
        for (var round = 0; round < 500; round++)
        {
            var file = good.ToArray();
            file[random.Next(file.Length)] ^= (byte)(1 + random.Next(255));
            try
            {
                PngReader.Read(file.AsSpan(0, random.Next(file.Length + 1)), "x");
            }
            catch (MediaException)
            {
            }
        }
    }
}
