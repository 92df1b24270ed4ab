using System.Buffers.Binary;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Media;

/// <summary>How samples are stored in a WAV file.</summary>
internal enum WavEncoding
{
    /// <summary>Unsigned 8-bit.</summary>
    Int8,
    /// <summary>Signed 16-bit.</summary>
    Int16,
    /// <summary>Signed 24-bit.</summary>
    Int24,
    /// <summary>Signed 32-bit.</summary>
    Int32,
    /// <summary>32-bit IEEE 754.</summary>
    Float32,
    /// <summary>64-bit IEEE 754.</summary>
    Float64,
    /// <summary>G.711 A-law.</summary>
    ALaw,
    /// <summary>G.711 mu-law.</summary>
    MuLaw,
}

/// <summary>WAV (RIFF) files: integers of 8 to 32 bits, floats, A-law and mu-law; any rate and number of channels; plain and extensible headers.</summary>
internal static class WavFile
{
    private const int MaxChannels = 256;
    private const int MaxRate = 1 << 24;

    /// <summary>Reads a file. Integers are divided by half their range, as most tools do: 16-bit -32768 is -1.</summary>
    /// <exception cref="MediaException">It is truncated, empty or makes no sense; the message says which.</exception>
    public static Audio Read(ReadOnlySpan<byte> file, string where)
    {
        if (file.Length == 0) throw Malformed("The file is empty.", where);
        if (file.Length < 12 || !file[..4].SequenceEqual("RIFF"u8) || !file[8..12].SequenceEqual("WAVE"u8))
            throw Malformed("This is not a WAV file.", where, "RIFF....WAVE at its start");

        (WavEncoding Encoding, int Channels, int Rate)? format = null;
        for (var at = 12; at + 8 <= file.Length;)
        {
            var id = file.Slice(at, 4);
            var claimed = BinaryPrimitives.ReadUInt32LittleEndian(file[(at + 4)..]);
            at += 8;
            var size = (int)Math.Min(claimed, (uint)(file.Length - at));
            if (id.SequenceEqual("fmt "u8))
            {
                format = Format(file.Slice(at, size), where);
            }
            else if (id.SequenceEqual("data"u8))
            {
                var (encoding, channels, rate) = format ?? throw Malformed("The WAV file has data before its format.", where);
                // Writers that stream leave the length open; then the data go on to the end.
                if (claimed > size && claimed is not (uint.MaxValue or 0x7FFFFFFF or 0x80000000))
                    throw Malformed("The WAV file is truncated.", where, $"{claimed} bytes of samples", $"{size} bytes");
                return new(Samples(file.Slice(at, size), encoding, channels, where), rate);
            }

            at += size + (size & 1);
        }

        throw Malformed(format is null ? "The WAV file has no format." : "The WAV file has no samples.", where);
    }

    /// <summary>Writes sound; what is outside of -1..1 is clipped in integer formats.</summary>
    public static void Write(Stream output, Audio audio, WavEncoding encoding = WavEncoding.Int16)
    {
        var (bytes, isFloat) = (Bytes(encoding), encoding is WavEncoding.Float32 or WavEncoding.Float64);
        var frame = audio.Channels * bytes;
        var length = checked((uint)(audio.Length * (long)frame));
        Span<byte> header = stackalloc byte[44];
        "RIFF"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], checked(36 + length + (length & 1)));
        "WAVEfmt "u8.CopyTo(header[8..]);
        BinaryPrimitives.WriteInt32LittleEndian(header[16..], 16);
        BinaryPrimitives.WriteInt16LittleEndian(header[20..], (short)(isFloat ? 3 : encoding == WavEncoding.ALaw ? 6 : encoding == WavEncoding.MuLaw ? 7 : 1));
        BinaryPrimitives.WriteInt16LittleEndian(header[22..], (short)audio.Channels);
        BinaryPrimitives.WriteInt32LittleEndian(header[24..], audio.SampleRate);
        BinaryPrimitives.WriteInt32LittleEndian(header[28..], audio.SampleRate * frame);
        BinaryPrimitives.WriteInt16LittleEndian(header[32..], (short)frame);
        BinaryPrimitives.WriteInt16LittleEndian(header[34..], (short)(8 * bytes));
        "data"u8.CopyTo(header[36..]);
        BinaryPrimitives.WriteUInt32LittleEndian(header[40..], length);
        output.Write(header);

        var samples = audio.Samples.Span;
        var buffer = new byte[frame];
        for (var i = 0; i < audio.Length; i++)
        {
            for (var channel = 0; channel < audio.Channels; channel++) Encode(samples[channel * audio.Length + i], encoding, buffer.AsSpan(channel * bytes));
            output.Write(buffer);
        }

        if ((length & 1) != 0) output.WriteByte(0);
    }

    private static (WavEncoding, int, int) Format(ReadOnlySpan<byte> chunk, string where)
    {
        if (chunk.Length < 16) throw Malformed("The WAV file's format is truncated.", where, "16 bytes", $"{chunk.Length} bytes");
        var tag = BinaryPrimitives.ReadUInt16LittleEndian(chunk);
        var channels = BinaryPrimitives.ReadUInt16LittleEndian(chunk[2..]);
        var rate = BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]);
        var bits = BinaryPrimitives.ReadUInt16LittleEndian(chunk[14..]);
        if (tag == 0xFFFE && chunk.Length >= 26) tag = BinaryPrimitives.ReadUInt16LittleEndian(chunk[24..]); // extensible: the sub-format begins with the tag
        if (channels is 0 or > MaxChannels) throw Malformed("The WAV file's number of channels makes no sense.", where, $"1..{MaxChannels}", $"{channels}");
        if (rate is 0 or > MaxRate) throw Malformed("The WAV file's sample rate makes no sense.", where, $"1..{MaxRate}", $"{rate}");
        WavEncoding encoding = (tag, bits) switch
        {
            (1, 8) => WavEncoding.Int8,
            (1, 16) => WavEncoding.Int16,
            (1, 24) => WavEncoding.Int24,
            (1, 32) => WavEncoding.Int32,
            (3, 32) => WavEncoding.Float32,
            (3, 64) => WavEncoding.Float64,
            (6, 8) => WavEncoding.ALaw,
            (7, 8) => WavEncoding.MuLaw,
            _ => throw new MediaException(ErrorCodes.MediaUnsupported, "This kind of WAV file is not read.")
            { Where = where, Expected = "PCM of 8, 16, 24 or 32 bits, float of 32 or 64, A-law or mu-law", Found = $"format {tag} with {bits} bits", Remedy = "Convert it: ffmpeg -i IN -c:a pcm_s16le OUT.wav" },
        };
        return (encoding, channels, (int)rate);
    }

    private static Tensor<float> Samples(ReadOnlySpan<byte> data, WavEncoding encoding, int channels, string where)
    {
        var bytes = Bytes(encoding);
        if (data.Length == 0) throw Malformed("The WAV file has no samples.", where);
        if (data.Length % (bytes * channels) != 0) throw Malformed("The WAV file ends within a sample.", where, $"a multiple of {bytes * channels} bytes", $"{data.Length} bytes");
        var length = data.Length / (bytes * channels);
        var samples = new float[channels * length];
        for (var i = 0; i < length; i++)
        {
            for (var channel = 0; channel < channels; channel++)
            {
                var value = Decode(data[((i * channels + channel) * bytes)..], encoding);
                if (!float.IsFinite(value)) throw Malformed("The WAV file has a sample that is no number.", where, null, $"{value} at sample {i}");
                samples[channel * length + i] = value;
            }
        }

        return Tensor.Create(samples, channels, length);
    }

    private static int Bytes(WavEncoding encoding) => encoding switch
    {
        WavEncoding.Int16 => 2,
        WavEncoding.Int24 => 3,
        WavEncoding.Int32 or WavEncoding.Float32 => 4,
        WavEncoding.Float64 => 8,
        _ => 1,
    };

    private static float Decode(ReadOnlySpan<byte> at, WavEncoding encoding) => encoding switch
    {
        WavEncoding.Int8 => (at[0] - 128) / 128f,
        WavEncoding.Int16 => BinaryPrimitives.ReadInt16LittleEndian(at) / 32768f,
        WavEncoding.Int24 => ((at[0] << 8 | at[1] << 16 | at[2] << 24) >> 8) / 8388608f,
        WavEncoding.Int32 => (float)(BinaryPrimitives.ReadInt32LittleEndian(at) / 2147483648.0),
        WavEncoding.Float32 => BinaryPrimitives.ReadSingleLittleEndian(at),
        WavEncoding.Float64 => (float)BinaryPrimitives.ReadDoubleLittleEndian(at),
        WavEncoding.ALaw => G711.ALaw(at[0]) / 32768f,
        _ => G711.MuLaw(at[0]) / 32768f,
    };

    private static void Encode(float value, WavEncoding encoding, Span<byte> at)
    {
        switch (encoding)
        {
            case WavEncoding.Int8:
                at[0] = (byte)(Scaled(value, 128) + 128);
                break;
            case WavEncoding.Int16:
                BinaryPrimitives.WriteInt16LittleEndian(at, (short)Scaled(value, 32768));
                break;
            case WavEncoding.Int24:
                var wide = Scaled(value, 8388608);
                (at[0], at[1], at[2]) = ((byte)wide, (byte)(wide >> 8), (byte)(wide >> 16));
                break;
            case WavEncoding.Int32:
                BinaryPrimitives.WriteInt32LittleEndian(at, Scaled(value, 2147483648.0));
                break;
            case WavEncoding.Float32:
                BinaryPrimitives.WriteSingleLittleEndian(at, value);
                break;
            case WavEncoding.Float64:
                BinaryPrimitives.WriteDoubleLittleEndian(at, value);
                break;
            default:
                throw new ArgumentException($"{encoding} is read, not written.", nameof(encoding));
        }
    }

    private static int Scaled(double value, double half) => (int)Math.Clamp(Math.Round(value * half), -half, half - 1);

    private static MediaException Malformed(string what, string where, string? expected = null, string? found = null) =>
        new(ErrorCodes.MediaMalformed, what) { Where = where, Expected = expected, Found = found };
}

/// <summary>Logarithmic samples of telephony (ITU-T G.711), as 16-bit numbers.</summary>
internal static class G711
{
    /// <summary>Decodes an A-law byte.</summary>
    public static int ALaw(byte code)
    {
        var bits = code ^ 0x55;
        var (exponent, mantissa) = (bits >> 4 & 7, bits & 15);
        var magnitude = exponent == 0 ? (mantissa << 4) + 8 : ((mantissa << 4) + 0x108) << (exponent - 1);
        return (bits & 0x80) != 0 ? magnitude : -magnitude;
    }

    /// <summary>Decodes a mu-law byte.</summary>
    public static int MuLaw(byte code)
    {
        var bits = ~code & 0xFF;
        var magnitude = (((bits & 15) << 3) + 0x84 << (bits >> 4 & 7)) - 0x84;
        return (bits & 0x80) != 0 ? -magnitude : magnitude;
    }
}
