using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>A text with spans taken out, and the spans.</summary>
/// <param name="Inputs">The text, a mark in place of each span.</param>
/// <param name="Labels">Each mark, and the span behind it.</param>
/// <param name="IsByte">Whether a label is a byte of a span, rather than a mark.</param>
internal sealed record CorruptedBytes(int[] Inputs, int[] Labels, bool[] IsByte);

/// <summary>T5's denoising (Raffel et al., arXiv:1910.10683, 3.1.4) as ByT5 and MrT5 do it: 15 % of the bytes, in spans of 20 on average; text and spans take turns, beginning with text. Marks count down from id 258.</summary>
internal static class SpanCorruption
{
    private const double Density = 0.15, MeanSpan = 20;
    private const int FirstMark = 258, End = 1;

    /// <summary>Takes spans out of ids, which are two or more.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="draws">What says where.</param>
    public static CorruptedBytes Apply(ReadOnlySpan<int> ids, Philox draws)
    {
        var noise = Math.Clamp((int)Math.Round(ids.Length * Density), 1, ids.Length - 1);
        var text = ids.Length - noise;
        var spans = Math.Max(1, (int)Math.Round(Math.Min(noise, text) / MeanSpan));
        var (texts, noises) = (Parts(text, spans, draws, 0), Parts(noise, spans, draws, (ulong)text));
        var (inputs, labels, isByte, at) = (new List<int>(), new List<int>(), new List<bool>(), 0);
        for (var span = 0; span < spans; span++)
        {
            inputs.AddRange(ids.Slice(at, texts[span]));
            inputs.Add(FirstMark - span);
            at += texts[span];
            labels.Add(FirstMark - span);
            labels.AddRange(ids.Slice(at, noises[span]));
            isByte.AddRange([false, .. Enumerable.Repeat(true, noises[span])]);
            at += noises[span];
        }

        return new([.. inputs, End], [.. labels, End], [.. isByte, false]);
    }

    // Lengths of so many parts, none of which is empty; all ways of cutting are equally likely.
    private static int[] Parts(int items, int parts, Philox draws, ulong first)
    {
        var cuts = Enumerable.Range(1, items - 1).OrderBy(cut => draws.Uniform(first + (ulong)cut)).Take(parts - 1).Append(items).Order().ToArray();
        return [.. cuts.Select((cut, i) => cut - (i == 0 ? 0 : cuts[i - 1]))];
    }
}
