using System.Globalization;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>Music to event tokens: the grid of the vocabulary first (section 3 of the paper), then events in order of time, with tokens for time between them.</summary>
/// <param name="config">What is written.</param>
/// <param name="tempos">Beats a minute of the vocabulary, rising, and their tokens.</param>
internal sealed class MusicEvents(MusicConfig config, IReadOnlyList<(double Beats, string Token)> tempos)
{
    private readonly record struct Event(int Time, string Token, TimeSignature? Meter = null);

    /// <summary>The tokens of each track that has notes.</summary>
    public List<List<string>> Tokenize(Score score)
    {
        var meters = score.TimeSignatures.Where(meter => config.Meters.Contains((meter.Numerator, meter.Denominator))).ToList();
        if (!config.UsesTimeSignatures) meters.Clear();
        if (meters.Count == 0 || meters[0].Time != 0) meters.Insert(0, TimeSignature.Common);
        var grid = config.UsesTimeSignatures ? config.PositionsPerBeat * meters.Max(meter => meter.Denominator) / 4 : config.PositionsPerBeat;
        var scale = (double)grid / score.TicksPerQuarter;
        meters = [.. meters.Select(meter => meter with { Time = (int)(meter.Time * scale) })];
        if (config.UsesTimeSignatures) DelayToBars(meters, grid);

        var common = new List<Event>();
        if (config.UsesTimeSignatures) common.AddRange(meters.Select(meter => new Event(meter.Time, $"TimeSig_{meter.Numerator}/{meter.Denominator}", meter)));
        if (config.UsesTempos) common.AddRange(Tempos(score, scale, meters, grid));
        var tracks = new List<List<string>>();
        foreach (var track in score.Tracks)
        {
            var notes = Notes(track, scale, meters, grid);
            if (notes.Count > 0) tracks.Add(WithTime([.. common.Concat(notes).OrderBy(item => item.Time)], meters[0], grid));
        }

        return tracks;
    }

    private IEnumerable<Event> Tempos(Score score, double scale, List<TimeSignature> meters, int grid)
    {
        double[] lengths = [.. tempos.Select(tempo => 60e6 / tempo.Beats).Reverse()];                               // rising
        string Token(double length) => tempos[lengths.Length - 1 - MusicConfig.Nearest(lengths, length)].Token;
        var changes = new SortedDictionary<int, string>();
        foreach (var (time, length) in score.Tempos) changes[ToGrid((int)Math.Round(time * scale, MidpointRounding.AwayFromZero), meters, grid)] = Token(length);
        if (!changes.ContainsKey(0)) changes[0] = Token(500_000);
        return changes.Select(change => new Event(change.Key, change.Value));
    }

    private List<Event> Notes(MusicTrack track, double scale, List<TimeSignature> meters, int grid)
    {
        var events = new List<Event>();
        var isDrum = track.IsDrum && config.UsesDrumPitches;
        var (low, high) = isDrum ? config.DrumRange : config.PitchRange;
        double[] velocities = [.. config.Velocities];
        foreach (var note in track.Notes.Where(note => note.Pitch >= low && note.Pitch <= high))
        {
            var time = ToGrid((int)Math.Round(note.Start * scale, MidpointRounding.AwayFromZero), meters, grid);
            var duration = Math.Max(1, (int)Math.Round(note.Duration * scale, MidpointRounding.AwayFromZero));
            events.Add(new(time, $"{(isDrum ? "PitchDrum" : "Pitch")}_{note.Pitch}"));
            if (config.UsesVelocities) events.Add(new(time, $"Velocity_{config.Velocities[MusicConfig.Nearest(velocities, note.Velocity)]}"));
            if (!config.ProgramsWithDuration.Contains(track.IsDrum ? -1 : track.Program)) continue;
            var durations = config.Durations(At(meters, time).TicksPerBeat(grid));
            events.Add(new(time, $"Duration_{durations[MusicConfig.Nearest([.. durations.Select(item => (double)item.Ticks)], duration)].Value}"));
        }

        return events;
    }

    // Where meters with different denominators follow each other, times fall on the positions of the one that holds.
    private int ToGrid(int time, List<TimeSignature> meters, int grid)
    {
        if (meters.Select(meter => meter.Denominator).Distinct().Count() < 2) return time;
        var step = grid * 4 / (config.PositionsPerBeat * At(meters, time).Denominator);
        return step <= 1 ? time : (int)Math.Round((double)time / step, MidpointRounding.ToEven) * step;
    }

    private static TimeSignature At(List<TimeSignature> meters, int time) => meters.FindLast(meter => meter.Time <= time) is { Denominator: > 0 } meter ? meter : meters[0];

    // A new meter begins with a bar; one that says what holds already is left out, and of two at the same time the later stays.
    private static void DelayToBars(List<TimeSignature> meters, int grid)
    {
        var kept = new List<TimeSignature>();
        foreach (var given in meters)
        {
            if (kept.Count == 0)
            {
                kept.Add(given);
                continue;
            }

            var last = kept[^1];
            if ((given.Numerator, given.Denominator) == (last.Numerator, last.Denominator)) continue;
            var bar = last.TicksPerBar(grid);
            var bars = (Math.Max(given.Time, last.Time) - last.Time + bar - 1) / bar;
            var meter = given with { Time = last.Time + bars * bar };
            if (bars == 0) kept.RemoveAt(kept.Count - 1);
            if (kept.Count > 0 && (kept[^1].Numerator, kept[^1].Denominator) == (meter.Numerator, meter.Denominator)) continue;
            kept.Add(meter);
        }

        meters.Clear();
        meters.AddRange(kept);
    }

    private List<string> WithTime(List<Event> events, TimeSignature meter, int grid) => config.IsRemi ? WithBars(events, meter, grid) : WithShifts(events, meter, grid);

    private List<string> WithBars(List<Event> events, TimeSignature meter, int grid)
    {
        var tokens = new List<string>();
        var (bar, barOfMeter, startOfBar, last) = (-1, 0, 0, -1);
        foreach (var item in events)
        {
            if (item.Time != last)
            {
                var length = meter.TicksPerBar(grid);
                for (var until = barOfMeter + (item.Time - meter.Time) / length; bar < until;)
                {
                    startOfBar = meter.Time + (++bar - barOfMeter) * length;
                    tokens.Add("Bar_None");
                    if (config.UsesTimeSignatures && !(item.Meter is not null && bar == until)) tokens.Add($"TimeSig_{meter.Numerator}/{meter.Denominator}");
                }

                if (item.Meter is null) tokens.Add($"Position_{(item.Time - startOfBar) / (meter.TicksPerBeat(grid) / config.PositionsPerBeat)}");
                last = item.Time;
            }

            if (item.Meter is { } change)
            {
                barOfMeter += (item.Time - meter.Time) / meter.TicksPerBar(grid);
                meter = change;
                last--;     // what follows at the same time still gets its position
            }

            tokens.Add(item.Token);
        }

        return tokens;
    }

    private List<string> WithShifts(List<Event> events, TimeSignature meter, int grid)
    {
        var tokens = new List<string>();
        var last = 0;
        foreach (var item in events)
        {
            var durations = config.Durations(meter.TicksPerBeat(grid));
            for (var rest = item.Time - last; rest >= durations[0].Ticks;)
            {
                var (ticks, value) = durations.Last(duration => duration.Ticks <= rest);
                tokens.Add($"TimeShift_{value}");
                rest -= ticks;
            }

            last = item.Time;
            meter = item.Meter ?? meter;
            tokens.Add(item.Token);
        }

        return tokens;
    }

    /// <summary>The music of each track's tokens; tempo and meter are those of the first. A note that lacks its velocity or duration is left out.</summary>
    public Score Detokenize(IReadOnlyList<IReadOnlyList<string>> tracks)
    {
        var score = new Score(config.TicksPerQuarter, [], [], []);
        for (var number = 0; number < tracks.Count; number++)
        {
            var track = new MusicTrack(0, tracks[number].Any(token => token.StartsWith("PitchDrum_", StringComparison.Ordinal)), []);
            var (meter, bar, startOfBar, time) = (TimeSignature.Common, -1, 0, 0);
            var tokens = tracks[number];
            var first = tokens.FirstOrDefault(token => token.Split('_')[0] is "TimeSig" or "Pitch" or "PitchDrum" or "Velocity" or "Duration");
            if (config.UsesTimeSignatures && first?.StartsWith("TimeSig_", StringComparison.Ordinal) == true) meter = Meter(first, 0);
            for (var i = 0; i < tokens.Count; i++)
            {
                var (kind, value) = Split(tokens[i]);
                switch (kind)
                {
                    case "Bar":
                        if (++bar > 0) time = startOfBar + meter.Numerator * config.TicksPerBeat(meter.Denominator);
                        startOfBar = time;
                        break;
                    case "Position":
                        bar = Math.Max(bar, 0);
                        time = startOfBar + int.Parse(value, CultureInfo.InvariantCulture) * (config.TicksPerBeat(meter.Denominator) / config.PositionsPerBeat);
                        break;
                    case "TimeShift":
                        time += Ticks(value, meter);
                        break;
                    case "TimeSig":
                        meter = Meter(tokens[i], time);
                        if (number == 0 && (score.TimeSignatures.Count == 0 || score.TimeSignatures[^1] with { Time = time } != meter)) score.TimeSignatures.Add(meter);
                        break;
                    case "Tempo":
                        if (number == 0) score.Tempos.Add((time, 60e6 / double.Parse(value, CultureInfo.InvariantCulture)));
                        break;
                    case "Pitch" or "PitchDrum":
                        if (Note(tokens, i, time, int.Parse(value, CultureInfo.InvariantCulture), track, meter) is { } note) track.Notes.Add(note);
                        break;
                }
            }

            if (track.Notes.Count > 0) score.Tracks.Add(track);
        }

        return score;
    }

    private Note? Note(IReadOnlyList<string> tokens, int place, int time, int pitch, MusicTrack track, TimeSignature meter)
    {
        var velocity = config.UsesVelocities ? Value(++place, "Velocity") : "100";
        var duration = config.ProgramsWithDuration.Contains(track.IsDrum ? -1 : track.Program) ? Value(++place, "Duration") is { } given ? Ticks(given, meter) : null
            : (int?)(config.DefaultDuration * config.TicksPerBeat(meter.Denominator));
        return velocity is null || duration is null ? null : new Note(time, duration.Value, pitch, int.Parse(velocity, CultureInfo.InvariantCulture));

        string? Value(int i, string kind) => i < tokens.Count && Split(tokens[i]) is var token && token.Kind == kind ? token.Value : null;
    }

    private int Ticks(string value, TimeSignature meter)
    {
        int[] parts = [.. value.Split('.').Select(part => int.Parse(part, CultureInfo.InvariantCulture))];
        return (parts[0] * parts[2] + parts[1]) * config.TicksPerBeat(meter.Denominator) / parts[2];
    }

    private static TimeSignature Meter(string token, int time)
    {
        int[] parts = [.. Split(token).Value.Split('/').Select(part => int.Parse(part, CultureInfo.InvariantCulture))];
        return new(time, parts[0], parts[1]);
    }

    private static (string Kind, string Value) Split(string token) => token.IndexOf('_', StringComparison.Ordinal) is > 0 and var bar ? (token[..bar], token[(bar + 1)..]) : (token, "");
}
