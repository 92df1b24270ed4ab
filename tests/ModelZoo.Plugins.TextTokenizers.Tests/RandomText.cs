using System.Text;

namespace ModelZoo.Plugins.TextTokenizers.Tests;

/// <summary>Random texts that are rich in what patterns look at: case, marks, digits, quotes, white space of all kinds, astral characters.</summary>
internal sealed class RandomText(int seed)
{
    private static readonly string[] Parts =
    [
        " ", "  ", "        ", "\n", "\r\n", "\t", "\u00A0", "\u3000", "\u2028", "\u0085", "'", "'s", "'S", "'ll", "'VE", "'\u017F", "’s", "a", "the", "The", "THE", "ABCdef", "iPhone", "ß", "É", "é", "e\u0301",
        "\u0301", "\u093F", "\u20E3", "ǅ", "ʰ", "ª", "中文", "日本語", "한국어", "हिन्दी", "क्षत्रि", "\u0958", "\u094D", "\u093C", "\u0D4D", "நி", "ไทย", "Ж", "ж", "ΣΑΣ", "1", "12", "1234567", "²", "Ⅳ", "٣", ".", ",", "!?", "...", "/", "//", "<|x|>", "_", "-", "\u200D", "\uFEFF",
        "😀", "👍🏽", "🇩🇪", "\U0001F3FF", "\uFE0F", "👩‍👩‍👧", "\U0001D15E", "𝒜", "𐐀", "𝟘", "\0", "\u0001", "$", "+", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "==========", "abababababab",
    ];

    private readonly Random _random = new(seed);

    /// <summary>A text of up to so many parts.</summary>
    public string Next(int parts)
    {
        var text = new StringBuilder();
        for (var count = _random.Next(parts + 1); count > 0; count--)
        {
            if (_random.Next(6) > 0) text.Append(Parts[_random.Next(Parts.Length)]);
            else if (_random.Next(3) > 0) text.Append((char)_random.Next(0x20, 0x7F));
            else text.Append(char.ConvertFromUtf32(_random.Next(0x80, 0x30000) is var c && c is >= 0xD800 and <= 0xDFFF ? 0x4E2D : c));
        }

        return text.ToString();
    }
}
