using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>
/// A stretch of text on its way through normalization: UTF-8 bytes, and for each byte the range of the original text (in bytes) that it came from.
/// Immutable; slices share their buffers.
/// </summary>
internal sealed class AlignedText
{
    private readonly byte[] _bytes;
    private readonly (int Start, int End)[]? _alignment; // null while the text is the original itself, byte for byte
    private readonly int _offset;
    private readonly int _base; // position in the original of _bytes[0], while there is no alignment
    private readonly long _limit; // bytes that the changes of a sound tokenizer stay below

    private AlignedText(byte[] bytes, (int, int)[]? alignment, int offset, int length, int originalStart, int start, long limit)
    {
        (_bytes, _alignment, _offset, Length, OriginalStart, _base, _limit) = (bytes, alignment, offset, length, originalStart, start, limit);
    }

    /// <summary>A text that is not yet changed.</summary>
    public static AlignedText Of(byte[] utf8) => new(utf8, null, 0, utf8.Length, 0, 0, Limit(utf8.Length));

    /// <summary>Number of bytes.</summary>
    public int Length { get; }

    /// <summary>Where in the original this stretch starts.</summary>
    public int OriginalStart { get; }

    /// <summary>The bytes.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(_offset, Length);

    /// <summary>The bytes, to keep.</summary>
    public ReadOnlyMemory<byte> Memory => _bytes.AsMemory(_offset, Length);

    /// <summary>The text as a string.</summary>
    public override string ToString() => Encoding.UTF8.GetString(Bytes);

    /// <summary>The range of the original that byte <paramref name="index"/> came from.</summary>
    public (int Start, int End) AlignmentAt(int index)
    {
        if (_alignment is not null) return _alignment[_offset + index];
        var at = _offset + index;
        while ((_bytes[at] & 0xC0) == 0x80) at--;
        return (_base + at, _base + at + CodePoints.Utf8Length(_bytes[at]));
    }

    /// <summary>The range of the original that a range of this stretch came from. Like the reference, an empty range keeps its distance from the start, and one that leaves the text counts from the original's own start.</summary>
    public (int Start, int End) ToOriginal(int start, int end)
    {
        if (start == end) return (OriginalStart + start, OriginalStart + end);
        return start > end || end > Length ? (start, end) : (AlignmentAt(start).Start, AlignmentAt(end - 1).End);
    }

    /// <summary>Part of this stretch. As in the reference, even the whole starts in the original where its first byte came from: what was dropped before it is dropped for good.</summary>
    public AlignedText Slice(int start, int end)
    {
        if (start == 0 && end == Length && (Length == 0 || AlignmentAt(0).Start == OriginalStart)) return this;
        var originalStart = start < end ? AlignmentAt(start).Start : OriginalStart + start;
        return new(_bytes, _alignment, _offset + start, end - start, originalStart, _base, _limit);
    }

    /// <summary>The text without its ends, at the same place of the original.</summary>
    public AlignedText Strip(int start, int end) => new(_bytes, _alignment, _offset + start, end - start, OriginalStart, _base, _limit);

    /// <summary>The code points.</summary>
    public List<int> ToCodePoints()
    {
        var result = new List<int>(Length);
        var bytes = Bytes;
        for (var i = 0; i < bytes.Length;)
        {
            result.Add(CodePoints.Decode(bytes, i, out var length));
            i += length;
        }

        return result;
    }

    /// <summary>True when all bytes are ASCII.</summary>
    public bool IsAscii => Ascii.IsValid(Bytes);

    /// <summary>The text that <paramref name="changes"/> make of this one, after its first <paramref name="removed"/> code points are dropped.</summary>
    public AlignedText Transform(IReadOnlyList<Change> changes, int removed = 0)
    {
        var result = new Builder(this, changes.Count + 8);
        var bytes = Bytes;
        var offset = 0;
        Skip(bytes, ref offset, removed);
        foreach (var (codePoint, delta) in changes)
        {
            var alignment = delta > 0 ? result.Before(offset) : offset < Length ? AlignmentAt(offset) : result.Before(offset);
            result.Append(codePoint, alignment);
            if (delta <= 0) Skip(bytes, ref offset, 1 - delta);
        }

        return result.ToText();
    }

    /// <summary>The text with <paramref name="prefix"/> in front, which shares the origin of the first code point.</summary>
    public AlignedText Prepend(ReadOnlySpan<byte> prefix)
    {
        if (Length == 0) return this;
        var result = new Builder(this, Length + prefix.Length);
        result.Append(prefix, AlignmentAt(0));
        result.Copy(0, Length);
        return result.ToText();
    }

    /// <summary>The text with each of <paramref name="matches"/> replaced; what is put in shares the origin of the match's last byte.</summary>
    public AlignedText Replace(IReadOnlyList<TextMatch> matches, ReadOnlySpan<byte> content)
    {
        var result = new Builder(this, Length + 16);
        var changed = false;
        foreach (var (start, end, isMatch) in matches)
        {
            if (isMatch) result.Append(content, result.Before(end));
            else result.Copy(start, end);
            changed |= isMatch;
        }

        return changed ? result.ToText() : this;
    }

    /// <summary>The text without the code points that <paramref name="keep"/> refuses.</summary>
    public AlignedText Filter(Func<int, bool> keep) => Filter(keep, c => c);

    /// <summary>The text without the code points that <paramref name="keep"/> refuses, the others mapped.</summary>
    public AlignedText Filter(Func<int, bool> keep, Func<int, int> map)
    {
        var result = new Builder(this, Length);
        var bytes = Bytes;
        var changed = false;
        for (var i = 0; i < bytes.Length;)
        {
            var c = CodePoints.Decode(bytes, i, out var length);
            if (!keep(c))
            {
                changed = true;
            }
            else
            {
                var mapped = map(c);
                changed |= mapped != c;
                result.Append(mapped, AlignmentAt(i));
            }

            i += length;
        }

        return changed ? result.ToText() : this;
    }

    /// <summary>The longest that a text of so many bytes may become: replacements that feed each other would fill the memory.</summary>
    public static long Limit(int length) => (1 << 20) + 64L * length;

    /// <summary>Refuses what has grown beyond its limit.</summary>
    /// <exception cref="MediaException">It has.</exception>
    public static void ExpectWithin(long length, long limit)
    {
        if (length > limit) throw new MediaException("text.replacements-overrun", "The tokenizer's replacements make the text longer without end.") { Expected = $"at most {limit} bytes", Found = $"{length}", Remedy = "The file is at fault: its replacements feed each other." };
    }

    private static void Skip(ReadOnlySpan<byte> bytes, ref int offset, int count)
    {
        for (; count > 0 && offset < bytes.Length; count--) offset += CodePoints.Utf8Length(bytes[offset]);
    }

    /// <summary>Collects a changed text.</summary>
    private sealed class Builder(AlignedText source, int capacity)
    {
        private byte[] _bytes = new byte[capacity];
        private (int, int)[] _alignment = new (int, int)[capacity];
        private int _count;

        /// <summary>The origin of what is put in at <paramref name="offset"/>: that of the byte before.</summary>
        public (int, int) Before(int offset) => offset < 1 ? (source.OriginalStart, source.OriginalStart) : source.AlignmentAt(offset - 1);

        public void Append(int codePoint, (int, int) alignment)
        {
            Grow(4);
            var length = new Rune(codePoint).EncodeToUtf8(_bytes.AsSpan(_count));
            _alignment.AsSpan(_count, length).Fill(alignment);
            _count += length;
        }

        public void Append(ReadOnlySpan<byte> content, (int, int) alignment)
        {
            Grow(content.Length);
            content.CopyTo(_bytes.AsSpan(_count));
            _alignment.AsSpan(_count, content.Length).Fill(alignment);
            _count += content.Length;
        }

        public void Copy(int start, int end)
        {
            Grow(end - start);
            source.Bytes[start..end].CopyTo(_bytes.AsSpan(_count));
            if (source._alignment is not null) source._alignment.AsSpan(source._offset + start, end - start).CopyTo(_alignment.AsSpan(_count));
            else for (var i = start; i < end; i++) _alignment[_count + i - start] = source.AlignmentAt(i);
            _count += end - start;
        }

        public AlignedText ToText() => new(_bytes, _alignment, 0, _count, source.OriginalStart, 0, source._limit);

        private void Grow(int more)
        {
            if (_count + more <= _bytes.Length) return;
            ExpectWithin((long)_count + more, source._limit);
            var size = Math.Max(_count + more, _bytes.Length * 2);
            Array.Resize(ref _bytes, size);
            Array.Resize(ref _alignment, size);
        }
    }
}
