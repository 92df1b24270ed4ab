namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// Applies merges to a row of symbols, always the one of lowest rank and, among equals, the leftmost. Short rows are scanned; long ones use a heap, O(n log n).
/// </summary>
internal static class BpeMerger
{
    private const int ScanLimit = 48;

    /// <summary>Tells which neighbours merge.</summary>
    internal interface IRule
    {
        /// <summary>Rank and new id of the merge of a symbol with the next, if there is one.</summary>
        bool TryGet(ReadOnlySpan<Symbol> symbols, int left, out int rank, out int newId);
    }

    /// <summary>A symbol, in a doubly linked row.</summary>
    internal struct Symbol
    {
        public int Id;
        public int Length; // in bytes; 0 once merged into the one before
        public int Previous;
        public int Next;   // -1 at the end
    }

    /// <summary>Merges the symbols in place; those of length 0 are gone.</summary>
    /// <param name="symbols">The row, linked.</param>
    /// <param name="rule">Tells which neighbours merge.</param>
    /// <param name="skip">Tells for each merge whether to drop it (BPE-dropout); null to apply all.</param>
    public static void Merge<TRule>(Span<Symbol> symbols, TRule rule, Func<bool>? skip = null) where TRule : IRule, allows ref struct
    {
        if (symbols.Length <= ScanLimit && skip is null) Scan(symbols, rule);
        else Heap(symbols, rule, skip);
    }

    private static void Scan<TRule>(Span<Symbol> symbols, TRule rule) where TRule : IRule, allows ref struct
    {
        Span<int> ranks = stackalloc int[ScanLimit];
        Span<int> ids = stackalloc int[ScanLimit];
        for (var i = 0; i + 1 < symbols.Length; i++) rule.TryGet(symbols, i, out ranks[i], out ids[i]);
        while (true)
        {
            var (best, rank) = (-1, int.MaxValue);
            for (var i = 0; i >= 0; i = symbols[i].Next)
            {
                if (symbols[i].Next >= 0 && ranks[i] < rank) (best, rank) = (i, ranks[i]);
            }

            if (best < 0) return;
            Join(symbols, best, ids[best]);
            if (symbols[best].Next >= 0) rule.TryGet(symbols, best, out ranks[best], out ids[best]);
            if (symbols[best].Previous is >= 0 and var before) rule.TryGet(symbols, before, out ranks[before], out ids[before]);
        }
    }

    private static void Join(Span<Symbol> symbols, int left, int newId)
    {
        ref var symbol = ref symbols[left];
        ref var right = ref symbols[symbol.Next];
        symbol.Id = newId;
        symbol.Length += right.Length;
        right.Length = 0;
        symbol.Next = right.Next;
        if (right.Next >= 0) symbols[right.Next].Previous = left;
    }

    private static void Heap<TRule>(Span<Symbol> symbols, TRule rule, Func<bool>? skip) where TRule : IRule, allows ref struct
    {
        // At most one entry for each neighbouring pair at the start, and two more for each merge.
        var heap = new MergeHeap(symbols.Length * 3 + 4);
        var dropped = skip is null ? null : new List<ulong>();
        try
        {
            for (var i = 0; i + 1 < symbols.Length; i++) Push(symbols, rule, i, ref heap);
            while (heap.TryPop(out var top))
            {
                if (skip is not null && skip())
                {
                    dropped!.Add(top);
                    continue;
                }

                if (dropped is not null)
                {
                    foreach (var entry in dropped) heap.Push(entry);
                    dropped.Clear();
                }

                var left = (int)(uint)top;
                ref var symbol = ref symbols[left];
                if (symbol.Length == 0 || symbol.Next < 0) continue;
                if (!rule.TryGet(symbols, left, out var rank, out var newId) || rank != (int)(top >> 32)) continue;
                Join(symbols, left, newId);
                if (symbol.Previous >= 0) Push(symbols, rule, symbol.Previous, ref heap);
                if (symbol.Next >= 0) Push(symbols, rule, left, ref heap);
            }
        }
        finally
        {
            heap.Dispose();
        }
    }

    private static void Push<TRule>(ReadOnlySpan<Symbol> symbols, TRule rule, int left, ref MergeHeap heap) where TRule : IRule, allows ref struct
    {
        if (rule.TryGet(symbols, left, out var rank, out _)) heap.Push((ulong)(uint)rank << 32 | (uint)left);
    }
}
