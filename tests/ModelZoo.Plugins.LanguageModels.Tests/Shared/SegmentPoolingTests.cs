using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels.Tests.Shared;

public class SegmentPoolingTests
{
    private const int Rows = 3, Length = 11, Width = 4;
    private static readonly Tensor<float> Hidden = Noise(Rows, Length, Width);
    private static readonly float[] NullGroup = [0.5f, -1, 2, 0.25f];

    // A row without boundaries, one with several, one of nothing else.
    private static readonly Tensor<bool> Boundaries = Tensor.Create([.. Enumerable.Range(0, Rows * Length).Select(i => i / Length == 2 || (i / Length == 1 && i % 4 == 1))], Rows, Length);

    // arXiv:2211.09761, code of shortening.py: weights from the distance between a group's number and the boundaries counted so far.
    [Fact]
    public void Pool_RaggedRows_EqualsTheMatrixProductOfThePublishedCode()
    {
        var pooled = SegmentPooling.Pool(Hidden, Boundaries, NullGroup);
        Assert.Equal([Rows, Length + 1, Width], pooled.Shape.ToArray());
        for (var row = 0; row < Rows; row++)
        {
            for (var d = 0; d < Width; d++) Assert.Equal(NullGroup[d], pooled[row, 0, d]);
            for (var group = 0; group < Length; group++)
            {
                var members = Enumerable.Range(0, Length).Select(t => Counted(row, t, inclusive: false) == group && group < Counted(row, Length - 1, inclusive: true) ? 1.0 : 0).ToArray();
                for (var d = 0; d < Width; d++)
                    Assert.Equal(Enumerable.Range(0, Length).Sum(t => members[t] * Hidden[row, t, d]) / (members.Sum() + 1e-9), pooled[row, group + 1, d], 1e-5);
            }
        }
    }

    [Fact]
    public void Upsample_AnyRow_GivesTheLastClosedGroup()
    {
        var groups = Noise(Rows, Length + 1, Width);
        var spread = SegmentPooling.Upsample(groups, Boundaries);
        for (var row = 0; row < Rows; row++)
        {
            for (var t = 0; t < Length; t++)
            {
                for (var d = 0; d < Width; d++) Assert.Equal(groups[row, Counted(row, t, inclusive: true), d], spread[row, t, d]);
            }
        }
    }

    private static int Counted(int row, int place, bool inclusive) => Enumerable.Range(0, place + (inclusive ? 1 : 0)).Count(t => Boundaries[row, t]);

    private static Tensor<float> Noise(params long[] shape)
    {
        var noise = Tensor.Zeros<float>(shape);
        new Philox(5).FillNormal(noise.Span);
        return noise;
    }
}
