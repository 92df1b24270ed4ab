// An Information-Theoretic Perspective on LLM Tokenizers. Erdogan, Gorle, Chandak, Pilanci, Weissman. arXiv:2601.09039.
// Published layout: tokenizer.json files. Deviations: no public code; the merge score of the BPE variant is the estimated size that a merge saves, mixed with its count.
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>A tokenizer seen as a compressor: entropies and code lengths of its streams, and a BPE that merges for size.</summary>
internal static class InformationTheory
{
    private const double RenyiOrder = 2.5;

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("tokenizer-information-theory", "An Information-Theoretic Perspective on LLM Tokenizers", "2601.09039", ["Mete Erdogan", "Abhiram Gorle", "Shubham Chandak", "Mert Pilanci", "Tsachy Weissman"], null) with { Layouts = ["tokenizer.json"], Deviations = "No public code; the merge score is our reading." },
        source =>
        {
            var tokenizers = new TokenizerSet(source);
            return new PaperModel(source).Compares(tokenizers, "bytes-per-token", "unigram-entropy", "conditional-entropy", "unigram-bits-per-byte", "shannon-efficiency", "renyi-efficiency")
                .OnLines("measure", line =>
                {
                    var tokenizer = tokenizers[line.Text("tokenizer")];
                    var documents = line.Texts("documents");
                    return Measure([.. documents.Select(document => tokenizer.EncodePlain(document).Ids.ToArray())], tokenizer.Ids.Count(), documents.Sum(Encoding.UTF8.GetByteCount));
                })
                .OnLines("entropy", line => Measure(
                    [.. line.Member("documents").AsList().Select(document => document.AsList().Select(id => id.AsInt()).ToArray())], line.Member("vocabulary").AsInt(), null))
                .OnLines("train", line =>
                {
                    var trainer = new CompressionBpe(line.Texts("text"));
                    var merges = trainer.Train(line.Member("merges").AsInt(), line.Member("lambda").AsDouble());
                    return Line.Of(("merges", merges.Select(merge => (merge.Left, merge.Right))), ("scores", merges.Select(merge => merge.Score)), ("size", trainer.Size));
                });
        });

    /// <summary>Entropy of the last id given those before, over n-grams of <paramref name="order"/> + 1 that lie within a document: plug-in, in bits.</summary>
    public static double ConditionalEntropy(IReadOnlyList<int[]> documents, int order)
    {
        var grams = documents.SelectMany(ids => Enumerable.Range(0, Math.Max(0, ids.Length - order)).Select(i => string.Join(' ', ids.AsSpan(i, order + 1).ToArray()))).CountBy(gram => gram).ToList();
        var contexts = new Dictionary<string, int>();
        foreach (var (gram, count) in grams) contexts[Context(gram)] = contexts.GetValueOrDefault(Context(gram)) + count;
        double total = grams.Sum(gram => gram.Value);
        return grams.Sum(gram => gram.Value / total * Math.Log2((double)contexts[Context(gram.Key)] / gram.Value));
        static string Context(string gram) => gram[..gram.LastIndexOf(' ')];
    }

    /// <summary>Total length of an optimal prefix code; a single symbol costs one bit each time.</summary>
    public static long HuffmanBits(IReadOnlyCollection<int> counts)
    {
        var queue = new PriorityQueue<long, long>(counts.Select(count => ((long)count, (long)count)));
        if (queue.Count == 1) return queue.Peek();
        var bits = 0L;
        while (queue.Count > 1)
        {
            var sum = queue.Dequeue() + queue.Dequeue();
            bits += sum;
            queue.Enqueue(sum, sum);
        }

        return bits;
    }

    private static JsonElement Measure(IReadOnlyList<int[]> documents, int vocabulary, int? bytes)
    {
        int[] counts = [.. documents.SelectMany(ids => ids).CountBy(id => id).Select(pair => pair.Value)];
        double tokens = counts.Sum();
        double[] shares = [.. counts.Select(count => count / tokens)];
        var entropy = TokenizationScorer.RenyiEntropy(shares, 1);
        var renyi = TokenizationScorer.RenyiEntropy(shares, RenyiOrder);
        List<(string, object?)> figures =
        [
            ("tokens", (int)tokens), ("types", counts.Length), ("entropy", entropy),
            ("conditional_entropy_1", ConditionalEntropy(documents, 1)), ("conditional_entropy_2", ConditionalEntropy(documents, 2)),
            ("ideal_bits", tokens * entropy), ("huffman_bits", HuffmanBits(counts)), ("fixed_bits", (long)tokens * (long)Math.Ceiling(Math.Log2(vocabulary))),
            ("efficiency", entropy / Math.Log2(vocabulary)), ("used", counts.Length == 1 ? 0 : entropy / Math.Log2(counts.Length)),
            ("renyi_entropy", renyi), ("renyi_efficiency", renyi / Math.Log2(vocabulary)),
        ];
        if (bytes is { } size) figures.AddRange([("bytes_per_token", size / tokens), ("bits_per_byte", entropy * tokens / size)]);
        return Line.Of([.. figures]);
    }
}
