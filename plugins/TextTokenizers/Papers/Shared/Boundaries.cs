namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Places inside a word, in code points, where it is cut; and how two ways to cut agree.</summary>
internal static class Boundaries
{
    /// <summary>The places between pieces.</summary>
    public static SortedSet<int> Between(IEnumerable<string> pieces)
    {
        var places = new SortedSet<int>();
        var place = 0;
        foreach (var piece in pieces) places.Add(place += Scalars.Count(piece));
        places.Remove(place);
        places.Remove(0);
        return places;
    }

    /// <summary>The pieces of a word that is cut at <paramref name="places"/>.</summary>
    public static string[] Cut(string word, IEnumerable<int> places)
    {
        var letters = Scalars.Split(word);
        int[] ends = [.. places, letters.Length];
        return [.. ends.Select((end, i) => Scalars.Join(letters.AsSpan((i == 0 ? 0 : ends[i - 1])..end)))];
    }

    /// <summary>Harmonic mean; 0 when both are 0.</summary>
    public static double F1(double precision, double recall) => precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);

    /// <summary>A quotient; 0 over 0 is 0.</summary>
    public static double Share(double part, double whole) => whole == 0 ? 0 : part / whole;

    /// <summary>F1 of one word: 1 when neither has a boundary, 0 when only one has.</summary>
    public static double WordF1(IReadOnlySet<int> predicted, IReadOnlySet<int> gold)
    {
        if (predicted.Count == 0 && gold.Count == 0) return 1;
        var both = predicted.Count(gold.Contains);
        return F1(Share(both, predicted.Count), Share(both, gold.Count));
    }

    /// <summary>Precision and recall over all words together.</summary>
    public static (double Precision, double Recall) Micro(IReadOnlyList<(SortedSet<int> Predicted, SortedSet<int> Gold)> words)
    {
        double both = words.Sum(word => word.Predicted.Count(word.Gold.Contains));
        return (Share(both, words.Sum(word => word.Predicted.Count)), Share(both, words.Sum(word => word.Gold.Count)));
    }
}
