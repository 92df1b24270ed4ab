using System.Text.Json;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Regex;

namespace ModelZoo.Plugins.TextTokenizers.PreTokenizers;

/// <summary>GPT-2's: cuts by its pattern, then writes every byte as one visible character.</summary>
public sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool trimOffsets, bool useRegex) : PreTokenizer
{
    /// <summary>GPT-2's pattern.</summary>
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly TextPattern Gpt2 = TextPattern.Regex(Gpt2Pattern, RegexFlavor.Oniguruma);

    /// <summary>Whether a space is put in front of a text that has none.</summary>
    public bool AddPrefixSpace => addPrefixSpace;

    /// <summary>Whether the text is cut by GPT-2's pattern.</summary>
    public bool UseRegex => useRegex;

    internal override void Apply(PieceList pieces)
    {
        pieces.Split((_, text) =>
        {
            if (addPrefixSpace && !text.Bytes.StartsWith(" "u8)) text = text.Prepend(" "u8);
            return useRegex ? text.Split(Gpt2, SplitBehavior.Isolated) : [text];
        });
        pieces.Normalize(ByteAlphabet.Encode);
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "ByteLevel");
        writer.WriteBoolean("add_prefix_space", addPrefixSpace);
        writer.WriteBoolean("trim_offsets", trimOffsets);
        writer.WriteBoolean("use_regex", useRegex);
    }
}
