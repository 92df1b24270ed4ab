using System.Globalization;
using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Formats;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Formats;

public sealed class ReferenceNumberTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("-0.0", -0.0)]
    [InlineData("12", 12)]
    [InlineData("-0.1", -0.1)]
    [InlineData("2.5e3", 2500)]
    [InlineData("2.5E-3", 0.0025)]
    [InlineData("1e+2", 100)]
    [InlineData("1e-400", 0)]
    [InlineData("1e99999999999", double.PositiveInfinity)]
    [InlineData("0e99999999999", 0)]
    [InlineData("3e-99999999999", 0)]
    [InlineData("100000000000000000000000", 1e23)]
    [InlineData("0.0000000000000000000001", 1e-22)]
    public void Of_Number_IsItsValue(string text, double value) => Assert.Equal(value, Of(text));

    // Seventeen digits are more than a double holds: the integer is rounded, then the quotient.
    [Theory]
    [InlineData("-13.393778874683495", -13393778874683496, 1e15)]
    [InlineData("-12.223972989968313", -12223972989968312, 1e15)]
    public void Of_SeventeenDigits_IsRoundedTwice(string text, double significand, double power) => Assert.Equal(significand / power, Of(text));

    [Fact]
    public void Of_RandomNumbers_IsOffByThreeRoundingsAtMost()
    {
        var random = new Random(3);
        for (var i = 0; i < 2000; i++)
        {
            var text = (-random.NextDouble() * Math.Pow(10, random.Next(-12, 12))).ToString("R", CultureInfo.InvariantCulture);
            var nearest = double.Parse(text, CultureInfo.InvariantCulture);
            Assert.Equal(1, Of(text) / nearest, 4e-16);
        }
    }

    private static double Of(string text) => ReferenceNumber.Of(JsonDocument.Parse(text).RootElement);
}
