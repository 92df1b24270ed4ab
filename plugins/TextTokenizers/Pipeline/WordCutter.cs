using ModelZoo.Plugins.TextTokenizers.PreTokenizers;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>The work of the commonest pre-tokenizers on a normalized word of bytes: at white space, at punctuation, with a mark of the space in front.</summary>
internal sealed class WordCutter
{
    private readonly bool _cutsAtPunctuation;
    private readonly bool _cutsAtSpaces;
    private readonly MetaspacePreTokenizer? _marks;
    private readonly byte[] _mark = [];

    private WordCutter(bool cutsAtSpaces, bool cutsAtPunctuation, MetaspacePreTokenizer? marks)
    {
        (_cutsAtSpaces, _cutsAtPunctuation, _marks) = (cutsAtSpaces, cutsAtPunctuation, marks);
        if (marks is not null) _mark = System.Text.Encoding.UTF8.GetBytes(char.ConvertFromUtf32(marks.Replacement));
    }

    /// <summary>Whether a pre-tokenizer, or none, leaves a text in one piece.</summary>
    public static bool IsUncut(PreTokenizer? preTokenizer) => preTokenizer is null or MetaspacePreTokenizer { SplitAtMark: false };

    /// <summary>The cutter of a pre-tokenizer; null for one of another kind.</summary>
    public static WordCutter? TryMake(PreTokenizer? preTokenizer) => preTokenizer switch
    {
        null => new(false, false, null),
        BertPreTokenizer => new(true, true, null),
        WhitespaceSplitPreTokenizer => new(true, false, null),
        MetaspacePreTokenizer marks => new(false, false, marks),
        SequencePreTokenizer { Items: [WhitespaceSplitPreTokenizer, MetaspacePreTokenizer { SplitAtMark: true } marks] } => new(true, false, marks),
        SequencePreTokenizer { Items: [var only] } => TryMake(only),
        _ => null,
    };

    /// <summary>Appends where each piece ends.</summary>
    /// <param name="text">The word, normalized; a piece that takes a mark is moved up.</param>
    /// <param name="length">Its length, and that of what is made of it.</param>
    /// <param name="isTextStart">Whether the whole text starts with it.</param>
    /// <param name="buffer">Room to work in.</param>
    /// <param name="ends">Where the ends go.</param>
    public void Cut(ref byte[] text, ref int length, bool isTextStart, ref byte[] buffer, List<int> ends)
    {
        if (length == 0) return;
        if (_marks is null && !_cutsAtSpaces)
        {
            ends.Add(length);
            return;
        }

        if (_marks is not null && !_cutsAtSpaces)
        {
            Mark(text.AsSpan(0, length), isTextStart, ref buffer, 0, ends, out length);
            (text, buffer) = (buffer, text);
            return;
        }

        // Pieces are written one after the other, without the spaces between them.
        var written = 0;
        for (var at = 0; at < length;)
        {
            var start = at;
            var isSeparate = false;
            while (at < length)
            {
                var c = text[at] < 0x80 ? text[at] : CodePoints.Decode(text, at, out _);
                if (CodePoints.IsWhiteSpace(c) || (_cutsAtPunctuation && (isSeparate = CodePoints.IsLegacyPunctuation(c)))) break;
                at += CodePoints.Utf8Length(text[at]);
            }

            if (at > start) Put(text.AsSpan(start, at - start), isTextStart && start == 0, ref buffer, ref written, ends);
            if (at == length) break;
            var width = CodePoints.Utf8Length(text[at]);
            if (isSeparate) Put(text.AsSpan(at, width), false, ref buffer, ref written, ends);
            at += width;
        }

        (text, buffer) = (buffer, text);
        length = written;
    }

    private void Put(ReadOnlySpan<byte> piece, bool isTextStart, ref byte[] buffer, ref int written, List<int> ends)
    {
        if (_marks is null)
        {
            Grow(ref buffer, written + piece.Length);
            piece.CopyTo(buffer.AsSpan(written));
            written += piece.Length;
            ends.Add(written);
            return;
        }

        Mark(piece, isTextStart, ref buffer, written, ends, out written);
    }

    // Spaces become marks, one is put in front where the scheme says so, and each starts a piece unless text is left whole.
    private void Mark(ReadOnlySpan<byte> piece, bool isTextStart, ref byte[] buffer, int at, List<int> ends, out int end)
    {
        Grow(ref buffer, at + (piece.Length + 1) * _mark.Length);
        var start = at;
        var starts = piece.StartsWith(_mark) || (piece.Length > 0 && piece[0] == ' ');
        if (!starts && (_marks!.Scheme == PrependScheme.Always || (_marks.Scheme == PrependScheme.First && isTextStart))) Append(_mark, buffer, ref at);
        for (var i = 0; i < piece.Length;)
        {
            var isMark = piece[i] == ' ' || piece[i..].StartsWith(_mark);
            if (isMark && at > start && _marks!.SplitAtMark)
            {
                ends.Add(at);
                start = at;
            }

            var width = piece[i] == ' ' ? 1 : CodePoints.Utf8Length(piece[i]);
            Append(isMark ? _mark : piece.Slice(i, width), buffer, ref at);
            i += width;
        }

        ends.Add(at);
        end = at;
    }

    private static void Append(ReadOnlySpan<byte> bytes, byte[] buffer, ref int at)
    {
        bytes.CopyTo(buffer.AsSpan(at));
        at += bytes.Length;
    }

    private static void Grow(ref byte[] buffer, int length)
    {
        if (length > buffer.Length) Array.Resize(ref buffer, Math.Max(buffer.Length * 2, length));
    }
}
