using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>All segmentations of a text: for the n best ones, and for drawing one. Sums are in the single precision of the reference.</summary>
internal sealed class UnigramLattice
{
    private const int MaxAgenda = 10_000;
    private const int MinAgenda = 512;

    private sealed class Node(int start, int end, int id, float score)
    {
        public readonly int Start = start;
        public readonly int End = end;
        public readonly int Id = id;
        public readonly float Score = score;
        public float Best;
        public float Alpha;
        public float Entropy;
    }

    private sealed record Hypothesis(Node Node, Hypothesis? Next, float Score);

    private readonly List<Node>[] _begin;
    private readonly List<Node>[] _end;
    private readonly int _length;
    private readonly Node _first;
    private readonly Node _last;

    public UnigramLattice(SentencePieceVocabulary vocabulary, ReadOnlySpan<byte> text)
    {
        _length = text.Length;
        _begin = new List<Node>[_length + 1];
        _end = new List<Node>[_length + 1];
        for (var i = 0; i <= _length; i++) (_begin[i], _end[i]) = ([], []);
        _first = new(0, 0, -1, 0);
        _last = new(_length, _length, -1, 0);
        _end[0].Add(_first);
        _begin[_length].Add(_last);
        for (var start = 0; start < _length;)
        {
            var length = CodePoints.Utf8Length(text[start]);
            var single = false;
            var node = DoubleArrayTrie.Root;
            var characters = 0;
            for (var end = start; end < _length;)
            {
                if ((text[end] & 0xC0) != 0x80) characters++;
                node = vocabulary.Trie.Child(node, text[end++]);
                if (node == 0) break;
                var id = vocabulary.Trie.Value(node);
                if (id < 0 || vocabulary.IsUnused(id)) continue;
                Add(new(start, end, id, vocabulary.IsUserDefined(id) ? (float)(characters * vocabulary.MaxScore - 0.1) : vocabulary.ScoreOf(id)));
                single |= end - start == length;
            }

            if (!single) Add(new(start, start + length, vocabulary.UnknownId, vocabulary.UnknownScore));
            start += length;
        }

        void Add(Node node)
        {
            _begin[node.Start].Add(node);
            _end[node.End].Add(node);
        }
    }

    /// <summary>The best segmentations with their scores, best first.</summary>
    public List<(List<Segment> Segments, float Score)> Best(int count)
    {
        Viterbi();
        var results = new List<(List<Segment>, float)>();
        var agenda = new Agenda<Hypothesis>();
        agenda.Push(new(_last, null, 0), _last.Best);
        while (agenda.Count > 0)
        {
            var (top, priority) = agenda.Pop();
            if (ReferenceEquals(top.Node, _first))
            {
                results.Add((Path(top.Next!), priority));
                if (results.Count == count) break;
                continue;
            }

            foreach (var left in _end[top.Node.Start]) agenda.Push(new(left, top, left.Score + top.Score), left.Best + top.Score);
            if (agenda.Count >= MaxAgenda) agenda = Shrink(agenda, Math.Min(MinAgenda, count * 10));
        }

        return results;
    }

    /// <summary>A segmentation drawn with probability proportional to exp(<paramref name="theta"/> x score).</summary>
    public List<Segment> Sample(float theta, Func<double> uniform)
    {
        Forward(theta);
        var result = new List<Segment>();
        var node = _last;
        while (true)
        {
            var choices = _end[node.Start];
            var weights = choices.Select(left => Math.Exp(left.Alpha + theta * left.Score - (double)node.Alpha)).ToArray();
            var draw = uniform() * weights.Sum();
            var i = 0;
            while (i < weights.Length - 1 && (draw -= weights[i]) >= 0) i++;
            node = choices[i];
            if (ReferenceEquals(node, _first)) break;
            result.Add(new(node.Start, node.End, node.Id));
        }

        result.Reverse();
        return result;
    }

    /// <summary>The entropy, in nats, of segmentations drawn with probability proportional to exp(<paramref name="theta"/> x score).</summary>
    public float Entropy(float theta)
    {
        Forward(theta);
        for (var at = 0; at <= _length; at++)
        {
            foreach (var right in _begin[at])
            {
                foreach (var left in _end[at])
                {
                    var share = theta * left.Score + left.Alpha - right.Alpha;
                    right.Entropy += MathF.Exp(share) * (left.Entropy + share);
                }
            }
        }

        return -_last.Entropy;
    }

    private void Viterbi()
    {
        for (var at = 0; at <= _length; at++)
        {
            foreach (var right in _begin[at])
            {
                var best = float.NegativeInfinity;
                foreach (var left in _end[at]) best = Math.Max(best, left.Best + right.Score);
                right.Best = best;
            }
        }
    }

    private void Forward(float theta)
    {
        for (var at = 0; at <= _length; at++)
        {
            foreach (var right in _begin[at])
            {
                var first = true;
                foreach (var left in _end[at])
                {
                    var term = theta * left.Score + left.Alpha;
                    right.Alpha = first ? term : LogSumExp(right.Alpha, term);
                    first = false;
                }
            }
        }
    }

    private static float LogSumExp(float x, float y)
    {
        var (low, high) = (Math.Min(x, y), Math.Max(x, y));
        return high > low + 50 ? high : (float)(high + Math.Log(Math.Exp((double)(low - high)) + 1));
    }

    private static List<Segment> Path(Hypothesis hypothesis)
    {
        var result = new List<Segment>();
        for (var h = hypothesis; h.Next is not null; h = h.Next) result.Add(new(h.Node.Start, h.Node.End, h.Node.Id));
        return result;
    }

    private static Agenda<Hypothesis> Shrink(Agenda<Hypothesis> agenda, int size)
    {
        var smaller = new Agenda<Hypothesis>();
        for (var i = 0; i < size; i++)
        {
            var (hypothesis, priority) = agenda.Pop();
            smaller.Push(hypothesis, priority);
        }

        return smaller;
    }
}
