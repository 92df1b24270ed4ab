using System.Globalization;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>What MidiTok's tokenizer.json says about the events, and the times that its durations and rests stand for. An absent key means what MidiTok means by it.</summary>
internal sealed class MusicConfig
{
    private const int AllPrograms = 129;    // -1 stands for drums

    // More than music has, and few enough that a file which asks for them does no harm.
    private const int MostBeats = 1024, MostPositions = 1024;

    private readonly JsonElement _config;
    private readonly JsonElement? _more;
    private readonly Dictionary<int, int> _ticksPerBeat = [];

    public MusicConfig(JsonElement file)
    {
        _config = file.Member("config");
        _more = _config.Find("additional_params");
        foreach (var option in _config.AsMembers().Where(option => option.Value.ValueKind == JsonValueKind.True && (option.Name.StartsWith("ac_", StringComparison.Ordinal) || option.Name is "use_key_signatures" or "use_control_changes")))
            throw new CheckpointException(ErrorCodes.ConfigInvalid, "This option of MidiTok is not built.") { Where = $"config.{option.Name}", Expected = "false", Found = "true" };
        IsRemi = file.Text("tokenization") switch
        {
            "REMI" => true,
            "TSD" => false,
            var other => throw new CheckpointException(ErrorCodes.ConfigInvalid, "This tokenization is not built.") { Where = "tokenization", Expected = "REMI or TSD", Found = other },
        };
        var programs = Enumerable.Range(-1, AllPrograms).ToHashSet();
        Programs = _config.Find("programs") is null ? programs : [.. _config.Ints("programs")];
        ProgramsWithDuration = _config.Find("use_note_duration_programs") is null ? programs : [.. _config.Ints("use_note_duration_programs")];
        var velocities = Within(_config.Find("num_velocities")?.AsInt() ?? 32, 1, 127, "num_velocities");
        Velocities = [.. Enumerable.Range(1, velocities).Select(i => 127 * i / velocities)];
        Durations = Times("beat_res");
        Rests = UsesRests ? Times("beat_res_rest") : [];
        PositionsPerBeat = _config.Member("beat_res").AsMembers().Max(range => range.Value.AsInt());
        if (UsesTimeSignatures)
        {
            foreach (var denominator in _config.Member("time_signature_range").AsMembers())
            {
                var unit = Within(Number(denominator.Name, "time_signature_range"), 1, MostBeats, "time_signature_range");
                foreach (var beats in denominator.Value.AsList()) Meters.Add((Within(beats.AsInt(), 1, MostBeats, "time_signature_range"), unit));
            }

            if (Meters.Count == 0) throw Odd("time_signature_range", "a meter or more", "none");
        }
        else
        {
            Meters.Add((4, 4));
        }

        var finest = Meters.Max(meter => meter.Denominator);
        foreach (var (_, denominator) in Meters) _ticksPerBeat[denominator] = PositionsPerBeat * (finest / denominator);
        if (UsesPitchBends)
        {
            var (low, high, count) = _config.Ints("pitch_bend_range") is [var a, var b, var c] ? (a, b, Within(c, 1, 1 << 14, "pitch_bend_range")) : (-8192, 8191, 32);
            PitchBends = [.. Enumerable.Range(0, count).Select(i => Math.Floor(i == count - 1 ? high : low + i * ((double)(high - low) / (count - 1))))];
        }
    }

    /// <summary>Bars and positions; otherwise shifts of time.</summary>
    public bool IsRemi { get; }

    public bool UsesTempos => Flag("use_tempos");

    public bool DropsEqualTempos => Flag("delete_equal_successive_tempo_changes");

    public bool UsesTimeSignatures => Flag("use_time_signatures");

    public bool UsesDrumPitches => Flag("use_pitchdrum_tokens");

    public bool UsesVelocities => _config.Find("use_velocities") is not { ValueKind: JsonValueKind.False };

    public bool UsesRests => Flag("use_rests");

    public bool UsesPedals => Flag("use_sustain_pedals");

    public bool PedalsHaveDurations => Flag("sustain_pedal_duration");

    public bool UsesPitchBends => Flag("use_pitch_bends");

    public bool DropsDuplicates => Flag("remove_duplicated_notes");

    public bool UsesPrograms => Flag("use_programs");

    /// <summary>All tracks in one sequence.</summary>
    public bool IsOneStream => UsesPrograms && Flag("one_token_stream_for_programs");

    /// <summary>A program is said where it changes, not before each note.</summary>
    public bool SaysProgramChanges => UsesPrograms && Flag("program_changes");

    public bool SaysEachProgram => UsesPrograms && !SaysProgramChanges;

    public bool UsesChords => Flag("use_chords");

    public bool ChordsHaveRoots => Flag("chord_tokens_with_root_note");

    public bool KeepsUnknownChords => _config.Find("chord_unknown") is not null;

    /// <summary>Qualities of chords and their intervals from the lowest note.</summary>
    public IEnumerable<(string Quality, int[] Intervals)> Chords => _config.Member("chord_maps").AsMembers().Select(chord => (chord.Name, chord.Value.AsList().Select(step => step.AsInt()).ToArray()));

    /// <summary>Positions a beat in the first beat.</summary>
    public int FirstResolution => (_config.Member("beat_res").AsMembers().Where(range => range.Name.Split('_').Contains("0")).Select(range => (JsonElement?)range.Value).FirstOrDefault() ?? _config.Member("beat_res").AsMembers().First().Value).AsInt();

    public bool UsesIntervals => Flag("use_pitch_intervals");

    public int MaxInterval => _config.Find("max_pitch_interval")?.AsInt() ?? 16;

    /// <summary>Beats after which a pitch is said anew.</summary>
    public double IntervalBeats => _config.Find("pitch_intervals_max_time_dist")?.AsDouble() ?? 1;

    public bool NumbersBars => _more?.Find("max_bar_embedding") is not null;

    public bool SaysBarEnds => _more?.Find("use_bar_end_tokens") is { ValueKind: JsonValueKind.True };

    public bool KeepsTrailingBars => _more?.Find("add_trailing_bars") is { ValueKind: JsonValueKind.True };

    /// <summary>What merges of tokens never cross: <c>bar</c>, <c>beat</c> or <c>no</c>.</summary>
    public string MergesWithin => _config.Find("encode_ids_split")?.AsText() ?? "bar";

    public (int Low, int High) PitchRange => Range("pitch_range", 21, 109);

    public (int Low, int High) DrumRange => Range("drums_pitch_range", 27, 88);

    /// <summary>In beats, for programs without duration tokens.</summary>
    public double DefaultDuration => _config.Find("default_note_duration")?.AsDouble() ?? 0.5;

    public HashSet<int> Programs { get; }

    public HashSet<int> ProgramsWithDuration { get; }

    public IReadOnlyList<double> Velocities { get; }

    public IReadOnlyList<double> PitchBends { get; } = [];

    public int PositionsPerBeat { get; }

    /// <summary>Meters of the vocabulary.</summary>
    public HashSet<(int Numerator, int Denominator)> Meters { get; } = [];

    /// <summary>Ticks a quarter of decoded music.</summary>
    public int TicksPerQuarter => _ticksPerBeat[4];

    /// <summary>The durations of the vocabulary, shortest first.</summary>
    public IReadOnlyList<BeatTime> Durations { get; }

    /// <summary>The rests of the vocabulary, shortest first.</summary>
    public IReadOnlyList<BeatTime> Rests { get; }

    /// <summary>Ticks of a beat of that denominator in decoded music.</summary>
    public int TicksPerBeat(int denominator) => _ticksPerBeat[denominator];

    /// <summary>The value that is nearest; of two that are as near, the larger.</summary>
    public static int Nearest(IReadOnlyList<double> rising, double value)
    {
        var place = 0;
        while (place < rising.Count && rising[place] < value) place++;
        return place == rising.Count || (place > 0 && value - rising[place - 1] < rising[place] - value) ? place - 1 : place;
    }

    private bool Flag(string key) => _config.Find(key) is { ValueKind: JsonValueKind.True };

    private (int, int) Range(string key, int low, int high) => _config.Find(key) is { } range ? (range[0].AsInt(), range[1].AsInt()) : (low, high);

    // "0_4": 8 is eight times a beat from the beginning to the fourth beat.
    private List<BeatTime> Times(string key)
    {
        var times = new List<BeatTime>();
        var (longest, last) = (0, 0);
        foreach (var range in _config.Member(key).AsMembers())
        {
            if (range.Name.Split('_') is not [var first, var second] || (int[])[Number(first, key), Number(second, key)] is not [>= 0, <= MostBeats] ends || ends[0] >= ends[1]) throw Odd(key, "ranges of beats such as 0_4", range.Name);
            var resolution = Within(range.Value.AsInt(), 1, MostPositions, key);
            for (var beat = ends[0]; beat < ends[1]; beat++)
            {
                for (var position = 0; position < resolution; position++) times.Add(new(beat, position, resolution));
            }

            if (ends[1] >= longest) (longest, last) = (ends[1], resolution);
        }

        if (times.Count == 0) throw Odd(key, "ranges of beats such as 0_4", "none");
        times.Add(new(longest, 0, last));
        times.RemoveAt(0);
        return times;
    }

    private static int Number(string text, string key) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw Odd(key, "whole numbers", text);

    private static int Within(int value, int least, int most, string key) => value >= least && value <= most ? value : throw Odd(key, $"{least}..{most}", $"{value}");

    private static CheckpointException Odd(string key, string expected, string found) => new(ErrorCodes.ConfigInvalid, "The vocabulary cannot be of this kind.") { Where = $"config.{key}", Expected = expected, Found = found };
}

/// <summary>A time in beats: whole ones, and a part of one.</summary>
internal readonly record struct BeatTime(int Beats, int Position, int Resolution)
{
    /// <summary>The time in ticks.</summary>
    public int Ticks(int ticksPerBeat) => (Beats * Resolution + Position) * ticksPerBeat / Resolution;

    /// <summary>As tokens write it.</summary>
    public override string ToString() => FormattableString.Invariant($"{Beats}.{Position}.{Resolution}");

    /// <summary>Reads what a token writes.</summary>
    public static BeatTime Parse(string value)
    {
        int[] parts = [.. value.Split('.').Select(part => int.Parse(part, CultureInfo.InvariantCulture))];
        return new(parts[0], parts[1], parts[2]);
    }
}
