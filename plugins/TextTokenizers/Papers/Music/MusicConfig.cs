using System.Globalization;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>What MidiTok's tokenizer.json says about the events, and the times that its durations stand for.</summary>
internal sealed class MusicConfig
{
    private static readonly string[] NotHere =
    [
        "use_chords", "use_rests", "use_key_signatures", "use_sustain_pedals", "use_pitch_bends", "use_control_changes", "use_programs", "use_pitch_intervals",
        "one_token_stream_for_programs", "program_changes", "remove_duplicated_notes", "delete_equal_successive_tempo_changes", "delete_equal_successive_time_sig_changes",
    ];

    private readonly List<(int Beat, int Position, int Resolution)> _durations = [];
    private readonly Dictionary<int, int> _ticksPerBeat = [];

    public MusicConfig(JsonElement file)
    {
        var config = file.Member("config");
        foreach (var option in NotHere.Where(option => config.Find(option) is { ValueKind: JsonValueKind.True }))
            throw new CheckpointException(ErrorCodes.ConfigInvalid, "This option of MidiTok is not built.") { Where = $"config.{option}", Expected = "false", Found = "true" };
        IsRemi = file.Text("tokenization") switch
        {
            "REMI" => true,
            "TSD" => false,
            var other => throw new CheckpointException(ErrorCodes.ConfigInvalid, "This tokenization is not built.") { Where = "tokenization", Expected = "REMI or TSD", Found = other },
        };
        UsesTempos = Flag("use_tempos");
        UsesTimeSignatures = Flag("use_time_signatures");
        UsesDrumPitches = Flag("use_pitchdrum_tokens");
        UsesVelocities = config.Find("use_velocities") is not { ValueKind: JsonValueKind.False };
        PitchRange = Range("pitch_range", 21, 109);
        DrumRange = Range("drums_pitch_range", 27, 88);
        DefaultDuration = config.Find("default_note_duration")?.AsDouble() ?? 0.5;
        ProgramsWithDuration = config.Find("use_note_duration_programs")?.AsList().Select(program => program.AsInt()).ToHashSet() ?? [.. Enumerable.Range(-1, 129)];
        Velocities = [.. Enumerable.Range(1, config.Member("num_velocities").AsInt()).Select(i => 127 * i / config.Member("num_velocities").AsInt())];
        foreach (var range in config.Member("beat_res").AsMembers())
        {
            var ends = range.Name.Split('_').Select(end => int.Parse(end, CultureInfo.InvariantCulture)).ToArray();
            var resolution = range.Value.AsInt();
            PositionsPerBeat = Math.Max(PositionsPerBeat, resolution);
            for (var beat = ends[0]; beat < ends[1]; beat++)
            {
                for (var position = 0; position < resolution; position++) _durations.Add((beat, position, resolution));
            }

            if (ends[1] >= LongestBeats) (LongestBeats, LastResolution) = (ends[1], resolution);
        }

        _durations.Add((LongestBeats, 0, LastResolution));
        _durations.RemoveAt(0);
        if (UsesTimeSignatures)
        {
            foreach (var denominator in config.Member("time_signature_range").AsMembers())
            {
                foreach (var beats in denominator.Value.AsList()) Meters.Add((beats.AsInt(), int.Parse(denominator.Name, CultureInfo.InvariantCulture)));
            }
        }
        else
        {
            Meters.Add((4, 4));
        }

        var finest = Meters.Max(meter => meter.Denominator);
        foreach (var (_, denominator) in Meters) _ticksPerBeat[denominator] = PositionsPerBeat * (finest / denominator);

        bool Flag(string key) => config.Find(key) is { ValueKind: JsonValueKind.True };
        (int, int) Range(string key, int low, int high) => config.Find(key) is { } range ? (range[0].AsInt(), range[1].AsInt()) : (low, high);
    }

    /// <summary>Bars and positions; otherwise shifts of time.</summary>
    public bool IsRemi { get; }

    public bool UsesTempos { get; }

    public bool UsesTimeSignatures { get; }

    public bool UsesDrumPitches { get; }

    public bool UsesVelocities { get; }

    public (int Low, int High) PitchRange { get; }

    public (int Low, int High) DrumRange { get; }

    /// <summary>In beats, for programs without duration tokens.</summary>
    public double DefaultDuration { get; }

    public IReadOnlySet<int> ProgramsWithDuration { get; }

    public IReadOnlyList<int> Velocities { get; }

    public int PositionsPerBeat { get; private set; }

    /// <summary>Meters of the vocabulary.</summary>
    public HashSet<(int Numerator, int Denominator)> Meters { get; } = [];

    /// <summary>Ticks a quarter of decoded music.</summary>
    public int TicksPerQuarter => _ticksPerBeat[4];

    private int LongestBeats { get; }

    private int LastResolution { get; }

    /// <summary>Ticks of a beat of that denominator in decoded music.</summary>
    public int TicksPerBeat(int denominator) => _ticksPerBeat[denominator];

    /// <summary>The durations of the vocabulary in ticks, with their tokens' values, shortest first.</summary>
    public IReadOnlyList<(int Ticks, string Value)> Durations(int ticksPerBeat) =>
        [.. _durations.Select(item => ((item.Beat * item.Resolution + item.Position) * ticksPerBeat / item.Resolution, FormattableString.Invariant($"{item.Beat}.{item.Position}.{item.Resolution}")))];

    /// <summary>The place of the value that is nearest; of two that are as near, the larger.</summary>
    public static int Nearest(IReadOnlyList<double> rising, double value)
    {
        var place = 0;
        while (place < rising.Count && rising[place] < value) place++;
        return place == rising.Count || (place > 0 && value - rising[place - 1] < rising[place] - value) ? place - 1 : place;
    }
}
