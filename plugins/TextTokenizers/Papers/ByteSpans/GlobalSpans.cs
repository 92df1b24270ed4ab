// ByteSpan, arXiv:2506.18639: the global constraint.

namespace ModelZoo.Plugins.TextTokenizers.Papers.ByteSpans;

/// <summary>A threshold that rises over the whole corpus: each byte that it passes joins what it already passed on both sides, within a pre-token; segments that were met often enough become tokens.</summary>
/// <param name="bytes">The byte vocabulary.</param>
/// <param name="texts">The corpus.</param>
/// <param name="frequency">How often a segment must be met.</param>
internal sealed class GlobalSpans(ByteSpan bytes, IReadOnlyList<SignalText> texts, int frequency)
{
    private const int Every = 1000;
    private const float Never = 1e9f;

    /// <summary>The tokens in order of id.</summary>
    /// <param name="size">Size of the vocabulary.</param>
    /// <param name="cancel">Stops between two bytes.</param>
    public List<string> Train(int size, CancellationToken cancel)
    {
        // An end of text closes each text; it is never joined.
        int[] ids = [.. texts.SelectMany(text => text.Ids.Append(bytes.EndOfTextId))];
        bool[] starts = [.. texts.SelectMany(text => text.Starts.Append(true))];
        float[] signal = [.. texts.SelectMany(text => text.Signal.Select(value => (float)value).Append(Never))];
        for (var i = 0; i < ids.Length; i++) if (bytes.IsSpecial(ids[i])) signal[i] = Never;
        var (left, right) = (new int[ids.Length], new int[ids.Length]);
        Array.Fill(left, -1);
        Array.Fill(right, -1);
        var counts = new OrderedDictionary<string, int>();
        var passed = 0;
        foreach (var place in Enumerable.Range(0, ids.Length).OrderBy(i => signal[i]))
        {
            cancel.ThrowIfCancellationRequested();
            var first = starts[place] || left[place - 1] < 0 ? place : left[place - 1];
            if (first > 0 && !starts[first] && ids[first - 1] == bytes.Space) first--;
            var last = place + 1 < ids.Length && right[place + 1] >= 0 && !starts[place + 1] ? right[place + 1] : place;
            left.AsSpan(first..(last + 1)).Fill(first);
            right.AsSpan(first..(last + 1)).Fill(last);
            var whole = Token(first, last);
            counts[whole] = counts.GetValueOrDefault(whole) + 1;
            if (first != place) Leave(Token(first, place - 1));
            if (last != place) Leave(bytes.Token(ids.AsSpan((place + 1)..(last + 1)), isStart: false));
            if (passed++ % Every == 0 && Vocabulary(counts) is var tokens && tokens.Count >= size) return tokens[..size];
        }

        return Vocabulary(counts);

        string Token(int from, int to) => bytes.Token(ids.AsSpan(from..(to + 1)), starts[from]);
        void Leave(string token) => counts[token] = Math.Max(0, counts.GetValueOrDefault(token) - 1);
    }

    private List<string> Vocabulary(OrderedDictionary<string, int> counts)
    {
        var tokens = bytes.InitialVocabulary(lettersWithBlank: false);
        var known = tokens.ToHashSet();
        tokens.AddRange(counts.Where(pair => pair.Value >= frequency).OrderByDescending(pair => pair.Value).Select(pair => pair.Key).Where(known.Add));
        return tokens;
    }
}
