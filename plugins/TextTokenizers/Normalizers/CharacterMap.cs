using System.Buffers.Binary;

namespace ModelZoo.Plugins.TextTokenizers.Normalizers;

/// <summary>SentencePiece's <c>precompiled_charsmap</c>: a double-array trie (of Darts-clone) from byte strings to offsets into zero-terminated replacements.</summary>
internal sealed class CharacterMap
{
    private readonly uint[] _units;
    private readonly byte[] _replacements;

    /// <exception cref="FormatException">The map breaks its format.</exception>
    public CharacterMap(ReadOnlySpan<byte> blob)
    {
        if (blob.Length < 4) throw new FormatException("the character map is shorter than its header");
        var size = BinaryPrimitives.ReadUInt32LittleEndian(blob);
        if (size >= blob.Length || size % 4 != 0 || size == 0) throw new FormatException("the character map's trie is larger than the map");
        _units = new uint[size / 4];
        for (var i = 0; i < _units.Length; i++) _units[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob[(4 + i * 4)..]);
        _replacements = blob[(4 + (int)size)..].ToArray();
    }

    /// <summary>The rule with the longest left side that starts the text.</summary>
    public bool TryLongest(ReadOnlySpan<byte> text, out int length, out ReadOnlySpan<byte> replacement) => TryFind(text, shortest: false, out length, out replacement);

    /// <summary>The rule with the shortest left side that starts the text.</summary>
    public bool TryShortest(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> replacement) => TryFind(text, shortest: true, out _, out replacement);

    /// <summary>Whether the left side of a rule is this character of ASCII, or starts with it and another of ASCII.</summary>
    public bool ChangesAscii(byte value)
    {
        var node = Offset(_units[0]);
        if (value == 0 || !TryStep(ref node, value, out var ends)) return false;
        for (byte next = 1; next < 0x80 && !ends; next++)
        {
            var child = node;
            ends = TryStep(ref child, next, out _);
        }

        return ends;
    }

    private bool TryFind(ReadOnlySpan<byte> text, bool shortest, out int length, out ReadOnlySpan<byte> replacement)
    {
        length = 0;
        replacement = default;
        var value = -1;
        var node = Offset(_units[0]);
        for (var i = 0; i < text.Length && text[i] != 0 && TryStep(ref node, text[i], out var ends); i++)
        {
            if (!ends) continue;
            if (node >= (uint)_units.Length) break;
            value = (int)(_units[node] & 0x7FFFFFFF);
            length = i + 1;
            if (shortest) break;
        }

        if (value < 0 || value > _replacements.Length) return false;
        var rest = _replacements.AsSpan(value);
        var end = rest.IndexOf((byte)0);
        replacement = end < 0 ? rest : rest[..end];
        return true;
    }

    // To the child of a node, and whether a left side ends there.
    private bool TryStep(ref uint node, byte label, out bool ends)
    {
        node ^= label;
        ends = false;
        if (node >= (uint)_units.Length || (_units[node] & 0x800000FF) != label) return false;
        var unit = _units[node];
        node ^= Offset(unit);
        ends = (unit >> 8 & 1) != 0;
        return true;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & 1u << 9) >> 6);
}
