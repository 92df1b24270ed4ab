using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>Settings of unigram training; names as in Hugging Face tokenizers.</summary>
public sealed record UnigramTrainerOptions
{
    /// <summary>Tokens to end with.</summary>
    public int VocabSize { get; init; } = 8000;

    /// <summary>EM steps between two prunings.</summary>
    public int SubIterations { get; init; } = 2;

    /// <summary>Share of the pieces that a pruning keeps.</summary>
    public double ShrinkingFactor { get; init; } = 0.75;

    /// <summary>Tokens that come first.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = [];

    /// <summary>Characters that are kept in any case.</summary>
    public IReadOnlyList<string> InitialAlphabet { get; init; } = [];

    /// <summary>The unknown token; it is put first unless it is among the special tokens.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>Longest piece in characters.</summary>
    public int MaxPieceLength { get; init; } = 16;

    /// <summary>Most pieces to begin with.</summary>
    public int SeedSize { get; init; } = 1_000_000;
}

/// <summary>Subword regularization's unigram model (Kudo 2018) as the trainer of Hugging Face tokenizers learns it: many substrings, EM, and pruning of those that cost least.</summary>
public static class UnigramTrainer
{
    private const double ExpectedThreshold = 0.5;
    private const double MissingCharacterStep = 0.0001;

    /// <summary>Learns pieces and their log-probabilities from words and their counts.</summary>
    /// <exception cref="OptionsException">The corpus has more characters than the vocabulary has room for.</exception>
    public static TrainedVocabulary Train(IReadOnlyList<KeyValuePair<string, long>> words, UnigramTrainerOptions options, IProgress<int>? progress = null, CancellationToken cancel = default)
    {
        List<(byte[] Bytes, long Count)> sentences = [.. words.Where(word => word.Key.Length > 0).Select(word => (Encoding.UTF8.GetBytes(word.Key), word.Value))];
        var required = words.SelectMany(word => word.Key.EnumerateRunes()).Concat(options.InitialAlphabet.SelectMany(text => text.EnumerateRunes())).Select(letter => letter.ToString()).ToHashSet();
        if (required.Count > options.VocabSize)
            throw new OptionsException(ErrorCodes.OptionRange, "The vocabulary has no room for all characters.") { Where = "vocab_size", Expected = $"{required.Count} or more", Found = $"{options.VocabSize}" };

        List<(string Text, double Score)> pieces = [("<UNK>", double.NaN), .. Seeds(words, options)];
        var model = new UnigramLattice(pieces);
        var wanted = options.VocabSize * 11 / 10;
        while (true)
        {
            for (var i = 0; i < options.SubIterations; i++)
            {
                cancel.ThrowIfCancellationRequested();
                pieces = Maximize(pieces, Expect(model, sentences, pieces.Count));
                model = new(pieces);
                progress?.Report(pieces.Count);
            }

            if (pieces.Count <= wanted) return Finish(pieces, model.MinScore, required, options);
            pieces = Prune(model, pieces, sentences, Math.Max(wanted, (int)(pieces.Count * options.ShrinkingFactor)));
            model = new(pieces);
        }
    }

    // Characters by count, then repeated substrings by occurrences x length; scores are logs of shares.
    private static List<(string Text, double Score)> Seeds(IReadOnlyList<KeyValuePair<string, long>> words, UnigramTrainerOptions options)
    {
        var text = new List<int>();
        var letters = new Dictionary<int, long>();
        foreach (var (word, count) in words.Where(word => word.Key.Length > 0))
        {
            foreach (var letter in word.EnumerateRunes())
            {
                text.Add(letter.Value);
                if (letter.Value != 0) letters[letter.Value] = letters.GetValueOrDefault(letter.Value) + count;
            }

            text.Add(0);
        }

        int[] all = [.. text];
        var comparer = Comparer<(long Score, int Start, int Length)>.Create((a, b) =>
            a.Score != b.Score ? b.Score.CompareTo(a.Score) : all.AsSpan(b.Start, b.Length).SequenceCompareTo(all.AsSpan(a.Start, a.Length)));
        var substrings = RepeatedSubstrings.Find(all)
            .Where(found => found.Length > 1 && found.Length <= options.MaxPieceLength && !all.AsSpan(found.Start, found.Length).Contains(0))
            .Select(found => ((long)found.Count * found.Length, found.Start, found.Length)).Order(comparer);
        List<(string Text, double Score)> seeds =
        [
            .. letters.OrderByDescending(pair => pair.Value).ThenByDescending(pair => pair.Key).Select(pair => (new Rune(pair.Key).ToString(), (double)pair.Value)),
            .. substrings.Take(Math.Max(1, options.SeedSize - letters.Count)).Select(found => (string.Concat(all.Skip(found.Start).Take(found.Length).Select(letter => new Rune(letter).ToString())), (double)found.Item1)),
        ];
        var logSum = Math.Log(seeds.Sum(seed => seed.Score));
        return [.. seeds.Select(seed => (seed.Text, Math.Log(seed.Score) - logSum))];
    }

    private static double[] Expect(UnigramLattice model, List<(byte[] Bytes, long Count)> sentences, int pieces)
    {
        var total = new double[pieces];
        var parts = new double[Environment.ProcessorCount][];
        // Fixed shares, added in order, so that the sums are the same on every run of one machine.
        Parallel.For(0, parts.Length, part =>
        {
            parts[part] = new double[pieces];
            for (var i = part; i < sentences.Count; i += parts.Length) model.AddExpected(sentences[i].Bytes, sentences[i].Count, parts[part]);
        });
        foreach (var part in parts)
        {
            for (var i = 0; i < pieces; i++) total[i] += part[i];
        }

        return total;
    }

    // The variational step: digamma acts as a sparse prior.
    private static List<(string Text, double Score)> Maximize(List<(string Text, double Score)> pieces, double[] expected)
    {
        var kept = Enumerable.Range(1, pieces.Count - 1).Where(id => expected[id] >= ExpectedThreshold).ToList();
        var logSum = Digamma(kept.Sum(id => expected[id]));
        return [(pieces[0].Text, double.NaN), .. kept.Select(id => (pieces[id].Text, Digamma(expected[id]) - logSum))];
    }

    // Drops the pieces whose replacement by their second best spelling lowers the likelihood least.
    private static List<(string Text, double Score)> Prune(UnigramLattice model, List<(string Text, double Score)> pieces, List<(byte[] Bytes, long Count)> sentences, int size)
    {
        var keep = new bool[pieces.Count];
        var alternatives = new List<int>[pieces.Count];
        Parallel.For(1, pieces.Count, id =>
        {
            var (first, second) = model.BestTwo(Encoding.UTF8.GetBytes(pieces[id].Text));
            keep[id] = second is null || first.Count < 2;
            alternatives[id] = second is not null && first.Count == 1 ? second : [];
        });

        var frequency = new double[pieces.Count];
        var inSentences = new double[pieces.Count];
        var total = 0.0;
        foreach (var (bytes, count) in sentences)
        {
            total += count;
            foreach (var id in model.Best(bytes))
            {
                frequency[id] += count;
                inSentences[id] += count;
            }
        }

        var sum = frequency.Sum();
        var kept = new List<(string, double)> { pieces[0] };
        var candidates = new List<(int Id, double Loss)>();
        for (var id = 1; id < pieces.Count; id++)
        {
            if (frequency[id] == 0 && !keep[id]) continue;
            if (alternatives[id].Count == 0)
            {
                kept.Add(pieces[id]);
                continue;
            }

            if (inSentences[id] == 0) continue;
            // As in the library, which takes the number of all pieces where SentencePiece takes that of the alternatives.
            var logSumAfter = Math.Log(sum + frequency[id] * (pieces.Count - 1));
            var after = alternatives[id].Sum(other => Math.Log(frequency[other] + frequency[id]) - logSumAfter);
            candidates.Add((id, inSentences[id] / total * (Math.Log(frequency[id]) - Math.Log(sum) - after)));
        }

        kept.AddRange(candidates.OrderByDescending(candidate => candidate.Loss).Take(Math.Max(0, size - kept.Count)).Select(candidate => pieces[candidate.Id]));
        return kept;
    }

    private static TrainedVocabulary Finish(List<(string Text, double Score)> pieces, double minScore, HashSet<string> required, UnigramTrainerOptions options)
    {
        var scores = pieces.ToDictionary(piece => piece.Text, piece => piece.Score);
        var missing = 0.0;
        var chosen = new List<(string Text, double Score)>();
        foreach (var letter in required.Order(StringComparer.Ordinal))
        {
            chosen.Add((letter, scores.TryGetValue(letter, out var score) ? score : minScore + missing));
            if (!scores.ContainsKey(letter)) missing += MissingCharacterStep;
        }

        string[] specials = options.UnknownToken is { } unknown && !options.SpecialTokens.Contains(unknown) ? [unknown, .. options.SpecialTokens] : [.. options.SpecialTokens];
        chosen.AddRange(pieces.Skip(1).Where(piece => !required.Contains(piece.Text)).Take(Math.Max(0, options.VocabSize - specials.Length - chosen.Count)));
        var sorted = chosen.OrderByDescending(piece => piece.Score).ToList();
        return new([.. specials, .. sorted.Select(piece => piece.Text)], []) { Scores = [.. specials.Select(_ => 0.0), .. sorted.Select(piece => piece.Score)] };
    }

    // The asymptotic series, after steps up to 7.
    private static double Digamma(double x)
    {
        var result = 0.0;
        for (; x < 7; x++) result -= 1 / x;
        x -= 0.5;
        var xx = 1 / (x * x);
        return result + Math.Log(x) + xx * (1.0 / 24 - xx * (7.0 / 960 - xx * (31.0 / 8064 - xx * (127.0 / 30720))));
    }
}
