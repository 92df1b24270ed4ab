using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Normalizers;

/// <summary>NFC, NFD, NFKC or NFKD of Unicode 9.0, as the reference library carries it.</summary>
public sealed class UnicodeFormNormalizer : Normalizer
{
    private readonly NormalizationForm _form;

    internal UnicodeFormNormalizer(NormalizationForm form) => _form = form;

    internal NormalizationForm Form => _form;

    internal override bool IsWordwise => true;

    internal override AlignedText Apply(AlignedText text) => text.IsAscii || (_form == NormalizationForm.Nfc && UnicodeNormalization.Legacy.IsSurelyNfc(text.Bytes)) ? text : text.Transform(UnicodeNormalization.Legacy.Normalize(text.ToCodePoints(), _form));

    internal override void Write(Utf8JsonWriter writer) => writer.WriteString("type", _form.ToString().ToUpperInvariant());
}

/// <summary>Lower case, code point by code point.</summary>
public sealed class LowercaseNormalizer : Normalizer
{
    internal override bool IsWordwise => true;

    internal override AlignedText Apply(AlignedText text) => Lower(text);

    internal override void Write(Utf8JsonWriter writer) => writer.WriteString("type", "Lowercase");

    // Only U+0130 becomes two code points.
    internal static AlignedText Lower(AlignedText text)
    {
        if (text.Bytes.IndexOf("\u0130"u8) < 0) return text.Filter(_ => true, CodePoints.ToLower);
        var changes = new List<Change>(text.Length);
        foreach (var c in text.ToCodePoints())
        {
            changes.Add(new(c == 0x130 ? 'i' : CodePoints.ToLower(c), 0));
            if (c == 0x130) changes.Add(new(0x307, 1));
        }

        return text.Transform(changes);
    }
}

/// <summary>Removes marks.</summary>
public sealed class StripAccentsNormalizer : Normalizer
{
    internal override bool IsWordwise => true;

    internal override AlignedText Apply(AlignedText text) => text.Filter(c => !CodePoints.IsLegacyMark(c));

    internal override void Write(Utf8JsonWriter writer) => writer.WriteString("type", "StripAccents");
}

/// <summary>Drops control characters and makes unusual white space usual, as Moses and SentencePiece's <c>nmt</c> rules do.</summary>
public sealed class NmtNormalizer : Normalizer
{
    internal override bool IsWordwise => true;

    internal override AlignedText Apply(AlignedText text) => text.Filter(
        c => c is not ((>= 0x01 and <= 0x08) or 0x0B or (>= 0x0E and <= 0x1F) or 0x7F or 0x8F or 0x9F),
        c => c is 0x09 or 0x0A or 0x0C or 0x0D or 0x1680 or (>= 0x200B and <= 0x200F) or 0x2028 or 0x2029 or 0x2581 or 0xFEFF or 0xFFFD ? ' ' : c);

    internal override void Write(Utf8JsonWriter writer) => writer.WriteString("type", "Nmt");
}

/// <summary>BERT's cleaning: control characters, white space, spaces around Chinese characters, accents, case.</summary>
public sealed class BertNormalizer(bool cleanText, bool handleChineseChars, bool? stripAccents, bool lowercase) : Normalizer
{
    internal override bool IsWordwise => true;

    internal override AlignedText Apply(AlignedText text)
    {
        if (cleanText)
        {
            text = text.Filter(
                c => c is '\t' or '\n' or '\r' || (c != 0xFFFD && !(c < 0x80 ? c < 0x20 || c == 0x7F : CodePoints.IsLegacyOther(c))),
                c => CodePoints.IsWhiteSpace(c) ? ' ' : c);
        }

        if (handleChineseChars && !text.IsAscii) text = SpaceChinese(text);
        if (stripAccents ?? lowercase)
        {
            if (!text.IsAscii) text = text.Transform(UnicodeNormalization.Legacy.Normalize(text.ToCodePoints(), NormalizationForm.Nfd)).Filter(c => !CodePoints.IsLegacyNonSpacingMark(c));
        }

        return lowercase ? LowercaseNormalizer.Lower(text) : text;
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "BertNormalizer");
        writer.WriteBoolean("clean_text", cleanText);
        writer.WriteBoolean("handle_chinese_chars", handleChineseChars);
        if (stripAccents is { } strip) writer.WriteBoolean("strip_accents", strip);
        else writer.WriteNull("strip_accents");
        writer.WriteBoolean("lowercase", lowercase);
    }

    private static AlignedText SpaceChinese(AlignedText text)
    {
        var changes = new List<Change>(text.Length);
        foreach (var c in text.ToCodePoints())
        {
            if (IsChinese(c)) changes.AddRange([new(' ', 0), new(c, 1), new(' ', 1)]);
            else changes.Add(new(c, 0));
        }

        return text.Transform(changes);
    }

    private static bool IsChinese(int c) => c is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF) or (>= 0x2A700 and <= 0x2B73F)
        or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
}
