// ROUGE: A Package for Automatic Evaluation of Summaries. Lin. 2004; conventions of google-research's rouge-score.
using System.Text.RegularExpressions;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Networks.Metrics;

/// <summary>Overlap of a prediction with a target: n-grams, or longest common subsequences.</summary>
/// <param name="UseStemmer">Compare stems of words longer than three letters.</param>
public sealed partial record Rouge(bool UseStemmer = false)
{
    /// <summary>Precision, recall and F1 of <c>rouge1</c>..<c>rouge9</c>, <c>rougeL</c> or <c>rougeLsum</c>.</summary>
    /// <exception cref="ArgumentException">There is no such measure.</exception>
    public (double Precision, double Recall, double F1) Score(string target, string prediction, string type)
    {
        if (type == "rougeL") return Of(CommonSubsequence(Tokens(target), Tokens(prediction)).Count, Tokens(target).Count, Tokens(prediction).Count);
        if (type == "rougeLsum") return Summary([.. Sentences(target)], [.. Sentences(prediction)]);
        if (type.Length == 6 && type.StartsWith("rouge", StringComparison.Ordinal) && type[5] is >= '1' and <= '9')
        {
            var (ours, theirs) = (NGrams.Count(Tokens(prediction), type[5] - '0'), NGrams.Count(Tokens(target), type[5] - '0'));
            return Of(NGrams.Overlap(ours, theirs), Math.Max(theirs.Values.Sum(), 1), Math.Max(ours.Values.Sum(), 1));
        }

        throw new ArgumentException($"No measure '{type}'.", nameof(type));
    }

    private IEnumerable<List<string>> Sentences(string text) => text.Split('\n').Where(line => line.Length > 0).Select(Tokens);

    private List<string> Tokens(string text) =>
        [.. Separators().Replace(PythonText.Lower(text), " ").Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(token => UseStemmer && token.Length > 3 ? PorterStemmer.Stem(token) : token)];

    // The union over predicted sentences of what each shares with a target sentence; no token counts twice.
    private static (double, double, double) Summary(List<List<string>> target, List<List<string>> prediction)
    {
        var (targets, predictions) = (Available(target), Available(prediction));
        var hits = 0;
        foreach (var sentence in target)
        {
            foreach (var i in prediction.SelectMany(other => CommonSubsequence(sentence, other)).Distinct().Order())
            {
                var token = sentence[i];
                if (predictions.GetValueOrDefault(token) <= 0 || targets[token] <= 0) continue;
                hits++;
                predictions[token]--;
                targets[token]--;
            }
        }

        return Of(hits, target.Sum(s => s.Count), prediction.Sum(s => s.Count));

        static Dictionary<string, int> Available(List<List<string>> sentences) => NGrams.Count([.. sentences.SelectMany(s => s)], 1);
    }

    // Indices in the first list.
    private static List<int> CommonSubsequence(List<string> a, List<string> b)
    {
        var lengths = new int[a.Count + 1, b.Count + 1];
        for (var i = 1; i <= a.Count; i++)
        {
            for (var j = 1; j <= b.Count; j++) lengths[i, j] = a[i - 1] == b[j - 1] ? lengths[i - 1, j - 1] + 1 : Math.Max(lengths[i - 1, j], lengths[i, j - 1]);
        }

        var indices = new List<int>();
        for (var (i, j) = (a.Count, b.Count); i > 0 && j > 0;)
        {
            if (a[i - 1] == b[j - 1])
            {
                indices.Add(i - 1);
                (i, j) = (i - 1, j - 1);
            }
            else if (lengths[i, j - 1] > lengths[i - 1, j])
            {
                j--;
            }
            else
            {
                i--;
            }
        }

        return indices;
    }

    private static (double, double, double) Of(double hits, double target, double prediction)
    {
        if (target == 0 || prediction == 0) return (0, 0, 0);
        var (precision, recall) = (hits / prediction, hits / target);
        return (precision, recall, precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0);
    }

    [GeneratedRegex("[^a-z0-9]+")]
    private static partial Regex Separators();
}
