using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Ways to cut a word with one vocabulary, whatever algorithm made it (section 3 of the paper).</summary>
public sealed class SegmentationMethods
{
    private readonly Dictionary<string, double> _logProbabilities;
    private readonly BpeModel? _merges;
    private readonly int _longest;

    /// <summary>A vocabulary of tokens with their log-probabilities, and merges in order where there are any.</summary>
    public SegmentationMethods(IReadOnlyDictionary<string, double> logProbabilities, IReadOnlyList<(string Left, string Right)> merges)
    {
        _logProbabilities = new(logProbabilities, StringComparer.Ordinal);
        _longest = logProbabilities.Keys.Max(token => token.Length);
        if (merges.Count == 0) return;
        var table = new TokenTable(logProbabilities.Count);
        foreach (var token in logProbabilities.Keys) table.Add(Encoding.UTF8.GetBytes(token), table.Count);
        _merges = new(table, new([.. merges.Select(merge => (Id(merge.Left), Id(merge.Right), Id(merge.Left + merge.Right)))]), new());

        int Id(string token) => table.TryGet(token, out var id) ? id : throw new ArgumentException($"The merges name {token}, which is not in the vocabulary.", nameof(merges));
    }

    /// <summary>A word cut by one of the methods. Null when it cannot be cut that way.</summary>
    public IReadOnlyList<string>? Cut(string word, InferenceMethod method) => method switch
    {
        InferenceMethod.LongestPrefix => LongestPrefix(word),
        InferenceMethod.LongestSuffix => LongestSuffix(word),
        InferenceMethod.LongestToken => LongestToken(word),
        InferenceMethod.LeastTokens => LeastTokens(word),
        InferenceMethod.Merges => Merges(word),
        _ => Likelihood(word),
    };

    /// <summary>From the left, the longest token each time. Null when the word cannot be cut that way.</summary>
    public IReadOnlyList<string>? LongestPrefix(string word)
    {
        var result = new List<string>();
        for (var start = 0; start < word.Length;)
        {
            var length = Math.Min(_longest, word.Length - start);
            while (length > 0 && !Has(word, start, length)) length--;
            if (length == 0) return null;
            result.Add(word.Substring(start, length));
            start += length;
        }

        return result;
    }

    /// <summary>From the right, the longest token each time. Null when the word cannot be cut that way.</summary>
    public IReadOnlyList<string>? LongestSuffix(string word)
    {
        var result = new List<string>();
        for (var end = word.Length; end > 0;)
        {
            var length = Math.Min(_longest, end);
            while (length > 0 && !Has(word, end - length, length)) length--;
            if (length == 0) return null;
            result.Insert(0, word.Substring(end - length, length));
            end -= length;
        }

        return result;
    }

    /// <summary>The longest token anywhere, the leftmost of equals; then the same left and right of it. Null when the word cannot be cut that way.</summary>
    public IReadOnlyList<string>? LongestToken(string word)
    {
        if (word.Length == 0) return [];
        for (var length = Math.Min(_longest, word.Length); length > 0; length--)
        {
            for (var start = 0; start + length <= word.Length; start++)
            {
                if (!Has(word, start, length)) continue;
                return LongestToken(word[..start]) is { } left && LongestToken(word[(start + length)..]) is { } right ? [.. left, word.Substring(start, length), .. right] : null;
            }
        }

        return null;
    }

    /// <summary>As few tokens as possible. Null when the word cannot be cut.</summary>
    public IReadOnlyList<string>? LeastTokens(string word) => Best(word, _ => -1);

    /// <summary>The greatest sum of log-probabilities. Null when the word cannot be cut.</summary>
    public IReadOnlyList<string>? Likelihood(string word) => Best(word, token => _logProbabilities[token]);

    /// <summary>By merges, in order. Null without merges, or when a character is not in the vocabulary.</summary>
    public IReadOnlyList<string>? Merges(string word)
    {
        if (_merges is null) return null;
        var tokens = new List<PieceToken>();
        _merges.Tokenize(Encoding.UTF8.GetBytes(word), tokens);
        var result = tokens.Select(token => _merges.Vocabulary.TextOf(token.Id)!).ToList();
        return string.Concat(result) == word ? result : null;
    }

    /// <summary>The sum of the log-probabilities of tokens.</summary>
    public double Score(IEnumerable<string> tokens) => tokens.Sum(token => _logProbabilities[token]);

    private bool Has(string word, int start, int length) => _logProbabilities.GetAlternateLookup<ReadOnlySpan<char>>().ContainsKey(word.AsSpan(start, length));

    private List<string>? Best(string word, Func<string, double> score)
    {
        var best = new (double Score, int Start)[word.Length + 1];
        for (var end = 1; end <= word.Length; end++)
        {
            best[end] = (double.NegativeInfinity, -1);
            for (var start = Math.Max(0, end - _longest); start < end; start++)
            {
                if (double.IsNegativeInfinity(best[start].Score) || !Has(word, start, end - start)) continue;
                var sum = best[start].Score + score(word[start..end]);
                if (sum > best[end].Score) best[end] = (sum, start);
            }
        }

        if (word.Length > 0 && best[word.Length].Start < 0) return null;
        var result = new List<string>();
        for (var end = word.Length; end > 0; end = best[end].Start) result.Insert(0, word[best[end].Start..end]);
        return result;
    }
}
