using System.Buffers.Text;
using System.Text.Json;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>
/// A number of tokenizer.json as the reference library's JSON reader gives it: the digits as an integer, as far as 64 bits hold them, times or by a power of ten. That is not always the nearest double, and a last bit
/// decides between segmentations whose sums of scores are equal.
/// </summary>
internal static class ReferenceNumber
{
    private const int LargestPower = 308;

    // 1e0 to 1e308, each the nearest double.
    private static readonly double[] PowersOfTen = [.. Enumerable.Range(0, LargestPower + 1).Select(power => double.Parse($"1e{power}", System.Globalization.CultureInfo.InvariantCulture))];

    /// <summary>The value of a JSON number.</summary>
    public static double Of(JsonElement number)
    {
        var text = System.Text.Encoding.UTF8.GetBytes(number.GetRawText()).AsSpan();
        var isNegative = text[0] == '-';
        if (isNegative) text = text[1..];
        var (significand, exponent, isFraction, isFull) = (0UL, 0, false, false);
        while (!text.IsEmpty && (byte)(text[0] | 0x20) != 'e')
        {
            var digit = (ulong)(text[0] - '0');
            if (text[0] == '.')
            {
                isFraction = true;
            }
            else if (isFull |= significand > (ulong.MaxValue - digit) / 10)
            {
                if (!isFraction) exponent++;
            }
            else
            {
                significand = significand * 10 + digit;
                if (isFraction) exponent--;
            }

            text = text[1..];
        }

        if (!text.IsEmpty) exponent = Add(exponent, text[1..]);
        var value = Scale(significand, exponent);
        return isNegative ? -value : value;
    }

    private static int Add(int exponent, ReadOnlySpan<byte> text)
    {
        if (text[0] == '+') text = text[1..];
        var isKnown = Utf8Parser.TryParse(text, out int more, out _);
        return isKnown ? (int)Math.Clamp((long)exponent + more, int.MinValue, int.MaxValue) : text[0] == '-' ? int.MinValue : int.MaxValue;
    }

    private static double Scale(double value, long exponent)
    {
        for (; exponent < -LargestPower && value != 0; exponent += LargestPower) value /= PowersOfTen[LargestPower];
        if (value == 0) return value;
        return exponent < 0 ? value / PowersOfTen[-exponent] : exponent <= LargestPower ? value * PowersOfTen[exponent] : double.PositiveInfinity;
    }
}
