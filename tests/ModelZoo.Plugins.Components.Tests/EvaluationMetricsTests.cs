using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Tests;

public sealed class EvaluationMetricsTests
{
    private static readonly IReadOnlyList<IMetric> Metrics = new ComponentsPlugin().Metrics;

    [Fact]
    public void Metrics_Names_AreUniqueAndDescribed()
    {
        Assert.Equal(Metrics.Count, Metrics.Select(metric => metric.Name).Distinct().Count());
        Assert.All(Metrics, metric => Assert.EndsWith(".", metric.Description));
    }

    [Theory]
    [InlineData("psnr", double.PositiveInfinity)]
    [InlineData("ssim", 1)]
    [InlineData("l1", 0)]
    public void Picture_AgainstItself_IsPerfect(string name, double expected)
    {
        var image = new Image(Noise(3, 16, 20));
        Assert.Equal(expected, Result(name, new Observation("a", image, image)).Value, 1e-6);
    }

    [Theory]
    [InlineData("mel-distance", 0)]
    [InlineData("stft-distance", 0)]
    [InlineData("stoi", 1)]
    public void Sound_AgainstItself_IsPerfect(string name, double expected)
    {
        var audio = new Audio(Noise(1, 16000), 16000);
        Assert.Equal(expected, Result(name, new Observation("a", audio, audio)).Value, 1e-6);
    }

    [Fact]
    public void SiSdr_HalfTheAmplitude_IsPerfect()
    {
        var (reference, output) = (Noise(1, 4000), Noise(1, 4000));
        foreach (ref var sample in output.Span) sample /= 2;
        Assert.True(Result("si-sdr", new Observation("a", new Audio(reference, 8000), new Audio(output, 8000))).Value > 60);
    }

    [Fact]
    public void Wer_OverACorpus_SumsErrorsBeforeDividing()
    {
        var value = Result("wer", new("a", new Text("one two three"), new Text("one three")), new("b", new Text("four"), new Text("five")));
        Assert.Equal(2.0 / 4, value.Value);
        Assert.Equal(2, value.Count);
    }

    [Fact]
    public void Bleu_AgainstItself_Is100() =>
        Assert.Equal(100, Result("bleu", new Observation("a", new Text("the quick brown fox jumps"), new Text("the quick brown fox jumps"))).Value, 1e-9);

    [Fact]
    public void RecallAndNdcg_SecondOfThreeIsRight_AreDiscounted()
    {
        var observation = new Observation("u", new Items(["b"]), new Items(["a", "b", "c"]));
        Assert.Equal(0, Result("recall@1", observation).Value);
        Assert.Equal(1, Result("recall@5", observation).Value);
        Assert.Equal(1 / Math.Log2(3), Result("ndcg@5", observation).Value, 1e-12);
    }

    [Fact]
    public void BitRateAndPerplexity_TwoCodebooks_CountEachByItsSize()
    {
        var space = new TokenSpace("speech/x", TokenLayout.Frames, [4, 16], "digest");
        var tokens = new Tokens(space, Tensor.Create(new[] { 0, 1, 2, 3, 5, 5, 5, 5 }, 2, 4));
        var observation = new Observation("a", new Audio(Tensor.Zeros<float>(1, 8000), 16000), null) { Tokens = tokens };
        Assert.Equal((4 * 2 + 4 * 4) / 0.5, Result("bit-rate", observation).Value, 1e-9);
        var perplexity = Result("codebook-perplexity", observation);
        Assert.Equal(4, perplexity.Parts[0].Value, 1e-6);
        Assert.Equal(1, perplexity.Parts[1].Value, 1e-6);
    }

    [Fact]
    public void Add_ObservationOfAnotherKind_IsLeftOut()
    {
        var accumulator = Metrics.Single(metric => metric.Name == "psnr").Start();
        accumulator.Add(new Observation("a", new Text("x"), new Text("y")));
        Assert.Null(accumulator.Result());
    }

    private static MetricValue Result(string name, params Observation[] observations)
    {
        var accumulator = Metrics.Single(metric => metric.Name == name).Start();
        foreach (var observation in observations) accumulator.Add(observation);
        return accumulator.Result()!;
    }

    private static Tensor<float> Noise(params long[] shape)
    {
        var noise = Networks.Sampling.Noise.Normal(9, [1, .. shape]);
        return noise.Slice(0);
    }
}
