namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>Stretches of music between changes of meter, each with a number of ticks; neighbours with the same number are one.</summary>
internal sealed class Sections
{
    private readonly List<(int End, int Ticks)> _sections = [];

    private Sections(IEnumerable<(int End, int Ticks)> sections)
    {
        foreach (var section in sections)
        {
            if (_sections.Count > 0 && _sections[^1].Ticks == section.Ticks) _sections[^1] = section;
            else _sections.Add(section);
        }
    }

    /// <summary>Ticks of a beat.</summary>
    public static Sections OfBeats(List<TimeSignature> meters, int grid) => new(meters.Select((meter, i) => (EndOf(meters, i), meter.TicksPerBeat(grid))));

    /// <summary>Ticks of a position.</summary>
    public static Sections OfSteps(List<TimeSignature> meters, int grid, int positions) => new(meters.Select((meter, i) => (EndOf(meters, i), grid * 4 / (positions * meter.Denominator))));

    /// <summary>The ticks that hold at a time.</summary>
    public int At(int time) => _sections.First(section => time < section.End).Ticks;

    /// <summary>The sections by number of event in place of time. As in the reference, all events count to what follows where none is as late as a section's end, and later ends are counted from the end before.</summary>
    public Sections Indexed(int[] times)
    {
        var first = 0;
        return new(_sections, section =>
        {
            var place = Array.FindIndex(times, Math.Min(first, times.Length), time => time >= section.End);
            return first = place < 0 ? 0 : place - first;
        });
    }

    /// <summary>Rounds the values of each section's events to its ticks.</summary>
    public void Round(int[] values, bool atLeastOne = false)
    {
        var first = 0;
        for (var s = 0; s < _sections.Count; s++)
        {
            var (end, ticks) = _sections[s];
            var last = s == _sections.Count - 1 ? values.Length : Math.Min(end, values.Length);
            for (var i = first; i < last && ticks > 1; i++)
            {
                values[i] = (int)Math.Round((double)values[i] / ticks, MidpointRounding.ToEven) * ticks;
                if (atLeastOne && values[i] == 0) values[i] = ticks;
            }

            first = end;
        }
    }

    /// <summary>Durations become the nearest ones of the vocabulary.</summary>
    public void ToNearest(int[] times, int[] durations, IReadOnlyList<BeatTime> vocabulary)
    {
        var known = _sections.Select(section => section.Ticks).Distinct().ToDictionary(ticks => ticks, ticks => vocabulary.Select(duration => (double)duration.Ticks(ticks)).ToArray());
        for (var i = 0; i < times.Length; i++)
        {
            var nearest = known[At(times[i])];
            durations[i] = (int)nearest[MusicConfig.Nearest(nearest, durations[i])];
        }
    }

    private Sections(List<(int End, int Ticks)> sections, Func<(int End, int Ticks), int> end) => _sections.AddRange(sections.Select(section => (end(section), section.Ticks)));

    private static int EndOf(List<TimeSignature> meters, int i) => i + 1 < meters.Count ? meters[i + 1].Time : int.MaxValue;
}
