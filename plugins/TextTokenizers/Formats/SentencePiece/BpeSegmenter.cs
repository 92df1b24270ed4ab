using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>Merges neighbours, the pair of the highest score first and, among equals, the leftmost. User-defined symbols stay as they are.</summary>
internal sealed class BpeSegmenter : Segmenter
{
    private const int None = -1;
    private const int Frozen = -2;

    private readonly SentencePieceVocabulary _vocabulary;
    private readonly int[] _ranks; // by id: 0 for the highest score, equal for equal scores

    public BpeSegmenter(SentencePieceVocabulary vocabulary)
    {
        _vocabulary = vocabulary;
        var scores = vocabulary.File.Pieces.Select(piece => piece.Score).Distinct().OrderDescending().Select((score, rank) => (score, rank)).ToDictionary(pair => pair.score, pair => pair.rank);
        _ranks = [.. vocabulary.File.Pieces.Select(piece => scores[piece.Score])];
    }

    private struct Symbol
    {
        public int Start;
        public int Length;   // 0 once merged into the one before
        public int Previous; // -1 at the start
        public int Next;     // -1 at the end
        public int Id;       // of what it was merged to; None, Frozen
        public int Pair;     // id of the piece that it and the next can become; None
    }

    public override void Cut(ReadOnlySpan<byte> text, List<Segment> output) => Cut(text, output, null);

    /// <summary>The pieces of a text; where <paramref name="skip"/> says so, a merge is left out (BPE-dropout).</summary>
    public void Cut(ReadOnlySpan<byte> text, List<Segment> output, Func<bool>? skip)
    {
        if (text.IsEmpty) return;
        using var rented = new RentedArray<Symbol>(text.Length);
        var merging = new Merging(this, text, rented.Span, _vocabulary.HasUnused ? new(StringComparer.Ordinal) : null);
        try
        {
            merging.Run(skip);
            merging.Write(output);
        }
        finally
        {
            merging.Dispose();
        }
    }

    private ref struct Merging(BpeSegmenter owner, ReadOnlySpan<byte> text, Span<Symbol> symbols, Dictionary<string, int>? splits)
    {
        private readonly ReadOnlySpan<byte> _text = text;
        private readonly Span<Symbol> _symbols = symbols;
        private MergeHeap _heap = new(text.Length * 2);

        public void Run(Func<bool>? skip)
        {
            var count = 0;
            for (var start = 0; start < _text.Length; count++)
            {
                var length = Character(owner._vocabulary.Symbols, _text[start..], out var isSymbol);
                _symbols[count] = new() { Start = start, Length = length, Previous = count - 1, Next = start + length < _text.Length ? count + 1 : -1, Id = isSymbol ? Frozen : None };
                start += length;
            }

            for (var i = 0; i < count; i++) FindPair(i);
            while (_heap.TryPop(out var top))
            {
                var left = (int)(uint)top;
                ref var symbol = ref _symbols[left];
                if (symbol.Length == 0 || symbol.Pair < 0 || owner._ranks[symbol.Pair] != (int)(top >> 32)) continue;
                if (skip is not null && skip()) symbol.Pair = None;
                else Join(left);
            }
        }

        public readonly void Write(List<Segment> output)
        {
            for (var i = 0; i >= 0; i = _symbols[i].Next)
            {
                ref readonly var symbol = ref _symbols[i];
                var end = symbol.Start + symbol.Length;
                if (splits is not null) WriteUsed(symbol.Start, end, output);
                else output.Add(new(symbol.Start, end, symbol.Id >= 0 ? owner._vocabulary.ShownId(symbol.Id) : owner._vocabulary.IdOf(_text[symbol.Start..end])));
            }
        }

        public readonly void Dispose() => _heap.Dispose();

        // An unused piece is cut again where it was joined.
        private readonly void WriteUsed(int start, int end, List<Segment> output)
        {
            var id = owner._vocabulary.IdOf(_text[start..end]);
            if (owner._vocabulary.IsUnused(id) && splits!.TryGetValue(Encoding.UTF8.GetString(_text[start..end]), out var left))
            {
                WriteUsed(start, start + left, output);
                WriteUsed(start + left, end, output);
                return;
            }

            output.Add(new(start, end, id));
        }

        private void Join(int left)
        {
            ref var symbol = ref _symbols[left];
            ref var right = ref _symbols[symbol.Next];
            symbol.Id = symbol.Pair;
            symbol.Length += right.Length;
            right.Length = 0;
            symbol.Next = right.Next;
            if (right.Next >= 0) _symbols[right.Next].Previous = left;
            if (symbol.Previous >= 0) FindPair(symbol.Previous);
            FindPair(left);
        }

        private void FindPair(int left)
        {
            ref var symbol = ref _symbols[left];
            symbol.Pair = None;
            if (symbol.Next < 0 || symbol.Id == Frozen || _symbols[symbol.Next].Id == Frozen) return;
            var piece = _text.Slice(symbol.Start, symbol.Length + _symbols[symbol.Next].Length);
            if (!owner._vocabulary.Ordinary.TryGetRare(in piece[0], piece.Length, out var id)) return;
            symbol.Pair = id;
            _heap.Push((ulong)(uint)owner._ranks[id] << 32 | (uint)left);
            if (splits is not null && owner._vocabulary.IsUnused(id)) splits[Encoding.UTF8.GetString(piece)] = symbol.Length;
        }
    }
}
