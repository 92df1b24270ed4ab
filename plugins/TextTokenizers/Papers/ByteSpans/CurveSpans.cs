// ByteSpan, arXiv:2506.18639: the monotonic constraint, alone or combined with a threshold.
using System.Runtime.InteropServices;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers.ByteSpans;

/// <summary>Spans over which the signal falls from byte to byte (or stays below a threshold), the commonest of which become tokens; BPE learns the rest.</summary>
/// <param name="bytes">The byte vocabulary.</param>
/// <param name="texts">The corpus.</param>
/// <param name="percentile">Bytes whose signal is below this percentile of all belong to the span before them; null for none.</param>
internal sealed class CurveSpans(ByteSpan bytes, IReadOnlyList<SignalText> texts, double? percentile)
{
    /// <summary>Spans of each text, and the tokens in order of id.</summary>
    /// <param name="size">Size of the vocabulary.</param>
    /// <param name="proportion">Share of it that comes from spans.</param>
    /// <param name="cancel">Stops between two merges.</param>
    /// <exception cref="OptionsException">There are not enough spans for a vocabulary of spans alone.</exception>
    public (IReadOnlyList<List<(int Start, int Length)>> Spans, List<string> Tokens) Train(int size, double proportion, CancellationToken cancel)
    {
        double? threshold = percentile is { } share ? Percentile([.. texts.SelectMany(text => text.Signal).Where(value => value != 0 && double.IsFinite(value)).Order()], share) : null;
        List<List<(int Start, int Length)>> spans = [.. texts.Select(text => Find(text, threshold))];
        var tokens = bytes.InitialVocabulary(lettersWithBlank: true);
        var known = tokens.ToHashSet();
        var counts = new OrderedDictionary<string, int>();
        for (var i = 0; i < texts.Count; i++)
        {
            foreach (var token in spans[i].Select(span => Token(texts[i], span)).Where(token => !known.Contains(token))) counts[token] = counts.GetValueOrDefault(token) + 1;
        }

        tokens.AddRange(counts.OrderByDescending(pair => pair.Value).Take(Math.Max(0, (int)(proportion * size - tokens.Count))).Select(pair => pair.Key));
        if (tokens.Count > size) tokens.RemoveRange(size, tokens.Count - size);
        if (tokens.Count < size && proportion == 1)
            throw new OptionsException(ErrorCodes.OptionRange, "The corpus has too few spans for a vocabulary of spans alone.") { Where = "proportion_bytespan", Expected = $"{size} tokens", Found = $"{tokens.Count}" };
        if (tokens.Count < size) Merge(tokens, spans, size, cancel);
        return (spans, tokens);
    }

    /// <summary>The spans of a text. They are cut where pre-tokens begin; a blank before one joins it.</summary>
    public List<(int Start, int Length)> Find(SignalText text, double? threshold)
    {
        var (ids, starts, signal) = (text.Ids, text.Starts, text.Signal);
        bool Breaks(int i) => i < ids.Length && !(i > 0 && ids[i] != bytes.EndOfTextId && signal[i] < signal[i - 1]) && !(threshold is { } low && signal[i] < low);
        int[] flips = [.. Enumerable.Range(0, ids.Length).Where(i => Breaks(i) != Breaks(i + 1))];
        var spans = new SortedDictionary<int, int>();
        for (var flip = 0; flip + 1 < flips.Length; flip += 2)
        {
            var (start, end) = (flips[flip], flips[flip + 1]);
            if (start > 0 && !starts[start] && ids[start - 1] == bytes.Space) start--;
            if (starts[end]) end--;
            start = SkipSpecial(ids, start);
            if (start >= end) continue;
            for (var middle = start + 1; middle <= end; middle++)
            {
                if (!starts[middle]) continue;
                spans[start] = middle - start;
                start = SkipSpecial(ids, middle);
            }

            if (start != end) spans[start] = end - start + 1;
        }

        return [.. spans.Select(span => (span.Key, span.Value))];
    }

    // Merging goes on over the corpus in which kept spans are tokens already.
    private void Merge(List<string> tokens, List<List<(int Start, int Length)>> spans, int size, CancellationToken cancel)
    {
        var idOf = tokens.Select((token, id) => (token, id)).ToDictionary(pair => pair.token, pair => pair.id);
        var corpus = new List<(int Id, bool Starts)>();
        for (var i = 0; i < texts.Count; i++)
        {
            var lengths = spans[i].ToDictionary(span => span.Start, span => span.Length);
            for (var at = 0; at < texts[i].Ids.Length;)
            {
                var (id, length) = lengths.TryGetValue(at, out var wide) && idOf.TryGetValue(Token(texts[i], (at, wide)), out var known) ? (known, wide) : (texts[i].Ids[at], 1);
                var isStart = texts[i].Starts[at];
                if (!isStart && !tokens[id].StartsWith(ByteSpan.Continuation, StringComparison.Ordinal)) id = idOf[ByteSpan.Continuation + tokens[id]];
                corpus.Add((id, isStart));
                at += length;
            }
        }

        while (tokens.Count < size)
        {
            cancel.ThrowIfCancellationRequested();
            var pairs = new Dictionary<long, int>();
            for (var i = 1; i < corpus.Count; i++)
            {
                if (!corpus[i].Starts) CollectionsMarshal.GetValueRefOrAddDefault(pairs, Code(corpus, i, tokens.Count), out _)++;
            }

            if (pairs.Count == 0) return;
            var best = pairs.MinBy(pair => (-pair.Value, pair.Key)).Key;
            var (left, right) = ((int)(best % (tokens.Count + 1)), (int)(best / (tokens.Count + 1)));
            var joined = tokens[left] + tokens[right].Replace(ByteSpan.Continuation, "", StringComparison.Ordinal);
            var merged = new List<(int, bool)>(corpus.Count);
            if (!idOf.TryGetValue(joined, out var newId)) newId = tokens.Count;
            for (var i = 0; i < corpus.Count; i++)
            {
                if (Matches(i)) continue;       // it went into the one before
                merged.Add(Matches(i + 1) ? (newId, corpus[i].Starts) : corpus[i]);
            }

            bool Matches(int i) => i > 0 && i < corpus.Count && !corpus[i].Starts && corpus[i].Id == right && corpus[i - 1].Id == left;
            if (newId == tokens.Count)
            {
                idOf.Add(joined, newId);
                tokens.Add(joined);
            }

            corpus = merged;
        }
    }

    // The smallest of these decides between pairs that are as frequent.
    private static long Code(List<(int Id, bool Starts)> corpus, int right, int size) => corpus[right].Id * (size + 1L) + corpus[right - 1].Id;

    private string Token(SignalText text, (int Start, int Length) span) => bytes.Token(text.Ids.AsSpan(span.Start, span.Length), text.Starts[span.Start]);

    private int SkipSpecial(int[] ids, int start)
    {
        while (start < ids.Length && bytes.IsSpecial(ids[start])) start++;
        return start;
    }

    // Linear between the two nearest ranks.
    private static double Percentile(double[] rising, double percent)
    {
        if (rising.Length == 0) return double.NaN;
        var place = percent / 100 * (rising.Length - 1);
        var low = (int)Math.Floor(place);
        return rising[low] + (place - low) * (rising[Math.Min(low + 1, rising.Length - 1)] - rising[low]);
    }
}
