// MAUVE: Measuring the Gap Between Neural Text and Human Text using Divergence Frontiers. Pillutla et al. arXiv:2102.01454.
namespace ModelZoo.Networks.Metrics;

/// <summary>Divergence frontier between two quantised distributions.</summary>
public static class Mauve
{
    /// <summary>Rows (exp(-c KL(q|r)), exp(-c KL(p|r))) for mixtures r = w p + (1 - w) q, w ascending, between the two end points.</summary>
    /// <param name="p">Shares of the first set in each bucket.</param>
    /// <param name="q">Shares of the second set.</param>
    public static (double Q, double P)[] DivergenceCurve(double[] p, double[] q, int points, double scale)
    {
        var curve = new List<(double, double)> { (1, 0) };
        for (var i = 0; i < points; i++)
        {
            var weight = 1e-6 + i * ((1 - 2e-6) / (points - 1));
            var mixture = p.Zip(q, (a, b) => weight * a + (1 - weight) * b).ToArray();
            curve.Add((Math.Exp(-scale * Divergence(q, mixture)), Math.Exp(-scale * Divergence(p, mixture))));
        }

        curve.Add((0, 1));
        return [.. curve];
    }

    /// <summary>Area under the frontier: the mean of the trapezoid areas over either axis.</summary>
    public static double Area((double Q, double P)[] curve) =>
        (Trapezoids(curve.OrderBy(point => point.Q).Select(point => (point.Q, point.P))) + Trapezoids(curve.OrderBy(point => point.P).Select(point => (point.P, point.Q)))) / 2;

    /// <summary>Integral of the linear frontier (arXiv:2106.07898), between 0 and 1.</summary>
    public static double FrontierIntegral(double[] p, double[] q)
    {
        var total = 0.0;
        for (var i = 0; i < p.Length; i++)
        {
            if (p[i] == 0 || q[i] == 0) total += (p[i] + q[i]) / 4;
            else if (Math.Abs(p[i] - q[i]) > 1e-8) total += (p[i] + q[i]) / 4 - p[i] * q[i] * (Math.Log(p[i]) - Math.Log(q[i])) / (p[i] - q[i]) / 2;
        }

        return 2 * total;
    }

    private static double Divergence(double[] p, double[] q)
    {
        var sum = 0.0;
        for (var i = 0; i < p.Length; i++)
        {
            if (p[i] == 0) continue;
            if (q[i] == 0) return double.PositiveInfinity;
            sum += p[i] * Math.Log(p[i] / q[i]);
        }

        return sum;
    }

    private static double Trapezoids(IEnumerable<(double X, double Y)> points)
    {
        var list = points.ToList();
        return list.Zip(list.Skip(1), (a, b) => (b.X - a.X) * (a.Y + b.Y) / 2).Sum();
    }
}
