using System.Text;
using System.Text.RegularExpressions;
using Pattern = System.Text.RegularExpressions.Regex;

namespace ModelZoo.Plugins.TextTokenizers.Formats.Clip;

/// <summary>Finds text that was UTF-8 and was decoded as something else, and decodes it rightly: the encoding step of ftfy 6.3.1.</summary>
internal static class Mojibake
{
    private static readonly Pattern Bad = new(MojibakeTables.Value("badness"), RegexOptions.CultureInvariant);
    private static readonly Pattern Detector = new(MojibakeTables.Value("detector"), RegexOptions.CultureInvariant);
    private static readonly Pattern C1Control = new("[\x80-\x9F]", RegexOptions.CultureInvariant);
    private static readonly Pattern GraveWord = new("\xC3 (?! |quele|quela|quilo|s )", RegexOptions.CultureInvariant);

    // UTF-8 but for a byte A0 that became a space.
    private static readonly Pattern Altered = new(
        "[\xC2\xC3\xC5\xCE\xD0\xD9][ ]|[\xE2\xE3][ ][\x80-\x84\x86-\x9F\xA1-\xBF]|[\xE0-\xE3][\x80-\x84\x86-\x9F\xA1-\xBF][ ]|\xF0[ ][\x80-\xBF][\x80-\xBF]|\xF0[\x80-\xBF][ ][\x80-\xBF]|\xF0[\x80-\xBF][\x80-\xBF][ ]",
        RegexOptions.CultureInvariant);

    // UTF-8 but for bytes that were lost.
    private static readonly Pattern Lossy = new(
        "[\xC2-\xDF]\x1A|[\xC2-\xC3][?]|\xED[\xA0-\xAF][\x1A?]\xED[\xB0-\xBF][\x1A?\x80-\xBF]|\xED[\xA0-\xAF][\x1A?\x80-\xBF]\xED[\xB0-\xBF][\x1A?]|[\xE0-\xEF][\x1A?][\x1A\x80-\xBF]|[\xE0-\xEF][\x1A\x80-\xBF][\x1A?]"
        + "|[\xF0-\xF4][\x1A?][\x1A\x80-\xBF][\x1A\x80-\xBF]|[\xF0-\xF4][\x1A\x80-\xBF][\x1A?][\x1A\x80-\xBF]|[\xF0-\xF4][\x1A\x80-\xBF][\x1A\x80-\xBF][\x1A?]|\x1A",
        RegexOptions.CultureInvariant);

    private static readonly Encoding StrictUtf8 = new UTF8Encoding(false, throwOnInvalidBytes: true);

    /// <summary>Whether a text looks wrongly decoded.</summary>
    public static bool IsBad(string text) => Bad.IsMatch(text);

    /// <summary>The text decoded rightly, as far as that can be told.</summary>
    public static string Fix(string text)
    {
        while (true)
        {
            var before = text;
            text = FixOnce(text);
            if (text == before) return text;
        }
    }

    /// <summary>C1 controls as Windows-1252 has them.</summary>
    public static string FixC1Controls(string text) => C1Control.Replace(text, match => SingleByteEncoding.SloppyWindows1252.Decode(match.Value));

    private static string FixOnce(string text)
    {
        if (Ascii.IsValid(text) || !IsBad(text)) return text;
        string? latin1 = null;
        foreach (var encoding in SingleByteEncoding.Candidates)
        {
            if (!encoding.TryEncode(text, out var bytes)) continue;
            if (encoding.Name == "latin-1") latin1 = bytes;
            if (encoding.Name != "macroman" && Altered.IsMatch(bytes)) bytes = RestoreA0(bytes);
            if (encoding.IsSloppy) bytes = Lossy.Replace(bytes, "\xEF\xBF\xBD");
            if (Decode(bytes) is { } decoded) return decoded;
        }

        if (Detector.IsMatch(text))
        {
            var whole = text.Length;
            var repaired = Detector.Replace(text, match => match.Length < whole && IsBad(match.Value) ? Fix(match.Value) : match.Value);
            if (repaired != text) return repaired;
        }

        // Latin-1 with C1 controls was most likely meant to be Windows-1252.
        if (latin1 is not null && SingleByteEncoding.Windows1252.Decode(latin1) is var windows && !windows.Contains('\uFFFD') && windows != text) return windows;
        return C1Control.IsMatch(text) ? FixC1Controls(text) : text;
    }

    private static string RestoreA0(string bytes) => Altered.Replace(GraveWord.Replace(bytes, "\xC3\xA0 "), match => match.Value.Replace(' ', '\xA0'));

    // UTF-8, and its variants with surrogates and with a null of two bytes; null when the bytes are neither.
    private static string? Decode(string bytes)
    {
        var utf8 = Encoding.Latin1.GetBytes(bytes).AsSpan();
        var variants = utf8.IndexOfAny((byte)0xED, (byte)0xC0) >= 0;
        var result = new StringBuilder(bytes.Length);
        try
        {
            while (!utf8.IsEmpty)
            {
                var special = variants ? FindSpecial(utf8) : -1;
                var plain = special < 0 ? utf8.Length : special;
                result.Append(StrictUtf8.GetString(utf8[..plain]));
                utf8 = utf8[plain..];
                if (special < 0) continue;
                var length = utf8[0] == 0xC0 ? 2 : 6;
                result.Append(length == 2 ? "\0" : char.ConvertFromUtf32(0x10000 + ((utf8[1] & 0x0F) << 16) + ((utf8[2] & 0x3F) << 10) + ((utf8[4] & 0x0F) << 6) + (utf8[5] & 0x3F)));
                utf8 = utf8[length..];
            }
        }
        catch (DecoderFallbackException)
        {
            return null;
        }

        return result.ToString();
    }

    private static int FindSpecial(ReadOnlySpan<byte> utf8)
    {
        for (var i = 0; i + 1 < utf8.Length; i++)
        {
            if (utf8[i] == 0xC0 && utf8[i + 1] == 0x80) return i;
            if (i + 5 < utf8.Length && utf8[i] == 0xED && (utf8[i + 1] & 0xF0) == 0xA0 && (utf8[i + 2] & 0xC0) == 0x80
                && utf8[i + 3] == 0xED && (utf8[i + 4] & 0xF0) == 0xB0 && (utf8[i + 5] & 0xC0) == 0x80) return i;
        }

        return -1;
    }
}
