using System.Text;
using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Regex;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Normalizers;

/// <summary>Removes white space at the ends.</summary>
public sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    internal override bool IsWordwise => true;

    internal override Normalizer? At(bool start, bool end) => new StripNormalizer(left && start, right && end);

    internal override AlignedText Apply(AlignedText text)
    {
        var bytes = text.Bytes;
        var (start, end) = (0, bytes.Length);
        while (left && start < end && CodePoints.IsWhiteSpace(CodePoints.Decode(bytes, start, out var length))) start += length;
        while (right && end > start && CodePoints.IsWhiteSpace(CodePoints.DecodeBefore(bytes, end, out var length))) end -= length;
        return start == 0 && end == bytes.Length ? text : text.Strip(start, end);
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Strip");
        writer.WriteBoolean("strip_left", left);
        writer.WriteBoolean("strip_right", right);
    }
}

/// <summary>Puts a text in front of every text that is not empty.</summary>
public sealed class PrependNormalizer(string prepend) : Normalizer
{
    private readonly byte[] _bytes = Encoding.UTF8.GetBytes(prepend);

    internal string Text => prepend;

    internal override bool IsWordwise => true;

    internal override Normalizer? At(bool start, bool end) => start ? this : null;

    internal override AlignedText Apply(AlignedText text) => _bytes.Length == 0 ? text : text.Prepend(_bytes);

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Prepend");
        writer.WriteString("prepend", prepend);
    }
}

/// <summary>Replaces what a literal or a regular expression finds.</summary>
public sealed class ReplaceNormalizer : Normalizer
{
    private readonly TextPattern _find;
    private readonly byte[] _bytes;

    /// <summary>Replaces <paramref name="pattern"/> by <paramref name="content"/>.</summary>
    /// <exception cref="FormatException">The regular expression cannot be read.</exception>
    public ReplaceNormalizer(string pattern, bool isRegex, string content)
    {
        (Pattern, IsRegex, Content) = (pattern, isRegex, content);
        _find = isRegex ? TextPattern.Regex(pattern, RegexFlavor.Oniguruma) : TextPattern.Literal(pattern);
        _bytes = Encoding.UTF8.GetBytes(content);
    }

    /// <summary>What is looked for.</summary>
    public string Pattern { get; }

    /// <summary>Whether it is a regular expression.</summary>
    public bool IsRegex { get; }

    /// <summary>What takes its place.</summary>
    public string Content { get; }

    // A literal without spaces is found within a word; a run of spaces stands in front of one.
    internal override bool IsWordwise => IsRegex ? Pattern == " {2,}" && Content is " " or "\u2581" : Pattern.Length > 0 && !Pattern.Any(char.IsWhiteSpace) && !Content.Any(char.IsWhiteSpace);

    internal override AlignedText Apply(AlignedText text) => text.Replace(_find.Find(text), _bytes);

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Replace");
        writer.WriteStartObject("pattern");
        writer.WriteString(IsRegex ? "Regex" : "String", Pattern);
        writer.WriteEndObject();
        writer.WriteString("content", Content);
    }
}

/// <summary>Writes every byte as one visible character, as <see cref="ByteAlphabet"/> has them.</summary>
public sealed class ByteLevelNormalizer : Normalizer
{
    internal override AlignedText Apply(AlignedText text) => ByteAlphabet.Encode(text);

    internal override void Write(Utf8JsonWriter writer) => writer.WriteString("type", "ByteLevel");
}

/// <summary>The rules of a SentencePiece model, applied grapheme by grapheme as the reference library does it.</summary>
public sealed class PrecompiledNormalizer : Normalizer
{
    private readonly CharacterMap _map;
    private readonly byte[] _blob;

    /// <summary>Reads the rules.</summary>
    /// <exception cref="FormatException">They break their format.</exception>
    public PrecompiledNormalizer(byte[] blob)
    {
        _blob = blob;
        _map = new CharacterMap(blob);
    }

    internal override bool IsWordwise => true;

    internal override AlignedText Apply(AlignedText text)
    {
        var changes = new List<Change>(text.Length);
        var modified = false;
        var s = text.ToString();
        Span<byte> utf8 = stackalloc byte[8];
        Span<char> one = stackalloc char[2];
        for (var i = 0; i < s.Length;)
        {
            var length = System.Globalization.StringInfo.GetNextTextElementLength(s.AsSpan(i));
            var grapheme = s.AsSpan(i, length);
            i += length;
            if (Encoding.UTF8.GetByteCount(grapheme) < 6 && Map(grapheme, utf8, changes))
            {
                modified = true;
                continue;
            }

            foreach (var rune in grapheme.EnumerateRunes())
            {
                if (Map(one[..rune.EncodeToUtf16(one)], utf8, changes)) modified = true;
                else changes.Add(new(rune.Value, 0));
            }
        }

        return modified ? text.Transform(changes) : text;
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Precompiled");
        writer.WriteBase64String("precompiled_charsmap", _blob);
    }

    private bool Map(ReadOnlySpan<char> part, Span<byte> utf8, List<Change> changes)
    {
        if (!_map.TryShortest(utf8[..Encoding.UTF8.GetBytes(part, utf8)], out var replacement)) return false;
        var old = 0;
        foreach (var _ in part.EnumerateRunes()) old++;
        var start = changes.Count;
        for (var i = 0; i < replacement.Length;)
        {
            changes.Add(new(CodePoints.Decode(replacement, i, out var length), 0));
            i += length;
        }

        var grown = changes.Count - start - old;
        // What was added stands at the end of the replacement; what was dropped counts on the last code point before.
        for (var i = 0; i < grown; i++) changes[^(i + 1)] = changes[^(i + 1)] with { Delta = 1 };
        if (grown < 0 && changes.Count > 0) changes[^1] = changes[^1] with { Delta = changes[^1].Delta + grown };
        return true;
    }
}
