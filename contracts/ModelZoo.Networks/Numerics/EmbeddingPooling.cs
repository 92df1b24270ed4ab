// Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks. Reimers, Gurevych. arXiv:1908.10084; as in sentence-transformers.
namespace ModelZoo.Networks.Numerics;

/// <summary>One vector for a sequence of token vectors, of which some are padding, on either side.</summary>
public static class EmbeddingPooling
{
    /// <summary>Pools a sequence.</summary>
    /// <param name="tokens">(tokens, width).</param>
    /// <param name="mask">1 for tokens, 0 for padding.</param>
    /// <param name="mode"><c>cls</c>, <c>max</c>, <c>mean</c>, <c>mean_sqrt_len</c>, <c>weightedmean</c> or <c>lasttoken</c>.</param>
    /// <exception cref="ArgumentException">There is no such mode.</exception>
    public static double[] Pool(ReadOnlySpan<float> tokens, ReadOnlySpan<long> mask, string mode)
    {
        var width = tokens.Length / mask.Length;
        var first = Math.Max(0, mask.IndexOf(1));
        var last = Math.Max(0, mask.LastIndexOf(1));
        var result = new double[width];
        switch (mode)
        {
            case "cls" or "lasttoken":
                var at = mode == "cls" ? first : last;
                for (var j = 0; j < width; j++) result[j] = tokens[at * width + j];
                return result;
            case "max":
                Array.Fill(result, -1e9);
                for (var i = 0; i < mask.Length; i++)
                {
                    for (var j = 0; mask[i] != 0 && j < width; j++) result[j] = Math.Max(result[j], tokens[i * width + j]);
                }

                return result;
            case "mean" or "mean_sqrt_len" or "weightedmean":
                var total = 0.0;
                for (var i = 0; i < mask.Length; i++)
                {
                    // Later tokens weigh more: their position, counted from the first token that is not padding.
                    var weight = mask[i] * (mode == "weightedmean" ? i - first + 1.0 : 1);
                    total += weight;
                    for (var j = 0; j < width; j++) result[j] += weight * tokens[i * width + j];
                }

                total = Math.Max(total, 1e-9);
                return Array.ConvertAll(result, x => x / (mode == "mean_sqrt_len" ? Math.Sqrt(total) : total));
            default:
                throw new ArgumentException($"No pooling '{mode}'.", nameof(mode));
        }
    }

    /// <summary>Of length 1.</summary>
    public static double[] Normalize(double[] vector)
    {
        var norm = Math.Max(Math.Sqrt(vector.Sum(x => x * x)), 1e-12);
        return Array.ConvertAll(vector, x => x / norm);
    }
}
