using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers;

/// <summary>How a <see cref="Tokenizer"/> encodes.</summary>
public sealed record EncodeOptions
{
    /// <summary>Whether post-processing adds its tokens.</summary>
    public bool AddSpecialTokens { get; init; } = true;

    /// <summary>Whether the text of a special token is taken as ordinary text.</summary>
    public bool EncodeSpecialTokens { get; init; }

    /// <summary>Special tokens that become themselves although <see cref="EncodeSpecialTokens"/> is set.</summary>
    public IReadOnlySet<string> AllowedSpecialTokens { get; init; } = new HashSet<string>();

    /// <summary>What offsets count.</summary>
    public OffsetUnit Offsets { get; init; } = OffsetUnit.Utf16;

    /// <summary>Takes the place of the file's truncation; <see cref="NoTruncation"/> turns it off.</summary>
    public Truncation? Truncation { get; init; }

    /// <summary>Whether the file's truncation is ignored.</summary>
    public bool NoTruncation { get; init; }

    /// <summary>Takes the place of the file's padding; <see cref="NoPadding"/> turns it off.</summary>
    public Padding? Padding { get; init; }

    /// <summary>Whether the file's padding is ignored.</summary>
    public bool NoPadding { get; init; }

    /// <summary>Seed of the draws of BPE-dropout, where the file asks for it.</summary>
    public ulong Seed { get; init; }

    /// <summary>The special tokens whose text becomes them; null for all.</summary>
    internal IReadOnlySet<string>? FoundSpecialTokens => EncodeSpecialTokens ? AllowedSpecialTokens : null;
}

/// <summary>A text to encode: as it is, or in words.</summary>
public sealed record EncodeInput
{
    private EncodeInput(IReadOnlyList<string> parts, bool isWords) => (Parts, IsWords) = (parts, isWords);

    internal IReadOnlyList<string> Parts { get; }

    internal bool IsWords { get; }

    /// <summary>A text.</summary>
    public static EncodeInput Text(string text) => new([text], false);

    /// <summary>Words; each is encoded by itself, and offsets count from its own start.</summary>
    public static EncodeInput Words(IReadOnlyList<string> words) => new(words, true);

    /// <summary>A text.</summary>
    public static implicit operator EncodeInput(string text) => Text(text);
}
