using System.Globalization;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Shards;

/// <summary>One of several equal shares of a data set or of a list of requests, written <c>2/8</c>. Batches of neighbours are dealt out in turn, so that each share gets of every part, and no batch is cut.</summary>
/// <param name="Index">Which one, from 1.</param>
/// <param name="Count">How many there are.</param>
internal sealed record Shard(int Index, int Count)
{
    /// <summary>All of it.</summary>
    public static Shard Whole { get; } = new(1, 1);

    /// <summary>Reads <c>i/n</c>.</summary>
    /// <exception cref="OptionsException">The text has another form, or i is not one of 1..n.</exception>
    public static Shard Parse(string text)
    {
        var slash = text.IndexOf('/');
        if (slash < 0 || !int.TryParse(text.AsSpan(0, slash), NumberStyles.None, CultureInfo.InvariantCulture, out var index) || !int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
            throw new OptionsException(ErrorCodes.OptionType, "That is no shard.") { Where = "--shard", Expected = "i/n, such as 2/8", Found = $"'{text}'" };
        return count >= 1 && index >= 1 && index <= count ? new(index, count)
            : throw new OptionsException(ErrorCodes.OptionRange, "There is no such shard.") { Where = "--shard", Expected = count >= 1 ? $"1/{count} .. {count}/{count}" : "1 or more shards", Found = text };
    }

    /// <summary>True when the item at this place belongs to this shard.</summary>
    /// <param name="ordinal">The item's place, from 0.</param>
    /// <param name="batch">Neighbours that stay together.</param>
    public bool Has(int ordinal, int batch) => ordinal / batch % Count == Index - 1;

    /// <inheritdoc/>
    public override string ToString() => $"{Index}/{Count}";
}
