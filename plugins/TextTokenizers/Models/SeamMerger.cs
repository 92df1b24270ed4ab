namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// Merges long pieces window by window, in time that grows with their length whatever they hold.
/// What merging makes of two neighbouring stretches, a = ..x and b = y.., is what it makes of both together when it makes x y of x and y alone: merges go by rank, then from the left, and within the bytes of x (of y)
/// the same ones happen in the same order in all four cases, until one crosses the seam; the first that does so would do it in x and y alone, too.
/// So a stretch is merged a little further than it is needed, is cut between two of its tokens, the next one starts there, and only the seam is to be seen to.
/// </summary>
internal sealed class SeamMerger
{
    /// <summary>Length of a window, in bytes.</summary>
    public const int Window = RegisterMerger.MaxLength;

    private const int Margin = 12;      // behind a cut: its next token likely ends in it
    private const int Cuts = 4;         // to try before a wider window is
    private const int MemoBits = 13;

    private readonly IdBuffer _parts = new();
    private readonly (int Left, int Right, bool Holds)[] _memo = new (int, int, bool)[1 << MemoBits];
    private IdBuffer _tokens = new();
    private IdBuffer _next = new();
    private byte[] _pair = [];

    /// <summary>Appends the tokens of a piece.</summary>
    public void Encode(BytePairEncoder encoder, ReadOnlySpan<byte> piece, IdBuffer output, EncodeScratch scratch)
    {
        var (start, size, before) = (0, Window, output.Count);
        Merge(encoder, piece, start, size, _tokens, scratch);
        while (start + size < piece.Length)
        {
            if (TryCut(encoder, piece, ref start, size, output, scratch)) continue;
            size *= 2;
            Merge(encoder, piece, start, size, _tokens, scratch);

            // A wider window may begin with another token than the one whose seam was looked at.
            while (output.Count > before && output.Span[^1] is var last && !IsSeam(encoder, last, _tokens.Span[0], scratch))
            {
                start -= encoder.Vocabulary.BytesOf(last).Length;
                output.Truncate(output.Count - 1);
                Merge(encoder, piece, start, size, _tokens, scratch);
            }
        }

        output.Add(_tokens.Span);
    }

    // Leaves the tokens of the window from the cut on in _tokens.
    private bool TryCut(BytePairEncoder encoder, ReadOnlySpan<byte> piece, ref int start, int size, IdBuffer output, EncodeScratch scratch)
    {
        var tokens = _tokens.Span;
        var (kept, cut) = (0, start);
        while (kept < tokens.Length && encoder.Vocabulary.BytesOf(tokens[kept]).Length is var length && cut + length <= start + size - Margin) (kept, cut) = (kept + 1, cut + length);
        for (var tries = Cuts; tries > 0 && kept > 0; tries--)
        {
            Merge(encoder, piece, cut, size, _next, scratch);
            if (IsSeam(encoder, tokens[kept - 1], _next.Span[0], scratch))
            {
                output.Add(tokens[..kept]);
                start = cut;
                (_tokens, _next) = (_next, _tokens);
                return true;
            }

            cut -= encoder.Vocabulary.BytesOf(tokens[--kept]).Length;
        }

        return false;
    }

    private void Merge(BytePairEncoder encoder, ReadOnlySpan<byte> piece, int start, int size, IdBuffer tokens, EncodeScratch scratch)
    {
        tokens.Clear();
        encoder.EncodeStretch(piece.Slice(start, Math.Min(size, piece.Length - start)), tokens, scratch);
    }

    private bool IsSeam(BytePairEncoder encoder, int left, int right, EncodeScratch scratch)
    {
        ref var known = ref _memo[((ulong)(uint)left << 32 | (uint)right) * 0x9E3779B97F4A7C15UL >> 64 - MemoBits];
        if (known.Left != left || known.Right != right || (left | right) == 0) known = (left, right, ComputeSeam(encoder, left, right, scratch));
        return known.Holds;
    }

    private bool ComputeSeam(BytePairEncoder encoder, int left, int right, EncodeScratch scratch)
    {
        var before = encoder.Vocabulary.BytesOf(left);
        var after = encoder.Vocabulary.BytesOf(right);
        if (_pair.Length == 0) _pair = new byte[encoder.Vocabulary.LongestToken * 2 + BytePairEncoder.Padding];
        before.CopyTo(_pair);
        after.CopyTo(_pair.AsSpan(before.Length));
        _parts.Clear();
        encoder.EncodeStretch(_pair.AsSpan(0, before.Length + after.Length), _parts, scratch);
        return _parts.Span is [var first, var second] && first == left && second == right;
    }
}
