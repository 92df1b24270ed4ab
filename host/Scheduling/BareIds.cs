using System.Globalization;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Scheduling;

/// <summary>Token ids without anything beside them, as people type them.</summary>
internal static class BareIds
{
    private static readonly char[] Separators = [' ', ',', '[', ']', '\t', '\n', '\r'];

    /// <summary>Ids from text: numbers with blanks or commas between, or a JSON list.</summary>
    /// <exception cref="OptionsException">Something else is among them.</exception>
    public static Items Parse(string text)
    {
        var ids = text.Split(Separators, StringSplitOptions.RemoveEmptyEntries);
        foreach (var id in ids) _ = Number(id);
        return new(ids);
    }

    /// <summary>Ids as tokens of a model.</summary>
    /// <exception cref="ModelZooException">The model needs more than ids, or an item is no number.</exception>
    public static Tokens ToTokens(Items items, ITokenize tokenizer, ModelId model)
    {
        var space = tokenizer.Space ?? throw new MediaException(ErrorCodes.MediaUnsupported, $"{model} needs more than bare ids.") { Expected = "tokens as `modelzoo tokenize` writes them", Found = $"{items.Ids.Count} ids" };
        int[] ids = [.. items.Ids.Select(Number)];
        return new(space, Tensor.Create(ids, ids.Length));
    }

    private static int Number(string id) => int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : throw new OptionsException(ErrorCodes.OptionType, "This is no token id.") { Expected = "whole numbers such as 15496,995", Found = $"'{id}'" };
}
