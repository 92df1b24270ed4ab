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
    private readonly SearchValues<byte> _plain; // what stays as it is when it stands before ASCII; no space among it
    private readonly bool _spaceIsPlain;

    /// <exception cref="FormatException">The rules break their format.</exception>
    public SentencePieceNormalizer(SentencePieceRules rules, bool spaceIsSuffix, ByteTrie symbols)
    {
        (_rules, _spaceIsSuffix, _symbols) = (rules, spaceIsSuffix, symbols);
        if (rules.CharacterMap.Length > 0) _map = new(rules.CharacterMap);
        _plain = SearchValues.Create([.. Enumerable.Range(0, 0x80).Select(value => (byte)value).Where(value => value != ' ' && IsPlain(value))]);
        _spaceIsPlain = IsPlain((byte)' ');
    }

    private ReadOnlySpan<byte> Space => _rules.EscapeWhitespaces ? SentencePieceVocabulary.Space : " "u8;

    /// <summary>The normalized text, and for each of its bytes and for its end the place in the input; to be disposed.</summary>
    public NormalizedText Normalize(ReadOnlySpan<byte> input)
    {
        var result = new NormalizedText { KeepsOrigins = true };
        Normalize(input, result);
        return result;
    }

    /// <summary>Writes the normalized text over <paramref name="result"/>.</summary>
    public void Normalize(ReadOnlySpan<byte> input, NormalizedText result)
    {
        result.Clear();
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
            return;
        }

        if (!_spaceIsSuffix && _rules.AddDummyPrefix) result.Append(Space, consumed);
        var afterSpace = _rules.RemoveExtraWhitespaces;
        while (consumed < input.Length)
        {
            var plain = PlainLength(input[consumed..]);
            if (plain > 0)
            {
                result.AppendEach(input.Slice(consumed, plain), consumed);
                consumed += plain;
                afterSpace = false;
                continue;
            }

            var prefix = Prefix(input[consumed..], out var length);
            if (afterSpace) prefix = prefix.TrimStart((byte)' ');
            if (!prefix.IsEmpty)
            {
                AppendEscaped(prefix, consumed, result);
                afterSpace = _rules.RemoveExtraWhitespaces && prefix[^1] == ' ';
            }

            consumed += length;
        }

        if (_rules.RemoveExtraWhitespaces)
        {
            while (result.Bytes.EndsWith(Space)) consumed = result.RemoveLast(Space.Length);
        }

        if (_spaceIsSuffix && _rules.AddDummyPrefix) result.Append(Space, consumed);
        result.Finish(consumed);
    }

    private void AppendEscaped(ReadOnlySpan<byte> text, int origin, NormalizedText result)
    {
        while (text.IndexOf((byte)' ') is >= 0 and var at)
        {
            result.Append(text[..at], origin);
            result.Append(Space, origin);
            text = text[(at + 1)..];
        }

        result.Append(text, origin);
    }

    // How many bytes at the start surely stay as they are. A rule may join a letter with the mark behind it.
    private int PlainLength(ReadOnlySpan<byte> input)
    {
        var length = input.IndexOfAnyExcept(_plain);
        if (length < 0) return input.Length;
        return length > 0 && input[length] >= 0x80 ? length - 1 : length;
    }

    private bool IsPlain(byte value) => _symbols.Child(ByteTrie.Root, value) == 0 && _map?.ChangesAscii(value) != true;

    // What stands at the start of the text, normalized, and how much of the text that is.
    private ReadOnlySpan<byte> Prefix(ReadOnlySpan<byte> input, out int length)
    {
        length = 1;
        if (_spaceIsPlain && input[0] == ' ' && (input.Length == 1 || input[1] < 0x80)) return input[..1];
        length = _symbols.Longest(input, out _);
        if (length > 0) return input[..length];
        if (_map is not null && _map.TryLongest(input, out length, out var replacement)) return replacement;
        if (Rune.DecodeFromUtf8(input, out _, out length) == OperationStatus.Done) return input[..length];
        length = 1;
        return "\uFFFD"u8;
    }
}

/// <summary>A normalized text with the place in the input of each byte, if that is wanted. In rented arrays; disposed, it is empty and can be used again.</summary>
internal sealed class NormalizedText : IDisposable
{
    private const int Padding = 16; // readable behind the text, for loading vectors

    private byte[] _bytes = [];
    private int[] _origins = [];
    private int _count;

    /// <summary>Whether places are kept.</summary>
    public bool KeepsOrigins { get; init; }

    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _count);

    /// <summary>Place in the input of a byte, or of the end.</summary>
    public int Origin(int index) => _origins[index];

    public void Clear() => _count = 0;

    /// <summary>Adds bytes that all come from one place.</summary>
    public void Append(ReadOnlySpan<byte> values, int origin)
    {
        if (values.IsEmpty) return;
        Grow(values.Length);
        values.CopyTo(_bytes.AsSpan(_count));
        if (KeepsOrigins) _origins.AsSpan(_count, values.Length).Fill(origin);
        _count += values.Length;
    }

    /// <summary>Adds bytes that come from one place after the other.</summary>
    public void AppendEach(ReadOnlySpan<byte> values, int origin)
    {
        Grow(values.Length);
        values.CopyTo(_bytes.AsSpan(_count));
        for (var i = 0; KeepsOrigins && i < values.Length; i++) _origins[_count + i] = origin + i;
        _count += values.Length;
    }

    /// <summary>Drops the last bytes; gives the place in the input of the first of them.</summary>
    public int RemoveLast(int length)
    {
        _count -= length;
        return KeepsOrigins ? _origins[_count] : 0;
    }

    /// <summary>Notes the place in the input of the end.</summary>
    public void Finish(int origin)
    {
        Grow(0);
        if (KeepsOrigins) _origins[_count] = origin;
    }

    public void Dispose()
    {
        Clear();
        Replace(ref _bytes, [], 0);
        Replace(ref _origins, [], 0);
    }

    private void Grow(int more)
    {
        var length = Math.Max(_bytes.Length * 2, _count + more + Padding);
        if (_count + more + Padding > _bytes.Length) Replace(ref _bytes, ArrayPool<byte>.Shared.Rent(length), _count);
        if (KeepsOrigins && _count + more >= _origins.Length) Replace(ref _origins, ArrayPool<int>.Shared.Rent(length), _count);
    }

    private static void Replace<T>(ref T[] array, T[] larger, int count)
    {
        array.AsSpan(0, count).CopyTo(larger);
        if (array.Length > 0) ArrayPool<T>.Shared.Return(array);
        array = larger;
    }
}
