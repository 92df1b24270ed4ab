// An Information-Theoretic Perspective on LLM Tokenizers: the BPE variant.
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>BPE whose merge lowers the corpus' estimated size most: S = sum of c (log M - log c), M tokens with counts c.</summary>
internal sealed class CompressionBpe
{
    private const double Tie = 1e-9;
    private readonly List<(List<string> Symbols, int Count)> _words;

    /// <param name="text">Lines; words lie between white space and get "_" in front.</param>
    public CompressionBpe(IEnumerable<string> text) =>
        _words = [.. text.SelectMany(PythonText.Words).CountBy(word => word).Select(word => (new List<string>(Scalars.Split("_" + word.Key)), word.Value))];

    /// <summary>The corpus' estimated size in bits.</summary>
    public double Size => SizeOf(Counts());

    /// <summary>
    /// Merges while a pair occurs twice; the score of a pair is <paramref name="lambda"/> times the size saved plus the rest times its occurrences, counted from the left of each word without overlap.
    /// </summary>
    public List<(string Left, string Right, double Score)> Train(int merges, double lambda)
    {
        var done = new List<(string, string, double)>();
        while (done.Count < merges && Best(lambda) is { } best)
        {
            foreach (var (symbols, _) in _words) Join(symbols, best.Left, best.Right);
            done.Add(best);
        }

        return done;
    }

    private (string Left, string Right, double Score)? Best(double lambda)
    {
        var counts = Counts();
        var size = SizeOf(counts);
        (string Left, string Right, double Score)? best = null;
        var most = 0L;
        foreach (var ((left, right), n) in Pairs())
        {
            if (n < 2) continue;
            var score = lambda * (size - SizeAfter(counts, left, right, n)) + (1 - lambda) * n;
            if (best is { } known && !IsBetter((left, right, score, n), (known.Left, known.Right, known.Score, most))) continue;
            (best, most) = ((left, right, score), n);
        }

        return best;
    }

    // Greater score; among scores within 1e-9 the greater count, then the smaller strings.
    private static bool IsBetter((string Left, string Right, double Score, long Count) a, (string Left, string Right, double Score, long Count) b)
    {
        if (Math.Abs(a.Score - b.Score) > Tie) return a.Score > b.Score;
        if (a.Count != b.Count) return a.Count > b.Count;
        return Scalars.Compare(a.Left, b.Left) is not 0 and var left ? left < 0 : Scalars.Compare(a.Right, b.Right) < 0;
    }

    private Dictionary<(string, string), long> Pairs()
    {
        var pairs = new Dictionary<(string, string), long>();
        foreach (var (symbols, count) in _words)
        {
            var last = new Dictionary<(string, string), int>();
            for (var i = 0; i + 1 < symbols.Count; i++)
            {
                var pair = (symbols[i], symbols[i + 1]);
                if (last.TryGetValue(pair, out var before) && before == i - 1 && symbols[i] == symbols[i + 1]) continue;
                last[pair] = i;
                pairs[pair] = pairs.GetValueOrDefault(pair) + count;
            }
        }

        return pairs;
    }

    private Dictionary<string, long> Counts()
    {
        var counts = new Dictionary<string, long>();
        foreach (var (symbols, count) in _words)
        {
            foreach (var symbol in symbols) counts[symbol] = counts.GetValueOrDefault(symbol) + count;
        }

        return counts;
    }

    private static double SizeAfter(Dictionary<string, long> counts, string left, string right, long n)
    {
        var after = new Dictionary<string, long>(counts);
        after[left] -= n;
        after[right] -= n;
        after[left + right] = after.GetValueOrDefault(left + right) + n;
        return SizeOf(after);
    }

    private static double SizeOf(Dictionary<string, long> counts)
    {
        var total = Math.Log2(counts.Values.Sum());
        return counts.Values.Where(count => count > 0).Sum(count => count * (total - Math.Log2(count)));
    }

    private static void Join(List<string> symbols, string left, string right)
    {
        for (var i = 0; i + 1 < symbols.Count; i++)
        {
            if (symbols[i] != left || symbols[i + 1] != right) continue;
            symbols[i] = left + right;
            symbols.RemoveAt(i + 1);
        }
    }
}
