using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Layers;

public class SpectraTests
{
    [Theory]
    [InlineData(8, 4, 33)]
    [InlineData(12, 3, 40)]
    public void Stft_EqualsTheTransformOfEachFrame(int n, int hop, long length)
    {
        var (x, window) = (Runtime.Numbers(1, 2, length), SpectraLayers.Hann(n));
        Tensor<float> Expected(Func<double, double> part) => Runtime.Make([2, n / 2 + 1, (length - n) / hop + 1], at =>
            Enumerable.Range(0, n).Sum(i => window[i] * x[at[0], at[2] * hop + i] * part(-2 * Math.PI * at[1] * i / n)));

        Runtime.Near(Expected(Math.Cos), Runtime.Run(g => g.Input("x", Runtime.Symbols(2)).Stft(window, hop).Real, ("x", x)));
        Runtime.Near(Expected(Math.Sin), Runtime.Run(g => g.Input("x", Runtime.Symbols(2)).Stft(window, hop).Imaginary, ("x", x)));
    }

    // The transform is orthonormal between neighbours: what naive sums take apart, overlapping adds together again.
    [Theory]
    [InlineData(8, 5, 0)]
    [InlineData(12, 4, 6)]
    public void InverseMdct_OfAMdct_GivesTheSignal(int n, int frames, int trim)
    {
        var half = n / 2;
        var x = Runtime.Numbers(1, 2, (frames + 1) * half);
        var coefficients = Runtime.Make([2, half, frames], at => Enumerable.Range(0, n).Sum(i =>
            Math.Sqrt(2.0 / half) * Math.Sin(Math.PI / n * (i + 0.5)) * x[at[0], at[2] * half + i] * Math.Cos(2 * Math.PI / n * (i + 0.5 + n / 4.0) * (at[1] + 0.5))));
        var y = Runtime.Run(g => SpectraLayers.InverseMdct(g.Input("x", [Dim.Symbol("b"), half, Dim.Symbol("frames")]), n, trim), ("x", coefficients));
        Assert.Equal([2, (frames + 1) * half - 2 * trim], y.Shape.ToArray());
        for (var t = half; t < frames * half; t++) Assert.Equal(x[1, t], y[1, t - trim], 1e-5);
    }

    [Theory]
    [InlineData(8, 2, 40)]
    [InlineData(16, 4, 64)]
    public void InverseStft_OfAStft_GivesTheSignal(int n, int hop, long length)
    {
        var (x, window, trim) = (Runtime.Numbers(1, 2, length), SpectraLayers.Hann(n), n / 2);
        var y = Runtime.Run(g =>
        {
            var (real, imaginary) = g.Input("x", [Dim.Symbol("b"), length]).Stft(window, hop);
            return SpectraLayers.InverseStft(real, imaginary, window, hop, trim);
        }, ("x", x));
        Runtime.Near(Runtime.Make([2, length - n], at => x[at[0], at[1] + trim]), y, 1e-5);
    }
}
