using System.Text;
using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;
using ModelZoo.Plugins.TextTokenizers.Regex;

namespace ModelZoo.Plugins.TextTokenizers.Decoders;

/// <summary>Makes the mark of a space a space again; in the first token it vanishes where it was put there.</summary>
public sealed class MetaspaceDecoder(int replacement, PrependScheme scheme, bool split) : TokenDecoder
{
    /// <inheritdoc/>
    public override List<string> Decode(List<string> tokens)
    {
        var mark = char.ConvertFromUtf32(replacement);
        return [.. tokens.Select((token, i) => token.Replace(mark, i == 0 && scheme != PrependScheme.Never ? "" : " ", StringComparison.Ordinal))];
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Metaspace");
        writer.WriteString("replacement", char.ConvertFromUtf32(replacement));
        writer.WriteString("prepend_scheme", scheme.ToString().ToLowerInvariant());
        writer.WriteBoolean("split", split);
    }
}

/// <summary>Joins tokens that start with the prefix to the one before and puts a space in front of the others.</summary>
public sealed class WordPieceDecoder(string prefix, bool cleanup) : TokenDecoder
{
    /// <inheritdoc/>
    public override List<string> Decode(List<string> tokens) => [.. tokens.Select((token, i) =>
    {
        if (i != 0) token = token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
        return cleanup ? Clean(token) : token;
    })];

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "WordPiece");
        writer.WriteString("prefix", prefix);
        writer.WriteBoolean("cleanup", cleanup);
    }

    /// <summary>Undoes the commonest spaces that tokenizing put into English.</summary>
    internal static string Clean(string text) => text
        .Replace(" .", ".", StringComparison.Ordinal)
        .Replace(" ?", "?", StringComparison.Ordinal)
        .Replace(" !", "!", StringComparison.Ordinal)
        .Replace(" ,", ",", StringComparison.Ordinal)
        .Replace(" ' ", "'", StringComparison.Ordinal)
        .Replace(" n't", "n't", StringComparison.Ordinal)
        .Replace(" 'm", "'m", StringComparison.Ordinal)
        .Replace(" do not", " don't", StringComparison.Ordinal)
        .Replace(" 's", "'s", StringComparison.Ordinal)
        .Replace(" 've", "'ve", StringComparison.Ordinal)
        .Replace(" 're", "'re", StringComparison.Ordinal);
}

/// <summary>Makes the end-of-word suffix a space, in the last token nothing.</summary>
public sealed class BpeDecoder(string suffix) : TokenDecoder
{
    /// <inheritdoc/>
    public override List<string> Decode(List<string> tokens) => [.. tokens.Select((token, i) => Replacing.All(token, suffix, i == tokens.Count - 1 ? "" : " "))];

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "BPEDecoder");
        writer.WriteString("suffix", suffix);
    }
}

/// <summary>For CTC output: repeated tokens are one, padding vanishes, the delimiter becomes a space.</summary>
public sealed class CtcDecoder(string padToken, string wordDelimiterToken, bool cleanup) : TokenDecoder
{
    /// <inheritdoc/>
    public override List<string> Decode(List<string> tokens)
    {
        var result = new List<string>(tokens.Count);
        for (var i = 0; i < tokens.Count; i++)
        {
            if (i > 0 && tokens[i] == tokens[i - 1]) continue;
            var token = Replacing.All(tokens[i], padToken, "");
            if (cleanup) token = Replacing.All(WordPieceDecoder.Clean(token), wordDelimiterToken, " ");
            if (token.Length > 0) result.Add(token);
        }

        return result;
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "CTC");
        writer.WriteString("pad_token", padToken);
        writer.WriteString("word_delimiter_token", wordDelimiterToken);
        writer.WriteBoolean("cleanup", cleanup);
    }
}

/// <summary>Replaces what a literal or a regular expression finds in each token.</summary>
public sealed class ReplaceDecoder : TokenDecoder
{
    private const long LongestToken = 1 << 24;     // of one token, after replacement

    private readonly TextPattern _find;

    /// <summary>Replaces <paramref name="pattern"/> by <paramref name="content"/>.</summary>
    /// <exception cref="FormatException">The regular expression cannot be read.</exception>
    public ReplaceDecoder(string pattern, bool isRegex, string content)
    {
        (Pattern, IsRegex, Content) = (pattern, isRegex, content);
        _find = isRegex ? TextPattern.Regex(pattern, RegexFlavor.Oniguruma) : TextPattern.Literal(pattern);
    }

    /// <summary>What is looked for.</summary>
    public string Pattern { get; }

    /// <summary>Whether it is a regular expression.</summary>
    public bool IsRegex { get; }

    /// <summary>What takes its place.</summary>
    public string Content { get; }

    private string Replace(string token)
    {
        if (Content.Length > Pattern.Length) AlignedText.ExpectWithin(token.Length + (long)token.AsSpan().Count(Pattern) * (Content.Length - Pattern.Length), LongestToken);
        return token.Replace(Pattern, Content, StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    public override List<string> Decode(List<string> tokens)
    {
        if (!IsRegex && Pattern.Length > 0) return [.. tokens.Select(Replace)];
        var content = Encoding.UTF8.GetBytes(Content);
        return [.. tokens.Select(token =>
        {
            var text = AlignedText.Of(Encoding.UTF8.GetBytes(token));
            return text.Replace(_find.Find(text), content).ToString();
        })];
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Replace");
        writer.WriteStartObject("pattern");
        writer.WriteString(IsRegex ? "Regex" : "String", Pattern);
        writer.WriteEndObject();
        writer.WriteString("content", Content);
    }
}

/// <summary>Joins all tokens.</summary>
public sealed class FuseDecoder : TokenDecoder
{
    /// <inheritdoc/>
    public override List<string> Decode(List<string> tokens) => [string.Concat(tokens)];

    internal override void Write(Utf8JsonWriter writer) => writer.WriteString("type", "Fuse");
}

/// <summary>Removes up to so many of one character at each token's ends.</summary>
public sealed class StripDecoder(int content, int start, int stop) : TokenDecoder
{
    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A token is shorter than what is looked at from its end, which the reference refuses as well.</exception>
    public override List<string> Decode(List<string> tokens) => [.. tokens.Select(Strip)];

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "Strip");
        writer.WriteString("content", char.ConvertFromUtf32(content));
        writer.WriteNumber("start", start);
        writer.WriteNumber("stop", stop);
    }

    private string Strip(string token)
    {
        var runes = token.EnumerateRunes().ToArray();
        var first = 0;
        while (first < start && first < runes.Length && runes[first].Value == content) first++;
        var last = runes.Length;
        for (var i = 0; i < stop; i++)
        {
            var index = runes.Length - i - 1;
            if (index < 0) throw new ArgumentException("A token is too short to strip.");
            if (runes[index].Value != content) break;
            last = index;
        }

        if (first > last) throw new ArgumentException("A token is too short to strip.");
        var result = new StringBuilder();
        for (var i = first; i < last; i++) result.Append(runes[i]);
        return result.ToString();
    }
}

/// <summary>Replacing by the reference's rules.</summary>
internal static class Replacing
{
    /// <summary>All occurrences; an empty text occurs between all characters.</summary>
    public static string All(string text, string old, string replacement)
    {
        if (old.Length > 0) return text.Replace(old, replacement, StringComparison.Ordinal);
        var result = new StringBuilder(replacement);
        foreach (var rune in text.EnumerateRunes()) result.Append(rune).Append(replacement);
        return result.ToString();
    }
}
