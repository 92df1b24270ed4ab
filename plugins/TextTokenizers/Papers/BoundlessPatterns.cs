using ModelZoo.Plugins.TextTokenizers.Formats;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>The pre-tokenization patterns that the authors' code compares, by the names that it gives them (regexconstants.py).</summary>
internal static class BoundlessPatterns
{
    /// <summary>The paper's: contractions, snake case, words by case, numbers, punctuation with a blank before it, white space; marks stay with their letters.</summary>
    public const string Ultimate = UltimateLetters + @"| ?(?:[\p{P}\p{S}]\p{M}*)+" + UltimateRest;

    private const string UltimateLetters =
        @" ?(?:\p{L}\p{M}*)+['’](?:\p{L}\p{M}*)+|_(?:\p{Ll}\p{M}*)+| ?(?:\p{Lu}\p{M}*)+(?=(?:\p{Lu}\p{M}*)(?:\p{Ll}\p{M}*))| ?(?:\p{Lu}\p{M}*)?(?:\p{Ll}\p{M}*)+| ?(?:\p{Lu}\p{M}*)+"
        + @"| ?(?:[\p{Lt}\p{Lm}\p{Lo}]\p{M}*)+|(?:\p{N}\p{M}*){1,3}(?=(?:(?:\p{N}\p{M}*){3})*(?:(?:\P{N}\p{M}*)|$))";

    private const string UltimateRest = @"|[^\S\r\n]*[\n\r]+|[^\S\r\n]+|(?:[\p{Z}\p{C}]\p{M}*)+|\p{M}+|.+";

    private static readonly Dictionary<string, string> ByName = new(StringComparer.Ordinal)
    {
        ["ULTIMATE_PATTERN"] = Ultimate,
        ["ULTIMATE_PATTERN_V1"] = UltimateLetters + @"|(?:[\p{P}\p{S}]\p{M}*)+" + UltimateRest,
        ["GPT2_SPLIT_PATTERN"] = @"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        ["GPT4_SPLIT_PATTERN"] = @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
        ["GPT4O_SPLIT_PATTERN"] = TiktokenEncodings.O200kPattern,
        ["FULL_PATTERN"] =
            @"'(?i:[sdmt]|ll|ve|re)| ?[\p{Lu}]+(?=[\p{Lu}][\p{Ll}])| ?[\p{Lu}]?[\p{Ll}]+| ?[\p{Lu}]+| ?[\p{Lt}\p{Lm}\p{Lo}]+|\p{N}{1,3}(?=(?:\p{N}{3})*(?:\P{N}|$))| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+",
    };

    /// <summary>The pattern of that name, or what is given itself.</summary>
    public static string Named(string pattern) => ByName.GetValueOrDefault(pattern, pattern);
}
