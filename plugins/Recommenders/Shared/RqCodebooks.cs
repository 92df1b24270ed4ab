using ModelZoo.Contracts;
using ModelZoo.Inference;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>Residual quantization of item latents, level by level (Lee et al., RQ-VAE, arXiv:2203.01941), with Sinkhorn's balanced assignment where a level asks for it (Zheng et al., LC-Rec, arXiv:2311.09049, eq. 4).</summary>
internal sealed class RqCodebooks(IReadOnlyList<Tensor<float>> codebooks)
{
    /// <summary>The codebooks that a checkpoint has as <c>SCOPE.vq_layers.N.embedding.weight</c>.</summary>
    public static RqCodebooks Of(Checkpoint checkpoint, string scope, IEnumerable<int> sizes, int width) =>
        new([.. sizes.Select((size, level) => Tensor.Create(WeightConversion.ToFloat32(checkpoint.Get($"{scope}.vq_layers.{level}.embedding.weight")).Span<float>().ToArray(), size, width))]);

    /// <summary>Codes (items, levels), and x + (q - x) as the straight-through estimator writes it (items, e). A level whose epsilon is above zero is assigned with Sinkhorn over all items together.</summary>
    public (Tensor<long> Codes, Tensor<float> Quantized) Quantize(Tensor<float> latent, IReadOnlyList<double> epsilons, int iterations)
    {
        var (items, width) = ((int)latent.Shape[0], (int)latent.Shape[1]);
        var codes = Tensor.Zeros<long>(items, codebooks.Count);
        var (residual, sum) = (Tensor.Create(latent.Span.ToArray(), items, width), Tensor.Zeros<float>(items, width));
        for (var level = 0; level < codebooks.Count; level++)
        {
            var distances = Distances(residual, codebooks[level]);
            var chosen = epsilons[level] > 0 ? Balanced(distances, epsilons[level], iterations) : Nearest(distances);
            for (var item = 0; item < items; item++)
            {
                var row = codebooks[level].Slice(chosen[item]).Span;
                var x = residual.Slice(item).Span;
                codes[item, level] = chosen[item];
                // Each level's straight-through value: x + (q - x).
                var value = new float[width];
                TensorPrimitives.Subtract(row, x, value);
                TensorPrimitives.Add(x, value, value);
                TensorPrimitives.Add(sum.Slice(item).Span, value, sum.Slice(item).Span);
                TensorPrimitives.Subtract(x, value, x);
            }
        }

        return (codes, sum);
    }

    /// <summary>Sum of the rows that codes name. (items, levels) -> (items, e).</summary>
    public Tensor<float> Lookup(Tensor<long> codes)
    {
        var sum = Tensor.Zeros<float>(codes.Shape[0], codebooks[0].Shape[1]);
        for (var item = 0; item < codes.Shape[0]; item++)
        {
            for (var level = 0; level < codes.Shape[1]; level++) TensorPrimitives.Add(sum.Slice(item).Span, codebooks[level].Slice((int)codes[item, level]).Span, sum.Slice(item).Span);
        }

        return sum;
    }

    // |x|^2 + |e|^2 - 2 x.e
    private static float[][] Distances(Tensor<float> x, Tensor<float> rows)
    {
        var norms = Enumerable.Range(0, (int)rows.Shape[0]).Select(k => TensorPrimitives.SumOfSquares<float>(rows.Slice(k).Span)).ToArray();
        return [.. Enumerable.Range(0, (int)x.Shape[0]).Select(item =>
        {
            var norm = TensorPrimitives.SumOfSquares<float>(x.Slice(item).Span);
            return Enumerable.Range(0, norms.Length).Select(k => norm + norms[k] - 2 * TensorPrimitives.Dot<float>(x.Slice(item).Span, rows.Slice(k).Span)).ToArray();
        })];
    }

    private static int[] Nearest(float[][] distances) => [.. distances.Select(row => TensorPrimitives.IndexOfMin<float>(row))];

    // Centred distances; Q = exp(-d / epsilon), rows and columns normalised in turn, in double precision; the largest entry of each row.
    private static int[] Balanced(float[][] distances, double epsilon, int iterations)
    {
        var (max, min) = (distances.Max(row => row.Max()), distances.Min(row => row.Min()));
        var middle = (max + min) / 2;
        var amplitude = max - middle + 1e-5f;
        var (items, size) = (distances.Length, distances[0].Length);
        var q = distances.Select(row => row.Select(d => Math.Exp(-(double)((d - middle) / amplitude) / epsilon)).ToArray()).ToArray();
        var total = q.Sum(row => row.Sum());
        foreach (var row in q) TensorPrimitives.Divide(row, total, row);
        for (var i = 0; i < iterations; i++)
        {
            foreach (var row in q) TensorPrimitives.Divide(row, row.Sum() * items, row);
            var columns = new double[size];
            foreach (var row in q) TensorPrimitives.Add(columns, row, columns);
            foreach (var row in q)
            {
                for (var k = 0; k < size; k++) row[k] /= columns[k] * size;
            }
        }

        return [.. q.Select(row => TensorPrimitives.IndexOfMax<double>(row))];
    }
}
