using System.Buffers;
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>A stretch of normalized text and the piece that it is.</summary>
internal readonly record struct Segment(int Start, int End, int Id);

/// <summary>Cuts normalized text into pieces.</summary>
internal abstract class Segmenter
{
    /// <summary>The pieces of a text, in order, covering it.</summary>
    public abstract void Cut(ReadOnlySpan<byte> text, List<Segment> output);

    /// <summary>Number of bytes of the first character, or of the user-defined symbol that stands there.</summary>
    protected static int Character(ByteTrie symbols, ReadOnlySpan<byte> text, out bool isSymbol)
    {
        var length = symbols.Longest(text, out _);
        isSymbol = length > 0;
        return isSymbol ? length : Math.Min(text.Length, CodePoints.Utf8Length(text[0]));
    }
}

/// <summary>Every character by itself.</summary>
internal sealed class CharacterSegmenter(SentencePieceVocabulary vocabulary) : Segmenter
{
    public override void Cut(ReadOnlySpan<byte> text, List<Segment> output)
    {
        for (var start = 0; start < text.Length;)
        {
            var end = start + Character(vocabulary.Symbols, text[start..], out _);
            output.Add(new(start, end, vocabulary.IdOf(text[start..end])));
            start = end;
        }
    }
}

/// <summary>Every word by itself, with the space before it.</summary>
internal sealed class WordSegmenter(SentencePieceVocabulary vocabulary) : Segmenter
{
    public override void Cut(ReadOnlySpan<byte> text, List<Segment> output)
    {
        for (var start = 0; start < text.Length;)
        {
            var next = text[(start + 1)..].IndexOf("\u2581"u8);
            var end = next < 0 ? text.Length : start + 1 + next;
            output.Add(new(start, end, vocabulary.IdOf(text[start..end])));
            start = end;
        }
    }
}

/// <summary>Merges neighbours, the pair of the highest score first.</summary>
internal sealed class BpeSegmenter : Segmenter
{
    private readonly SentencePieceVocabulary _vocabulary;
    private readonly int[] _ranks; // by id: 0 for the highest score, equal for equal scores
    private readonly bool _hasUnused;

    public BpeSegmenter(SentencePieceVocabulary vocabulary)
    {
        _vocabulary = vocabulary;
        var scores = vocabulary.File.Pieces.Select(piece => piece.Score).Distinct().OrderDescending().Select((score, rank) => (score, rank)).ToDictionary(pair => pair.score, pair => pair.rank);
        _ranks = [.. vocabulary.File.Pieces.Select(piece => scores[piece.Score])];
        _hasUnused = vocabulary.File.Pieces.Any(piece => piece.Type == PieceType.Unused);
    }

    public override void Cut(ReadOnlySpan<byte> text, List<Segment> output) => Cut(text, output, null);

    /// <summary>The pieces of a text, merges being dropped as <paramref name="skip"/> says.</summary>
    public void Cut(ReadOnlySpan<byte> text, List<Segment> output, Func<bool>? skip)
    {
        if (text.IsEmpty) return;
        using var rented = new RentedArray<BpeMerger.Symbol>(text.Length);
        var symbols = rented.Span;
        var starts = ArrayPool<int>.Shared.Rent(text.Length);
        try
        {
            var count = 0;
            for (var start = 0; start < text.Length; count++)
            {
                var length = Character(_vocabulary.Symbols, text[start..], out var frozen);
                starts[count] = start;
                symbols[count] = new() { Id = frozen ? -1 : 0, Length = length, Previous = count - 1, Next = count + 1 };
                start += length;
            }

            symbols[count - 1].Next = -1;
            var splits = _hasUnused ? new Dictionary<string, int>(StringComparer.Ordinal) : null;
            BpeMerger.Merge(symbols[..count], new Rule(this, text, starts, splits), skip);
            for (var i = 0; i >= 0; i = symbols[i].Next) Emit(text, starts[i], starts[i] + symbols[i].Length, splits, output);
        }
        finally
        {
            ArrayPool<int>.Shared.Return(starts);
        }
    }

    // An unused piece is cut again where it was joined.
    private void Emit(ReadOnlySpan<byte> text, int start, int end, Dictionary<string, int>? splits, List<Segment> output)
    {
        var id = _vocabulary.IdOf(text[start..end]);
        if (splits is not null && _vocabulary.IsUnused(id) && splits.TryGetValue(Encoding.UTF8.GetString(text[start..end]), out var left))
        {
            Emit(text, start, start + left, splits, output);
            Emit(text, start + left, end, splits, output);
            return;
        }

        output.Add(new(start, end, id));
    }

    private readonly ref struct Rule(BpeSegmenter owner, ReadOnlySpan<byte> text, ReadOnlySpan<int> starts, Dictionary<string, int>? splits) : BpeMerger.IRule
    {
        private readonly ReadOnlySpan<byte> _text = text;
        private readonly ReadOnlySpan<int> _starts = starts;

        public bool TryGet(ReadOnlySpan<BpeMerger.Symbol> symbols, int left, out int rank, out int newId)
        {
            ref readonly var first = ref symbols[left];
            ref readonly var second = ref symbols[first.Next];
            rank = int.MaxValue;
            newId = 0;
            if (first.Id < 0 || second.Id < 0) return false;
            var piece = _text.Slice(_starts[left], first.Length + second.Length);
            if (!owner._vocabulary.Ordinary.TryGet(piece, out var id)) return false;
            rank = owner._ranks[id];
            if (splits is not null && owner._vocabulary.IsUnused(id)) splits[Encoding.UTF8.GetString(piece)] = first.Length;
            return true;
        }
    }
}

/// <summary>The likeliest segmentation, in the single precision of the reference.</summary>
internal sealed class UnigramSegmenter(SentencePieceVocabulary vocabulary) : Segmenter
{
    private struct Node
    {
        public float Score;
        public int Start;
        public int Id;
    }

    public override void Cut(ReadOnlySpan<byte> text, List<Segment> output)
    {
        if (text.IsEmpty) return;
        using var rented = new RentedArray<Node>(text.Length + 1);
        var best = rented.Span;
        Viterbi(text, best);
        var first = output.Count;
        for (var end = text.Length; end > 0; end = best[end].Start) output.Add(new(best[end].Start, end, best[end].Id));
        output.Reverse(first, output.Count - first);
    }

    private void Viterbi(ReadOnlySpan<byte> text, Span<Node> best)
    {
        for (var i = 1; i <= text.Length; i++) best[i].Start = -1;
        best[0].Score = 0;
        var trie = vocabulary.Trie;
        for (var start = 0; start < text.Length;)
        {
            var length = Math.Min(CodePoints.Utf8Length(text[start]), text.Length - start);
            var here = best[start].Score;
            var single = false;
            var node = ByteTrie.Root;
            for (var end = start; end < text.Length;)
            {
                node = trie.Child(node, text[end++]);
                if (node == 0) break;
                var id = trie.Value(node);
                if (id < 0 || vocabulary.IsUnused(id)) continue;
                // A user-defined symbol gets a bonus, so that it is always taken.
                var score = (vocabulary.IsUserDefined(id) ? (float)((end - start) * vocabulary.MaxScore - 0.1) : vocabulary.ScoreOf(id)) + here;
                if (best[end].Start < 0 || score > best[end].Score) best[end] = new() { Score = score, Start = start, Id = id };
                single |= end - start == length;
            }

            if (!single)
            {
                var score = vocabulary.UnknownScore + here;
                ref var target = ref best[start + length];
                if (target.Start < 0 || score > target.Score) target = new() { Score = score, Start = start, Id = vocabulary.UnknownId };
            }

            start += length;
        }
    }
}
