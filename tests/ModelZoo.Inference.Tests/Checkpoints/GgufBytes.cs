using System.Text;

namespace ModelZoo.Inference.Tests.Checkpoints;

/// <summary>Writes small GGUF files.</summary>
internal static class GgufBytes
{
    public static byte[] Make((string Key, uint Type, object Value)[] values, params (string Name, uint Kind, long[] InnermostFirst, byte[] Data)[] tensors) => Make(values, 0, tensors);

    public static byte[] Make((string Key, uint Type, object Value)[] values, long firstOffset, params (string Name, uint Kind, long[] InnermostFirst, byte[] Data)[] tensors)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write("GGUF"u8);
        writer.Write(3);
        writer.Write((long)tensors.Length);
        writer.Write((long)values.Length);
        foreach (var (key, type, value) in values)
        {
            Text(writer, key);
            writer.Write(type);
            Write(writer, value);
        }

        var offset = firstOffset;
        foreach (var (name, kind, shape, data) in tensors)
        {
            Text(writer, name);
            writer.Write(shape.Length);
            foreach (var extent in shape) writer.Write(extent);
            writer.Write(kind);
            writer.Write(offset);
            offset += (data.Length + 31) / 32 * 32;
        }

        foreach (var (_, _, _, data) in tensors)
        {
            while (stream.Length % 32 != 0) writer.Write((byte)0);
            writer.Write(data);
        }

        return stream.ToArray();
    }

    /// <summary>A block of a quantised kind with random codes and scales, and the numbers that it stands for.</summary>
    public static (byte[] Packed, float[] Numbers) Block(uint kind, int size, Random random)
    {
        var (scale, minimum) = ((Half)random.NextSingle(), (Half)(random.NextSingle() - 0.5f));
        var numbers = new float[size];
        // Bytes of scales at the ends, then a bit for each bit of a code: (first byte, bit within it).
        byte[] packed;
        void Set(int at, int bit, int value) => packed[at] |= (byte)(value << bit);
        switch (kind)
        {
            case 8:
                packed = [.. BitConverter.GetBytes(scale), .. new byte[32]];
                for (var i = 0; i < size; i++) numbers[i] = (float)scale * (sbyte)(packed[2 + i] = (byte)random.Next(256));
                return (packed, numbers);
            case 2 or 3 or 6 or 7:
                var (hasMinimum, hasFifth) = (kind is 3 or 7, kind is 6 or 7);
                var codes = 2 + (hasMinimum ? 2 : 0) + (hasFifth ? 4 : 0);
                packed = [.. BitConverter.GetBytes(scale), .. hasMinimum ? BitConverter.GetBytes(minimum) : [], .. new byte[codes - (hasMinimum ? 4 : 2) + 16]];
                for (var i = 0; i < size; i++)
                {
                    var code = random.Next(hasFifth ? 32 : 16);
                    Set(codes + (i < 16 ? i : i - 16), i < 16 ? 0 : 4, code & 15);
                    if (hasFifth) Set(codes - 4 + i / 8, i % 8, code >> 4);
                    numbers[i] = (float)scale * code + (hasMinimum ? (float)minimum : (float)scale * (hasFifth ? -16 : -8));
                }

                return (packed, numbers);
            case 10:
                packed = [.. new byte[80], .. BitConverter.GetBytes(scale), .. BitConverter.GetBytes(minimum)];
                for (var i = 0; i < size; i++)
                {
                    if (i % 16 == 0) packed[i / 16] = (byte)random.Next(256);
                    numbers[i] = (float)scale * (packed[i / 16] % 16) * TwoBits(16, i) - (float)minimum * (packed[i / 16] / 16);
                }

                return (packed, numbers);
            case 11:
                packed = [.. new byte[108], .. BitConverter.GetBytes(scale)];
                for (var (i, step) = (0, 0); i < size; i++)
                {
                    if (i % 16 == 0)
                    {
                        // Sixteen scales: four at a time go down the bits of the last four bytes.
                        step = random.Next(64);
                        Set(96 + i / 16 % 8, i < 128 ? 0 : 4, step % 16);
                        Set(104 + i / 16 % 4, i / 64 * 2, step / 16);
                    }

                    var third = random.Next(2);
                    Set(i % 32, i / 32, third);
                    numbers[i] = (float)scale * (step - 32) * (TwoBits(32, i) - (third == 0 ? 4 : 0));
                }

                return (packed, numbers);
            case 20:
                packed = [.. BitConverter.GetBytes(scale), .. new byte[16]];
                Leveled(2, 0, (float)scale);
                return (packed, numbers);
            case 23:
                packed = [.. BitConverter.GetBytes(scale), .. new byte[134]];
                var (lower, upper) = (0u, 0);
                for (var part = 0; part < 8; part++)
                {
                    var step = random.Next(64);
                    (lower, upper) = (lower | (uint)(step & 15) << (4 * part), upper | step >> 4 << (2 * part));
                    Leveled(8 + 16 * part, 32 * part, (float)scale * (step - 32));
                }

                BitConverter.GetBytes((ushort)upper).CopyTo(packed, 2);
                BitConverter.GetBytes(lower).CopyTo(packed, 4);
                return (packed, numbers);
            case 12 or 13:
                var first = kind == 12 ? 16 : 48;
                packed = [.. BitConverter.GetBytes(scale), .. BitConverter.GetBytes(minimum), .. new byte[first - 4 + 128]];
                for (var part = 0; part < 8; part++)
                {
                    var (step, least) = (random.Next(64), random.Next(64));
                    if (part < 4)
                    {
                        Set(4 + part, 0, step);
                        Set(8 + part, 0, least);
                    }
                    else
                    {
                        Set(8 + part, 0, step & 15);
                        Set(8 + part, 4, least & 15);
                        Set(part, 6, step >> 4);
                        Set(4 + part, 6, least >> 4);
                    }

                    for (var i = 0; i < 32; i++)
                    {
                        var code = random.Next(kind == 12 ? 16 : 32);
                        Set(first + part / 2 * 32 + i, part % 2 == 0 ? 0 : 4, code & 15);
                        if (kind == 13) Set(16 + i, part, code >> 4);
                        numbers[part * 32 + i] = (float)scale * step * code - (float)minimum * least;
                    }
                }

                return (packed, numbers);
            default:
                packed = [.. new byte[208], .. BitConverter.GetBytes(scale)];
                for (var part = 0; part < 16; part++) packed[192 + part] = (byte)random.Next(256);
                for (var i = 0; i < size; i++)
                {
                    var (code, within) = (random.Next(64), i % 128);
                    // Quarters of each half: lower bits in bytes 0..31, 32..63, then again above those.
                    Set(i / 128 * 64 + within % 64, within < 64 ? 0 : 4, code & 15);
                    Set(128 + i / 128 * 32 + i % 32, within / 32 * 2, code >> 4);
                    numbers[i] = (float)scale * (sbyte)packed[192 + i / 16] * (code - 32);
                }

                return (packed, numbers);
        }

        // The code of number i: numbers 32 apart share a byte, 128 of them 32 bytes.
        int TwoBits(int at, int i)
        {
            var code = random.Next(4);
            Set(at + i / 128 * 32 + i % 32, i % 128 / 32 * 2, code);
            return code;
        }

        // 32 numbers of the non-linear levels: byte i has numbers i and 16 + i.
        void Leveled(int at, int first, float step)
        {
            sbyte[] levels = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
            for (var i = 0; i < 16; i++)
            {
                var (low, high) = (random.Next(16), random.Next(16));
                packed[at + i] = (byte)(16 * high + low);
                (numbers[first + i], numbers[first + 16 + i]) = (step * levels[low], step * levels[high]);
            }
        }
    }

    private static void Write(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case string text: Text(writer, text); break;
            case uint number: writer.Write(number); break;
            case float number: writer.Write(number); break;
            case bool flag: writer.Write(flag); break;
            case string[] texts:
                writer.Write(8);
                writer.Write((long)texts.Length);
                foreach (var text in texts) Text(writer, text);
                break;
            case object[] list:
                writer.Write(list[0] is object[] ? 9 : 4);
                writer.Write((long)list.Length);
                foreach (var item in list) Write(writer, item);
                break;
            default: throw new ArgumentException($"{value}");
        }
    }

    private static void Text(BinaryWriter writer, string text)
    {
        writer.Write((long)Encoding.UTF8.GetByteCount(text));
        writer.Write(Encoding.UTF8.GetBytes(text));
    }
}
