using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>
/// A unigram model under training: pieces with scores, and the lattice of each sentence. Lattices are made once, of all pieces to begin with; when pieces go, they are thinned, so that later steps have less to do.
/// Sums over sentences are of fixed shares, added in order: the same on every run, whatever the number of processors.
/// </summary>
internal sealed class UnigramEstimate
{
    private const double UnknownPenalty = 10;
    private const double ExpectedThreshold = 0.5;
    private const int Shares = 16;

    private readonly string[] _seeds;
    private readonly DoubleArrayTrie _trie;
    private readonly int[] _idOfSeed;                 // 0: gone
    private readonly LatticeBlocks[] _lattices;
    private readonly double[][] _sums;
    private readonly long _count;
    private int[] _seedOfId;                          // seeds are counted from 1, as ids are
    private double[] _scores;                         // of the unknown piece, then by id
    private int[]? _renumbered;                       // ids by those that the lattices still have

    /// <summary>A model of these pieces.</summary>
    public UnigramEstimate(IReadOnlyList<(string Text, double Score)> seeds, IEnumerable<KeyValuePair<string, long>> words)
    {
        _seeds = ["", .. seeds.Select(seed => seed.Text)];
        _idOfSeed = [.. Enumerable.Range(0, _seeds.Length)];
        _seedOfId = [.. _idOfSeed];
        _scores = [0, .. seeds.Select(seed => seed.Score)];
        _trie = new(_seeds.Select((text, seed) => (Encoding.UTF8.GetBytes(text), seed)).Skip(1));
        KeyValuePair<string, long>[] sentences = [.. words];
        _count = sentences.Sum(sentence => sentence.Value);
        _lattices = InShares(share =>
        {
            var (blocks, nodes) = (new LatticeBlocks(), new NodeBuffer());
            for (var i = share; i < sentences.Length; i += Shares)
            {
                var length = AddNodes(sentences[i].Key, nodes);
                blocks.Add(nodes.Span, length, sentences[i].Value);
            }

            return blocks;
        });
        _sums = [.. _lattices.Select(_ => new double[_scores.Length])];
        SetUnknown();
    }

    /// <summary>Number of pieces.</summary>
    public int Count => _scores.Length - 1;

    /// <summary>The lowest score.</summary>
    public double MinScore { get; private set; }

    /// <summary>The pieces.</summary>
    public IEnumerable<(string Text, double Score)> Pieces => Enumerable.Range(1, Count).Select(id => (_seeds[_seedOfId[id]], _scores[id]));

    /// <summary>One step of EM. The maximization is variational: digamma acts as a sparse prior, and pieces that are hardly expected go.</summary>
    public void Improve()
    {
        var probabilities = Array.ConvertAll(_scores, Math.Exp);
        var expected = Sum((lattice, sums) => (in LatticeSentence sentence, ReadOnlySpan<LatticeNode> nodes) => lattice.AddExpected(nodes, sentence.Length, probabilities, sentence.Count, sums));
        int[] kept = [.. Enumerable.Range(1, Count).Where(id => expected[id] >= ExpectedThreshold)];
        var logSum = Digamma(kept.Sum(id => expected[id]));
        Keep(kept, id => Digamma(expected[id]) - logSum);
    }

    /// <summary>Drops the pieces whose replacement by their second best spelling lowers the likelihood least, until <paramref name="size"/> are left, the unknown one among them.</summary>
    public void Prune(int size)
    {
        var alternatives = Alternatives();
        var frequency = Sum((lattice, sums) =>
        {
            var path = new List<int>();
            return (in LatticeSentence sentence, ReadOnlySpan<LatticeNode> nodes) =>
            {
                lattice.Best(nodes, sentence.Length, _scores, path);
                foreach (var id in path) sums[id] += sentence.Count;
            };
        });

        var sum = frequency.Sum();
        var (kept, candidates) = (new List<int>(), new List<(int Id, double Loss)>());
        for (var id = 1; id <= Count; id++)
        {
            if (alternatives[id] is not { } others)
            {
                // Its own best spelling is another one.
                if (frequency[id] != 0) kept.Add(id);
            }
            else if (others.Length == 0)
            {
                kept.Add(id);
            }
            else if (frequency[id] != 0)
            {
                // As in the library, which takes the number of all pieces where SentencePiece takes that of the alternatives.
                var logSumAfter = Math.Log(sum + frequency[id] * Count);
                var after = others.Sum(other => Math.Log(frequency[other] + frequency[id]) - logSumAfter);
                candidates.Add((id, frequency[id] / _count * (Math.Log(frequency[id]) - Math.Log(sum) - after)));
            }
        }

        var room = Math.Max(0, size - 1 - kept.Count);
        kept.AddRange(candidates.OrderByDescending(candidate => candidate.Loss).Take(room).Select(candidate => candidate.Id));
        Keep([.. kept], id => _scores[id]);
    }

    // For each piece that is its own best spelling the ids of the second best one, none where there is no other; null for other pieces.
    private int[]?[] Alternatives()
    {
        var alternatives = new int[]?[Count + 1];
        InShares(share =>
        {
            var (lattice, nodes, path) = (new UnigramLattice(), new NodeBuffer(), new List<int>());
            for (var id = 1 + share; id <= Count; id += Shares)
            {
                var length = AddNodes(_seeds[_seedOfId[id]], nodes);
                lattice.Best(nodes.Span, length, _scores, path);
                if (path.Count > 1) continue;
                lattice.Best(nodes.Span, length, _scores, path, forbidden: id);
                path.Reverse();
                alternatives[id] = [.. path];
            }

            return lattice;
        });
        return alternatives;
    }

    // Puts the pieces that stand in a text into the buffer, by start, then length; where no piece is a character, the unknown one is. Returns the number of characters.
    private int AddNodes(string characters, NodeBuffer nodes)
    {
        var text = nodes.Encode(characters);
        var count = 0;
        for (var start = 0; start < text.Length; count++)
        {
            var (length, isPiece, node) = (0, false, DoubleArrayTrie.Root);
            for (var end = start; end < text.Length; length++)
            {
                for (var last = end + Width(text[end]); end < last && (end == start || node != 0); end++) node = _trie.Child(node, text[end]);
                if (node == 0) break;
                if (_trie.Value(node) is not (> 0 and var seed) || _idOfSeed[seed] == 0) continue;
                nodes.Add(new(_idOfSeed[seed], length + 1));
                isPiece |= length == 0;
            }

            if (!isPiece) nodes.Add(new(0, 1));
            nodes.EndPlace();
            start += Width(text[start]);
        }

        return count;
    }

    // Ids are given anew, in this order.
    private void Keep(int[] kept, Func<int, double> score)
    {
        var ids = new int[Count + 1];
        for (var i = 0; i < kept.Length; i++) ids[kept[i]] = i + 1;
        for (var id = 1; id <= Count; id++) _idOfSeed[_seedOfId[id]] = ids[id];
        (_scores, _seedOfId) = ([0, .. kept.Select(score)], [0, .. kept.Select(id => _seedOfId[id])]);
        SetUnknown();
        _renumbered = ids;
    }

    private void SetUnknown()
    {
        MinScore = _scores.Skip(1).DefaultIfEmpty(double.PositiveInfinity).Min();
        _scores[0] = MinScore - UnknownPenalty;
    }

    // What sentences add up to by id.
    private double[] Sum(Func<UnigramLattice, double[], LatticeBlocks.Visitor> adder)
    {
        InShares(share =>
        {
            var sums = _sums[share];
            sums.AsSpan(0, Count + 1).Clear();
            _lattices[share].Visit(_renumbered, adder(new(), sums));
            return sums;
        });
        _renumbered = null;
        var total = new double[Count + 1];
        foreach (var sums in _sums)
        {
            for (var id = 0; id < total.Length; id++) total[id] += sums[id];
        }

        return total;
    }

    private static T[] InShares<T>(Func<int, T> work)
    {
        var results = new T[Shares];
        Parallel.For(0, Shares, share => results[share] = work(share));
        return results;
    }

    private static int Width(byte first) => first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;

    // The asymptotic series, after steps up to 7.
    private static double Digamma(double x)
    {
        var result = 0.0;
        for (; x < 7; x++) result -= 1 / x;
        x -= 0.5;
        var xx = 1 / (x * x);
        return result + Math.Log(x) + xx * (1.0 / 24 - xx * (7.0 / 960 - xx * (31.0 / 8064 - xx * (127.0 / 30720))));
    }
}
