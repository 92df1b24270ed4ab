using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;

namespace ModelZoo.Plugins.TextTokenizers.Scanning;

/// <summary>The well-known patterns.</summary>
internal enum KnownPattern
{
    /// <summary>None of them.</summary>
    None,

    /// <summary>GPT-2, r50k, p50k.</summary>
    Gpt2,

    /// <summary>cl100k.</summary>
    Cl100k,

    /// <summary>Llama 3.</summary>
    Llama3,

    /// <summary>Qwen.</summary>
    Qwen,

    /// <summary>o200k.</summary>
    O200k,

    /// <summary>Mistral Nemo.</summary>
    MistralNemo,
}

/// <summary>Finds the scanner of a pattern.</summary>
internal static class KnownPatterns
{
    private const string OldCl100kPattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string QuotedCl100kPattern = @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
    private const string MistralNemoPattern = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The scanner of a pattern; <see cref="KnownPattern.None"/> for patterns that are not known.</summary>
    public static KnownPattern Find(string pattern) => pattern switch
    {
        ByteLevelPreTokenizer.Gpt2Pattern or TiktokenEncodings.R50kPattern => KnownPattern.Gpt2,
        TiktokenEncodings.Cl100kPattern => KnownPattern.Cl100k,
        OldCl100kPattern or QuotedCl100kPattern => KnownPattern.Llama3,
        TiktokenEncodings.QwenPattern => KnownPattern.Qwen,
        TiktokenEncodings.O200kPattern => KnownPattern.O200k,
        MistralNemoPattern => KnownPattern.MistralNemo,
        _ => KnownPattern.None,
    };

    internal readonly struct Cl100kOptions : IPatternOptions
    {
        public static int MaxDigits => 3;

        public static bool HasContractions => true;

        public static bool TakesSpaceAtEnd => true;
    }

    internal readonly struct Llama3Options : IPatternOptions
    {
        public static int MaxDigits => 3;

        public static bool HasContractions => true;

        public static bool TakesSpaceAtEnd => false;
    }

    internal readonly struct QwenOptions : IPatternOptions
    {
        public static int MaxDigits => 1;

        public static bool HasContractions => true;

        public static bool TakesSpaceAtEnd => false;
    }

    internal readonly struct MistralNemoOptions : IPatternOptions
    {
        public static int MaxDigits => 1;

        public static bool HasContractions => false;

        public static bool TakesSpaceAtEnd => false;
    }
}
