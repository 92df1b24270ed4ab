using System.Runtime.InteropServices;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Hosting;

/// <summary>An encoding as tokens: ids and spans, the columns that were asked for, and the windows of what was cut off.</summary>
internal static class EncodedTokens
{
    private const string All = "all", Offsets = "offsets", Overflow = "overflow_";

    /// <summary>Between the two texts of a pair where spans run on from the first to the second.</summary>
    private const string Between = "\n";

    private static readonly (string Name, Func<TokenEncoding, IEnumerable<int>> Of)[] Known =
    [
        ("type-ids", encoding => encoding.TypeIds),
        ("attention-mask", encoding => encoding.AttentionMask),
        ("special-tokens-mask", encoding => encoding.SpecialTokensMask),
        ("sequence-ids", encoding => encoding.SequenceIds.Select(id => id ?? -1)),
        ("word-ids", encoding => encoding.WordIds.Select(id => id ?? -1)),
    ];

    /// <summary>Tokens of an encoding.</summary>
    /// <param name="space">What the ids mean.</param>
    /// <param name="tokenizer">Whose they are.</param>
    /// <param name="text">The text.</param>
    /// <param name="options">What was asked for.</param>
    /// <param name="encode">Encodes with offsets in a unit.</param>
    /// <exception cref="OptionsException">There is no such column.</exception>
    public static Tokens Of(TokenSpace space, Tokenizer tokenizer, string text, TextTokenizerOptions options, Func<OffsetUnit, TokenEncoding> encode)
    {
        var wanted = Wanted(options);
        var encoding = encode(OffsetUnit.Utf16);
        var first = tokenizer.SpannedText(text);
        var spanned = options.Pair is null ? first : first + Between + tokenizer.SpannedText(options.Pair);
        var extras = new Dictionary<string, Tensor>();
        foreach (var (name, column) in wanted) extras.Add(name, Row(column(encoding)));
        if (options.Offsets is { } unit) extras.Add(Offsets, Pairs(encode(unit).Offsets));
        if (encoding.Overflow.Count > 0)
        {
            var windows = encoding.Overflow;
            extras.Add(Overflow + "lengths", Row(windows.Select(window => window.Count)));
            extras.Add(Overflow + "ids", Row(windows.SelectMany(window => window.Ids)));
            foreach (var (name, column) in wanted) extras.Add(Overflow + name, Row(windows.SelectMany(column)));
            extras.Add(Overflow + Offsets, Pairs((options.Offsets is { } counted ? encode(counted).Overflow : windows).SelectMany(window => window.Offsets)));
        }

        return new(space, Row(encoding.Ids))
        {
            Spans = Spans(encoding, first.Length + Between.Length),
            SourceLength = spanned.Length,
            SpannedText = spanned == text ? null : spanned,
            Extras = extras,
        };
    }

    private static TokenSpan[] Spans(TokenEncoding encoding, int second)
    {
        var sequences = encoding.SequenceIds;
        var spans = new TokenSpan[encoding.Count];
        for (var i = 0; i < spans.Length; i++)
        {
            var shift = sequences[i] == 1 ? second : 0;
            spans[i] = new(encoding.Offsets[i].Start + shift, encoding.Offsets[i].End + shift);
        }

        return spans;
    }

    private static List<(string Name, Func<TokenEncoding, IEnumerable<int>> Of)> Wanted(TextTokenizerOptions options)
    {
        if (Array.Find(options.Columns, name => name != All && !Array.Exists(Known, known => known.Name == name)) is { } unknown)
            throw new OptionsException(ErrorCodes.OptionRange, "There is no such column.") { Where = "columns", Expected = $"{string.Join(", ", Known.Select(known => known.Name))} or {All}", Found = unknown };
        var pads = options.PadLength is not null || options.PadMultiple is not null || options.FileSettings;
        return [.. Known.Where(known => options.Columns.Contains(All) || options.Columns.Contains(known.Name) || (known.Name == "type-ids" && options.Pair is not null) || (known.Name == "attention-mask" && pads))
            .Select(known => (known.Name.Replace('-', '_'), known.Of))];
    }

    private static Tensor<int> Row(IEnumerable<int> numbers)
    {
        int[] row = [.. numbers];
        return Tensor.Create(row, row.Length);
    }

    private static Tensor<int> Pairs(IEnumerable<(int Start, int End)> offsets)
    {
        (int, int)[] pairs = [.. offsets];
        return Tensor.Create(MemoryMarshal.Cast<(int, int), int>(pairs).ToArray(), pairs.Length, 2);
    }
}
