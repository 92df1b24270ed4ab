namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>Settings of BPE training; names as in Hugging Face tokenizers.</summary>
public sealed record BpeTrainerOptions
{
    /// <summary>Tokens to end with.</summary>
    public int VocabSize { get; init; } = 30000;

    /// <summary>Rarer pairs are not merged.</summary>
    public long MinFrequency { get; init; }

    /// <summary>Tokens that come first.</summary>
    public IReadOnlyList<string> SpecialTokens { get; init; } = [];

    /// <summary>Characters that are kept in any case.</summary>
    public IReadOnlyList<string> InitialAlphabet { get; init; } = [];

    /// <summary>Most characters to keep; null for all.</summary>
    public int? LimitAlphabet { get; init; }

    /// <summary>Mark of symbols that do not begin a word, such as <c>##</c>.</summary>
    public string? ContinuingSubwordPrefix { get; init; }

    /// <summary>Mark of symbols that end a word, such as <c>&lt;/w&gt;</c>.</summary>
    public string? EndOfWordSuffix { get; init; }

    /// <summary>Tokens of two merges or more stay shorter than this many characters; null for no limit.</summary>
    public int? MaxTokenLength { get; init; }
}

/// <summary>Byte-pair encoding (Sennrich et al. 2016) as the trainer of Hugging Face tokenizers learns it; WordPiece's trainer there is this one with the mark ##.</summary>
public static class BpeTrainer
{
    /// <summary>Learns a vocabulary from words and their counts.</summary>
    /// <param name="words">Words and how often each occurs.</param>
    /// <param name="options">Settings.</param>
    /// <param name="progress">Told the number of tokens from time to time.</param>
    /// <param name="cancel">Stops between two merges.</param>
    public static TrainedVocabulary Train(IReadOnlyList<KeyValuePair<string, long>> words, BpeTrainerOptions options, IProgress<int>? progress = null, CancellationToken cancel = default)
    {
        var table = new SymbolTable(options.SpecialTokens, words, options.InitialAlphabet, options.LimitAlphabet, options.ContinuingSubwordPrefix, options.EndOfWordSuffix);
        var merger = new PairMerger([.. words.Select(word => (table.Spell(word.Key), word.Value))], options.MaxTokenLength ?? int.MaxValue);
        var merges = new List<(string, string)>();
        while (table.Tokens.Count < options.VocabSize && merger.Next() is { } pair && pair.Count >= Math.Max(1, options.MinFrequency))
        {
            cancel.ThrowIfCancellationRequested();
            merges.Add((table.Tokens[pair.Left], table.Tokens[pair.Right]));
            merger.Merge(table.Join(pair.Left, pair.Right));
            if (merges.Count % 256 == 0) progress?.Report(table.Tokens.Count);
        }

        return new(table.Tokens, merges);
    }
}
