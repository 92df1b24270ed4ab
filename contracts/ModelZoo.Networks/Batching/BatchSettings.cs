namespace ModelZoo.Networks;

/// <summary>How runs of one network that several requests ask for at once are taken together.</summary>
public sealed record BatchSettings
{
    /// <summary>Most calls in one run; 1 takes each alone.</summary>
    public int Limit { get; init; } = 8;

    /// <summary>Longest time that a run waits for requests that were there a moment ago and are between two steps of their loops; half the time of the last run where that is longer.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMilliseconds(2);

    /// <summary>Told the number of calls of each run, for meters.</summary>
    public Action<int>? Observe { get; init; }
}
