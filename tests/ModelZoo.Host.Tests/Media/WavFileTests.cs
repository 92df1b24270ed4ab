using System.Buffers.Binary;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Media.Tests;

public class WavFileTests
{
    private static Audio Tone(int channels, int length = 100) => new(
        Tensor.Create(Enumerable.Range(0, channels * length).Select(i => (float)Math.Sin(0.1 * i) * 0.9f).ToArray(), channels, length), 22050);

    private static byte[] Bytes(Audio audio, WavEncoding encoding)
    {
        using var stream = new MemoryStream();
        WavFile.Write(stream, audio, encoding);
        return stream.ToArray();
    }

    [Theory]
    [InlineData((int)WavEncoding.Int8, 1, 1 / 128f)]
    [InlineData((int)WavEncoding.Int16, 2, 1 / 32768f)]
    [InlineData((int)WavEncoding.Int24, 1, 1 / 8388608f)]
    [InlineData((int)WavEncoding.Int32, 6, 1e-7f)]
    [InlineData((int)WavEncoding.Float32, 2, 0)]
    [InlineData((int)WavEncoding.Float64, 1, 0)]
    public void Read_WhatWasWritten_IsTheSameWithinHalfAStep(int encoding, int channels, float step)
    {
        var audio = Tone(channels);
        var again = WavFile.Read(Bytes(audio, (WavEncoding)encoding), "x");
        Assert.Equal((22050, channels, 100), (again.SampleRate, again.Channels, again.Length));
        for (var i = 0; i < audio.Samples.Length; i++) Assert.InRange(again.Samples.Span[i] - audio.Samples.Span[i], -step * 0.51f - 1e-9f, step * 0.51f + 1e-9f);
    }

    [Fact]
    public void Read_KnownBytes_GivesKnownSamples()
    {
        // One channel, 8 kHz, 16 bits: -32768, 16384, written by hand.
        byte[] file = [.. "RIFF"u8, 40, 0, 0, 0, .. "WAVEfmt "u8, 16, 0, 0, 0, 1, 0, 1, 0, 0x40, 0x1F, 0, 0, 0x80, 0x3E, 0, 0, 2, 0, 16, 0, .. "data"u8, 4, 0, 0, 0, 0, 0x80, 0, 0x40];
        var audio = WavFile.Read(file, "x");
        Assert.Equal(8000, audio.SampleRate);
        Assert.Equal([-1f, 0.5f], audio.Samples.Span.ToArray());
    }

    // Values of ITU-T G.711, tables 1 and 2, at 16 bits.
    [Theory]
    [InlineData(0xD5, 8)]
    [InlineData(0x55, -8)]
    [InlineData(0xAA, 32256)]
    [InlineData(0x2A, -32256)]
    public void ALaw_TableValues(byte code, int value) => Assert.Equal(value, G711.ALaw(code));

    [Theory]
    [InlineData(0xFF, 0)]
    [InlineData(0x80, 32124)]
    [InlineData(0x00, -32124)]
    [InlineData(0xF0, 120)]
    public void MuLaw_TableValues(byte code, int value) => Assert.Equal(value, G711.MuLaw(code));

    [Fact]
    public void Read_ExtensibleHeaderAndForeignChunks_AreUnderstood()
    {
        var plain = Bytes(Tone(1, 4), WavEncoding.Int16);
        byte[] extensible = [.. plain[..12], .. "LIST"u8, 3, 0, 0, 0, 1, 2, 3, 0, .. "fmt "u8, 40, 0, 0, 0, 0xFE, 0xFF, .. plain[22..36], 22, 0, 16, 0, 4, 0, 0, 0, 1, 0, .. new byte[14], .. plain[36..]];
        Assert.Equal(WavFile.Read(plain, "x").Samples.Span.ToArray(), WavFile.Read(extensible, "x").Samples.Span.ToArray());
    }

    [Fact]
    public void Read_StreamedFileWithOpenLength_ReadsToTheEnd()
    {
        var file = Bytes(Tone(1, 4), WavEncoding.Int16);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(40), uint.MaxValue);
        Assert.Equal(4, WavFile.Read(file, "x").Length);
    }

    [Theory]
    [InlineData("empty", "The file is empty")]
    [InlineData("text", "not a WAV file")]
    [InlineData("truncated", "truncated")]
    [InlineData("zero-length", "no samples")]
    [InlineData("no data", "no samples")]
    [InlineData("half sample", "within a sample")]
    [InlineData("no channels", "number of channels")]
    [InlineData("absurd rate", "sample rate")]
    [InlineData("12 bits", "not read")]
    [InlineData("NaN", "no number")]
    public void Read_BrokenFile_SaysWhatIsWrong(string how, string message)
    {
        var file = Bytes(Tone(1, 4), how == "NaN" ? WavEncoding.Float32 : WavEncoding.Int16);
        switch (how)
        {
            case "empty": file = []; break;
            case "text": file = [.. "hello, this is no sound"u8]; break;
            case "truncated": file = file[..^3]; break;
            case "zero-length": file = file[..44]; file[40] = 0; break;
            case "no data": file = file[..36]; break;
            case "half sample": file[40] = 7; break;
            case "no channels": file[22] = 0; break;
            case "absurd rate": BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(24), 4_000_000_000); break;
            case "12 bits": file[34] = 12; break;
            case "NaN": BinaryPrimitives.WriteSingleLittleEndian(file.AsSpan(48), float.NaN); break;
        }

        var error = Assert.Throws<MediaException>(() => WavFile.Read(file, "voice.wav"));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal("voice.wav", error.Where);
    }

    [Fact]
    public void Read_RandomDamage_NeverCrashes()
    {
        var good = Bytes(Tone(2, 20), WavEncoding.Int24);
        var random = new Random(1);
        for (var round = 0; round < 2000; round++)
        {
            var file = good.ToArray();
            for (var i = 0; i < 4; i++) file[random.Next(file.Length)] = (byte)random.Next(256);
            try
            {
                WavFile.Read(file.AsSpan(0, random.Next(file.Length + 1)), "x");
            }
            catch (MediaException)
            {
            }
        }
    }
}
