using ModelZoo.Networks.Numerics;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Networks.Tests.Sampling;

public sealed class PhiloxTests
{
    // Known answers of the authors' Random123 library (kat_vectors, philox4x32 10).
    [Theory]
    [InlineData(0UL, 0UL, 0UL, new[] { 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u })]
    [InlineData(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, new[] { 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu })]
    [InlineData(0x299f31d0a4093822UL, 0x85a308d3243f6a88UL, 0x0370734413198a2eUL, new[] { 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u })]
    public void Block_KnownCounters_GiveTheAuthorsAnswers(ulong seed, ulong index, ulong stream, uint[] expected)
    {
        var block = new uint[4];
        new Philox(seed, stream).Block(index, block);
        Assert.Equal(expected, block);
    }

    [Fact]
    public void Fill_FromAnyPosition_ContinuesTheSameSequence()
    {
        var (whole, part) = (new uint[100], new uint[41]);
        var generator = new Philox(7, 3);
        generator.Fill(whole);
        generator.Fill(part, position: 19);
        Assert.Equal(whole[19..60], part);
    }

    [Theory]
    [InlineData(0UL, 0UL)]
    [InlineData(5UL, 1UL << 63)]
    [InlineData((0xFFFFFFFFUL - 3) * 4, 77UL)]
    [InlineData((0xFFFFFFFFUL - 3) * 4 + 2, ulong.MaxValue)]
    public void Fill_ManyAtOnce_GivesTheBlocksOneByOne(ulong position, ulong stream)
    {
        var (draws, block) = (new uint[301], new uint[4]);
        var generator = new Philox(0x0123456789abcdef, stream);
        generator.Fill(draws, position);
        for (var i = 0; i < draws.Length; i++)
        {
            generator.Block((position + (ulong)i) / 4, block);
            Assert.Equal(block[(position + (ulong)i) % 4], draws[i]);
        }
    }

    [Fact]
    public void FillNormal_AnyLength_HasTheBitsOfOneDraw()
    {
        foreach (var length in new[] { 1, 31, 257, 20_000 })
        {
            var (draws, bits) = (new float[length], new uint[length]);
            new Philox(9, 2).FillNormal(draws, position: 3);
            new Philox(9, 2).Fill(bits, position: 3);
            for (var i = 0; i < length; i++) Assert.Equal((float)NormalDistribution.Inverse((bits[i] + 0.5) / 4294967296.0), draws[i]);
        }
    }

    [Fact]
    public void Inverse_ManyShares_HasTheBitsOfOne()
    {
        double[] edges = [0.5, 0.075, 0.925, 0.5 - 0.425, Math.BitIncrement(0.925), 1e-300, 1e-17, 0.5 / 4294967296, 1 - 0.5 / 4294967296, 1e-12, 1.4e-11, Math.BitDecrement(1)];
        double[] shares = [.. edges, .. Enumerable.Range(1, 3001).Select(i => i / 3002.0)];
        var inverses = shares.ToArray();
        NormalDistribution.Inverse(inverses);
        for (var i = 0; i < shares.Length; i++) Assert.Equal(BitConverter.DoubleToInt64Bits(NormalDistribution.Inverse(shares[i])), BitConverter.DoubleToInt64Bits(inverses[i]));
    }

    [Fact]
    public void FillNormal_ManyDraws_HaveTheMomentsOfTheNormalDistribution()
    {
        var draws = new float[200_000];
        new Philox(1).FillNormal(draws);
        Assert.Equal(0, draws.Average(), 0.01);
        Assert.Equal(1, draws.Average(x => (double)x * x), 0.01);
        Assert.Equal(0, draws.Average(x => Math.Pow(x, 3)), 0.03);
        Assert.Equal(3, draws.Average(x => Math.Pow(x, 4)), 0.06);
    }

    [Fact]
    public void FillNormal_FirstDraws_AreThoseOfVersionOne()
    {
        var draws = new float[4];
        new Philox(42).FillNormal(draws);
        var expected = new uint[4];
        new Philox(42).Fill(expected);
        for (var i = 0; i < 4; i++) Assert.Equal((float)NormalDistribution.Inverse((expected[i] + 0.5) / 4294967296.0), draws[i]);
    }

    [Fact]
    public void Normal_SampleOfABatch_IsTheSampleAlone()
    {
        var batch = Noise.Normal(5, 3, 2, 4);
        Assert.Equal(Noise.Normal(5, 1, 2, 4).Span.ToArray(), batch.Slice(0).Span.ToArray());
        var source = new PhiloxNoise(5, samples: 3);
        var alone = new PhiloxNoise(5, samples: 1, firstSample: 2);
        var (all, one) = (new float[24], new float[8]);
        for (var draw = 0; draw < 2; draw++)
        {
            source.Fill(all);
            alone.Fill(one);
            Assert.Equal(all[16..], one);
        }
    }
}
