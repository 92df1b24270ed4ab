using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>The likeliest segmentation, in the single precision of the reference.</summary>
internal sealed class UnigramSegmenter(SentencePieceVocabulary vocabulary) : Segmenter
{
    private struct Node
    {
        public float Score;
        public float Lead; // over the second best way to get here
        public int Start;
        public int Id;

        public void Offer(float score, int start, int id)
        {
            if (Start >= 0 && score <= Score) Lead = Math.Min(Lead, Score - score);
            else this = new() { Score = score, Lead = Start < 0 ? float.PositiveInfinity : score - Score, Start = start, Id = id };
        }
    }

    public override void Cut(ReadOnlySpan<byte> text, List<Segment> output) => Cut(text, 0, output, out _);

    /// <summary>Appends the pieces of a text that goes on where another ends.</summary>
    /// <param name="text">The text.</param>
    /// <param name="score">The score of what is before it.</param>
    /// <param name="output">Where the pieces go; their places count from the start of this text.</param>
    /// <param name="lead">By how much the segmentation is better than any other, as far as can be seen at its own cuts.</param>
    /// <returns>The score with this text.</returns>
    public float Cut(ReadOnlySpan<byte> text, float score, List<Segment> output, out float lead)
    {
        using var rented = new RentedArray<Node>(text.Length + 1);
        var best = rented.Span;
        best.Fill(new() { Start = -1 });
        best[0].Score = score;
        Viterbi(text, best);
        lead = float.PositiveInfinity;
        var first = output.Count;
        for (var end = text.Length; end > 0; end = best[end].Start)
        {
            output.Add(new(best[end].Start, end, best[end].Id));
            lead = Math.Min(lead, best[end].Lead);
        }

        output.Reverse(first, output.Count - first);
        return best[^1].Score;
    }

    private void Viterbi(ReadOnlySpan<byte> text, Span<Node> best)
    {
        var trie = vocabulary.Trie;
        for (var start = 0; start < text.Length;)
        {
            var length = Math.Min(CodePoints.Utf8Length(text[start]), text.Length - start);
            var here = best[start].Score;
            var single = false;
            var node = DoubleArrayTrie.Root;
            for (var end = start; end < text.Length;)
            {
                node = trie.Child(node, text[end++]);
                if (node == 0) break;
                var id = trie.Value(node);
                if (id < 0 || vocabulary.IsUnused(id)) continue;
                best[end].Offer(vocabulary.GainOf(id) + here, start, id);
                single |= end - start == length;
            }

            if (!single) best[start + length].Offer(vocabulary.UnknownScore + here, start, vocabulary.UnknownId);
            start += length;
        }
    }
}
