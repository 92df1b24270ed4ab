// Generating Diverse and Natural 3D Human Motions from Text. Guo et al. CVPR 2022: the measures of HumanML3D and KIT-ML.
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Metrics;

/// <summary>Measures of generated motion on embeddings of the evaluator, and on joints.</summary>
public static class MotionMetrics
{
    /// <summary>Euclidean distances between rows (n, d) and (m, d).</summary>
    public static double[,] Distances(Tensor<float> a, Tensor<float> b)
    {
        var result = new double[a.Shape[0], b.Shape[0]];
        for (var i = 0; i < a.Shape[0]; i++)
        {
            for (var j = 0; j < b.Shape[0]; j++) result[i, j] = Distance(a.Slice(i).Span, b.Slice(j).Span);
        }

        return result;
    }

    /// <summary>
    /// R-precision at 1..k, and the mean distance of matching pairs. Each text is ranked against the motions of its own batch.
    /// </summary>
    /// <param name="texts">(n, d).</param>
    /// <param name="motions">(n, d).</param>
    public static (double[] RPrecision, double MultimodalDistance) RetrievalScores(Tensor<float> texts, Tensor<float> motions, int batch, int top)
    {
        var n = (int)texts.Shape[0];
        var (hits, distance) = (new double[top], 0.0);
        for (var i = 0; i < n; i++)
        {
            var start = i / batch * batch;
            var own = Distance(texts.Slice(i).Span, motions.Slice(i).Span);
            distance += own;
            var nearer = 0;
            for (var j = start; j < Math.Min(start + batch, n); j++)
            {
                if (j != i && Distance(texts.Slice(i).Span, motions.Slice(j).Span) < own) nearer++;
            }

            for (var k = nearer; k < top; k++) hits[k]++;
        }

        return (Array.ConvertAll(hits, h => h / n), distance / n);
    }

    /// <summary>Mean distance of the given pairs of rows.</summary>
    public static double Diversity(Tensor<float> embeddings, ReadOnlySpan<long> first, ReadOnlySpan<long> second)
    {
        var sum = 0.0;
        for (var i = 0; i < first.Length; i++) sum += Distance(embeddings.Slice((int)first[i]).Span, embeddings.Slice((int)second[i]).Span);
        return sum / first.Length;
    }

    /// <summary>Mean over texts of the mean distance of the given pairs among its motions (texts, motions, d).</summary>
    public static double Multimodality(Tensor<float> embeddings, ReadOnlySpan<long> first, ReadOnlySpan<long> second)
    {
        var sum = 0.0;
        for (var i = 0; i < embeddings.Shape[0]; i++) sum += Diversity(embeddings.Slice(i), first, second);
        return sum / embeddings.Shape[0];
    }

    /// <summary>Mean joint position error of each pose (poses, joints, 3), both relative to joint 0.</summary>
    public static double[] Mpjpe(Tensor<float> reference, Tensor<float> predicted)
    {
        var result = new double[reference.Shape[0]];
        for (var i = 0; i < result.Length; i++)
        {
            var (a, b) = (reference.Slice(i), predicted.Slice(i));
            for (var joint = 0; joint < a.Shape[0]; joint++)
            {
                var sum = 0.0;
                for (var k = 0; k < 3; k++) sum += Math.Pow((double)a[joint, k] - a[0, k] - ((double)b[joint, k] - b[0, k]), 2);
                result[i] += Math.Sqrt(sum) / a.Shape[0];
            }
        }

        return result;
    }

    private static double Distance(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        return Math.Sqrt(sum);
    }
}
