// Training-Free Tokenizer Transplantation via Orthogonal Matching Pursuit. Goddard, Fernandes Neto. arXiv:2506.06607. github.com/arcee-ai/mergekit (mergekit/tokensurgeon/omp.py)
// Published layout: none; embedding tables come as tensors. Deviations: none.
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Writes a new token's donor embedding as a sparse combination of shared tokens' and applies the same coefficients in the base model's space.</summary>
internal static class OmpTransplant
{
    private const float Tiny = 1e-8f;

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Transplant("omp-tokenizer-transplant", "Training-Free Tokenizer Transplantation via Orthogonal Matching Pursuit", "2506.06607",
            ["Charles Goddard", "Fernando Fernandes Neto"], "arcee-ai/mergekit", "LGPL-3.0"),
        source => new PaperModel(source).On("omp", arguments =>
        {
            var (indices, coefficients) = Pursue(
                arguments.Tensor<float>("targets"), arguments.Tensor<float>("candidate_points"), arguments.Literal<int>("k"), arguments.Literal("reorthogonalize_interval", 256));
            return new CallResults().Add("selected_indices", indices).Add("coefficients", coefficients).Add("base_rows", Combine(indices, coefficients, arguments.Tensor<float>("base_points")));
        }));

    /// <summary>
    /// Picks <paramref name="k"/> of the candidates (N, D) for each target (B, D): at each step the one with the greatest inner product with what is left, by magnitude; the rest is then made orthogonal to all picked.
    /// Gives indices (B, k) in order of picking and coefficients (B, k). The basis is made orthogonal afresh every <paramref name="interval"/> steps.
    /// </summary>
    public static (Tensor<long> Indices, Tensor<float> Coefficients) Pursue(Tensor<float> targets, Tensor<float> candidates, int k, int interval)
    {
        var (batch, count) = ((int)targets.Shape[0], (int)candidates.Shape[0]);
        if (k > count) throw new ModelZooException(ErrorCodes.VerbUnsupported, "There are fewer candidates than are to be picked.") { Where = "k", Expected = $"at most {count}", Found = $"{k}" };
        var indices = Tensor.Zeros<long>(batch, k);
        var coefficients = Tensor.Zeros<float>(batch, k);
        Parallel.For(0, batch, row =>
        {
            var (picked, weights) = Pursue(targets.Slice(row).Span.ToArray(), candidates, k, interval);
            for (var i = 0; i < k; i++) (indices[row, i], coefficients[row, i]) = (picked[i], weights[i]);
        });
        return (indices, coefficients);
    }

    /// <summary>The same combinations of other points (N, D'): rows (B, D').</summary>
    public static Tensor<float> Combine(Tensor<long> indices, Tensor<float> coefficients, Tensor<float> points)
    {
        var width = (int)points.Shape[1];
        var rows = Tensor.Zeros<float>(indices.Shape[0], width);
        for (var row = 0; row < indices.Shape[0]; row++)
        {
            for (var column = 0; column < width; column++)
            {
                var sum = 0f;
                for (var i = 0; i < indices.Shape[1]; i++) sum += coefficients[row, i] * points[indices[row, i], column];
                rows[row, column] = sum;
            }
        }

        return rows;
    }

    // In the type of the tensors, as the reference: once a target is spelled, what is left is rounding, and it decides the further picks.
    private static (int[] Picked, float[] Weights) Pursue(float[] target, Tensor<float> candidates, int k, int interval)
    {
        var picked = new int[k];
        var basis = new float[k][];          // Q: orthonormal, one row a step
        var triangle = new float[k, k];      // R: picked = Q R
        var residual = target;
        for (var step = 0; step < k; step++)
        {
            picked[step] = Nearest(residual, candidates, picked.AsSpan(0, step));
            var atom = candidates.Slice(picked[step]).Span.ToArray();
            for (var i = 0; i < step; i++) triangle[i, step] = Dot(basis[i], atom);
            Subtract(atom, basis.AsSpan(0, step), i => triangle[i, step]);
            triangle[step, step] = Math.Max(Tiny, MathF.Sqrt(Dot(atom, atom)));
            basis[step] = [.. atom.Select(x => x / triangle[step, step])];
            if (step > 0 && step % interval == 0) Orthogonalize(basis, triangle, step + 1);

            residual = [.. target];
            Subtract(residual, basis.AsSpan(0, step + 1), i => Dot(basis[i], target));
        }

        return (picked, Solve(triangle, [.. basis.Select(q => Dot(q, target))]));
    }

    private static int Nearest(float[] residual, Tensor<float> candidates, ReadOnlySpan<int> taken)
    {
        var (best, score) = (-1, float.NegativeInfinity);
        for (var i = 0; i < candidates.Shape[0]; i++)
        {
            if (taken.Contains(i)) continue;
            var inner = Math.Abs(Dot(residual, candidates.Slice(i).Span));
            if (inner > score) (best, score) = (i, inner);
        }

        return best;
    }

    // A QR decomposition by Householder reflections of the first rows of Q; R takes up the change, so that Q R stays.
    private static void Orthogonalize(float[][] basis, float[,] triangle, int count)
    {
        var (size, change, mirrors) = (basis[0].Length, new float[count, count], new (float[] Mirror, float Tau)[count]);
        float[][] columns = [.. basis[..count].Select(row => (float[])[.. row])];
        for (var j = 0; j < count; j++)
        {
            var column = columns[j];
            var tail = column.AsSpan(j + 1);
            var norm = MathF.Sqrt(column[j] * column[j] + Dot(tail.ToArray(), tail));
            var beta = -MathF.CopySign(norm, column[j]);
            var mirror = new float[size];
            mirror[j] = 1;
            for (var i = j + 1; i < size; i++) mirror[i] = column[i] / (column[j] - beta);
            var tau = (beta - column[j]) / beta;
            mirrors[j] = (mirror, tau);
            for (var other = j + 1; other < count; other++) Reflect(mirrors[j], columns[other]);
            for (var i = 0; i < j; i++) change[i, j] = column[i];
            change[j, j] = beta;
        }

        for (var column = 0; column < count; column++)
        {
            var unit = new float[size];
            unit[column] = 1;
            for (var j = count - 1; j >= 0; j--) Reflect(mirrors[j], unit);
            basis[column] = unit;
            for (var row = 0; row <= column; row++)
            {
                var sum = 0f;
                for (var i = row; i <= column; i++) sum += change[row, i] * triangle[i, column];
                triangle[row, column] = sum;
            }
        }
    }

    private static void Reflect((float[] Mirror, float Tau) by, float[] vector)
    {
        var inner = by.Tau * Dot(by.Mirror, vector);
        for (var i = 0; i < vector.Length; i++) vector[i] -= by.Mirror[i] * inner;
    }

    // Back substitution.
    private static float[] Solve(float[,] triangle, float[] right)
    {
        for (var row = right.Length - 1; row >= 0; row--)
        {
            for (var i = row + 1; i < right.Length; i++) right[row] -= triangle[row, i] * right[i];
            right[row] /= triangle[row, row];
        }

        return right;
    }

    private static float Dot(float[] a, ReadOnlySpan<float> b)
    {
        var sum = 0f;
        for (var i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    // a -= sum of factor(i) x rows[i], the sum first.
    private static void Subtract(float[] a, ReadOnlySpan<float[]> rows, Func<int, float> factor)
    {
        var sum = new float[a.Length];
        for (var row = 0; row < rows.Length; row++)
        {
            var weight = factor(row);
            for (var i = 0; i < a.Length; i++) sum[i] += weight * rows[row][i];
        }

        for (var i = 0; i < a.Length; i++) a[i] -= sum[i];
    }
}
