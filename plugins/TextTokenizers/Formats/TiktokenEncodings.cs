using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>The encodings that are known by name: their patterns and special tokens.</summary>
public static class TiktokenEncodings
{
    /// <summary>Pattern of gpt2, r50k_base, p50k_base and p50k_edit.</summary>
    public const string R50kPattern = @"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s";

    /// <summary>Pattern of cl100k_base.</summary>
    public const string Cl100kPattern = @"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s";

    /// <summary>Pattern of o200k_base and o200k_harmony.</summary>
    public const string O200kPattern = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Pattern of Llama 3.</summary>
    public const string Llama3Pattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Pattern of Qwen.</summary>
    public const string QwenPattern = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The encoding of that name over its published ranks.</summary>
    /// <exception cref="CheckpointException">The name is not known.</exception>
    public static TiktokenEncoding Make(string name, TokenTable ranks) => name switch
    {
        "gpt2" or "r50k_base" => new(name, ranks, R50kPattern, new Dictionary<string, int> { ["<|endoftext|>"] = 50256 }, 50257),
        "p50k_base" => new(name, ranks, R50kPattern, new Dictionary<string, int> { ["<|endoftext|>"] = 50256 }, 50281),
        "p50k_edit" => new(name, ranks, R50kPattern, new Dictionary<string, int> { ["<|endoftext|>"] = 50256, ["<|fim_prefix|>"] = 50281, ["<|fim_middle|>"] = 50282, ["<|fim_suffix|>"] = 50283 }),
        "cl100k_base" => new(name, ranks, Cl100kPattern, new Dictionary<string, int>
        {
            ["<|endoftext|>"] = 100257, ["<|fim_prefix|>"] = 100258, ["<|fim_middle|>"] = 100259, ["<|fim_suffix|>"] = 100260, ["<|endofprompt|>"] = 100276,
        }),
        "o200k_base" => new(name, ranks, O200kPattern, new Dictionary<string, int> { ["<|endoftext|>"] = 199999, ["<|endofprompt|>"] = 200018 }),
        "o200k_harmony" => new(name, ranks, O200kPattern, HarmonyTokens()),
        _ => throw new CheckpointException(ErrorCodes.ConfigInvalid, "The encoding of this name is not known, and no config.json says its pattern.")
        { Expected = "gpt2, r50k_base, p50k_base, p50k_edit, cl100k_base, o200k_base, o200k_harmony", Found = name },
    };

    private static Dictionary<string, int> HarmonyTokens()
    {
        var result = new Dictionary<string, int>
        {
            ["<|startoftext|>"] = 199998, ["<|endoftext|>"] = 199999, ["<|reserved_200000|>"] = 200000, ["<|reserved_200001|>"] = 200001, ["<|return|>"] = 200002,
            ["<|constrain|>"] = 200003, ["<|reserved_200004|>"] = 200004, ["<|channel|>"] = 200005, ["<|start|>"] = 200006, ["<|end|>"] = 200007, ["<|message|>"] = 200008,
            ["<|reserved_200009|>"] = 200009, ["<|reserved_200010|>"] = 200010, ["<|reserved_200011|>"] = 200011, ["<|call|>"] = 200012, ["<|endofprompt|>"] = 200018,
        };
        for (var id = 200013; id < 201088; id++) result[$"<|reserved_{id}|>"] = id;
        return result;
    }
}
