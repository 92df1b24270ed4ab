namespace ModelZoo.Networks.Numerics;

/// <summary>The A-weighting of sound levels (IEC 61672) as a filter of finite response, as auraloss fits it: Perceptual Loss Function for Neural Modelling of Audio Systems. Wright, Välimäki. arXiv:1911.08922.</summary>
public static class AWeighting
{
    private const int Points = 512;

    /// <summary>Taps of the linear-phase filter that is nearest to the weighting, in least squares over every second interval of a grid of 512 frequencies.</summary>
    /// <param name="sampleRate">Samples per second.</param>
    /// <param name="taps">An odd number.</param>
    public static double[] Filter(int sampleRate, int taps = 101)
    {
        var half = taps / 2;
        var (edges, gains) = (new double[Points], new double[Points]);
        for (var k = 0; k < Points; k++)
        {
            edges[k] = (double)k / Points;                                                       // in half sampling rates
            gains[k] = Gain(2 * sampleRate * Math.Tan(Math.PI * edges[k] / 2));                  // bilinear transform
        }

        // Normal equations over cosines: a Toeplitz and a Hankel matrix of the same integrals.
        double[] integrals = [.. Enumerable.Range(0, taps).Select(n => Bands(k => Sinc(edges[k] * n) * edges[k]))];
        var (matrix, right) = (new double[half + 1, half + 1], new double[half + 1]);
        for (var i = 0; i <= half; i++)
        {
            for (var j = 0; j <= half; j++) matrix[i, j] = integrals[Math.Abs(i - j)] + integrals[i + j];
            right[i] = Bands(k => Moment(k, i));
        }

        var a = LinearAlgebra.Solve(matrix, right);
        return [.. a[1..].Reverse(), 2 * a[0], .. a[1..]];

        static double Bands(Func<int, double> primitive) => Enumerable.Range(0, Points / 2).Sum(band => primitive(2 * band + 1) - primitive(2 * band));

        // The primitive, at an edge, of the gain (a line within its band) times a cosine.
        double Moment(int k, int n)
        {
            var (low, e) = (k / 2 * 2, edges[k]);
            var slope = (gains[low + 1] - gains[low]) / (edges[low + 1] - edges[low]);
            return e * gains[k] * Sinc(e * n) + (n == 0 ? -slope * e * e / 2 : slope * Math.Cos(n * Math.PI * e) / (Math.PI * n * Math.PI * n));
        }
    }

    /// <summary>A signal through a filter of an odd number of taps, as long as it was; there is silence beyond its ends.</summary>
    public static double[] Apply(ReadOnlySpan<float> signal, double[] taps)
    {
        var result = new double[signal.Length];
        for (var i = 0; i < result.Length; i++)
        {
            for (var j = Math.Max(0, taps.Length / 2 - i); j < Math.Min(taps.Length, signal.Length + taps.Length / 2 - i); j++) result[i] += signal[i + j - taps.Length / 2] * taps[j];
        }

        return result;
    }

    // At an angular frequency; 1 at 1 kHz.
    private static double Gain(double frequency)
    {
        double Pole(double hertz) => Math.Sqrt(frequency * frequency + Square(2 * Math.PI * hertz));
        return Square(2 * Math.PI * 12194.217) * Math.Pow(10, 1.9997 / 20) * Square(Square(frequency)) / (Square(Pole(12194.217)) * Square(Pole(20.598997)) * Pole(737.86223) * Pole(107.65265));
    }

    private static double Square(double x) => x * x;

    private static double Sinc(double x) => x == 0 ? 1 : Math.Sin(Math.PI * x) / (Math.PI * x);
}
