namespace ModelZoo.Networks.Numerics;

/// <summary>Small dense problems in double precision.</summary>
public static class LinearAlgebra
{
    /// <summary>The x with matrix x = right, by elimination with row pivoting.</summary>
    /// <param name="matrix">(n, n).</param>
    /// <param name="right">(n).</param>
    public static double[] Solve(double[,] matrix, double[] right)
    {
        var n = right.Length;
        var (a, x) = ((double[,])matrix.Clone(), (double[])right.Clone());
        for (var column = 0; column < n; column++)
        {
            var pivot = column;
            for (var row = column + 1; row < n; row++)
            {
                if (Math.Abs(a[row, column]) > Math.Abs(a[pivot, column])) pivot = row;
            }

            (x[column], x[pivot]) = (x[pivot], x[column]);
            for (var k = column; k < n; k++) (a[column, k], a[pivot, k]) = (a[pivot, k], a[column, k]);
            for (var row = column + 1; row < n; row++)
            {
                var factor = a[row, column] / a[column, column];
                for (var k = column; k < n; k++) a[row, k] -= factor * a[column, k];
                x[row] -= factor * x[column];
            }
        }

        for (var row = n - 1; row >= 0; row--)
        {
            for (var k = row + 1; k < n; k++) x[row] -= a[row, k] * x[k];
            x[row] /= a[row, row];
        }

        return x;
    }
}
