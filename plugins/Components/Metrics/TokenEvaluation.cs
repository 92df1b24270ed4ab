using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>What tokens cost, and how well their vocabulary is used.</summary>
internal static class TokenEvaluation
{
    public static IReadOnlyList<IMetric> All { get; } =
    [
        new MeanMetric("bit-rate", "bit/s", null, "Bits of the tokens without entropy coding, over the length of the sound, video or motion.", o => Seconds(o) is { } seconds && Bits(o) is { } bits ? bits / seconds : null),
        new MeanMetric("bits-per-pixel", "bit", null, "Bits of the tokens without entropy coding, over the pixels of the picture.",
            o => o.Reference is Image image && Bits(o) is { } bits ? bits / (image.Height * (double)image.Width) : null),
        new MeanMetric("token-count", "", null, "Tokens of each example.", o => o.Tokens?.Ids.Length),
        Codebooks("codebook-perplexity", true, "exp of the entropy of the ids of each codebook (taming-transformers), averaged over codebooks.", usage => usage.Perplexity),
        Codebooks("codebook-usage", true, "Share of each codebook that was used at least once, averaged over codebooks.", usage => usage.Usage),
        Codebooks("token-entropy", null, "Entropy in bits of the ids of each codebook, averaged over codebooks.", usage => usage.EntropyBits, "bit"),
    ];

    private static double? Bits(Observation observation)
    {
        if (observation.Tokens is not { Space.VocabularySizes: { Count: > 0 } sizes } tokens) return null;
        var each = tokens.Ids.Length / sizes.Count;
        return sizes.Sum(size => each * Math.Log2(size));
    }

    private static double? Seconds(Observation observation) => observation.Reference switch
    {
        Audio { Length: > 0 } audio => audio.Seconds,
        Video { FrameRate: > 0 } video => video.Frames.Shape[0] / video.FrameRate,
        Motion { FrameRate: > 0 } motion => motion.Features.Shape[0] / motion.FrameRate,
        _ => null,
    };

    private static SetMetric<Tokens> Codebooks(string name, bool? higher, string description, Func<CodebookUsage, double> measure, string unit = "") =>
        new(name, unit, higher, description, o => o.Tokens is { Space.VocabularySizes.Count: > 0, Ids.Length: > 0 } tokens ? tokens : null, sets =>
        {
            var sizes = sets[0].Space.VocabularySizes;
            var values = Enumerable.Range(0, sizes.Count).Select(book => measure(CodebookUsage.Of(sets.SelectMany(tokens => Book(tokens, book, sizes.Count)), sizes[book]))).ToArray();
            return new(values.Average()) { Parts = [.. values.Select((value, book) => KeyValuePair.Create($"codebook {book}", value))] };
        });

    // Codebooks come one after the other.
    private static IEnumerable<long> Book(Tokens tokens, int book, int books)
    {
        var each = tokens.Ids.Length / books;
        return tokens.Ids.Span.Slice(book * each, each).ToArray().Select(id => (long)id);
    }
}
