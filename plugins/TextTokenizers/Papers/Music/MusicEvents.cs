namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>Music to event tokens: the grid of the vocabulary first, then events in order of time, with tokens for time between them.</summary>
/// <param name="config">What is written.</param>
/// <param name="tempos">Beats a minute of the vocabulary, rising, and their tokens' values.</param>
internal sealed class MusicEvents(MusicConfig config, IReadOnlyList<(double Beats, string Value)> tempos)
{
    private readonly MusicGrid _grid = new(config, [.. tempos.Select(tempo => tempo.Beats)]);
    private readonly MusicTime _time = new(config);

    /// <summary>The events of each sequence, and where in it what merges together begins: one sequence a track, or one for all.</summary>
    public List<(List<MusicEvent> Events, List<int> Parts)> Tokenize(Score given)
    {
        var score = _grid.Prepare(given);
        var common = score.Meters.Where(_ => config.UsesTimeSignatures).Select(meter => new MusicEvent(meter.Time, "TimeSig", $"{meter.Numerator}/{meter.Denominator}") { Meter = meter })
            .Concat(score.Tempos.Select(tempo => new MusicEvent(tempo.Time, "Tempo", tempos.First(known => known.Beats == tempo.Beats).Value))).ToList();
        var beats = Sections.OfBeats(score.Meters, score.TicksPerQuarter);
        List<(MusicTrack? Track, IEnumerable<MusicEvent> Events)> streams = config.IsOneStream ? [(null, common.Concat(score.Tracks.SelectMany(track => Events(track, beats))))]
            : score.Tracks.Count == 0 ? [(null, common)]
            : [.. score.Tracks.Select(track => ((MusicTrack?)track, common.Concat(Events(track, beats))))];
        return [.. streams.Select(stream =>
        {
            var events = stream.Events.OrderBy(item => item.Time).ToList();
            if (config.SaysProgramChanges && config.IsOneStream) SayProgramChanges(events);
            events = _time.Add(events, score.TicksPerQuarter);
            if (config.SaysProgramChanges && stream.Track is { } track) events.Insert(0, new(0, "Program", track.Number));
            return (events, Parts(events, score));
        })];
    }

    private IEnumerable<MusicEvent> Events(MusicTrack track, Sections beats)
    {
        var program = track.Number;
        foreach (var pedal in track.Pedals)
        {
            yield return new(pedal.Start, "Pedal", program, program);
            yield return config.PedalsHaveDurations ? new(pedal.Start, "Duration", Duration(pedal.Duration, pedal.Start), program) : new(pedal.Start + pedal.Duration, "PedalOff", program, program);
        }

        foreach (var bend in track.PitchBends)
        {
            if (config.SaysEachProgram) yield return new(bend.Time, "Program", program, program);
            yield return new(bend.Time, "PitchBend", bend.Value, program);
        }

        if (config.UsesChords && !track.IsDrum)
        {
            foreach (var (time, chord) in MusicChords.Find(track.Notes, beats, config))
            {
                if (config.SaysEachProgram) yield return new(time, "Program", program, program);
                yield return new(time, "Chord", chord, program);
            }
        }

        var intervals = new Intervals(config, beats);
        foreach (var note in track.Notes)
        {
            var end = note.Start + note.Duration;
            if (config.SaysEachProgram) yield return new(note.Start, "Program", program, program, end);
            var (kind, value) = config.UsesIntervals && !track.IsDrum ? intervals.Of(note) : ("Pitch", note.Pitch);
            yield return new(note.Start, kind == "Pitch" && track.IsDrum && config.UsesDrumPitches ? "PitchDrum" : kind, value, program, end);
            if (config.UsesVelocities) yield return new(note.Start, "Velocity", note.Velocity, program);
            if (config.ProgramsWithDuration.Contains(program)) yield return new(note.Start, "Duration", Duration(note.Duration, note.Start), program);
        }

        BeatTime Duration(int ticks, int time) => config.Durations.Last(duration => duration.Ticks(beats.At(time)) == ticks);
    }

    // Before the first event of a program other than the last one's.
    private static void SayProgramChanges(List<MusicEvent> events)
    {
        int? program = null;
        var before = "";
        for (var i = 0; i < events.Count; i++)
        {
            var (item, kindBefore) = (events[i], before);
            before = item.Kind;
            if (item.Program is null || item.Program == program || item.Kind is "Pedal" or "PedalOff" or "TimeSig" or "Tempo" || (item.Kind == "Duration" && kindBefore == "Pedal")) continue;
            program = item.Program;
            events.Insert(i++, new(item.Time, "Program", item.Program));
        }
    }

    // The first event at or after each bar or beat.
    private List<int> Parts(List<MusicEvent> events, GridMusic score)
    {
        var parts = new List<int> { 0 };
        if (config.MergesWithin == "no") return parts;
        var isBar = config.MergesWithin == "bar";
        var at = 0;
        for (var i = 0; i < score.Meters.Count; i++)
        {
            var meter = score.Meters[i];
            var unit = isBar ? meter.TicksPerBar(score.TicksPerQuarter) : meter.TicksPerBeat(score.TicksPerQuarter);
            var end = i + 1 < score.Meters.Count ? score.Meters[i + 1].Time : score.LastBeginning + (isBar ? 1 : 0);
            for (var tick = meter.Time; tick < end; tick += unit)
            {
                if (tick == 0) continue;
                while (at < events.Count && events[at].Time < tick) at++;
                if (at == events.Count) return parts;
                parts.Add(at);
            }
        }

        return parts;
    }

    /// <summary>Pitches as steps from the note before: in time, or within what is struck together.</summary>
    private sealed class Intervals(MusicConfig config, Sections beats)
    {
        private const int Nowhere = -128;
        private int? _onset;
        private int _before = Nowhere, _within = Nowhere;

        public (string Kind, int Value) Of(Note note)
        {
            var (kind, from) = note.Start == _onset ? ("PitchIntervalChord", _within) : ("PitchIntervalTime", _before);
            var isNear = Math.Abs(note.Pitch - from) <= config.MaxInterval
                && (kind == "PitchIntervalChord" || (_onset is { } onset && note.Start - onset <= Math.Round(beats.At(note.Start) * config.IntervalBeats, MidpointRounding.ToEven)));
            if (kind == "PitchIntervalTime" || !isNear) _before = note.Pitch;
            (_within, _onset) = (note.Pitch, note.Start);
            return isNear ? (kind, note.Pitch - from) : ("Pitch", note.Pitch);
        }
    }
}
