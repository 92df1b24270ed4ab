using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Regex;

namespace ModelZoo.Plugins.TextTokenizers.PreTokenizers;

/// <summary>At what a literal or a regular expression finds, or at what it leaves.</summary>
public sealed class SplitPreTokenizer : PreTokenizer
{
    private readonly TextPattern _find;

    /// <summary>Splits by <paramref name="pattern"/>.</summary>
    /// <exception cref="FormatException">The regular expression cannot be read.</exception>
    public SplitPreTokenizer(string pattern, bool isRegex, SplitBehavior behavior, bool invert)
    {
        (Pattern, IsRegex, Behavior, Inverted) = (pattern, isRegex, behavior, invert);
        var find = isRegex ? TextPattern.Regex(pattern, RegexFlavor.Oniguruma) : TextPattern.Literal(pattern);
        _find = invert ? find.Invert() : find;
    }

    /// <summary>What is looked for.</summary>
    public string Pattern { get; }

    /// <summary>Whether it is a regular expression.</summary>
    public bool IsRegex { get; }

    /// <summary>What becomes of what is found.</summary>
    public SplitBehavior Behavior { get; }

    /// <summary>Whether finds and gaps are exchanged.</summary>
    public bool Inverted { get; }

    internal override void Apply(PieceList pieces) => pieces.Split((_, text) => text.Split(_find, Behavior));

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Split");
        writer.WriteStartObject("pattern");
        writer.WriteString(IsRegex ? "Regex" : "String", Pattern);
        writer.WriteEndObject();
        writer.WriteString("behavior", Behavior.ToString());
        writer.WriteBoolean("invert", Inverted);
    }
}
