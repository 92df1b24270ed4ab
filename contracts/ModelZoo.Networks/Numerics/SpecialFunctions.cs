namespace ModelZoo.Networks.Numerics;

/// <summary>Special functions in double precision.</summary>
public static class SpecialFunctions
{
    // Lanczos, g = 7, nine terms.
    private static readonly double[] Lanczos =
    [
        0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
        12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
    ];

    /// <summary>ln Γ(x) for x &gt; 0.</summary>
    public static double LogGamma(double x)
    {
        if (x < 0.5) return Math.Log(Math.PI / Math.Sin(Math.PI * x)) - LogGamma(1 - x);
        x -= 1;
        var sum = Lanczos[0];
        for (var i = 1; i < Lanczos.Length; i++) sum += Lanczos[i] / (x + i);
        var t = x + 7.5;
        return 0.5 * Math.Log(2 * Math.PI) + (x + 0.5) * Math.Log(t) - t + Math.Log(sum);
    }

    /// <summary>Modified Bessel function of the first kind and order zero, by its power series.</summary>
    public static double BesselI0(double x)
    {
        var (term, sum) = (1.0, 1.0);
        for (var k = 1; term > 1e-17 * sum; k++)
        {
            term *= x / (2 * k) * (x / (2 * k));
            sum += term;
        }

        return sum;
    }

    /// <summary>Kaiser's window at x in -1..1, 1 in the middle.</summary>
    public static double Kaiser(double x, double beta) => BesselI0(beta * Math.Sqrt(Math.Max(0, 1 - x * x))) / BesselI0(beta);

    /// <summary>Regularised incomplete beta function I_x(a, b), by its continued fraction.</summary>
    public static double IncompleteBeta(double a, double b, double x)
    {
        if (x <= 0) return 0;
        if (x >= 1) return 1;
        var front = Math.Exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * Math.Log(x) + b * Math.Log(1 - x));
        return x < (a + 1) / (a + b + 2) ? front * Fraction(a, b, x) / a : 1 - front * Fraction(b, a, 1 - x) / b;
    }

    /// <summary>The x at which I_x(a, b) = p: the quantile of the beta distribution, by bisection refined with Newton steps.</summary>
    public static double InverseIncompleteBeta(double a, double b, double p)
    {
        if (p <= 0) return 0;
        if (p >= 1) return 1;
        var (low, high, x) = (0.0, 1.0, 0.5);
        for (var i = 0; i < 200 && high - low > 1e-17 * x; i++)
        {
            var error = IncompleteBeta(a, b, x) - p;
            if (error == 0) break;
            if (error < 0) low = x;
            else high = x;
            var density = Math.Exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + (a - 1) * Math.Log(x) + (b - 1) * Math.Log(1 - x));
            var next = x - error / density;
            if (next == x) break;
            x = next > low && next < high ? next : (low + high) / 2;
        }

        return x;
    }

    // Lentz's method.
    private static double Fraction(double a, double b, double x)
    {
        const double Tiny = 1e-300;
        var (c, d) = (1.0, 1 / NotZero(1 - (a + b) * x / (a + 1)));
        var result = d;
        for (var m = 1; m < 500; m++)
        {
            foreach (var term in (ReadOnlySpan<double>)
                [m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))])
            {
                d = 1 / NotZero(1 + term * d);
                c = NotZero(1 + term / c);
                result *= d * c;
            }

            if (Math.Abs(d * c - 1) < 1e-16) break;
        }

        return result;

        static double NotZero(double value) => Math.Abs(value) < Tiny ? Tiny : value;
    }
}
