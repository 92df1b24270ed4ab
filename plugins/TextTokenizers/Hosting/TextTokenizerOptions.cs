using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Hosting;

/// <summary>What becomes of the text of a special token, such as <c>&lt;|endoftext|&gt;</c>, within a text.</summary>
public enum SpecialText
{
    /// <summary>It becomes that token.</summary>
    Special,

    /// <summary>It is text like any other.</summary>
    Text,

    /// <summary>A text that holds it is refused.</summary>
    Refuse,
}

/// <summary>An end of a text.</summary>
public enum Side
{
    /// <summary>Its end.</summary>
    Right,

    /// <summary>Its start.</summary>
    Left,
}

/// <summary>Options of tokenizing and detokenizing text.</summary>
public sealed record TextTokenizerOptions : ModelOptions
{
    private const int MostTokens = Padding.MostTokens;

    /// <summary>Whether the tokens that the model wants around a text are added.</summary>
    [Description("Add the tokens that the model wants around a text, such as <s>.")]
    public bool AddSpecialTokens { get; init; }

    /// <summary>Whether decoding leaves special tokens out.</summary>
    [Description("Leave special tokens out when detokenizing.")]
    public bool SkipSpecialTokens { get; init; }

    /// <summary>What becomes of the text of special tokens; null for what the tokenizer's own library does.</summary>
    [Description("What becomes of a special token that is written in the text: that token, text like any other, or an error. By default what the tokenizer's own library does: text for tiktoken and SentencePiece, the token for others.")]
    public SpecialText? SpecialText { get; init; }

    /// <summary>Special tokens that become themselves whatever <see cref="SpecialText"/> says.</summary>
    [Description("Special tokens that become themselves where special_text is text or refuse, with commas between.")]
    public string[] AllowedSpecial { get; init; } = [];

    /// <summary>A second text.</summary>
    [Description("A second text, which makes a pair of the two: question and answer, premise and hypothesis.")]
    public string? Pair { get; init; }

    /// <summary>Most tokens.</summary>
    [Description("Most tokens, special ones included; what is cut off comes in further windows, as overflow."), Range(1, MostTokens)]
    public int? MaxLength { get; init; }

    /// <summary>Tokens that neighbouring windows share.</summary>
    [Description("How many tokens neighbouring windows of a text that is cut share; 0 unless given."), Range(0, MostTokens)]
    public int? Stride { get; init; }

    /// <summary>Which text of a pair is cut.</summary>
    [Description("Which text of a pair is cut; longest-first unless given.")]
    public TruncationStrategy? Truncate { get; init; }

    /// <summary>Where texts are cut.</summary>
    [Description("Where a text is cut; right unless given.")]
    public Side? TruncateSide { get; init; }

    /// <summary>Length that is padded to.</summary>
    [Description("Pad to this number of tokens."), Range(1, MostTokens)]
    public int? PadLength { get; init; }

    /// <summary>Multiple that is padded to.</summary>
    [Description("Pad to a multiple of this number of tokens; the windows of a text are made equally long."), Range(1, MostTokens)]
    public int? PadMultiple { get; init; }

    /// <summary>Where padding goes.</summary>
    [Description("Where padding goes; right unless given or said by the tokenizer's file.")]
    public Side? PadSide { get; init; }

    /// <summary>The padding token.</summary>
    [Description("The padding token; that of the tokenizer's file, [PAD], <pad> or <|pad|> unless given.")]
    public string? PadToken { get; init; }

    /// <summary>Whether the file's own truncation and padding are used.</summary>
    [Description("Truncate and pad as the tokenizer's own file says, where nothing else is asked for.")]
    public bool FileSettings { get; init; }

    /// <summary>What offsets count, where they are wanted beside the spans.</summary>
    [Description("Add 'offsets' (tokens, 2): start and end of each token in its own text, in this unit. Spans are always in UTF-16 units.")]
    public OffsetUnit? Offsets { get; init; }

    /// <summary>Further columns.</summary>
    [Description("Further columns, one number a token: type-ids, attention-mask, special-tokens-mask, sequence-ids, word-ids (-1 for none), or all. A pair brings type-ids and padding the attention-mask unasked.")]
    public string[] Columns { get; init; } = [];
}
