using System.Buffers.Binary;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>A note: onset and duration in ticks, pitch and velocity 0 to 127.</summary>
internal readonly record struct Note(int Start, int Duration, int Pitch, int Velocity);

/// <summary>The sustain pedal held.</summary>
internal readonly record struct Pedal(int Start, int Duration);

/// <summary>A pitch bend, from -8192 to 8191.</summary>
internal readonly record struct PitchBend(int Time, int Value);

/// <summary>The notes of one instrument, in the order in which they were struck.</summary>
/// <param name="Program">General MIDI program.</param>
/// <param name="IsDrum">True for channel 10.</param>
/// <param name="Notes">The notes.</param>
internal sealed record MusicTrack(int Program, bool IsDrum, List<Note> Notes)
{
    /// <summary>Number of the program among the tokens: -1 for drums.</summary>
    public int Number => IsDrum ? -1 : Program;

    /// <summary>When the pedal is down.</summary>
    public List<Pedal> Pedals { get; init; } = [];

    /// <summary>Bends, in order of time.</summary>
    public List<PitchBend> PitchBends { get; init; } = [];

    /// <summary>When the last control changes, whatever it is; 0 where none does.</summary>
    public int LastControl { get; set; }

    /// <summary>When the last note, bend or control begins.</summary>
    public int LastBeginning => Math.Max(LastControl, Math.Max(Notes.Count > 0 ? Notes[^1].Start : 0, PitchBends.Count > 0 ? PitchBends[^1].Time : 0));
}

/// <summary>A change of meter.</summary>
internal readonly record struct TimeSignature(int Time, int Numerator, int Denominator)
{
    /// <summary>What holds where nothing is said.</summary>
    public static TimeSignature Common { get; } = new(0, 4, 4);

    /// <summary>True when both count alike.</summary>
    public bool IsSame(TimeSignature other) => (Numerator, Denominator) == (other.Numerator, other.Denominator);

    /// <summary>Ticks of a beat, a beat being one of the denominator.</summary>
    public int TicksPerBeat(int ticksPerQuarter) => ticksPerQuarter * 4 / Denominator;

    /// <summary>Ticks of a bar.</summary>
    public int TicksPerBar(int ticksPerQuarter) => TicksPerBeat(ticksPerQuarter) * Numerator;
}

/// <summary>Symbolic music: tracks, tempo changes (microseconds a quarter) and meters over ticks.</summary>
internal sealed record Score(int TicksPerQuarter, List<MusicTrack> Tracks, List<(int Time, double MicrosecondsPerQuarter)> Tempos, List<TimeSignature> TimeSignatures);

/// <summary>Reads Standard MIDI Files of format 0 and 1, and writes those of format 1.</summary>
internal static partial class MidiFile
{
    private const int DrumChannel = 9;
    private const int SustainPedal = 64;
    private const int BendCentre = 8192;

    /// <summary>The music of a file.</summary>
    /// <exception cref="MediaException">It is no MIDI file, or it is cut short.</exception>
    public static Score Read(ReadOnlySpan<byte> file)
    {
        var reader = new Reader(file);
        if (!reader.Take(4).SequenceEqual("MThd"u8)) throw Bad("It does not begin with MThd.");
        var header = reader.Take(reader.Word());
        if (header.Length < 6) throw Bad("The header is too short.");
        int tracks = BinaryPrimitives.ReadUInt16BigEndian(header[2..]), division = BinaryPrimitives.ReadUInt16BigEndian(header[4..]);
        if (division is 0 or >= 0x8000) throw Bad("Time is not counted in ticks of a quarter.");
        var score = new Score(division, [], [], []);
        for (var i = 0; i < tracks && !reader.AtEnd; i++)
        {
            var kind = reader.Take(4);
            var chunk = reader.Take(reader.Word());
            if (kind.SequenceEqual("MTrk"u8)) ReadTrack(chunk, score);
        }

        return score with { Tempos = [.. score.Tempos.OrderBy(tempo => tempo.Time)], TimeSignatures = [.. score.TimeSignatures.OrderBy(meter => meter.Time)] };
    }

    private static void ReadTrack(ReadOnlySpan<byte> chunk, Score score)
    {
        var reader = new Reader(chunk);
        var programs = new int[16];
        var instruments = new SortedDictionary<(int Channel, int Program), MusicTrack>();
        var early = new MusicTrack?[16];        // what a channel does before its first note
        var pedalDown = new int[16];            // as in symusic, whose pedals are down from the beginning in all channels but the first
        pedalDown[0] = -1;
        var sounding = new Dictionary<(int Channel, int Pitch), Queue<(MusicTrack Track, int Index)>>();
        var (time, status) = (0, 0);
        while (!reader.AtEnd)
        {
            time += reader.Variable();
            if (reader.Peek() >= 0x80) status = reader.Byte();
            var channel = status & 0x0F;
            switch (status >> 4)
            {
                case 0x9:
                    var (pitch, velocity) = (reader.Byte(), reader.Byte());
                    if (velocity == 0) Release(channel, pitch);
                    else Strike(channel, pitch, velocity);
                    break;
                case 0x8:
                    Release(channel, reader.Byte());
                    reader.Byte();
                    break;
                case 0xC: programs[channel] = reader.Byte(); break;
                case 0xD: reader.Byte(); break;
                case 0xB: Control(channel, reader.Byte(), reader.Byte()); break;
                case 0xE: Effects(channel).PitchBends.Add(new(time, (reader.Byte() | reader.Byte() << 7) - BendCentre)); break;
                case 0xA: reader.Take(2); break;
                case 0xF: Meta(ref reader); break;
                default: throw Bad("Data where a status byte should be.");
            }
        }

        foreach (var track in instruments.Values)
        {
            track.Notes.RemoveAll(static note => note.Duration < 0);    // never released
            if (track.Notes.Count + track.Pedals.Count + track.PitchBends.Count > 0) score.Tracks.Add(track);
        }

        MusicTrack Effects(int channel) => instruments.TryGetValue((channel, programs[channel]), out var track) ? track : early[channel] ??= new(0, false, []);

        void Control(int channel, int number, int value)
        {
            Effects(channel).LastControl = time;
            if (number != SustainPedal) return;
            if (value >= 64)
            {
                if (pedalDown[channel] < 0) pedalDown[channel] = time;
            }
            else if (pedalDown[channel] >= 0)
            {
                Effects(channel).Pedals.Add(new(pedalDown[channel], time - pedalDown[channel]));
                pedalDown[channel] = -1;
            }
        }

        void Strike(int channel, int pitch, int velocity)
        {
            var key = (channel, programs[channel]);
            if (!instruments.TryGetValue(key, out var track))
            {
                instruments.Add(key, track = (early[channel] ?? new(0, false, [])) with { Program = programs[channel], IsDrum = channel == DrumChannel });
                early[channel] = null;
            }

            if (!sounding.TryGetValue((channel, pitch), out var queue)) sounding.Add((channel, pitch), queue = []);
            queue.Enqueue((track, track.Notes.Count));
            track.Notes.Add(new(time, -1, pitch, velocity));
        }

        void Release(int channel, int pitch)
        {
            if (!sounding.TryGetValue((channel, pitch), out var queue) || !queue.TryDequeue(out var note)) return;
            note.Track.Notes[note.Index] = note.Track.Notes[note.Index] with { Duration = time - note.Track.Notes[note.Index].Start };
        }

        void Meta(ref Reader from)
        {
            if (status != 0xFF)
            {
                from.Take(from.Variable());     // system exclusive
                return;
            }

            var kind = from.Byte();
            var data = from.Take(from.Variable());
            if (kind == 0x51 && data.Length >= 3) score.Tempos.Add((time, (data[0] << 16) | (data[1] << 8) | data[2]));
            if (kind == 0x58 && data.Length >= 2) score.TimeSignatures.Add(new(time, data[0], 1 << data[1]));
        }
    }

    private static MediaException Bad(string problem) => new(ErrorCodes.MediaMalformed, "This is no readable MIDI file. " + problem) { Expected = "a Standard MIDI File of format 0 or 1" };

    private ref struct Reader(ReadOnlySpan<byte> bytes)
    {
        private ReadOnlySpan<byte> _rest = bytes;

        public readonly bool AtEnd => _rest.IsEmpty;

        public readonly int Peek() => _rest.IsEmpty ? throw Bad("It ends too early.") : _rest[0];

        public int Byte() => Take(1)[0];

        public int Word() => BinaryPrimitives.ReadInt32BigEndian(Take(4));

        public int Variable()
        {
            var value = 0;
            for (var i = 0; i < 4; i++)
            {
                var part = Byte();
                value = value << 7 | part & 0x7F;
                if (part < 0x80) return value;
            }

            throw Bad("A length has more than four bytes.");
        }

        public ReadOnlySpan<byte> Take(int count)
        {
            if ((uint)count > (uint)_rest.Length) throw Bad("It ends too early.");
            var taken = _rest[..count];
            _rest = _rest[count..];
            return taken;
        }
    }
}
