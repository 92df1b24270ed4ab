using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>A vocabulary of the most frequent words.</summary>
public static class WordLevelTrainer
{
    /// <summary>Special tokens, then words by falling count, equal counts by code point.</summary>
    public static TrainedVocabulary Train(IEnumerable<KeyValuePair<string, long>> words, int vocabSize, long minFrequency, IReadOnlyList<string> specialTokens)
    {
        var kept = words.Where(word => word.Value >= minFrequency).OrderByDescending(word => word.Value).ThenBy(word => word.Key, Scalars.ByCodePoint).Select(word => word.Key);
        return new([.. specialTokens.Concat(kept).Distinct().Take(vocabSize)], []);
    }
}
