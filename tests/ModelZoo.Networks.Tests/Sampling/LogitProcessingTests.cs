using ModelZoo.Networks.Sampling;

namespace ModelZoo.Networks.Tests.Sampling;

public sealed class LogitProcessingTests
{
    private static readonly float[] Probabilities = [0.1f, 0.4f, 0.05f, 0.3f, 0.15f];

    [Theory]
    [InlineData(1, new[] { 1 })]
    [InlineData(3, new[] { 1, 3, 4 })]
    [InlineData(9, new[] { 0, 1, 2, 3, 4 })]
    public void TopK_Keeps_TheMostProbable(int k, int[] kept) => Assert.Equal(kept, Kept(logits => LogitProcessing.TopK(logits, k)));

    [Theory]
    [InlineData(0.3f, new[] { 1 })]
    [InlineData(0.6f, new[] { 1, 3 })]
    [InlineData(0.84f, new[] { 1, 3, 4 })]
    public void TopP_Keeps_TheFewestThatReachTheMass(float p, int[] kept) => Assert.Equal(kept, Kept(logits => LogitProcessing.TopP(logits, p)));

    [Theory]
    [InlineData(0.5f, new[] { 1, 3 })]
    [InlineData(0.2f, new[] { 0, 1, 3, 4 })]
    public void MinP_Keeps_AShareOfTheMostProbable(float share, int[] kept) => Assert.Equal(kept, Kept(logits => LogitProcessing.MinP(logits, share)));

    [Fact]
    public void Typical_Keeps_WhatIsNearestToTheEntropy()
    {
        // Entropy 1.39 nats: information is 2.30, 0.92, 3.00, 1.20, 1.90, so 3 comes first, then 1 or 4.
        Assert.Equal([3], Kept(logits => LogitProcessing.Typical(logits, 0.2f)));
        Assert.Equal([1, 3], Kept(logits => LogitProcessing.Typical(logits, 0.6f)));
    }

    [Fact]
    public void RepetitionPenalty_BothSigns_LowersRepeatedTokensOnce()
    {
        float[] logits = [2, -2, 1];
        LogitProcessing.RepetitionPenalty(logits, [0, 1, 0], 2);
        Assert.Equal([1, -4, 1], logits);
    }

    [Fact]
    public void PresenceAndFrequency_CountsOccurrences()
    {
        float[] logits = [0, 0, 0];
        LogitProcessing.PresenceAndFrequency(logits, [1, 1, 2], presence: 1, frequency: 0.5f);
        Assert.Equal([0, -2, -1.5f], logits);
    }

    [Fact]
    public void NoRepeatNGram_RepeatedPrefix_RulesOutItsContinuations()
    {
        var logits = new float[5];
        LogitProcessing.NoRepeatNGram(logits, [1, 2, 3, 1, 2, 4, 1, 2], 3);
        Assert.Equal([0, 0, 0, float.NegativeInfinity, float.NegativeInfinity], logits);
    }

    [Fact]
    public void Guidance_ScaleAndRescale_FollowTheFormulas()
    {
        float[] conditional = [1, 2, 4, 8], unconditional = [0, 1, 1, 2], result = new float[4];
        new ClassifierFreeGuidance(3).Apply(conditional, unconditional, new(1, 2, 2), 0.5f, result);
        Assert.Equal([3, 4, 10, 20], result);
        new ClassifierFreeGuidance(3) { Rescale = 1 }.Apply(conditional, unconditional, new(1, 2, 2), 0.5f, result);
        Assert.Equal(Deviation(conditional), Deviation(result), 1e-4);
        new ClassifierFreeGuidance(3) { Channels = 1 }.Apply(conditional, unconditional, new(1, 2, 2), 0.5f, result);
        Assert.Equal([3, 4, 4, 8], result);
        new ClassifierFreeGuidance(3) { From = 0.6f }.Apply(conditional, unconditional, new(1, 2, 2), 0.5f, result);
        Assert.Equal(conditional, result);
    }

    private static int[] Kept(Action<float[]> process)
    {
        var logits = Array.ConvertAll(Probabilities, MathF.Log);
        process(logits);
        return [.. Enumerable.Range(0, logits.Length).Where(i => !float.IsNegativeInfinity(logits[i]))];
    }

    private static double Deviation(float[] values) => Math.Sqrt(values.Sum(v => Math.Pow(v - values.Average(), 2)) / (values.Length - 1));
}
