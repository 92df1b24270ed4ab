// A Study of Translation Edit Rate with Targeted Human Annotation. Snover et al. AMTA 2006; search as in Tercom and sacreBLEU.
namespace ModelZoo.Networks.Metrics;

/// <summary>Edits that turn a hypothesis into its reference, a moved phrase counting as one, over the reference's length.</summary>
public static class Ter
{
    private const int MaxShiftSize = 10;
    private const int MaxShiftDistance = 50;
    private const int MaxCandidates = 1000;
    private const int BeamWidth = 25;

    /// <summary>Edits to the nearest reference and mean length of the references; both add up over a corpus.</summary>
    public static (double Edits, double ReferenceLength) Score(string[] hypothesis, IReadOnlyList<string[]> references) =>
        (references.Min(reference => Edits(hypothesis, reference)), references.Average(reference => (double)reference.Length));

    /// <summary>100 times edits over length.</summary>
    public static double Rate(double edits, double referenceLength) => referenceLength > 0 ? 100 * edits / referenceLength : edits > 0 ? 100 : 0;

    /// <summary>Shifts, insertions, deletions and substitutions between two lists of words: shifts are taken greedily while they save edits.</summary>
    public static int Edits(string[] hypothesis, string[] reference)
    {
        if (reference.Length == 0) return hypothesis.Length;
        var (shifts, candidates) = (0, 0);
        while (true)
        {
            var (saved, shifted) = BestShift(hypothesis, reference, ref candidates);
            if (candidates >= MaxCandidates || saved <= 0) break;
            hypothesis = shifted;
            shifts++;
        }

        return shifts + Distance(hypothesis, reference).Cost;
    }

    private static (int Saved, string[] Words) BestShift(string[] hypothesis, string[] reference, ref int candidates)
    {
        var (before, trace) = Distance(hypothesis, reference);
        var (position, referenceWrong, hypothesisWrong) = Align(trace);
        (int Saved, int Length, int Start, int Target)? best = null;
        string[] words = hypothesis;
        foreach (var (start, at, length) in CommonPhrases(hypothesis, reference))
        {
            // Only what is wrong on both sides moves, and not within itself.
            if (!hypothesisWrong.AsSpan(start, length).Contains(true) || !referenceWrong.AsSpan(at, length).Contains(true)) continue;
            if (start <= position[at] && position[at] < start + length) continue;
            var previous = -1;
            for (var offset = -1; offset < length; offset++)
            {
                int target;
                if (at + offset == -1) target = 0;
                else if (at + offset < position.Length) target = position[at + offset] + 1;
                else break;
                if (target == previous) continue;
                previous = target;

                // The largest saving, then the longest phrase, then the earliest, then the earliest target.
                var shifted = Shift(hypothesis, start, length, target);
                var candidate = (before - Distance(shifted, reference).Cost, length, -start, -target);
                candidates++;
                if (best is { } known && candidate.CompareTo(known) <= 0) continue;
                (best, words) = (candidate, shifted);
            }

            if (candidates >= MaxCandidates) break;
        }

        return best is { } found ? (found.Saved, words) : (0, hypothesis);
    }

    private static IEnumerable<(int Start, int At, int Length)> CommonPhrases(string[] hypothesis, string[] reference)
    {
        for (var start = 0; start < hypothesis.Length; start++)
        {
            for (var at = 0; at < reference.Length; at++)
            {
                if (Math.Abs(at - start) > MaxShiftDistance) continue;
                for (var length = 0; length < MaxShiftSize && start + length < hypothesis.Length && at + length < reference.Length && hypothesis[start + length] == reference[at + length];)
                    yield return (start, at, ++length);
            }
        }
    }

    private static string[] Shift(string[] words, int start, int length, int target)
    {
        var phrase = words[start..(start + length)];
        if (target < start) return [.. words[..target], .. phrase, .. words[target..start], .. words[(start + length)..]];
        if (target > start + length) return [.. words[..start], .. words[(start + length)..target], .. phrase, .. words[target..]];
        var end = Math.Min(length + target, words.Length);
        return [.. words[..start], .. words[(start + length)..end], .. phrase, .. words[end..]];
    }

    // Where each reference word stands in the hypothesis, and which words of either are wrong.
    private static (int[] Position, bool[] ReferenceWrong, bool[] HypothesisWrong) Align(string trace)
    {
        var (positions, referenceWrong, hypothesisWrong, hypothesis) = (new List<int>(), new List<bool>(), new List<bool>(), -1);
        foreach (var edit in trace)
        {
            if (edit != 'i')
            {
                hypothesis++;
                hypothesisWrong.Add(edit != ' ');
            }

            if (edit == 'd') continue;
            positions.Add(hypothesis);
            referenceWrong.Add(edit != ' ');
        }

        return ([.. positions], [.. referenceWrong], [.. hypothesisWrong]);
    }

    // Levenshtein distance near the diagonal. Of equal costs: keep or substitute, then delete from the hypothesis, then insert.
    private static (int Cost, string Trace) Distance(string[] hypothesis, string[] reference)
    {
        const int Infinity = int.MaxValue / 2;
        var (rows, columns) = (hypothesis.Length, reference.Length);
        var ratio = rows > 0 ? (double)columns / rows : 1;
        var beam = BeamWidth < ratio / 2 ? (int)Math.Ceiling(ratio / 2 + BeamWidth) : BeamWidth;
        var (cost, edit) = (new int[rows + 1, columns + 1], new char[rows + 1, columns + 1]);
        for (var j = 0; j <= columns; j++) (cost[0, j], edit[0, j]) = (j, 'i');
        for (var i = 1; i <= rows; i++)
        {
            for (var j = 0; j <= columns; j++) cost[i, j] = Infinity;
            var diagonal = (int)Math.Floor(i * ratio);
            var end = i == rows ? columns + 1 : Math.Min(columns + 1, diagonal + beam);
            for (var j = Math.Max(0, diagonal - beam); j < end; j++)
            {
                if (j > 0)
                {
                    var same = hypothesis[i - 1] == reference[j - 1];
                    Take(i, j, cost[i - 1, j - 1] + (same ? 0 : 1), same ? ' ' : 's');
                }

                Take(i, j, cost[i - 1, j] + 1, 'd');
                if (j > 0) Take(i, j, cost[i, j - 1] + 1, 'i');
            }
        }

        var trace = new List<char>();
        for (var (i, j) = (rows, columns); i > 0 || j > 0;)
        {
            var step = edit[i, j];
            trace.Add(step);
            if (step != 'i') i--;
            if (step != 'd') j--;
        }

        trace.Reverse();
        return (cost[rows, columns], new([.. trace]));

        void Take(int i, int j, int value, char step)
        {
            if (cost[i, j] > value) (cost[i, j], edit[i, j]) = (value, step);
        }
    }
}
