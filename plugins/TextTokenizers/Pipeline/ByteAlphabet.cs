using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>GPT-2's alphabet: each byte as one visible character, printable ones as themselves, the others from U+0100 on.</summary>
public static class ByteAlphabet
{
    private static readonly char[] Characters = MakeCharacters();
    private static readonly short[] Bytes = MakeBytes();

    /// <summary>The character of a byte.</summary>
    public static char ToCharacter(byte value) => Characters[value];

    /// <summary>The byte of a character, or -1.</summary>
    public static int ToByte(int character) => (uint)character < (uint)Bytes.Length ? Bytes[character] : -1;

    /// <summary>The bytes that a token of this alphabet stands for; false when it has a character outside the alphabet.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> utf8, List<byte> output)
    {
        var count = output.Count;
        for (var i = 0; i < utf8.Length;)
        {
            var value = ToByte(CodePoints.Decode(utf8, i, out var length));
            if (value < 0)
            {
                output.RemoveRange(count, output.Count - count);
                return false;
            }

            output.Add((byte)value);
            i += length;
        }

        return true;
    }

    /// <summary>Bytes in this alphabet.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes)
    {
        var result = new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++) result[i] = Characters[bytes[i]];
        return new(result);
    }

    internal static AlignedText Encode(AlignedText text)
    {
        var changes = new List<Change>(text.Length);
        foreach (var b in text.Bytes) changes.Add(new(Characters[b], (b & 0xC0) == 0x80 ? 1 : 0));
        return text.Transform(changes);
    }

    private static char[] MakeCharacters()
    {
        var result = new char[256];
        var next = 256;
        for (var b = 0; b < 256; b++) result[b] = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)b : (char)next++;
        return result;
    }

    private static short[] MakeBytes()
    {
        var result = new short[512];
        Array.Fill(result, (short)-1);
        for (var b = 0; b < 256; b++) result[Characters[b]] = (short)b;
        return result;
    }
}
