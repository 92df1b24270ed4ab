using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Regex;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.PreTokenizers;

/// <summary>Words, and runs of what is neither word nor white space: <c>\w+|[^\w\s]+</c>.</summary>
public sealed class WhitespacePreTokenizer : PreTokenizer
{
    private static readonly TextPattern Gaps = TextPattern.Regex(@"\w+|[^\w\s]+", RegexFlavor.Rust).Invert();

    internal override bool CutsAt(string space) => !string.IsNullOrEmpty(space) && string.IsNullOrWhiteSpace(space);

    internal override void Apply(PieceList pieces) => pieces.Split((_, text) => text.Split(Gaps, SplitBehavior.Removed));

    internal override void Write(Utf8JsonWriter writer) => writer.WriteString("type", "Whitespace");
}

/// <summary>What stands between white space.</summary>
public sealed class WhitespaceSplitPreTokenizer : PreTokenizer
{
    private static readonly TextPattern Spaces = TextPattern.Characters(CodePoints.IsWhiteSpace);

    internal override bool CutsAt(string space) => !string.IsNullOrEmpty(space) && string.IsNullOrWhiteSpace(space);

    internal override void Apply(PieceList pieces) => pieces.Split((_, text) => text.Split(Spaces, SplitBehavior.Removed));

    internal override void Write(Utf8JsonWriter writer) => writer.WriteString("type", "WhitespaceSplit");
}

/// <summary>BERT's: at white space, and every punctuation mark by itself.</summary>
public sealed class BertPreTokenizer : PreTokenizer
{
    private static readonly TextPattern Spaces = TextPattern.Characters(CodePoints.IsWhiteSpace);
    private static readonly TextPattern Marks = TextPattern.Characters(CodePoints.IsLegacyPunctuation);

    internal override bool CutsAt(string space) => !string.IsNullOrEmpty(space) && string.IsNullOrWhiteSpace(space);

    internal override void Apply(PieceList pieces)
    {
        pieces.Split((_, text) => text.Split(Spaces, SplitBehavior.Removed));
        pieces.Split((_, text) => text.Split(Marks, SplitBehavior.Isolated));
    }

    internal override void Write(Utf8JsonWriter writer) => writer.WriteString("type", "BertPreTokenizer");
}

/// <summary>At punctuation.</summary>
public sealed class PunctuationPreTokenizer(SplitBehavior behavior) : PreTokenizer
{
    private static readonly TextPattern Marks = TextPattern.Characters(CodePoints.IsLegacyPunctuation);

    internal override void Apply(PieceList pieces) => pieces.Split((_, text) => text.Split(Marks, behavior));

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Punctuation");
        writer.WriteString("behavior", behavior.ToString());
    }
}

/// <summary>Numbers apart, whole or digit by digit.</summary>
public sealed class DigitsPreTokenizer(bool individualDigits) : PreTokenizer
{
    private static readonly TextPattern Numbers = TextPattern.Characters(CodePoints.IsNumber);

    internal override void Apply(PieceList pieces) => pieces.Split((_, text) => text.Split(Numbers, individualDigits ? SplitBehavior.Isolated : SplitBehavior.Contiguous));

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Digits");
        writer.WriteBoolean("individual_digits", individualDigits);
    }
}

/// <summary>At one character, which is dropped.</summary>
public sealed class CharDelimiterPreTokenizer(int delimiter) : PreTokenizer
{
    private readonly TextPattern _delimiter = TextPattern.Characters(c => c == delimiter);

    internal override void Apply(PieceList pieces) => pieces.Split((_, text) => text.Split(_delimiter, SplitBehavior.Removed));

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "CharDelimiterSplit");
        writer.WriteString("delimiter", char.ConvertFromUtf32(delimiter));
    }
}

/// <summary>Every so many code points.</summary>
public sealed class FixedLengthPreTokenizer(int length) : PreTokenizer
{
    internal override void Apply(PieceList pieces) => pieces.Split((_, text) => Chunks(text));

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "FixedLength");
        writer.WriteNumber("length", length);
    }

    private List<AlignedText> Chunks(AlignedText text)
    {
        var result = new List<AlignedText>();
        var (start, count) = (0, 0);
        for (var i = 0; i < text.Length;)
        {
            i += CodePoints.Utf8Length(text.Bytes[i]);
            if (++count < length && i < text.Length) continue;
            result.Add(text.Slice(start, i));
            (start, count) = (i, 0);
        }

        return result;
    }
}

/// <summary>Where the script changes, Japanese counting as one script.</summary>
public sealed class UnicodeScriptsPreTokenizer : PreTokenizer
{
    internal override void Apply(PieceList pieces) => pieces.Split((_, text) => Runs(text));

    internal override void Write(Utf8JsonWriter writer) => writer.WriteString("type", "UnicodeScripts");

    // "Any" (spaces and what has no script) goes with what stands before it. A text starts a run only with its first scripted character, as in the reference.
    private static List<AlignedText> Runs(AlignedText text)
    {
        const string Any = "";
        var cuts = new List<int>();
        string? last = null;
        for (var i = 0; i < text.Length;)
        {
            var c = CodePoints.Decode(text.Bytes, i, out var length);
            var script = c == 0x30FC ? "Han" : c == ' ' ? Any : CodePoints.LegacyScript(c) switch { null => Any, "Hiragana" or "Katakana" => "Han", var name => name };
            if (script != Any && last != Any && last != script) cuts.Add(i);
            if (script != Any) last = script;
            i += length;
        }

        cuts.Add(text.Length);
        var result = new List<AlignedText>();
        for (var i = 0; i + 1 < cuts.Count; i++) result.Add(text.Slice(cuts[i], cuts[i + 1]));
        return result;
    }
}
