// Boundless Byte Pair Encoding, arXiv:2504.00178: training.
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Regex;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Learns merges within pre-tokens, deletions of what a merge used up, and merges of neighbouring pre-tokens that are single tokens by now, whichever is more frequent.</summary>
internal sealed class BoundlessBpeTrainer
{
    // Letters, blanks, underscores and apostrophes, with a letter after the first place.
    private static readonly TextRegex Mergeable = new(@"^(?=.+\p{L})(?:\p{L}\p{M}*|[ _'\u2019])+$", RegexFlavor.Rust);

    private readonly double _threshold;
    private readonly bool _blowUp;
    private readonly PairTable _words;
    private readonly PairTable _documents;
    private readonly HashSet<string> _vocabulary = [.. Enumerable.Range(0, 256).Select(value => ((char)value).ToString())];
    private readonly HashSet<string> _unlocked = [];
    private readonly List<(string, string)> _wordMerges = [];
    private readonly List<Operation> _operations = [];

    /// <param name="texts">Documents.</param>
    /// <param name="pattern">Cuts them into pre-tokens.</param>
    /// <param name="threshold">A part of a merge goes when at least this share of it was merged.</param>
    /// <param name="blowUp">True when it becomes bytes, false when it becomes the pair that made it.</param>
    public BoundlessBpeTrainer(IEnumerable<string> texts, string pattern, double threshold, bool blowUp)
    {
        (_threshold, _blowUp) = (threshold, blowUp);
        var regex = new TextRegex(pattern, RegexFlavor.Rust);
        var documents = texts.Select(text => BoundlessBpe.Cut(text, regex).ToList()).ToList();
        _words = new(documents.SelectMany(document => document).CountBy(chunk => chunk).Select(chunk => (chunk.Key.Select(unit => unit.ToString()).ToList(), (long)chunk.Value)), static _ => true);
        _documents = new(documents.Select(document => (document, 1L)), _unlocked.Contains);
    }

    /// <summary>The operations until the vocabulary is large enough. Deleted tokens keep their place in it, as in the reference.</summary>
    public IReadOnlyList<Operation> Train(int vocabularySize, CancellationToken cancel)
    {
        while (_vocabulary.Count < vocabularySize)
        {
            cancel.ThrowIfCancellationRequested();
            var (word, super) = (_words.Best(_vocabulary), _documents.Best(_vocabulary));
            if (word is null && super is null) break;
            if (word is { } inside && (super is null || inside.Count > super.Value.Count)) MergeWords(inside.Pair, inside.Count);
            else MergeDocuments(super!.Value.Pair);
        }

        return _operations;
    }

    private void MergeDocuments((string Left, string Right) pair)
    {
        // Two of the same pre-token do not merge on, as in the reference.
        var merged = pair.Left + pair.Right;
        if (pair.Left != pair.Right) _unlocked.Add(merged);
        if (_documents.Merge(pair) && _unlocked.Add(merged)) _documents.Recount(merged);
        _vocabulary.Add(merged);
        _operations.Add(new("supermerge", [pair.Left, pair.Right]));
    }

    private void MergeWords((string Left, string Right) pair, long count)
    {
        var (left, right) = ((double)count / _words.Count(pair.Left), (double)count / _words.Count(pair.Right));
        var merged = pair.Left + pair.Right;
        var isWord = _words.Merge(pair);
        _vocabulary.Add(merged);
        _wordMerges.Add(pair);
        _operations.Add(new("merge", [pair.Left, pair.Right]));
        foreach (var (share, token) in new[] { (left, pair.Left), (right, pair.Right) })
        {
            if (token.Length < 2 || share < _threshold) continue;
            _words.Replace(token, Parts(token));
            _operations.Add(new("deletion", [token]));
        }

        // A pre-token that has become one token may merge with its neighbours from now on.
        if (isWord && MayMerge(merged) && _unlocked.Add(merged)) _documents.Recount(merged);
    }

    private List<string> Parts(string token)
    {
        if (_blowUp) return [.. token.Select(unit => unit.ToString())];
        var (left, right) = _wordMerges.First(merge => merge.Item1 + merge.Item2 == token);
        return [left, right];
    }

    private static bool MayMerge(string token)
    {
        var bytes = Encoding.Latin1.GetBytes(token);
        return System.Text.Unicode.Utf8.IsValid(bytes) && Mergeable.Matches(bytes).Next(out var start, out _) && start == 0;
    }

    /// <summary>A step of training.</summary>
    /// <param name="Kind"><c>merge</c>, <c>deletion</c> or <c>supermerge</c>.</param>
    /// <param name="Tokens">The pair, or the deleted token.</param>
    public sealed record Operation(string Kind, IReadOnlyList<string> Tokens);

    /// <summary>Token sequences with counts of their tokens and pairs, kept up to date.</summary>
    private sealed class PairTable
    {
        private readonly List<(List<string> Tokens, long Count)> _chunks;
        private readonly Func<string, bool> _counts;
        private readonly Dictionary<(string, string), long> _pairs = [];
        private readonly Dictionary<string, long> _singles = [];
        private readonly Dictionary<string, HashSet<int>> _places = [];

        public PairTable(IEnumerable<(List<string> Tokens, long Count)> chunks, Func<string, bool> counts)
        {
            (_chunks, _counts) = ([.. chunks], counts);
            for (var chunk = 0; chunk < _chunks.Count; chunk++) Add(chunk, 1);
        }

        public long Count(string token) => _singles.GetValueOrDefault(token);

        /// <summary>The most frequent pair whose joined token is new; of equals the one with the smaller bytes.</summary>
        public ((string Left, string Right) Pair, long Count)? Best(HashSet<string> vocabulary)
        {
            ((string Left, string Right) Pair, long Count)? best = null;
            foreach (var (pair, count) in _pairs)
            {
                if (count == 0 || (best is { } known && (count < known.Count || (count == known.Count && Compare(pair, known.Pair) >= 0))) || vocabulary.Contains(pair.Item1 + pair.Item2)) continue;
                best = (pair, count);
            }

            return best;
        }

        /// <summary>Joins a pair; true when a sequence became one token.</summary>
        public bool Merge((string Left, string Right) pair)
        {
            var whole = false;
            foreach (var chunk in Both(pair.Left, pair.Right))
            {
                Add(chunk, -1);
                whole |= BoundlessBpe.Join(_chunks[chunk].Tokens, pair) > 0 && _chunks[chunk].Tokens.Count == 1;
                Add(chunk, 1);
            }

            return whole;
        }

        public void Replace(string token, List<string> parts)
        {
            foreach (var chunk in Both(token, token))
            {
                Add(chunk, -1);
                _chunks[chunk] = _chunks[chunk] with { Tokens = [.. _chunks[chunk].Tokens.SelectMany(item => item == token ? parts : [item])] };
                Add(chunk, 1);
            }
        }

        /// <summary>Counts anew where a token stands that counts only now.</summary>
        public void Recount(string token)
        {
            foreach (var chunk in Both(token, token))
            {
                CountPairs(chunk, -1, item => item != token && _counts(item));
                CountPairs(chunk, 1, _counts);
            }
        }

        private int[] Both(string a, string b) => _places.TryGetValue(a, out var first) && _places.TryGetValue(b, out var second) ? [.. first.Where(second.Contains)] : [];

        private void Add(int chunk, int sign)
        {
            foreach (var token in _chunks[chunk].Tokens)
            {
                _singles[token] = _singles.GetValueOrDefault(token) + sign * _chunks[chunk].Count;
                if (!_places.TryGetValue(token, out var places)) _places.Add(token, places = []);
                if (sign > 0) places.Add(chunk);
                else places.Remove(chunk);
            }

            CountPairs(chunk, sign, _counts);
        }

        // Runs of one token count without overlap.
        private void CountPairs(int chunk, int sign, Func<string, bool> counts)
        {
            var (tokens, count) = _chunks[chunk];
            (string, string)? previous = null;
            for (var i = 0; i + 1 < tokens.Count; i++)
            {
                var pair = (tokens[i], tokens[i + 1]);
                var overlaps = tokens[i] == tokens[i + 1] && previous == pair;
                previous = counts(tokens[i]) && counts(tokens[i + 1]) && !overlaps ? pair : null;
                if (previous is null) continue;
                var total = _pairs.GetValueOrDefault(pair) + sign * count;
                if (total == 0) _pairs.Remove(pair);
                else _pairs[pair] = total;
            }
        }

        private static int Compare((string Left, string Right) a, (string Left, string Right) b) =>
            string.CompareOrdinal(a.Left, b.Left) is not 0 and var left ? left : string.CompareOrdinal(a.Right, b.Right);
    }
}
