namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>Music on the grid: tracks, tempos in beats a minute, meters, and when the last of all begins, be it written or not.</summary>
internal sealed record GridMusic(int TicksPerQuarter, List<MusicTrack> Tracks, List<(int Time, double Beats)> Tempos, List<TimeSignature> Meters, int LastBeginning);

/// <summary>Brings music onto the grid of the vocabulary (section 3 of the paper): times, durations, velocities, tempos and bends become the nearest that there are tokens for.</summary>
/// <param name="config">What is written.</param>
/// <param name="tempos">Beats a minute of the vocabulary's tempos, rising.</param>
internal sealed class MusicGrid(MusicConfig config, IReadOnlyList<double> tempos)
{
    private const double CommonTempo = 120;
    private const double MicrosecondsPerMinute = 60e6;
    private readonly double[] _lengths = [.. tempos.Select(tempo => MicrosecondsPerMinute / tempo).Reverse()];

    /// <summary>The music with as many ticks a quarter as its finest meter asks for. Tracks without anything that is written are left out.</summary>
    public GridMusic Prepare(Score score)
    {
        var meters = score.TimeSignatures.Where(meter => config.Meters.Contains((meter.Numerator, meter.Denominator))).ToList();
        if (!config.UsesTimeSignatures) meters.Clear();
        if (meters.Count == 0 || meters[0].Time != 0) meters.Insert(0, TimeSignature.Common);
        var grid = config.PositionsPerBeat * meters.Max(meter => meter.Denominator) / 4;
        var scale = (double)grid / score.TicksPerQuarter;
        int Scale(int time) => (int)Math.Round(scale * time, MidpointRounding.AwayFromZero);

        meters = [.. meters.Select(meter => meter with { Time = (int)(meter.Time * scale) })];
        if (config.UsesTimeSignatures) DelayToBars(meters, grid);
        var beats = Sections.OfBeats(meters, grid);
        var steps = meters.Select(meter => meter.Denominator).Distinct().Count() > 1 ? Sections.OfSteps(meters, grid, config.PositionsPerBeat) : null;

        var tracks = score.Tracks.Select(track => track with
        {
            Notes = [.. track.Notes.Select(note => note with { Start = Scale(note.Start), Duration = Math.Max(1, Scale(note.Duration)) })],
            Pedals = config.UsesPedals ? [.. track.Pedals.Select(pedal => new Pedal(Scale(pedal.Start), Math.Max(1, Scale(pedal.Duration))))] : [],
            PitchBends = config.UsesPitchBends ? [.. track.PitchBends.Select(bend => bend with { Time = Scale(bend.Time) })] : [],
            LastControl = Scale(config.UsesPitchBends ? track.LastControl : track.PitchBends.Select(bend => bend.Time).Append(track.LastControl).Max()),
        });
        if (config.IsOneStream) tracks = MergeSamePrograms(tracks);
        if (config.UsesPrograms) tracks = tracks.Where(track => config.Programs.Contains(track.Number));
        tracks = tracks.Select(track => track with { Notes = Notes(track, steps, beats), Pedals = Pedals(track.Pedals, steps, beats), PitchBends = Bends(track.PitchBends, steps) })
            .Where(track => track.Notes.Count + track.Pedals.Count + track.PitchBends.Count > 0);
        var kept = tracks.ToList();
        var changes = config.UsesTempos ? Tempos(score.Tempos, Scale, steps) : [];
        var last = changes.Select(tempo => tempo.Time).Concat(meters.Select(meter => meter.Time)).Concat(kept.Select(track => track.LastBeginning)).Max();
        return new(grid, kept, changes, meters, config.UsesTempos ? last : Math.Max(last, score.Tempos.Count > 0 ? Scale(score.Tempos[^1].Time) : 0));
    }

    private static IEnumerable<MusicTrack> MergeSamePrograms(IEnumerable<MusicTrack> tracks) => tracks.GroupBy(track => track.Number).Select(group => group.Count() == 1 ? group.First() : group.First() with
    {
        Notes = [.. group.SelectMany(track => track.Notes).OrderBy(note => (note.Start, note.Duration, note.Pitch, note.Velocity))],
        Pedals = [.. group.SelectMany(track => track.Pedals).OrderBy(pedal => (pedal.Start, pedal.Duration))],
        PitchBends = [.. group.SelectMany(track => track.PitchBends).OrderBy(bend => bend.Time)],
        LastControl = group.Max(track => track.LastControl),
    });

    private List<Note> Notes(MusicTrack track, Sections? steps, Sections beats)
    {
        var (low, high) = track.IsDrum && config.UsesDrumPitches ? config.DrumRange : config.PitchRange;
        Note[] notes = [.. track.Notes.Where(note => note.Pitch >= low && note.Pitch <= high)];
        int[] times = [.. notes.Select(note => note.Start)], durations = [.. notes.Select(note => note.Duration)];
        steps?.Indexed(times).Round(times);
        if (config.ProgramsWithDuration.Contains(track.Number)) beats.ToNearest(times, durations, config.Durations);
        for (var i = 0; i < notes.Length; i++)
        {
            var velocity = config.UsesVelocities ? (int)config.Velocities[MusicConfig.Nearest(config.Velocities, notes[i].Velocity)] : notes[i].Velocity;
            notes[i] = new(times[i], durations[i], notes[i].Pitch, velocity);
        }

        return config.DropsDuplicates
            ? [.. notes.OrderBy(note => (note.Start, note.Pitch, note.Duration, note.Velocity)).DistinctBy(note => (note.Start, note.Pitch))]
            : [.. notes];
    }

    // Periods that touch become one.
    private List<Pedal> Pedals(List<Pedal> pedals, Sections? steps, Sections beats)
    {
        if (pedals.Count == 0) return pedals;
        int[] times = [.. pedals.Select(pedal => pedal.Start)];
        steps?.Indexed(times).Round(times);
        var merged = new List<Pedal>();
        foreach (var pedal in pedals.Zip(times, (pedal, time) => pedal with { Start = time }))
        {
            if (merged.Count > 0 && merged[^1] is var last && last.Start + last.Duration >= pedal.Start)
                merged[^1] = last with { Duration = Math.Max(last.Duration, pedal.Start + pedal.Duration - last.Start) };
            else merged.Add(pedal);
        }

        times = [.. merged.Select(pedal => pedal.Start)];
        int[] durations = [.. merged.Select(pedal => pedal.Duration)];
        if (config.PedalsHaveDurations) beats.ToNearest(times, durations, config.Durations);
        else steps?.Indexed(times).Round(durations, atLeastOne: true);
        return [.. times.Zip(durations, (time, duration) => new Pedal(time, duration))];
    }

    // Of several at one time the strongest stays.
    private List<PitchBend> Bends(List<PitchBend> bends, Sections? steps)
    {
        int[] times = [.. bends.Select(bend => bend.Time)];
        steps?.Round(times);
        return [.. Runs(times).Select(run => new PitchBend(times[run.Start], bends.Take(run).Select(bend => (int)config.PitchBends[MusicConfig.Nearest(config.PitchBends, bend.Value)]).MaxBy(Math.Abs)))];
    }

    // Of several at one time the last stays.
    private List<(int Time, double Beats)> Tempos(List<(int Time, double Length)> given, Func<int, int> scale, Sections? steps)
    {
        var usual = tempos.MinBy(tempo => Math.Abs(tempo - CommonTempo));
        int[] times = [.. given.Select(tempo => scale(tempo.Time))];
        steps?.Round(times);
        List<(int Time, double Beats)> kept = [.. Runs(times).Select(run => (times[run.Start], tempos[^(1 + MusicConfig.Nearest(_lengths, given[run.End.Value - 1].Length))]))];
        if (config.DropsEqualTempos)
        {
            for (var i = kept.Count - 1; i > 0; i--)
            {
                if (kept[i].Beats == kept[i - 1].Beats) kept.RemoveAt(i);
            }

            // Compared as whole microseconds, as in the reference.
            if (kept.Count > 0 && MicrosecondsPerMinute / (int)(MicrosecondsPerMinute / kept[0].Beats) == usual) kept[0] = (0, usual);
        }

        if (kept.Count == 0 || kept[0].Time != 0) kept.Insert(0, (0, usual));
        return kept;
    }

    private static IEnumerable<Range> Runs(int[] values)
    {
        for (int start = 0, end; start < values.Length; start = end)
        {
            for (end = start + 1; end < values.Length && values[end] == values[start]; end++) { }
            yield return start..end;
        }
    }

    // A new meter begins with a bar; one that says what holds already is left out, and of two at the same time the later stays.
    private static void DelayToBars(List<TimeSignature> meters, int grid)
    {
        var (bar, before) = (meters[0].TicksPerBar(grid), 0);
        for (var i = 0; i < meters.Count;)
        {
            if (i > 0 && meters[i].IsSame(meters[i - 1]))
            {
                meters.RemoveAt(i);
                continue;
            }

            var time = i > 0 ? Math.Max(meters[i].Time, meters[i - 1].Time) : meters[i].Time;
            meters[i] = meters[i] with { Time = before + (time - before + bar - 1) / bar * bar };
            (bar, before) = (meters[i].TicksPerBar(grid), meters[i].Time);
            if (i == 0 || meters[i].Time != meters[i - 1].Time)
            {
                i++;
                continue;
            }

            meters.RemoveAt(--i);
            if (i > 0 && meters[i].IsSame(meters[i - 1]))
            {
                meters.RemoveAt(i);
                (bar, before) = (meters[i - 1].TicksPerBar(grid), meters[i - 1].Time);
            }
            else
            {
                i++;
            }
        }
    }
}
