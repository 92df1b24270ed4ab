// FOCUS: Effective Embedding Initialization for Specializing Pretrained Multilingual Models on a Single Language. Dobler, de Melo. arXiv:2305.14481. github.com/konstantinjdobler/focus
// Published layout: none; embedding tables come as tensors. Deviations: the auxiliary fastText space is given, not trained here.
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>A new token's embedding is a convex mix of the shared tokens', weighted by sparsemax over similarities in an auxiliary space.</summary>
internal static class Focus
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Transplant("focus", "FOCUS: Effective Embedding Initialization for Specializing Pretrained Multilingual Models on a Single Language", "2305.14481",
            ["Konstantin Dobler", "Gerard de Melo"], "konstantinjdobler/focus", "MIT") with { Deviations = "The auxiliary vectors are given, not trained here." },
        source => new PaperModel(source).On("initialize", arguments =>
        {
            var similarity = Similarity(arguments.Tensor<float>("new_auxiliary"), arguments.Tensor<float>("overlap_auxiliary"));
            var weights = Sparsemax(similarity);
            return new CallResults().Add("similarity", similarity).Add("weights", weights).Add("new_embeddings", Mix(weights, arguments.Tensor<float>("overlap_embeddings")));
        }));

    /// <summary>Cosines of rows (N, A) with rows (M, A): (N, M).</summary>
    public static Tensor<float> Similarity(Tensor<float> rows, Tensor<float> others)
    {
        var similarity = Tensor.Zeros<float>(rows.Shape[0], others.Shape[0]);
        for (var i = 0; i < rows.Shape[0]; i++)
        {
            for (var j = 0; j < others.Shape[0]; j++) similarity[i, j] = (float)Vectors.Cosine(rows.Slice(i).Span, others.Slice(j).Span);
        }

        return similarity;
    }

    /// <summary>Euclidean projection of each row onto the simplex (Martins and Astudillo 2016).</summary>
    public static Tensor<float> Sparsemax(Tensor<float> scores)
    {
        var weights = Tensor.Zeros<float>(scores.Shape);
        for (var row = 0; row < scores.Shape[0]; row++)
        {
            var falling = scores.Slice(row).Span.ToArray();
            Array.Sort(falling, static (a, b) => b.CompareTo(a));
            var (sum, threshold) = (0.0, 0.0);
            for (var k = 1; k <= falling.Length; k++)
            {
                sum += falling[k - 1];
                if (1 + k * (double)falling[k - 1] > sum) threshold = (sum - 1) / k;
            }

            for (var i = 0; i < falling.Length; i++) weights[row, i] = (float)Math.Max(0, scores[row, i] - threshold);
        }

        return weights;
    }

    /// <summary>Weights (N, M) times rows (M, D): (N, D).</summary>
    public static Tensor<float> Mix(Tensor<float> weights, Tensor<float> rows)
    {
        var mixed = Tensor.Zeros<float>(weights.Shape[0], rows.Shape[1]);
        for (var i = 0; i < weights.Shape[0]; i++)
        {
            for (var column = 0; column < rows.Shape[1]; column++)
            {
                var sum = 0.0;
                for (var j = 0; j < rows.Shape[0]; j++) sum += (double)weights[i, j] * rows[j, column];
                mixed[i, column] = (float)sum;
            }
        }

        return mixed;
    }
}
