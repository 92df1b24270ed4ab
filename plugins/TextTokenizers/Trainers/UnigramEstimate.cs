using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>
/// A unigram model under training: pieces with scores, and the lattice of each sentence. Lattices are made once, of all pieces to begin with; when pieces go, they are thinned, so that later steps have less to do.
/// Sums over sentences are of fixed shares, added in order: the same on every run of one machine.
/// </summary>
internal sealed class UnigramEstimate
{
    private const double UnknownPenalty = 10;
    private const double ExpectedThreshold = 0.5;
    private static readonly int Shares = Environment.ProcessorCount;

    private readonly string[] _seeds;
    private readonly DoubleArrayTrie _trie;
    private readonly int[] _idOfSeed;                 // 0: gone
    private readonly (byte[] Bytes, long Count)[] _sentences;
    private readonly LatticeNode[][] _lattices;
    private readonly long _count;
    private int[] _seedOfId;                          // seeds are counted from 1, as ids are
    private double[] _scores;                         // of the unknown piece, then by id

    /// <summary>A model of these pieces.</summary>
    public UnigramEstimate(IReadOnlyList<(string Text, double Score)> seeds, IEnumerable<KeyValuePair<string, long>> words)
    {
        _seeds = ["", .. seeds.Select(seed => seed.Text)];
        _idOfSeed = [.. Enumerable.Range(0, _seeds.Length)];
        _seedOfId = [.. _idOfSeed];
        _scores = [0, .. seeds.Select(seed => seed.Score)];
        _trie = new(_seeds.Select((text, seed) => (Encoding.UTF8.GetBytes(text), seed)).Skip(1));
        _sentences = [.. words.Select(word => (Encoding.UTF8.GetBytes(word.Key), word.Value))];
        _count = _sentences.Sum(sentence => sentence.Count);
        _lattices = new LatticeNode[_sentences.Length][];
        InShares(share =>
        {
            var nodes = new List<LatticeNode>();
            for (var i = share; i < _sentences.Length; i += Shares)
            {
                AddNodes(_sentences[i].Bytes, nodes);
                _lattices[i] = [.. nodes];
                nodes.Clear();
            }

            return nodes;
        });
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
        var expected = Sum((lattice, i, sums) => lattice.AddExpected(_lattices[i], _sentences[i].Bytes.Length, _scores, _sentences[i].Count, sums));
        int[] kept = [.. Enumerable.Range(1, Count).Where(id => expected[id] >= ExpectedThreshold)];
        var logSum = Digamma(kept.Sum(id => expected[id]));
        Keep(kept, id => Digamma(expected[id]) - logSum);
    }

    /// <summary>Drops the pieces whose replacement by their second best spelling lowers the likelihood least, until <paramref name="size"/> are left, the unknown one among them.</summary>
    public void Prune(int size)
    {
        var alternatives = Alternatives();
        var paths = Enumerable.Range(0, Shares).Select(_ => new List<int>()).ToArray();
        var frequency = Sum((lattice, i, sums) =>
        {
            var path = paths[i % Shares];
            lattice.Best(_lattices[i], _sentences[i].Bytes.Length, _scores, path);
            foreach (var id in path) sums[id] += _sentences[i].Count;
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
            var (lattice, nodes, path) = (new UnigramLattice(), new List<LatticeNode>(), new List<int>());
            for (var id = 1 + share; id <= Count; id += Shares)
            {
                var piece = Encoding.UTF8.GetBytes(_seeds[_seedOfId[id]]);
                nodes.Clear();
                AddNodes(piece, nodes);
                var all = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(nodes);
                lattice.Best(all, piece.Length, _scores, path);
                if (path.Count > 1) continue;
                lattice.Best(all, piece.Length, _scores, path, forbidden: id);
                path.Reverse();
                alternatives[id] = [.. path];
            }

            return lattice;
        });
        return alternatives;
    }

    // Pieces that stand in a text by start, then length; where no piece is a character, the unknown one is.
    private void AddNodes(byte[] text, List<LatticeNode> nodes)
    {
        for (var start = 0; start < text.Length;)
        {
            var (width, isPiece, node) = (Width(text[start]), false, DoubleArrayTrie.Root);
            for (var end = start; end < text.Length;)
            {
                node = _trie.Child(node, text[end++]);
                if (node == 0) break;
                if (_trie.Value(node) is not (> 0 and var seed) || _idOfSeed[seed] == 0) continue;
                nodes.Add(new(start, end, _idOfSeed[seed]));
                isPiece |= end - start == width;
            }

            if (!isPiece) nodes.Add(new(start, start + width, 0));
            start += width;
        }
    }

    // Ids are given anew, in this order.
    private void Keep(int[] kept, Func<int, double> score)
    {
        var ids = new int[Count + 1];
        for (var i = 0; i < kept.Length; i++) ids[kept[i]] = i + 1;
        for (var id = 1; id <= Count; id++) _idOfSeed[_seedOfId[id]] = ids[id];
        (_scores, _seedOfId) = ([0, .. kept.Select(score)], [0, .. kept.Select(id => _seedOfId[id])]);
        SetUnknown();
        InShares(share =>
        {
            var thinned = new List<LatticeNode>();
            for (var i = share; i < _sentences.Length; i += Shares) Thin(ref _lattices[i], _sentences[i].Bytes, ids, thinned);
            return thinned;
        });
    }

    private static void Thin(ref LatticeNode[] lattice, byte[] sentence, int[] ids, List<LatticeNode> thinned)
    {
        thinned.Clear();
        for (var i = 0; i < lattice.Length;)
        {
            var (start, isPiece) = (lattice[i].Start, false);
            var width = Width(sentence[start]);
            for (; i < lattice.Length && lattice[i].Start == start; i++)
            {
                var id = ids[lattice[i].Id];
                if (id == 0) continue;
                thinned.Add(lattice[i] with { Id = id });
                isPiece |= lattice[i].End - start == width;
            }

            if (!isPiece) thinned.Add(new(start, start + width, 0));
        }

        if (thinned.Count == lattice.Length) thinned.CopyTo(lattice);
        else lattice = [.. thinned];
    }

    private void SetUnknown()
    {
        MinScore = _scores.Skip(1).DefaultIfEmpty(double.PositiveInfinity).Min();
        _scores[0] = MinScore - UnknownPenalty;
    }

    // What sentences add up to by id.
    private double[] Sum(Action<UnigramLattice, int, double[]> add)
    {
        var total = new double[Count + 1];
        foreach (var part in InShares(share =>
        {
            var (lattice, sums) = (new UnigramLattice(), new double[Count + 1]);
            for (var i = share; i < _sentences.Length; i += Shares) add(lattice, i, sums);
            return sums;
        }))
        {
            for (var id = 0; id < total.Length; id++) total[id] += part[id];
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
