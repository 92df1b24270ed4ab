using System.Text;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.PostProcessors;

/// <summary>Takes the white space at a token's ends out of its offsets.</summary>
internal static class OffsetTrimming
{
    /// <summary>Trims an encoding and its windows. A single space in front of the first token is the one that was put there, and stays.</summary>
    public static void Trim(TokenEncoding encoding, bool addPrefixSpace)
    {
        for (var i = 0; i < encoding.Count; i++)
        {
            var token = encoding.Tokens[i];
            var leading = token.EnumerateRunes().TakeWhile(IsSpace).Count();
            var trailing = token.EnumerateRunes().Reverse().TakeWhile(IsSpace).Count();
            var (start, end) = encoding.Offsets[i];
            if (leading > 0)
            {
                if ((i == 0 || start == 0) && addPrefixSpace && leading == 1) leading = 0;
                start = Math.Min(start + leading, end);
            }

            if (trailing > 0 && end >= trailing) end = Math.Max(end - trailing, start);
            encoding.Offsets[i] = (start, end);
        }

        foreach (var window in encoding.Overflow) Trim(window, addPrefixSpace);
    }

    private static bool IsSpace(Rune rune) => rune.Value == ByteAlphabet.ToCharacter((byte)' ') || CodePoints.IsWhiteSpace(rune.Value);
}
