namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>What a tokenizer made of a text (or of two): a column for each token, and the further windows of a text that was cut off.</summary>
public sealed class TokenEncoding
{
    private readonly SortedDictionary<int, (int Start, int End)> _sequences = [];

    /// <summary>The ids.</summary>
    public List<int> Ids { get; private init; } = [];

    /// <summary>Which segment each token belongs to, as the model is told.</summary>
    public List<int> TypeIds { get; private set; } = [];

    /// <summary>The tokens' strings.</summary>
    public List<string> Tokens { get; private init; } = [];

    /// <summary>The number of the word (piece) that each token comes from; null for tokens that no text gave rise to.</summary>
    public List<int?> WordIds { get; private init; } = [];

    /// <summary>Start and end of each token in its text.</summary>
    public List<(int Start, int End)> Offsets { get; private init; } = [];

    /// <summary>1 for tokens that post-processing or padding added.</summary>
    public List<int> SpecialTokensMask { get; private init; } = [];

    /// <summary>0 for padding.</summary>
    public List<int> AttentionMask { get; private init; } = [];

    /// <summary>The further windows of a text that was cut off.</summary>
    public List<TokenEncoding> Overflow { get; private set; } = [];

    /// <summary>Number of tokens.</summary>
    public int Count => Ids.Count;

    /// <summary>Which of the texts each token belongs to; null for tokens that post-processing or padding added.</summary>
    public IReadOnlyList<int?> SequenceIds
    {
        get
        {
            var result = new int?[Count];
            for (var sequence = 0; sequence < Math.Max(1, _sequences.Count); sequence++)
            {
                var (start, end) = _sequences.TryGetValue(sequence, out var range) ? range : (0, Count);
                for (var i = start; i < end; i++) result[i] = sequence;
            }

            return result;
        }
    }

    internal void Add(int id, string token, (int, int) offsets, int? word, int type, bool special = false)
    {
        Ids.Add(id);
        Tokens.Add(token);
        Offsets.Add(offsets);
        WordIds.Add(word);
        TypeIds.Add(type);
        SpecialTokensMask.Add(special ? 1 : 0);
        AttentionMask.Add(1);
    }

    internal void SetSequence(int sequence, int start, int end) => _sequences[sequence] = (start, end);

    internal void SetSequence(int sequence) => _sequences[sequence] = (0, Count);

    internal void SetTypeIds(int type) => TypeIds = [.. Enumerable.Repeat(type, Count)];

    internal TokenEncoding Clone()
    {
        var copy = Window(0, Count);
        copy.Overflow = [.. Overflow.Select(other => other.Clone())];
        foreach (var (sequence, range) in _sequences) copy._sequences[sequence] = range;
        return copy;
    }

    /// <summary>Appends another encoding; the windows of both are combined each with each.</summary>
    internal void MergeWith(TokenEncoding other)
    {
        var overflow = new List<TokenEncoding>();
        foreach (var window in Overflow)
        {
            Combine(window, other);
            foreach (var otherWindow in other.Overflow) Combine(window, otherWindow);
        }

        foreach (var otherWindow in other.Overflow) Combine(this, otherWindow);

        var count = Count;
        foreach (var (sequence, (start, end)) in other._sequences) _sequences[sequence] = (start + count, end + count);
        Ids.AddRange(other.Ids);
        TypeIds.AddRange(other.TypeIds);
        Tokens.AddRange(other.Tokens);
        WordIds.AddRange(other.WordIds);
        Offsets.AddRange(other.Offsets);
        SpecialTokensMask.AddRange(other.SpecialTokensMask);
        AttentionMask.AddRange(other.AttentionMask);
        Overflow = overflow;

        void Combine(TokenEncoding left, TokenEncoding right)
        {
            var merged = left.Clone();
            merged.MergeWith(right.Clone());
            overflow.Add(merged);
        }
    }

    /// <summary>The encoding of several parts.</summary>
    internal static TokenEncoding Merge(IEnumerable<TokenEncoding> parts)
    {
        var result = new TokenEncoding();
        foreach (var part in parts) result.MergeWith(part);
        return result;
    }

    /// <summary>The first window of at most <paramref name="length"/> tokens, with the further ones as its overflow.</summary>
    /// <exception cref="TruncationException">The stride is not below the length.</exception>
    internal TokenEncoding Truncate(int length, int stride, bool left)
    {
        if (length >= Count) return this;
        if (length == 0) return new() { Overflow = [this] };
        if (stride >= length) throw new TruncationException($"The stride {stride} is not below the length {length} that is left for a text.");
        var step = length - stride;
        var windows = new List<(int Start, int End)>();
        if (left)
        {
            for (var end = Count; end > 0; end -= step)
            {
                windows.Add((Math.Max(0, end - length), end));
                if (end <= length) break;
            }
        }
        else
        {
            for (var start = 0; start < Count; start += step)
            {
                windows.Add((start, Math.Min(Count, start + length)));
                if (start + length >= Count) break;
            }
        }

        var first = Window(windows[0].Start, windows[0].End);
        first.Overflow = [.. windows.Skip(1).Select(window => Window(window.Start, window.End))];
        return first;
    }

    /// <summary>Pads this encoding and its windows.</summary>
    internal void Pad(int length, int id, int type, string token, bool left)
    {
        foreach (var window in Overflow) window.Pad(length, id, type, token, left);
        var missing = length - Count;
        if (missing <= 0) return;
        var at = left ? 0 : Count;
        Ids.InsertRange(at, Enumerable.Repeat(id, missing));
        TypeIds.InsertRange(at, Enumerable.Repeat(type, missing));
        Tokens.InsertRange(at, Enumerable.Repeat(token, missing));
        WordIds.InsertRange(at, Enumerable.Repeat((int?)null, missing));
        Offsets.InsertRange(at, Enumerable.Repeat((0, 0), missing));
        SpecialTokensMask.InsertRange(at, Enumerable.Repeat(1, missing));
        AttentionMask.InsertRange(at, Enumerable.Repeat(0, missing));
        if (!left) return;
        foreach (var (sequence, (start, end)) in _sequences.ToArray()) _sequences[sequence] = (start + missing, end + missing);
    }

    // Sequence ranges are lost, as in the reference.
    private TokenEncoding Window(int start, int end) => new()
    {
        Ids = Ids.GetRange(start, end - start),
        TypeIds = TypeIds.GetRange(start, end - start),
        Tokens = Tokens.GetRange(start, end - start),
        WordIds = WordIds.GetRange(start, end - start),
        Offsets = Offsets.GetRange(start, end - start),
        SpecialTokensMask = SpecialTokensMask.GetRange(start, end - start),
        AttentionMask = AttentionMask.GetRange(start, end - start),
    };
}
