using ModelZoo.Contracts;
using ModelZoo.Networks.Tests;

namespace ModelZoo.Networks.LanguageModels.Tests;

public sealed class RotarySettingsTests
{
    // The rule of Llama 3.1 as published: by wavelength, with a blend between the two borders.
    [Theory]
    [InlineData(64, 4, 1, 4)]
    [InlineData(8192, 8, 1, 4)]
    [InlineData(100, 2, 2, 3)]
    public void Frequencies_Llama3_GoByWavelength(int trained, double factor, double low, double high)
    {
        var rope = new RopeParameters { RopeType = "llama3", RopeTheta = 500000, OriginalMaxPositionEmbeddings = trained, Factor = factor, LowFreqFactor = low, HighFreqFactor = high };
        var found = new RotarySettings(rope, 128, 1, 1 << 20).Frequencies();
        for (var i = 0; i < 64; i++)
        {
            var frequency = Math.Pow(500000, -i / 64.0);
            var wave = 2 * Math.PI / frequency;
            var blend = (trained / wave - low) / (high - low);
            var expected = wave < trained / high ? frequency : wave > trained / low ? frequency / factor : (1 - blend) * frequency / factor + blend * frequency;
            Assert.Equal((float)expected, found[i], 1e-9f);
        }
    }

    [Fact]
    public void Frequencies_Linear_AreDividedByTheFactor()
    {
        var plain = new RotarySettings(new(), 16, 10000, 64).Frequencies();
        Assert.Equal(plain.Select(frequency => frequency / 5), new RotarySettings(new() { Type = "linear", Factor = 5 }, 16, 10000, 64).Frequencies(), (a, b) => Math.Abs(a - b) < 1e-9);
    }

    [Fact]
    public void Angles_LongRope_TakesTheFactorsOfTheLength()
    {
        var rope = new RopeParameters { Type = "longrope", ShortFactor = [1, 2], LongFactor = [4, 8] };
        var settings = new RotarySettings(rope, 4, 100, MaxPositions: 16, OriginalPositions: 4);
        var gain = Math.Sqrt(1 + Math.Log(4) / Math.Log(4));
        Assert.Equal(gain, settings.Gain, 12);
        foreach (var (length, factors) in new[] { (4, rope.ShortFactor), (5, rope.LongFactor) })
        {
            var cos = Cosines(settings, length, oneByOne: false);
            for (var place = 0; place < length; place++)
            {
                for (var pair = 0; pair < 2; pair++) Assert.Equal(gain * Math.Cos(place * Math.Pow(100, -pair / 2.0) / factors[pair]), cos[place * 2 + pair], 1e-5);
            }
        }
    }

    [Fact]
    public void Angles_LongRopeOneByOne_GoByTheLengthWhenATokenCame()
    {
        var settings = new RotarySettings(new() { Type = "su", ShortFactor = [1], LongFactor = [4] }, 2, 100, MaxPositions: 4, OriginalPositions: 4);
        var cos = Cosines(settings, 6, oneByOne: true);
        for (var place = 0; place < 6; place++) Assert.Equal(Math.Cos(place < 4 ? place : place / 4.0), cos[place], 1e-5);
    }

    [Fact]
    public void Frequencies_LongRopeWithoutAFactorForEachPair_AreRefused()
    {
        var settings = new RotarySettings(new() { Type = "longrope", ShortFactor = [1, 2, 3], LongFactor = [1, 2, 3] }, 4, 100, 16);
        var error = Assert.Throws<ModelZooException>(settings.Frequencies);
        Assert.Equal((ErrorCodes.ConfigInvalid, "2 numbers", "3"), (error.Code, error.Expected, error.Found));
    }

    private static float[] Cosines(RotarySettings settings, int length, bool oneByOne) =>
        Runtime.Run(g => settings.Angles(g.Input("positions", ElementType.Int64, [1, length]), oneByOne).Cos, ("positions", Tensor.Create([.. Enumerable.Range(0, length).Select(i => (long)i)], 1, length))).Span.ToArray();
}
