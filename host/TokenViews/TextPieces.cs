using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Host.TokenViews;

/// <summary>A stretch of a text: a token's, or one between tokens.</summary>
/// <param name="Id">The token's id; null between tokens.</param>
/// <param name="Start">First UTF-16 unit.</param>
/// <param name="Text">What it covers; empty for a token that covers nothing of its own (a later token of one character, or one that was added).</param>
internal sealed record TextPiece(int? Id, int Start, string Text)
{
    /// <summary>Unit after the last.</summary>
    public int End => Start + Text.Length;
}

/// <summary>A text cut where its tokens are.</summary>
internal static class TextPieces
{
    /// <summary>The stretches in order; together they are the text, or the one that the tokens say they stand in. Tokens that belong to a piece are one stretch.</summary>
    /// <exception cref="ModelZooException">The model does not say where its tokens stand.</exception>
    public static IReadOnlyList<TextPiece> Of(string text, Tokens tokens)
    {
        if (tokens.Spans.Count != tokens.Ids.Length)
            throw new ModelZooException(ErrorCodes.VerbUnsupported, $"{tokens.Space.Model} does not say which part of the text each token covers.") { Remedy = "Ask for ids instead: leave --show and --with out." };
        text = tokens.SpannedText ?? text;
        var pieces = new List<TextPiece>(tokens.Ids.Length);
        var (done, isPieced) = (0, tokens.Extras.ContainsKey(Tokens.PieceLengths));
        for (var i = 0; i < tokens.Ids.Length; i++)
        {
            if (isPieced && tokens.Spans[i].End == tokens.Spans[i].Start) continue;
            var start = Math.Clamp((int)tokens.Spans[i].Start, done, text.Length);
            var end = Math.Clamp((int)tokens.Spans[i].End, start, text.Length);
            if (start > done && end > start) pieces.Add(new(null, done, text[done..start]));
            if (end == start) start = end = done;       // a token that covers nothing stands where the text has come to
            pieces.Add(new(tokens.Ids.Span[i], start, text[start..end]));
            done = end;
        }

        if (done < text.Length) pieces.Add(new(null, done, text[done..]));
        return pieces;
    }

    /// <summary>Text in which every character can be seen and none moves the cursor; a line break is shown and made.</summary>
    public static string Visible(string text)
    {
        var shown = new StringBuilder(text.Length);
        foreach (var unit in text)
        {
            switch (unit)
            {
                case '\n': shown.Append("\u23CE\n"); break;
                case '\t': shown.Append('\u2192'); break;     // fonts have an arrow; few have the picture of a tab
                case < ' ': shown.Append((char)(0x2400 + unit)); break;
                case '\u007F': shown.Append('\u2421'); break;
                case >= '\u0080' and < '\u00A0' or '\u2028' or '\u2029' or >= '\u202A' and <= '\u202E' or >= '\u2066' and <= '\u2069': shown.Append('\u2426'); break;
                default: shown.Append(unit); break;
            }
        }

        return shown.ToString();
    }
}
