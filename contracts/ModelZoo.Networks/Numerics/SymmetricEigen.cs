namespace ModelZoo.Networks.Numerics;

/// <summary>Eigenvalues and eigenvectors of symmetric matrices.</summary>
public static class SymmetricEigen
{
    /// <summary>
    /// Eigenvalues, in no order, and eigenvectors as columns: Householder reduction to tridiagonal form, then implicit QL
    /// (Bowdler, Martin, Reinsch, Wilkinson, Handbook for Automatic Computation II, tred2 and tql2).
    /// </summary>
    /// <exception cref="ArithmeticException">The iteration does not converge, as with values that are not numbers.</exception>
    public static (double[] Values, double[,] Vectors) Decompose(double[,] matrix)
    {
        var n = matrix.GetLength(0);
        var v = (double[,])matrix.Clone();
        var (diagonal, off) = (new double[n], new double[n]);
        Tridiagonalize(v, diagonal, off);
        Diagonalize(v, diagonal, off);
        return (diagonal, v);
    }

    private static void Tridiagonalize(double[,] v, double[] d, double[] e)
    {
        var n = d.Length;
        for (var i = n - 1; i > 0; i--)
        {
            var (scale, h) = (0.0, 0.0);
            for (var k = 0; k < i; k++) scale += Math.Abs(v[i, k]);
            if (i == 1 || scale == 0)
            {
                e[i] = v[i, i - 1];
            }
            else
            {
                for (var k = 0; k < i; k++)
                {
                    v[i, k] /= scale;
                    h += v[i, k] * v[i, k];
                }

                var f = v[i, i - 1];
                var g = f >= 0 ? -Math.Sqrt(h) : Math.Sqrt(h);
                e[i] = scale * g;
                h -= f * g;
                v[i, i - 1] = f - g;
                f = 0;
                for (var j = 0; j < i; j++)
                {
                    v[j, i] = v[i, j] / h;
                    g = 0;
                    for (var k = 0; k <= j; k++) g += v[j, k] * v[i, k];
                    for (var k = j + 1; k < i; k++) g += v[k, j] * v[i, k];
                    e[j] = g / h;
                    f += e[j] * v[i, j];
                }

                var hh = f / (h + h);
                for (var j = 0; j < i; j++)
                {
                    f = v[i, j];
                    e[j] = g = e[j] - hh * f;
                    for (var k = 0; k <= j; k++) v[j, k] -= f * e[k] + g * v[i, k];
                }
            }

            d[i] = h;
        }

        (d[0], e[0]) = (0, 0);
        for (var i = 0; i < n; i++)
        {
            if (d[i] != 0)
            {
                for (var j = 0; j < i; j++)
                {
                    var g = 0.0;
                    for (var k = 0; k < i; k++) g += v[i, k] * v[k, j];
                    for (var k = 0; k < i; k++) v[k, j] -= g * v[k, i];
                }
            }

            d[i] = v[i, i];
            v[i, i] = 1;
            for (var j = 0; j < i; j++) v[j, i] = v[i, j] = 0;
        }
    }

    private static void Diagonalize(double[,] v, double[] d, double[] e)
    {
        var n = d.Length;
        for (var i = 1; i < n; i++) e[i - 1] = e[i];
        if (n > 0) e[n - 1] = 0;
        for (var l = 0; l < n; l++)
        {
            for (var iteration = 0; ; iteration++)
            {
                var m = l;
                for (; m < n - 1; m++)
                {
                    var size = Math.Abs(d[m]) + Math.Abs(d[m + 1]);
                    if (Math.Abs(e[m]) <= 1e-16 * size) break;
                }

                if (m == l) break;
                if (iteration == 100) throw new ArithmeticException("The eigenvalues do not converge.");
                var g = (d[l + 1] - d[l]) / (2 * e[l]);
                var r = Math.Sqrt(g * g + 1);
                g = d[m] - d[l] + e[l] / (g + Math.CopySign(r, g));
                var (s, c, p) = (1.0, 1.0, 0.0);
                var i = m - 1;
                for (; i >= l; i--)
                {
                    var (f, b) = (s * e[i], c * e[i]);
                    r = Math.Sqrt(f * f + g * g);
                    e[i + 1] = r;
                    if (r == 0)
                    {
                        d[i + 1] -= p;
                        e[m] = 0;
                        break;
                    }

                    (s, c) = (f / r, g / r);
                    g = d[i + 1] - p;
                    r = (d[i] - g) * s + 2 * c * b;
                    p = s * r;
                    d[i + 1] = g + p;
                    g = c * r - b;
                    for (var k = 0; k < n; k++) (v[k, i + 1], v[k, i]) = (s * v[k, i] + c * v[k, i + 1], c * v[k, i] - s * v[k, i + 1]);
                }

                if (r == 0 && i >= l) continue;
                d[l] -= p;
                e[l] = g;
                e[m] = 0;
            }
        }
    }
}
