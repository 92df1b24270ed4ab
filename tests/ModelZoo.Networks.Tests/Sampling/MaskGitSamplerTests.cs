using ModelZoo.Networks.Sampling;

namespace ModelZoo.Networks.Tests.Sampling;

/// <summary>Masked sampling; whole runs are verified against the authors' code by the parity cases.</summary>
public sealed class MaskGitSamplerTests
{
    // Chances of 1 - 4e-8 and 1 - 2e-9 are both one in float32: the second smallest confidence of four is one, and all that are not above it are masked again.
    [Fact]
    public void Sample_ConfidencesThatTieInSinglePrecision_AreMaskedTogether()
    {
        List<int[]> before = [];
        new MaskGitSampler(1, 4, 2, MaskToken: 2).Sample(Logits, new Even(), new() { Steps = 2, MaskSchedule = "linear", RandomizeTemperature = 0 }, (_, tokens, _) => before.Add(tokens));

        Assert.Equal([2, 2, 2, 2], before[1]);

        static void Logits(int step, ReadOnlySpan<int> tokens, Span<float> conditional, Span<float> unconditional) => new float[] { 2, 0, 17, 0, 20, 0, 20, 0 }.CopyTo(conditional);
    }

    [Fact]
    public void Sample_ConfidencesThatDiffer_KeepsTheHigherHalf()
    {
        List<int[]> before = [];
        new MaskGitSampler(1, 4, 2, MaskToken: 2).Sample(Logits, new Even(), new() { Steps = 2, MaskSchedule = "linear", RandomizeTemperature = 0 }, (_, tokens, _) => before.Add(tokens));

        Assert.Equal([2, 0, 2, 0], before[1]);

        static void Logits(int step, ReadOnlySpan<int> tokens, Span<float> conditional, Span<float> unconditional) => new float[] { 2, 0, 7, 0, 3, 0, 8, 0 }.CopyTo(conditional);
    }

    private sealed class Even : IMaskGitDraws
    {
        public void Uniforms(int step, Span<float> destination) => destination.Fill(0.5f);

        public void Gumbels(int step, Span<float> destination) => destination.Clear();
    }
}
