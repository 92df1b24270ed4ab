using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>Which text is cut when two are too long together.</summary>
public enum TruncationStrategy
{
    /// <summary>The longer one first.</summary>
    LongestFirst,

    /// <summary>Only the first.</summary>
    OnlyFirst,

    /// <summary>Only the second.</summary>
    OnlySecond,
}

/// <summary>Texts cannot be cut as they are to be.</summary>
public sealed class TruncationException(string message) : ArgumentException(message);

/// <summary>How long an encoding may be, and what becomes of the rest.</summary>
/// <param name="MaxLength">Number of tokens, special ones included.</param>
/// <param name="Stride">How many tokens neighbouring windows share.</param>
/// <param name="Strategy">Which text is cut.</param>
/// <param name="Left">Whether it is cut at its start.</param>
public sealed record Truncation(int MaxLength, int Stride = 0, TruncationStrategy Strategy = TruncationStrategy.LongestFirst, bool Left = false)
{
    /// <summary>Cuts one or two encodings so that <paramref name="added"/> further tokens have room.</summary>
    /// <exception cref="TruncationException">They cannot be cut that way.</exception>
    internal void Apply(ref TokenEncoding first, ref TokenEncoding? second, int added)
    {
        var limit = MaxLength - added;
        // The reference's unsigned length wraps round: what leaves no room for the special tokens is no limit at all.
        if (limit < 0) return;
        if (limit == 0)
        {
            first = first.Truncate(0, Stride, Left);
            second = second?.Truncate(0, Stride, Left);
            return;
        }

        var total = first.Count + (second?.Count ?? 0);
        var excess = total - limit;
        if (excess <= 0) return;
        switch (Strategy)
        {
            case TruncationStrategy.LongestFirst when second is null:
                first = first.Truncate(limit, Stride, Left);
                break;
            case TruncationStrategy.LongestFirst:
                var (shorter, longer) = (Math.Min(first.Count, second.Count), Math.Max(first.Count, second.Count));
                var swapped = first.Count > second.Count;
                longer = shorter > limit ? shorter : Math.Max(shorter, limit - shorter);
                if (shorter + longer > limit)
                {
                    shorter = limit / 2;
                    longer = shorter + limit % 2;
                }

                first = first.Truncate(swapped ? longer : shorter, Stride, Left);
                second = second.Truncate(swapped ? shorter : longer, Stride, Left);
                break;
            case TruncationStrategy.OnlyFirst:
                first = Shorten(first, excess);
                break;
            default:
                second = Shorten(second ?? throw new TruncationException("Truncation is set to cut the second text, and there is none."), excess);
                break;
        }
    }

    private TokenEncoding Shorten(TokenEncoding encoding, int excess) => encoding.Count > excess
        ? encoding.Truncate(encoding.Count - excess, Stride, Left)
        : throw new TruncationException($"The text that may be cut has {encoding.Count} tokens, and {excess} are too many.");
}

/// <summary>How encodings are made equally long.</summary>
/// <param name="Length">The length; null for that of the batch's longest.</param>
/// <param name="MultipleOf">The length is rounded up to a multiple of this.</param>
/// <param name="Left">Whether padding goes in front.</param>
/// <param name="Id">Id of the padding token.</param>
/// <param name="TypeId">Type id of the padding token.</param>
/// <param name="Token">The padding token.</param>
public sealed record Padding(int? Length = null, int? MultipleOf = null, bool Left = false, int Id = 0, int TypeId = 0, string Token = "[PAD]")
{
    /// <summary>What encodings are padded to at most. A file may name any length, and each token of it takes memory.</summary>
    public const int MostTokens = 1 << 20;

    /// <exception cref="MediaException">The padding alone would be longer than <see cref="MostTokens"/>.</exception>
    internal void Apply(IReadOnlyList<TokenEncoding> encodings)
    {
        if (encodings.Count == 0) return;
        var longest = encodings.Max(encoding => encoding.Count);
        long length = Length ?? longest;
        if (MultipleOf is > 0 and var multiple && length % multiple > 0) length += multiple - length % multiple;
        if (length > longest && length > MostTokens)
            throw new MediaException(ErrorCodes.MediaUnsupported, "Encodings are not padded to that length.") { Expected = $"at most {MostTokens} tokens", Found = $"{length}", Remedy = "Ask for another padding, or for none, in place of the tokenizer file's." };
        foreach (var encoding in encodings) encoding.Pad((int)Math.Min(length, int.MaxValue), Id, TypeId, Token, Left);
    }
}
