namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>What becomes of the delimiter when a text is split. With <c>-</c> in <c>the-final--countdown</c>:</summary>
public enum SplitBehavior
{
    /// <summary><c>the|final|countdown</c></summary>
    Removed,

    /// <summary><c>the|-|final|-|-|countdown</c></summary>
    Isolated,

    /// <summary><c>the-|final-|-|countdown</c></summary>
    MergedWithPrevious,

    /// <summary><c>the|-final|-|-countdown</c></summary>
    MergedWithNext,

    /// <summary><c>the|-|final|--|countdown</c></summary>
    Contiguous,
}

/// <summary>Splits texts.</summary>
internal static class Splitting
{
    /// <summary>The parts of a text, empty ones included.</summary>
    public static IEnumerable<AlignedText> Split(this AlignedText text, TextPattern pattern, SplitBehavior behavior)
    {
        foreach (var (start, end) in Ranges(pattern.Find(text), behavior)) yield return text.Slice(start, end);
    }

    private static List<(int Start, int End)> Ranges(List<TextMatch> matches, SplitBehavior behavior)
    {
        var result = new List<(int Start, int End)>(matches.Count);
        var previous = false;
        switch (behavior)
        {
            case SplitBehavior.Removed:
                foreach (var match in matches) if (!match.IsMatch) result.Add((match.Start, match.End));
                break;
            case SplitBehavior.Isolated:
                foreach (var match in matches) result.Add((match.Start, match.End));
                break;
            case SplitBehavior.Contiguous:
                foreach (var match in matches)
                {
                    if (match.IsMatch == previous && result.Count > 0) result[^1] = (result[^1].Start, match.End);
                    else result.Add((match.Start, match.End));
                    previous = match.IsMatch;
                }

                break;
            case SplitBehavior.MergedWithPrevious:
                foreach (var match in matches)
                {
                    if (match.IsMatch && !previous && result.Count > 0) result[^1] = (result[^1].Start, match.End);
                    else result.Add((match.Start, match.End));
                    previous = match.IsMatch;
                }

                break;
            case SplitBehavior.MergedWithNext:
                for (var i = matches.Count - 1; i >= 0; i--)
                {
                    var match = matches[i];
                    if (match.IsMatch && !previous && result.Count > 0) result[^1] = (match.Start, result[^1].End);
                    else result.Add((match.Start, match.End));
                    previous = match.IsMatch;
                }

                result.Reverse();
                break;
        }

        return result;
    }
}
