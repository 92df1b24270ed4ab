using System.Buffers;
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Normalizers;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>SentencePiece's normalization: the longest rule at each place, user-defined symbols left alone, spaces made one and visible; and for each byte where it came from.</summary>
internal sealed class SentencePieceNormalizer
{
    private readonly SentencePieceRules _rules;
    private readonly bool _spaceIsSuffix;
    private readonly CharacterMap? _map;
    private readonly ByteTrie _symbols;

    /// <exception cref="FormatException">The rules break their format.</exception>
    public SentencePieceNormalizer(SentencePieceRules rules, bool spaceIsSuffix, ByteTrie symbols)
    {
        (_rules, _spaceIsSuffix, _symbols) = (rules, spaceIsSuffix, symbols);
        if (rules.CharacterMap.Length > 0) _map = new(rules.CharacterMap);
    }

    private ReadOnlySpan<byte> Space => _rules.EscapeWhitespaces ? "\u2581"u8 : " "u8;

    /// <summary>The normalized text, and for each of its bytes and for its end the place in the input.</summary>
    public NormalizedText Normalize(ReadOnlySpan<byte> input)
    {
        var result = new NormalizedText(input.Length * 3 + 6);
        var consumed = 0;
        if (_rules.RemoveExtraWhitespaces)
        {
            while (consumed < input.Length)
            {
                var prefix = Prefix(input[consumed..], out var length);
                if (!prefix.SequenceEqual(" "u8)) break;
                consumed += length;
            }
        }

        if (consumed == input.Length)
        {
            result.Finish(0);
            return result;
        }

        if (!_spaceIsSuffix && _rules.AddDummyPrefix) result.Append(Space, consumed);
        var afterSpace = _rules.RemoveExtraWhitespaces;
        while (consumed < input.Length)
        {
            var prefix = Prefix(input[consumed..], out var length);
            if (afterSpace) prefix = prefix.TrimStart((byte)' ');
            if (!prefix.IsEmpty)
            {
                foreach (var b in prefix)
                {
                    if (b == ' ') result.Append(Space, consumed);
                    else result.Append(b, consumed);
                }

                afterSpace = prefix[^1] == ' ';
            }

            consumed += length;
            if (!_rules.RemoveExtraWhitespaces) afterSpace = false;
        }

        if (_rules.RemoveExtraWhitespaces)
        {
            while (result.Bytes.EndsWith(Space)) consumed = result.RemoveLast(Space.Length);
        }

        if (_spaceIsSuffix && _rules.AddDummyPrefix) result.Append(Space, consumed);
        result.Finish(consumed);
        return result;
    }

    // What stands at the start of the text, normalized, and how much of the text that is.
    private ReadOnlySpan<byte> Prefix(ReadOnlySpan<byte> input, out int length)
    {
        length = _symbols.Longest(input, out _);
        if (length > 0) return input[..length];
        if (_map is not null && _map.TryLongest(input, out length, out var replacement)) return replacement;
        if (Rune.DecodeFromUtf8(input, out _, out length) == OperationStatus.Done) return input[..length];
        length = 1;
        return "\uFFFD"u8;
    }
}

/// <summary>A normalized text with the place in the input of each byte.</summary>
internal sealed class NormalizedText(int capacity)
{
    private byte[] _bytes = new byte[capacity];
    private int[] _origins = new int[capacity + 1];
    private int _count;

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _count);

    /// <summary>Place in the input of a byte, or of the end.</summary>
    public int Origin(int index) => _origins[index];

    public void Append(byte value, int origin)
    {
        if (_count == _bytes.Length)
        {
            Array.Resize(ref _bytes, _count * 2 + 16);
            Array.Resize(ref _origins, _count * 2 + 17);
        }

        _bytes[_count] = value;
        _origins[_count++] = origin;
    }

    public void Append(ReadOnlySpan<byte> values, int origin)
    {
        foreach (var value in values) Append(value, origin);
    }

    /// <summary>Drops the last bytes; gives the place in the input of the first of them.</summary>
    public int RemoveLast(int length)
    {
        _count -= length;
        return _origins[_count];
    }

    /// <summary>Notes the place in the input of the end.</summary>
    public void Finish(int origin) => _origins[_count] = origin;
}
