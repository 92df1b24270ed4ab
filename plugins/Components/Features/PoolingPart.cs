using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Plugins.Components.Features;

/// <summary>Sentence embeddings from token embeddings.</summary>
internal static class PoolingPart
{
    public static ModelArchitecture Architecture { get; } = ComputedPart.Architecture("components/pooling", "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks", "UKPLab/sentence-transformers", Modality.Tensors,
        ("pool", Pool), ("similarity", Similarity));

    private static CallResults Pool(CallArguments arguments)
    {
        var (tokens, mask) = (arguments.Tensor<float>("token_embeddings"), arguments.Tensor<long>("attention_mask"));
        var results = new CallResults();
        foreach (var mode in new[] { "cls", "max", "mean", "mean_sqrt_len", "weightedmean", "lasttoken" })
        {
            var rows = Enumerable.Range(0, (int)tokens.Shape[0]).Select(i => EmbeddingPooling.Pool(tokens.Slice(i).Span, mask.Slice(i).Span, mode)).ToList();
            results.Add(mode, Matrix(rows)).Add($"{mode}_normalized", Matrix(rows.ConvertAll(EmbeddingPooling.Normalize)));
        }

        return results;
    }

    private static CallResults Similarity(CallArguments arguments)
    {
        var rows = arguments.Tensor<float>("embeddings");
        var unit = Enumerable.Range(0, (int)rows.Shape[0]).Select(i => EmbeddingPooling.Normalize(Array.ConvertAll(rows.Slice(i).Span.ToArray(), x => (double)x))).ToList();
        return new CallResults().Add("cosine", Matrix([.. unit.Select(a => unit.Select(b => a.Zip(b, (x, y) => x * y).Sum()).ToArray())]));
    }

    private static Tensor Matrix(List<double[]> rows) => Tensor.Create(rows.SelectMany(row => row).ToArray(), rows.Count, rows[0].Length);
}
