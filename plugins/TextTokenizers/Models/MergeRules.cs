namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Merges by pairs of ids.</summary>
internal readonly struct PairRule(MergeTable merges) : BpeMerger.IRule
{
    public bool TryGet(ReadOnlySpan<BpeMerger.Symbol> symbols, int left, out int rank, out int newId)
    {
        ref readonly var symbol = ref symbols[left];
        if (merges.TryGet(symbol.Id, symbols[symbol.Next].Id, out rank, out newId)) return true;
        rank = int.MaxValue;
        return false;
    }
}

/// <summary>Merges by what two neighbours spell together: any two whose bytes are a token merge, and its id is the rank. Symbols start as single bytes, so that a symbol's place in the row is its place in the piece.</summary>
internal readonly ref struct BytesRule(TokenTable ranks, ReadOnlySpan<byte> piece) : BpeMerger.IRule
{
    private readonly ReadOnlySpan<byte> _piece = piece;

    public bool TryGet(ReadOnlySpan<BpeMerger.Symbol> symbols, int left, out int rank, out int newId)
    {
        ref readonly var symbol = ref symbols[left];
        if (ranks.TryGet(_piece.Slice(left, symbol.Length + symbols[symbol.Next].Length), out newId))
        {
            rank = newId;
            return true;
        }

        rank = int.MaxValue;
        return false;
    }
}
