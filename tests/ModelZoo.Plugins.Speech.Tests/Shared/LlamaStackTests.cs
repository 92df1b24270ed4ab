namespace ModelZoo.Plugins.Speech.Tests;

public sealed class LlamaStackTests
{
    // The rule of Llama 3.1 as published: by wavelength, with a blend between the two borders.
    [Theory]
    [InlineData(64, 4, 1, 4)]
    [InlineData(8192, 8, 1, 4)]
    [InlineData(100, 2, 2, 3)]
    public void Stretched_Llama3_IsByWavelength(int positions, double factor, double low, double high)
    {
        var scaling = new LlamaRopeScaling { RopeType = "llama3", OriginalMaxPositionEmbeddings = positions, Factor = factor, LowFreqFactor = low, HighFreqFactor = high };
        for (var i = 0; i < 64; i++)
        {
            var frequency = Math.Pow(500000, -i / 64.0);
            var wave = 2 * Math.PI / frequency;
            var blend = (positions / wave - low) / (high - low);
            var expected = wave < positions / high ? frequency : wave > positions / low ? frequency / factor : (1 - blend) * frequency / factor + blend * frequency;
            Assert.Equal(expected, LlamaStack.Stretched(frequency, i, scaling, isLong: false), 12);
        }
    }

    [Fact]
    public void Stretched_LongRope_TakesTheFactorsOfTheLength()
    {
        var scaling = new LlamaRopeScaling { Type = "longrope", ShortFactor = [1, 2], LongFactor = [4, 8] };
        Assert.Equal([0.25, 0.125], new[] { LlamaStack.Stretched(0.5, 1, scaling, false), LlamaStack.Stretched(0.5, 0, scaling, true) });
        Assert.Equal(0.1, LlamaStack.Stretched(0.5, 1, new() { Type = "linear", Factor = 5 }, false), 12);
    }

    [Theory]
    [InlineData("phi3", "longrope", null, 4097, true)]
    [InlineData("phi3", "longrope", 64, 64, false)]
    [InlineData("phi3", null, 64, 65, false)]
    [InlineData("llama", "llama3", 64, 65, false)]
    public void IsLong_OnlyWhereFactorsAreForLengths(string model, string? kind, int? original, long tokens, bool expected)
    {
        var config = new LlamaConfig { ModelType = model, OriginalMaxPositionEmbeddings = original, MaxPositionEmbeddings = 131072, RopeScaling = kind is null ? null : new() { Type = kind } };
        Assert.Equal(expected, config.IsLong(tokens));
    }
}
