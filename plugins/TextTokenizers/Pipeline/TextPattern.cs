using System.Text;
using ModelZoo.Plugins.TextTokenizers.Regex;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>A stretch that a pattern found, or one between two finds. In order they cover the text.</summary>
internal readonly record struct TextMatch(int Start, int End, bool IsMatch);

/// <summary>Something to split or replace by.</summary>
internal abstract class TextPattern
{
    /// <summary>The stretches of a text, in order, covering it.</summary>
    public abstract List<TextMatch> Find(AlignedText text);

    /// <summary>Each code point that fits.</summary>
    public static TextPattern Characters(Func<int, bool> predicate) => new CharacterPattern(predicate);

    /// <summary>A literal text.</summary>
    public static TextPattern Literal(string text) => text.Length == 0 ? new RegexPattern(new TextRegex("", RegexFlavor.Oniguruma)) : new LiteralPattern(Encoding.UTF8.GetBytes(text));

    /// <summary>A regular expression; a hand-written scanner where the pattern is a well-known one.</summary>
    public static TextPattern Regex(string pattern, RegexFlavor flavor) => new RegexPattern(new TextRegex(pattern, flavor));

    /// <summary>The same stretches with matches and gaps exchanged.</summary>
    public TextPattern Invert() => new InvertedPattern(this);

    private sealed class CharacterPattern(Func<int, bool> predicate) : TextPattern
    {
        public override List<TextMatch> Find(AlignedText text)
        {
            var result = new List<TextMatch>();
            var bytes = text.Bytes;
            var last = 0;
            for (var i = 0; i < bytes.Length;)
            {
                var fits = predicate(CodePoints.Decode(bytes, i, out var length));
                if (fits)
                {
                    if (last < i) result.Add(new(last, i, false));
                    result.Add(new(i, i + length, true));
                    last = i + length;
                }

                i += length;
            }

            if (last < bytes.Length || bytes.Length == 0) result.Add(new(last, bytes.Length, false));
            return result;
        }
    }

    private sealed class LiteralPattern(byte[] literal) : TextPattern
    {
        public override List<TextMatch> Find(AlignedText text)
        {
            var result = new List<TextMatch>();
            var bytes = text.Bytes;
            var last = 0;
            while (bytes[last..].IndexOf(literal) is >= 0 and var found)
            {
                if (found > 0) result.Add(new(last, last + found, false));
                result.Add(new(last + found, last + found + literal.Length, true));
                last += found + literal.Length;
            }

            if (last < bytes.Length || bytes.Length == 0) result.Add(new(last, bytes.Length, false));
            return result;
        }
    }

    private sealed class RegexPattern(TextRegex regex) : TextPattern
    {
        public override List<TextMatch> Find(AlignedText text)
        {
            var result = new List<TextMatch>();
            if (text.Length == 0)
            {
                result.Add(new(0, 0, false));
                return result;
            }

            var last = 0;
            var search = regex.Matches(text.Memory);
            while (search.Next(out var start, out var end))
            {
                if (last != start) result.Add(new(last, start, false));
                result.Add(new(start, end, true));
                last = end;
            }

            if (last != text.Length) result.Add(new(last, text.Length, false));
            return result;
        }
    }

    private sealed class InvertedPattern(TextPattern inner) : TextPattern
    {
        public override List<TextMatch> Find(AlignedText text)
        {
            var result = inner.Find(text);
            for (var i = 0; i < result.Count; i++) result[i] = result[i] with { IsMatch = !result[i].IsMatch };
            return result;
        }
    }
}
