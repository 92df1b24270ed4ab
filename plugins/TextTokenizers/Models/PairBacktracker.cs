using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// BPE in linear time: takes the longest token each time, checks that the pair with the one before is what merging would leave, else a shorter one, else goes back.
/// The method of github/rust-gems (crate bpe, MIT). It holds where every token has one last merge, of tokens of lower rank; others are not built.
/// </summary>
internal sealed class PairBacktracker
{
    private readonly BytePairEncoder _encoder;
    private readonly ByteTrie _trie = new();
    private readonly int[] _ids;      // by order: bytes first, then by rank
    private readonly int[] _lengths;
    private readonly int[] _shorter;  // the longest token that starts a token, or -1
    private readonly int[] _left;     // the last merge of a token; itself for bytes
    private readonly int[] _right;
    private readonly MergeTable _merges; // of orders

    private PairBacktracker(BytePairEncoder encoder, List<(int Id, int Left, int Right)> tokens)
    {
        _encoder = encoder;
        var vocabulary = encoder.Vocabulary;
        _ids = [.. tokens.Select(token => token.Id)];
        _left = [.. tokens.Select(token => token.Left)];
        _right = [.. tokens.Select(token => token.Right)];
        _lengths = [.. tokens.Select(token => vocabulary.BytesOf(token.Id).Length)];
        _merges = new([.. Enumerable.Range(256, tokens.Count - 256).Select(order => (_left[order], _right[order], order))]);
        _shorter = new int[tokens.Count];
        for (var order = 0; order < tokens.Count; order++) _trie.Add(vocabulary.BytesOf(tokens[order].Id), order);
        for (var order = 0; order < tokens.Count; order++)
        {
            var bytes = vocabulary.BytesOf(tokens[order].Id);
            _shorter[order] = bytes.Length == 1 || _trie.Longest(bytes[..^1], out var shorter) == 0 ? -1 : shorter;
        }
    }

    /// <summary>Tables for an encoder; null when its vocabulary does not allow the method.</summary>
    public static PairBacktracker? TryMake(BytePairEncoder encoder)
    {
        var tokens = new List<(int Id, int Left, int Right)>();
        var orders = new Dictionary<int, int>();
        for (var b = 0; b < 256; b++)
        {
            if (!encoder.Vocabulary.TryGet([(byte)b], out var id)) return null;
            orders[id] = tokens.Count;
            tokens.Add((id, tokens.Count, tokens.Count));
        }

        var parts = new IdBuffer();
        foreach (var (id, rank) in encoder.MergedTokens())
        {
            // A second way to the same token.
            if (orders.ContainsKey(id)) return null;
            parts.Clear();
            encoder.Merge(encoder.Vocabulary.BytesOf(id), parts, rank);
            // What merging its own bytes does not lead to never comes about.
            if (parts.Count != 2 || !encoder.IsMerge(parts.Span[0], parts.Span[1], rank)) continue;
            if (!orders.TryGetValue(parts.Span[0], out var left) || !orders.TryGetValue(parts.Span[1], out var right)) return null;
            orders[id] = tokens.Count;
            tokens.Add((id, left, right));
        }

        return new(encoder, tokens);
    }

    /// <summary>Whether merging the token's own bytes gives the token.</summary>
    public bool IsReachable(int id) => _trie.Longest(_encoder.Vocabulary.BytesOf(id), out var order) == _encoder.Vocabulary.BytesOf(id).Length && _ids[order] == id;

    /// <summary>Appends the tokens of a piece.</summary>
    public void Encode(ReadOnlySpan<byte> piece, IdBuffer output, EncodeScratch scratch)
    {
        if (scratch.DeadEnds.Length <= piece.Length) scratch.DeadEnds = new bool[Math.Max(256, (piece.Length + 1) * 2)];
        var dead = scratch.DeadEnds.AsSpan(0, piece.Length + 1);
        dead.Clear();
        var first = output.Count;
        var position = 0;
        var last = -1;
        _trie.Longest(piece, out var token);
        while (position < piece.Length)
        {
            var end = position + _lengths[token];
            if (!dead[end] && (last < 0 || IsPair(last, token, scratch)))
            {
                output.Add(token);
                last = token;
                position = end;
                if (position < piece.Length) _trie.Longest(piece[position..], out token);
                continue;
            }

            if (_shorter[token] is >= 0 and var shorter)
            {
                token = shorter;
                continue;
            }

            // No token fits here: what led here was wrong.
            dead[position] = true;
            token = last;
            position -= _lengths[last];
            output.Truncate(output.Count - 1);
            last = output.Count > first ? output.Span[^1] : -1;
        }

        output.Map(first, _ids);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsPair(int left, int right, EncodeScratch scratch)
    {
        var pair = (ulong)(uint)left << 32 | (ulong)(uint)right << 1;
        ref var slot = ref scratch.Pairs[(int)(pair * 0x9E3779B97F4A7C15UL >> 49)];
        if ((slot & ~1UL) == pair + 2) return (slot & 1) != 0;
        var holds = ComputePair(left, right);
        slot = pair + 2 | (holds ? 1UL : 0);
        return holds;
    }

    // Undoes the merges on both sides of the boundary, the latest first: none of the pairs that stood there may have merged before the boundary's neighbours did.
    private bool ComputePair(int left, int right)
    {
        var limit = int.MaxValue;
        while (true)
        {
            if (_merges.TryGet(left, right, out _, out var merged) && merged < limit) return false;
            if (left > right)
            {
                limit = left;
                left = _right[left];
                if (left == limit)
                {
                    limit = right + 1;
                    right = _left[right];
                    if (right + 1 == limit) return true;
                }
            }
            else
            {
                limit = right + 1;
                right = _left[right];
                if (right + 1 == limit)
                {
                    limit = left;
                    left = _right[left];
                    if (left == limit) return true;
                }
            }
        }
    }
}
