using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>A unigram model under training: pieces with scores, piece 0 being the unknown one; and what EM wants of a sentence's lattice.</summary>
internal sealed class UnigramLattice
{
    private const double UnknownPenalty = 10;

    private readonly ByteTrie _trie = new();
    private readonly double[] _scores;
    private readonly double _unknown;

    public UnigramLattice(IReadOnlyList<(string Text, double Score)> pieces)
    {
        _scores = [.. pieces.Select(piece => piece.Score)];
        for (var id = 0; id < pieces.Count; id++) _trie.Add(Encoding.UTF8.GetBytes(pieces[id].Text), id);
        MinScore = _scores.Where(score => !double.IsNaN(score)).DefaultIfEmpty(double.PositiveInfinity).Min();
        _unknown = MinScore - UnknownPenalty;
    }

    /// <summary>The lowest score.</summary>
    public double MinScore { get; }

    /// <summary>Adds the expected count of each piece in <paramref name="sentence"/>, times <paramref name="frequency"/>.</summary>
    public void AddExpected(byte[] sentence, double frequency, double[] expected)
    {
        var nodes = Nodes(sentence);
        var alpha = new double[sentence.Length + 1];     // log of the sum of all ways to here
        var beta = new double[sentence.Length + 1];      // and from here to the end
        Array.Fill(alpha, double.NegativeInfinity, 1, sentence.Length);
        Array.Fill(beta, double.NegativeInfinity, 0, sentence.Length);
        foreach (var (start, end, _, score) in nodes) alpha[end] = LogAdd(alpha[end], alpha[start] + score);
        for (var i = nodes.Count - 1; i >= 0; i--)
        {
            var (start, end, _, score) = nodes[i];
            beta[start] = LogAdd(beta[start], beta[end] + score);
        }

        foreach (var (start, end, id, score) in nodes) expected[id] += frequency * Math.Exp(alpha[start] + score + beta[end] - alpha[^1]);
    }

    /// <summary>The pieces of the best segmentation.</summary>
    public List<int> Best(byte[] sentence)
    {
        var (pieces, _) = Best(sentence, Nodes(sentence));
        return pieces;
    }

    /// <summary>The best segmentation and the second best; the second is null when there is one way only.</summary>
    public (List<int> First, List<int>? Second) BestTwo(byte[] sentence)
    {
        var nodes = Nodes(sentence);
        var (first, path) = Best(sentence, nodes);
        // The second best differs from the best in at least one node: forbid each in turn and take the best of the rest.
        (List<int> Pieces, double Score)? second = null;
        foreach (var forbidden in path)
        {
            var (pieces, way) = Best(sentence, [.. nodes.Where(node => node != forbidden)]);
            if (way.Count == 0) continue;
            var score = way.Sum(node => node.Score);
            if (second is not { } known || score > known.Score) second = (pieces, score);
        }

        return (first, second?.Pieces);
    }

    private static (List<int> Pieces, List<(int Start, int End, int Id, double Score)> Path) Best(byte[] sentence, List<(int Start, int End, int Id, double Score)> nodes)
    {
        var best = new double[sentence.Length + 1];
        var via = new int[sentence.Length + 1];
        Array.Fill(best, double.NegativeInfinity, 1, sentence.Length);
        for (var i = 0; i < nodes.Count; i++)
        {
            var score = best[nodes[i].Start] + nodes[i].Score;
            if (score > best[nodes[i].End]) (best[nodes[i].End], via[nodes[i].End]) = (score, i);
        }

        if (double.IsNegativeInfinity(best[^1])) return ([], []);
        var path = new List<(int Start, int End, int Id, double Score)>();
        for (var end = sentence.Length; end > 0; end = path[^1].Start) path.Add(nodes[via[end]]);
        path.Reverse();
        return ([.. path.Select(node => node.Id)], path);
    }

    // Pieces that stand in the sentence by start, then length; where no piece is a character, the unknown one is.
    private List<(int Start, int End, int Id, double Score)> Nodes(byte[] sentence)
    {
        var nodes = new List<(int, int, int, double)>();
        for (var start = 0; start < sentence.Length;)
        {
            Rune.DecodeFromUtf8(sentence.AsSpan(start), out _, out var width);
            var single = false;
            var node = ByteTrie.Root;
            for (var end = start; end < sentence.Length;)
            {
                node = _trie.Child(node, sentence[end++]);
                if (node == 0) break;
                if (_trie.Value(node) is not (>= 0 and var id)) continue;
                nodes.Add((start, end, id, _scores[id]));
                single |= end - start == width;
            }

            if (!single) nodes.Add((start, start + width, 0, _unknown));
            start += width;
        }

        return nodes;
    }

    private static double LogAdd(double x, double y)
    {
        var (low, high) = x > y ? (y, x) : (x, y);
        return high > low + 50 ? high : high + Math.Log(Math.Exp(low - high) + 1);
    }
}
