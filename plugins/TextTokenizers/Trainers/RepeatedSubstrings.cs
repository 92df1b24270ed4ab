using System.Numerics;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>
/// Every substring up to a length that occurs more than once and cannot be made longer to the right without losing an occurrence: the upper inner nodes of the suffix tree. Suffixes are sorted by their first characters only,
/// as many of them at a time as fit into a number.
/// </summary>
internal sealed class RepeatedSubstrings
{
    private const int BucketBits = 12;

    private readonly int _depth;      // characters that are compared
    private readonly int _bits;       // of a character
    private readonly int _width;      // characters of a key
    private readonly ulong[] _keys;   // the characters from each place on; what is behind the end is zero

    private RepeatedSubstrings(ReadOnlySpan<int> text, int depth)
    {
        _depth = depth;
        var numbers = new Dictionary<int, ulong>();
        foreach (var letter in text) numbers.TryAdd(letter, (ulong)numbers.Count + 1);
        _bits = BitOperations.Log2((uint)numbers.Count) + 1;
        _width = 64 / _bits;
        _keys = new ulong[text.Length];
        var (key, top) = (0UL, 64 - _bits);
        for (var i = text.Length - 1; i >= 0; i--) _keys[i] = key = (key >> _bits | numbers[text[i]] << top) & ~0UL << 64 - _bits * _width;
    }

    /// <summary>Start, length and number of occurrences of each.</summary>
    /// <param name="text">Characters.</param>
    /// <param name="longest">Most characters of a substring.</param>
    public static IEnumerable<(int Start, int Length, int Count)> Find(int[] text, int longest)
    {
        if (text.Length == 0) yield break;
        var tree = new RepeatedSubstrings(text, longest + 1);
        var suffixes = tree.Sorted();
        var open = new Stack<(int Length, int From)>();
        for (var i = 1; i <= suffixes.Length; i++)
        {
            var length = i < suffixes.Length ? tree.Shared(suffixes[i - 1], suffixes[i]) : 0;
            var from = i - 1;
            while (open.TryPeek(out var top) && top.Length > length)
            {
                open.Pop();
                from = top.From;
                if (top.Length <= longest) yield return (suffixes[from], top.Length, i - from);
            }

            if (length > 0 && (!open.TryPeek(out var under) || under.Length < length)) open.Push((length, from));
        }
    }

    // By their first bits into buckets, then each bucket by itself.
    private int[] Sorted()
    {
        var ends = new int[1 << BucketBits];
        foreach (var key in _keys) ends[key >> 64 - BucketBits]++;
        for (var bucket = 1; bucket < ends.Length; bucket++) ends[bucket] += ends[bucket - 1];
        var (order, starts) = (new int[_keys.Length], (int[])ends.Clone());
        for (var i = _keys.Length - 1; i >= 0; i--) order[--starts[_keys[i] >> 64 - BucketBits]] = i;
        Parallel.For(0, ends.Length, bucket => Sort(order.AsSpan(starts[bucket]..ends[bucket]), new ulong[ends[bucket] - starts[bucket]], 0));
        return order;
    }

    private void Sort(Span<int> order, Span<ulong> keys, int from)
    {
        if (order.Length < 2) return;
        for (var i = 0; i < order.Length; i++) keys[i] = Key(order[i] + from);
        keys.Sort(order);
        if (from + _width >= _depth) return;
        for (int start = 0, end; start < order.Length; start = end)
        {
            for (end = start + 1; end < order.Length && keys[end] == keys[start]; end++) { }
            Sort(order[start..end], keys[start..end], from + _width);
        }
    }

    // Characters that two suffixes have in common, as far as they are compared.
    private int Shared(int a, int b)
    {
        for (var from = 0; from < _depth; from += _width)
        {
            if ((Key(a + from) ^ Key(b + from)) is not 0 and var difference) return Math.Min(_depth, from + BitOperations.LeadingZeroCount(difference) / _bits);
        }

        return _depth;
    }

    private ulong Key(int place) => place < _keys.Length ? _keys[place] : 0;
}
