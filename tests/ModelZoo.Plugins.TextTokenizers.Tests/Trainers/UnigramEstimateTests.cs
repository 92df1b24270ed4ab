namespace ModelZoo.Plugins.TextTokenizers.Trainers.Tests;

public sealed class UnigramEstimateTests
{
    private static readonly string[] Texts = ["a", "b", "é", "ab", "ba", "aba", "bé", "abé", "éa"];

    private static readonly KeyValuePair<string, long>[] Words = [new("abab", 90), new("aba", 7), new("béa", 40), new("abéa", 11), new("xéab", 3), new("x", 2)];

    // Every segmentation of every word, weighted by its probability.
    [Fact]
    public void Improve_IsTheExpectationOverAllSegmentations()
    {
        (string Text, double Score)[] pieces = [.. Texts.Select((text, i) => (text, -1.5 - 0.3 * i))];
        var estimate = new UnigramEstimate(pieces, Words);
        for (var step = 0; step < 3; step++)
        {
            pieces = Improved(pieces);
            estimate.Improve();
            Assert.Equal(pieces.Select(piece => piece.Text), estimate.Pieces.Select(piece => piece.Text));
            foreach (var (expected, actual) in pieces.Zip(estimate.Pieces)) Assert.Equal(expected.Score, actual.Score, 1e-9);
            Assert.Equal(pieces.Min(piece => piece.Score), estimate.MinScore, 1e-9);
        }
    }

    [Fact]
    public void Prune_KeepsCharactersAndTheSizeThatIsAskedFor()
    {
        var estimate = new UnigramEstimate([.. Texts.Select((text, i) => (text, -1.5 - 0.3 * i))], Words);
        estimate.Prune(6);
        Assert.Equal(5, estimate.Count);
        Assert.Superset(new HashSet<string> { "a", "b", "é" }, estimate.Pieces.Select(piece => piece.Text).ToHashSet());
        // A thinned lattice is the one that the pieces left would make.
        var fresh = new UnigramEstimate([.. estimate.Pieces], Words);
        estimate.Improve();
        fresh.Improve();
        Assert.Equal(fresh.Pieces, estimate.Pieces);
    }

    // Far less probable than the smallest number, in parts a thousand times less than elsewhere.
    [Theory]
    [InlineData(3000, 1)]
    [InlineData(700, 4)]
    public void Improve_LongSentence_IsWhatLogarithmsGive(int repeats, int unknowns)
    {
        var sentence = string.Concat(Enumerable.Range(0, repeats).Select(i => (i / 50 % 2 == 0 ? "aba" : new string('x', unknowns)) + (i % 3 == 0 ? "b" : "a")));
        (string Text, double Score)[] pieces = [("a", -3), ("b", -7), ("ab", -11), ("ba", -20), ("aba", -33), ("aab", -45)];
        var expected = Expected(sentence, pieces, pieces.Min(piece => piece.Score) - 10);
        var estimate = new UnigramEstimate(pieces, [new(sentence, 2)]);
        estimate.Improve();
        var kept = pieces.Where(piece => 2 * expected[piece.Text] >= 0.5).Select(piece => piece.Text).ToArray();
        Assert.Equal(kept, estimate.Pieces.Select(piece => piece.Text));
        var logSum = Digamma(kept.Sum(text => 2 * expected[text]));
        foreach (var (text, score) in estimate.Pieces) Assert.Equal(Digamma(2 * expected[text]) - logSum, score, 1e-9);
    }

    [Theory]
    [InlineData(128, 1000)]
    [InlineData(16, 1 << 24)]
    public void Train_MoreThanANodeHolds_IsRefused(int longest, int seeds) =>
        Assert.Throws<ModelZoo.Contracts.OptionsException>(() => UnigramTrainer.Train(Words, new() { MaxPieceLength = longest, SeedSize = seeds }));

    // Expected counts by sums of logarithms.
    private static Dictionary<string, double> Expected(string sentence, (string Text, double Score)[] pieces, double unknown)
    {
        var scores = pieces.ToDictionary(piece => piece.Text, piece => piece.Score);
        var (to, from) = (new double[sentence.Length + 1], new double[sentence.Length + 1]);
        to.AsSpan(1).Fill(double.NegativeInfinity);
        from.AsSpan(0, sentence.Length).Fill(double.NegativeInfinity);
        var nodes = Enumerable.Range(0, sentence.Length).SelectMany(start => Enumerable.Range(1, Math.Min(3, sentence.Length - start)).Select(length => (Start: start, Text: sentence.Substring(start, length))))
            .Where(node => node.Text.Length == 1 || scores.ContainsKey(node.Text)).ToArray();
        foreach (var (start, text) in nodes) Add(ref to[start + text.Length], to[start] + scores.GetValueOrDefault(text, unknown));
        foreach (var (start, text) in nodes.Reverse()) Add(ref from[start], from[start + text.Length] + scores.GetValueOrDefault(text, unknown));
        var expected = pieces.ToDictionary(piece => piece.Text, _ => 0.0);
        foreach (var (start, text) in nodes.Where(node => scores.ContainsKey(node.Text))) expected[text] += Math.Exp(to[start] + scores[text] + from[start + text.Length] - to[^1]);
        return expected;

        static void Add(ref double log, double other)
        {
            var (low, high) = (Math.Min(log, other), Math.Max(log, other));
            log = high + Math.Log(1 + Math.Exp(low - high));
        }
    }

    private static (string Text, double Score)[] Improved((string Text, double Score)[] pieces)
    {
        var unknown = pieces.Min(piece => piece.Score) - 10;
        var expected = pieces.ToDictionary(piece => piece.Text, _ => 0.0);
        foreach (var (word, count) in Words)
        {
            var ways = Ways(word).Select(way => (Way: way, Weight: Math.Exp(way.Sum(part => Score(part))))).ToArray();
            var all = ways.Sum(way => way.Weight);
            foreach (var (way, weight) in ways)
            {
                foreach (var part in way.Where(expected.ContainsKey)) expected[part] += count * weight / all;
            }
        }

        var kept = pieces.Where(piece => expected[piece.Text] >= 0.5).ToArray();
        var logSum = Digamma(kept.Sum(piece => expected[piece.Text]));
        return [.. kept.Select(piece => (piece.Text, Digamma(expected[piece.Text]) - logSum))];

        double Score(string part) => pieces.FirstOrDefault(piece => piece.Text == part) is { Text: not null } known ? known.Score : unknown;

        // A character that is no piece is the unknown one.
        IEnumerable<string[]> Ways(string word)
        {
            if (word.Length == 0) yield return [];
            for (var length = 1; length <= word.Length; length++)
            {
                if (length > 1 && !expected.ContainsKey(word[..length])) continue;
                foreach (var rest in Ways(word[length..])) yield return [word[..length], .. rest];
            }
        }
    }

    // By the recurrence down from where the logarithm is near enough.
    private static double Digamma(double x)
    {
        var sum = 0.0;
        for (; x < 1e5; x++) sum -= 1 / x;
        return sum + Math.Log(x) - 1 / (2 * x) - 1 / (12 * x * x);
    }
}
