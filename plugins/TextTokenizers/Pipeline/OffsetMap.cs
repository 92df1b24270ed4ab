namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>What offsets count.</summary>
public enum OffsetUnit
{
    /// <summary>Units of UTF-16: positions in a .NET string.</summary>
    Utf16,

    /// <summary>Bytes of UTF-8.</summary>
    Byte,

    /// <summary>Unicode code points.</summary>
    CodePoint,
}

/// <summary>Turns offsets in bytes into another unit; a byte inside a character counts as the character's start.</summary>
internal sealed class OffsetMap
{
    private readonly int[]? _map; // position of the character that holds the byte; null when all units are the same
    private readonly int _length;
    private readonly bool _isBytes;

    public OffsetMap(ReadOnlySpan<byte> utf8, OffsetUnit unit)
    {
        (_length, _isBytes) = (utf8.Length, unit == OffsetUnit.Byte);
        if (unit == OffsetUnit.Byte || System.Text.Ascii.IsValid(utf8)) return;
        _map = new int[utf8.Length];
        var next = 0;
        for (var i = 0; i < utf8.Length; i++)
        {
            var b = utf8[i];
            if ((b & 0xC0) != 0x80)
            {
                _map[i] = next;
                next += unit == OffsetUnit.Utf16 && b >= 0xF0 ? 2 : 1;
            }
            else
            {
                _map[i] = _map[i - 1];
            }
        }

        Total = next;
    }

    private int Total { get; }

    /// <summary>Converts a range. Like the reference, a start beyond the text leaves the range as it is, and an end beyond it (of byte tokens of an affix) counts as two characters from the start.</summary>
    public (int Start, int End) Convert(int start, int end)
    {
        if (_isBytes || start >= _length || start < 0) return (start, end);
        var first = _map is null ? start : _map[start];
        if (end > _length) return (first, first + 2);
        return (first, _map is null ? end : end < _length ? _map[end] : Total);
    }
}
