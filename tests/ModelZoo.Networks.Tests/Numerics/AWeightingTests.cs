using ModelZoo.Networks.Numerics;

namespace ModelZoo.Networks.Tests.Numerics;

public sealed class AWeightingTests
{
    // What scipy.signal's bilinear, freqz and firls give for 7 taps at 16 kHz.
    [Fact]
    public void Filter_OfFewTaps_IsSciPys()
    {
        double[] expected = [-0.0195435, -0.18631858, 0.16398825, 0.78101425, 0.16398825, -0.18631858, -0.0195435];
        Assert.Equal(expected, AWeighting.Filter(16000, 7), (a, b) => Math.Abs(a - b) < 1e-7);
    }

    [Fact]
    public void Apply_Filter_IsCentredOnEachSample() => Assert.Equal([2 * 2 + 5 * 3, 3 * 2 + 2 * 3 + 5 * 4, 3 * 3 + 2 * 4], AWeighting.Apply([2f, 3, 4], [3.0, 2, 5]));
}
