using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Regex;

/// <summary>A set of code points: a bit for each of the basic plane, a predicate for the rest.</summary>
internal sealed class CharacterSet
{
    private readonly ulong[] _basic = new ulong[0x10000 / 64];
    private readonly Func<int, bool> _predicate;

    public CharacterSet(Func<int, bool> predicate)
    {
        _predicate = predicate;
        for (var c = 0; c < 0x10000; c++)
        {
            if (predicate(c)) _basic[c >> 6] |= 1UL << c;
        }
    }

    public bool Contains(int c) => c < 0x10000 ? (_basic[c >> 6] >> c & 1) != 0 : _predicate(c);

    /// <summary>Steps over one member at <paramref name="position"/>; false when there is none.</summary>
    public bool Step(ReadOnlySpan<byte> text, ref int position)
    {
        if (position >= text.Length) return false;
        int b = text[position];
        if (b < 0x80)
        {
            if ((_basic[b >> 6] >> b & 1) == 0) return false;
            position++;
            return true;
        }

        if (!Contains(CodePoints.Decode(text, position, out var length))) return false;
        position += length;
        return true;
    }
}
