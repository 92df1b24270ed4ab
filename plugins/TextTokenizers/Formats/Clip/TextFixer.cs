using System.Text;
using System.Text.RegularExpressions;
using ModelZoo.Plugins.TextTokenizers.Unicode;
using NormalizationForm = ModelZoo.Plugins.TextTokenizers.Unicode.NormalizationForm;

namespace ModelZoo.Plugins.TextTokenizers.Formats.Clip;

/// <summary>
/// <c>ftfy.fix_text</c> 6.3.1 (Robyn Speer) with its default settings: wrongly decoded text, entities, ligatures, width, quotes, line breaks, control characters, NFC.
/// </summary>
internal static partial class TextFixer
{
    private const int MaxSegment = 1_000_000;

    private static readonly Dictionary<int, string> Ligatures = MojibakeTables.Value("ligatures").Split(' ').ToDictionary(
        word => UnicodeRanges.Hex(word.AsSpan(0, 4)),
        word => System.Text.RegularExpressions.Regex.Unescape(word[5..]));

    /// <summary>The text fixed, line by line.</summary>
    public static string Fix(string text)
    {
        var result = new StringBuilder(text.Length);
        var unescape = true;
        for (var start = 0; start < text.Length;)
        {
            var newline = text.IndexOf('\n', start);
            var end = Math.Min(newline < 0 ? text.Length : newline + 1, start + MaxSegment);
            var segment = text[start..end];
            // What has a tag is HTML, and so is all that follows.
            if (segment.Contains('<')) unescape = false;
            result.Append(FixSegment(segment, unescape));
            start = end;
        }

        return result.ToString();
    }

    private static string FixSegment(string text, bool unescape)
    {
        unescape &= !text.Contains('<');
        while (true)
        {
            var before = text;
            if (unescape) text = HtmlEntities.UnescapeCertain(text);
            text = Mojibake.Fix(text);
            text = Mojibake.FixC1Controls(text);
            text = Translate(text);
            text = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Replace('\u2028', '\n').Replace('\u2029', '\n').Replace('\u0085', '\n');
            text = TerminalEscape().Replace(text, "");
            text = RemoveControls(text);
            text = Compose(text);
            if (text == before) return text;
        }
    }

    // Ligatures, then width, then quotes; surrogates without a partner become U+FFFD.
    private static string Translate(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (Ligatures.TryGetValue(rune.Value, out var letters)) result.Append(letters);
            else if (rune.Value == 0x3000) result.Append(' ');
            else if (rune.Value is >= 0xFF01 and < 0xFFF0) result.Append(Convert([rune.Value], NormalizationForm.Nfkc));
            else result.Append(rune);
        }

        for (var i = 0; i < result.Length; i++)
        {
            if (result[i] is >= '\u201C' and <= '\u201F') result[i] = '"';
            else if (result[i] is '\u02BC' or (>= '\u2018' and <= '\u201B')) result[i] = '\'';
        }

        return result.ToString();
    }

    private static string RemoveControls(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (c is not (<= '\u0008' or '\u000B' or (>= '\u000E' and <= '\u001F') or '\u007F' or (>= '\u206A' and <= '\u206F') or '\uFEFF' or (>= '\uFFF9' and <= '\uFFFC'))) result.Append(c);
        }

        return result.ToString();
    }

    private static string Compose(string text) => Ascii.IsValid(text) ? text : Convert([.. text.EnumerateRunes().Select(rune => rune.Value)], NormalizationForm.Nfc);

    private static string Convert(IReadOnlyList<int> codePoints, NormalizationForm form)
    {
        var result = new StringBuilder(codePoints.Count);
        foreach (var (codePoint, _) in UnicodeNormalization.Current.Normalize(codePoints, form)) result.Append(char.ConvertFromUtf32(codePoint));
        return result.ToString();
    }

    [GeneratedRegex("\x1B\\[((?:\\d|;)*)([a-zA-Z])", RegexOptions.CultureInvariant)]
    private static partial System.Text.RegularExpressions.Regex TerminalEscape();
}
