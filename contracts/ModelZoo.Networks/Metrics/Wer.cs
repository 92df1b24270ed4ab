using System.Text.RegularExpressions;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Networks.Metrics;

/// <summary>Counts of an alignment of recognised with spoken tokens; they add up over a corpus.</summary>
/// <param name="Hits">Tokens that are right.</param>
/// <param name="Substitutions">Tokens that are another.</param>
/// <param name="Deletions">Spoken tokens that are missing.</param>
/// <param name="Insertions">Recognised tokens that were not spoken.</param>
public readonly partial record struct Wer(long Hits, long Substitutions, long Deletions, long Insertions)
{
    /// <summary>Words of a text, as jiwer splits it: at blanks, and at runs of other white space.</summary>
    public static string[] Words(string text) => PythonText.Strip(Spaces().Replace(text, " ")).Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Characters (code points) of a text without white space at its ends, for the character error rate.</summary>
    public static string[] Characters(string text) => [.. PythonText.Strip(text).EnumerateRunes().Select(rune => rune.ToString())];

    /// <summary>Counts of both.</summary>
    public static Wer operator +(Wer a, Wer b) => new(a.Hits + b.Hits, a.Substitutions + b.Substitutions, a.Deletions + b.Deletions, a.Insertions + b.Insertions);

    private long Spoken => Hits + Substitutions + Deletions;

    private long Errors => Substitutions + Deletions + Insertions;

    /// <summary>Errors over spoken tokens (WER, CER); where nothing was spoken, what was inserted.</summary>
    public double ErrorRate => Spoken == 0 ? Insertions : (double)Errors / Spoken;

    /// <summary>Errors over aligned tokens (MER); none where there are no tokens.</summary>
    public double MatchErrorRate => Errors == 0 ? 0 : (double)Errors / (Hits + Errors);

    /// <summary>Word information preserved (WIP): the product of the shares of hits on either side; silence that is heard as silence keeps everything.</summary>
    public double InformationPreserved => Hits + Errors == 0 ? 1 : Hits == 0 ? 0 : (double)Hits / Spoken * Hits / (Hits + Substitutions + Insertions);

    /// <summary>Aligns with the fewest errors; of several such alignments the one that rapidfuzz finds.</summary>
    public static Wer Align(IReadOnlyList<string> reference, IReadOnlyList<string> hypothesis)
    {
        var start = 0;
        while (start < reference.Count && start < hypothesis.Count && reference[start] == hypothesis[start]) start++;
        var (rows, columns, end) = (hypothesis.Count - start, reference.Count - start, 0);
        while (end < Math.Min(rows, columns) && reference[reference.Count - 1 - end] == hypothesis[hypothesis.Count - 1 - end]) end++;
        (rows, columns) = (rows - end, columns - end);

        var cost = new int[rows + 1, columns + 1];
        for (var i = 0; i <= rows; i++)
        {
            for (var j = 0; j <= columns; j++)
            {
                cost[i, j] = i == 0 ? j : j == 0 ? i
                    : Math.Min(cost[i - 1, j - 1] + (hypothesis[start + i - 1] == reference[start + j - 1] ? 0 : 1), Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1);
            }
        }

        var result = new Wer(start + end, 0, 0, 0);
        for (var (i, j) = (rows, columns); i > 0 || j > 0;)
        {
            if (i == 0 || (j > 0 && cost[i, j] == cost[i, j - 1] + 1))
            {
                result += new Wer(0, 0, 1, 0);
                j--;
                continue;
            }

            i--;
            if (j == 0 || (i > 0 && cost[i, j] == cost[i, j - 1] - 1))
            {
                result += new Wer(0, 0, 0, 1);
                continue;
            }

            j--;
            result += hypothesis[start + i] == reference[start + j] ? new Wer(1, 0, 0, 0) : new Wer(0, 1, 0, 0);
        }

        return result;
    }

    [GeneratedRegex(@"[\s\x1c-\x1f]{2,}")] private static partial Regex Spaces();
}
