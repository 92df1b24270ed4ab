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
    private const double MissingCharacterStep = 0.0001;

    /// <summary>Learns pieces and their log-probabilities from words and their counts.</summary>
    /// <exception cref="OptionsException">The corpus has more characters than the vocabulary has room for; or pieces are to be longer than 127 characters, or more than sixteen million.</exception>
    public static TrainedVocabulary Train(IReadOnlyList<KeyValuePair<string, long>> words, UnigramTrainerOptions options, IProgress<int>? progress = null, CancellationToken cancel = default)
    {
        KeyValuePair<string, long>[] sentences = [.. words.Where(word => word.Key.Length > 0)];
        var required = words.SelectMany(word => word.Key.EnumerateRunes()).Concat(options.InitialAlphabet.SelectMany(text => text.EnumerateRunes())).Distinct().Select(letter => letter.ToString()).ToHashSet();
        if (required.Count > options.VocabSize)
            throw new OptionsException(ErrorCodes.OptionRange, "The vocabulary has no room for all characters.") { Where = "vocab_size", Expected = $"{required.Count} or more", Found = $"{options.VocabSize}" };

        if (options.MaxPieceLength > LatticeNode.MaxLength)
            throw new OptionsException(ErrorCodes.OptionRange, "Pieces cannot be that long.") { Where = "max_piece_length", Expected = $"at most {LatticeNode.MaxLength}", Found = $"{options.MaxPieceLength}" };
        if (options.SeedSize > LatticeNode.MaxId - required.Count)
            throw new OptionsException(ErrorCodes.OptionRange, "There cannot be that many pieces.") { Where = "seed_size", Expected = $"at most {LatticeNode.MaxId - required.Count}", Found = $"{options.SeedSize}" };

        var estimate = new UnigramEstimate(Seeds(sentences, options), sentences);
        var wanted = options.VocabSize * 11 / 10;
        while (true)
        {
            for (var i = 0; i < options.SubIterations; i++)
            {
                cancel.ThrowIfCancellationRequested();
                estimate.Improve();
                progress?.Report(estimate.Count);
            }

            // The library counts the unknown piece among them.
            if (estimate.Count + 1 <= wanted) return Finish([.. estimate.Pieces], estimate.MinScore, required, options);
            estimate.Prune(Math.Max(wanted, (int)((estimate.Count + 1) * options.ShrinkingFactor)));
        }
    }

    // Characters by count, then repeated substrings by occurrences x length; scores are logs of shares.
    private static List<(string Text, double Score)> Seeds(KeyValuePair<string, long>[] sentences, UnigramTrainerOptions options)
    {
        var text = new List<int>();
        var letters = new Dictionary<int, long>();
        foreach (var (word, count) in sentences)
        {
            foreach (var letter in word.EnumerateRunes())
            {
                text.Add(letter.Value);
                if (letter.Value != 0) letters[letter.Value] = letters.GetValueOrDefault(letter.Value) + count;
            }

            text.Add(0);
        }

        int[] all = [.. text];
        (long Score, int Start, int Length)[] substrings =
        [
            .. RepeatedSubstrings.Find(all, options.MaxPieceLength).Where(found => found.Length > 1 && !all.AsSpan(found.Start, found.Length).Contains(0))
                .Select(found => ((long)found.Count * found.Length, found.Start, found.Length)),
        ];
        List<(string Text, double Score)> seeds =
        [
            .. letters.OrderByDescending(pair => pair.Value).ThenByDescending(pair => pair.Key).Select(pair => (new Rune(pair.Key).ToString(), (double)pair.Value)),
            .. Highest(substrings, Math.Max(1, options.SeedSize - letters.Count), all).Select(found => (Text(all.AsSpan(found.Start, found.Length)), (double)found.Score)),
        ];
        var logSum = Math.Log(seeds.Sum(seed => seed.Score));
        return [.. seeds.Select(seed => (seed.Text, Math.Log(seed.Score) - logSum))];
    }

    // By score, then the later text first.
    private static IEnumerable<(long Score, int Start, int Length)> Highest((long Score, int Start, int Length)[] substrings, int count, int[] text)
    {
        if (substrings.Length > count)
        {
            var scores = Array.ConvertAll(substrings, found => found.Score);
            Array.Sort(scores);
            var least = scores[^count];
            substrings = Array.FindAll(substrings, found => found.Score >= least);
        }

        Array.Sort(substrings, (a, b) => a.Score != b.Score ? b.Score.CompareTo(a.Score) : text.AsSpan(b.Start, b.Length).SequenceCompareTo(text.AsSpan(a.Start, a.Length)));
        return substrings.Take(count);
    }

    private static string Text(ReadOnlySpan<int> letters)
    {
        var text = new StringBuilder(letters.Length);
        foreach (var letter in letters) text.Append(new Rune(letter));
        return text.ToString();
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
        chosen.AddRange(pieces.Where(piece => !required.Contains(piece.Text)).Take(Math.Max(0, options.VocabSize - specials.Length - chosen.Count)));
        var sorted = chosen.OrderByDescending(piece => piece.Score).ToList();
        return new([.. specials, .. sorted.Select(piece => piece.Text)], []) { Scores = [.. specials.Select(_ => 0.0), .. sorted.Select(piece => piece.Score)] };
    }
}
