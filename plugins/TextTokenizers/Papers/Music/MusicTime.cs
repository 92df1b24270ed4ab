namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>Puts tokens of time between events: bars and positions (REMI), or shifts (TSD), and rests where nothing sounds.</summary>
internal sealed class MusicTime(MusicConfig config)
{
    /// <summary>The events with those of time.</summary>
    public List<MusicEvent> Add(List<MusicEvent> events, int grid) => config.IsRemi ? WithBars(events, grid) : WithShifts(events, grid);

    private List<MusicEvent> WithBars(List<MusicEvent> events, int grid)
    {
        var all = new List<MusicEvent>();
        var meter = events.Find(item => item.Meter is not null)?.Meter ?? TimeSignature.Common;
        var (bar, barOfMeter, startOfMeter, startOfBar, last, silentFrom) = (-1, 0, 0, 0, -1, 0);
        foreach (var item in events)
        {
            if (item.Time != last)
            {
                if (config.UsesRests && item.Time - silentFrom >= config.Rests[0].Ticks(meter.TicksPerBeat(grid)))
                {
                    last = AddTimes(all, "Rest", config.Rests, silentFrom, item.Time, meter.TicksPerBeat(grid));
                    var reached = barOfMeter + (last - startOfMeter) / meter.TicksPerBar(grid);
                    if (reached > bar)
                    {
                        startOfBar += (reached - Math.Max(bar, 0)) * meter.TicksPerBar(grid);
                        bar = reached;
                    }
                }

                AddBars(item.Time, item.Meter is not null);
                if (item.Meter is null) all.Add(new(item.Time, "Position", (item.Time - startOfBar) / (meter.TicksPerBeat(grid) / config.PositionsPerBeat)));
                last = item.Time;
            }

            if (item.Meter is { } change)
            {
                barOfMeter += (item.Time - startOfMeter) / meter.TicksPerBar(grid);
                (meter, startOfMeter) = (change, item.Time);
                last--;     // what follows at the same time still gets its position
            }

            all.Add(item);
            silentFrom = Math.Max(silentFrom, item.Until);
        }

        if (config.KeepsTrailingBars && silentFrom > last) AddBars(silentFrom, events[^1].Meter is not null);
        return all;

        void AddBars(int time, bool saysMeter)
        {
            var length = meter.TicksPerBar(grid);
            var until = barOfMeter + (time - startOfMeter) / length;
            for (var i = 0; bar < until; i++)
            {
                startOfBar = startOfMeter + (++bar - barOfMeter) * length;
                if (config.SaysBarEnds && bar > 0) all.Add(new(startOfBar - 1, "Bar", "End"));
                all.Add(new(startOfBar, "Bar", config.NumbersBars ? bar + i : "None"));
                if (config.UsesTimeSignatures && !(saysMeter && bar == until)) all.Add(new(startOfBar, "TimeSig", $"{meter.Numerator}/{meter.Denominator}"));
            }
        }
    }

    private List<MusicEvent> WithShifts(List<MusicEvent> events, int grid)
    {
        var all = new List<MusicEvent>();
        var (last, silentFrom, beat) = (0, 0, TimeSignature.Common.TicksPerBeat(grid));
        foreach (var item in events)
        {
            if (item.Time != last)
            {
                if (config.UsesRests && item.Time - silentFrom >= config.Rests[0].Ticks(beat)) last = AddTimes(all, "Rest", config.Rests, silentFrom, item.Time, beat);
                AddTimes(all, "TimeShift", config.Durations, last, item.Time, beat);
                last = item.Time;
            }

            beat = item.Meter?.TicksPerBeat(grid) ?? beat;
            all.Add(item);
            silentFrom = Math.Max(silentFrom, item.Until);
        }

        return all;
    }

    // The longest times first, until what is left is shorter than the shortest; returns where they end.
    private static int AddTimes(List<MusicEvent> all, string kind, IReadOnlyList<BeatTime> times, int from, int to, int beat)
    {
        while (to - from >= times[0].Ticks(beat))
        {
            var time = times.Last(time => time.Ticks(beat) <= to - from);
            all.Add(new(from, kind, time));
            from += time.Ticks(beat);
        }

        return from;
    }
}
