// METEOR: An Automatic Metric for MT Evaluation with Improved Correlation with Human Judgments. Banerjee, Lavie. 2005; as in NLTK, without synonyms.
using ModelZoo.Networks.Strings;

namespace ModelZoo.Networks.Metrics;

/// <summary>Harmonic mean of unigram precision and recall over exact and stemmed matches, less a penalty for scattered ones.</summary>
/// <param name="Alpha">Weight of precision.</param>
/// <param name="Beta">Power of the penalty.</param>
/// <param name="Gamma">Factor of the penalty.</param>
public sealed record Meteor(double Alpha = 0.9, double Beta = 3, double Gamma = 0.5)
{
    /// <summary>Of words against the best of several references.</summary>
    public double Score(IReadOnlyList<string> hypothesis, IReadOnlyList<IReadOnlyList<string>> references) => references.Max(reference => Score(hypothesis, reference));

    /// <summary>Of words against one reference.</summary>
    public double Score(IReadOnlyList<string> hypothesis, IReadOnlyList<string> reference)
    {
        var ours = hypothesis.Select((word, i) => (Index: i, Word: PythonText.Lower(word))).ToList();
        var theirs = reference.Select((word, i) => (Index: i, Word: PythonText.Lower(word))).ToList();
        var matches = new List<(int Ours, int Theirs)>();
        Match(word => word);
        Match(PorterStemmer.Stem);
        if (matches.Count == 0) return 0;
        matches.Sort();
        var chunks = 1 + matches.Zip(matches.Skip(1)).Count(pair => pair.Second.Ours != pair.First.Ours + 1 || pair.Second.Theirs != pair.First.Theirs + 1);
        var (precision, recall) = ((double)matches.Count / hypothesis.Count, (double)matches.Count / reference.Count);
        var mean = precision * recall / (Alpha * precision + (1 - Alpha) * recall);
        return (1 - Gamma * Math.Pow((double)chunks / matches.Count, Beta)) * mean;

        // Both lists are walked from their ends.
        void Match(Func<string, string> form)
        {
            for (var i = ours.Count - 1; i >= 0; i--)
            {
                var at = theirs.FindLastIndex(word => form(word.Word) == form(ours[i].Word));
                if (at < 0) continue;
                matches.Add((ours[i].Index, theirs[at].Index));
                ours.RemoveAt(i);
                theirs.RemoveAt(at);
            }
        }
    }
}
