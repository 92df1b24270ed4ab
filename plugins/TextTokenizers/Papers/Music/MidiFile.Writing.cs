using System.Buffers.Binary;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

internal static partial class MidiFile
{
    private const double CommonTempo = 500_000;     // microseconds a quarter, where nothing is said

    /// <summary>The bytes of a file: tempos and meters in a track of their own, then a track an instrument.</summary>
    public static byte[] Write(Score score)
    {
        var file = new List<byte>([.. "MThd"u8]);
        Word(file, 6);
        Half(file, 1);
        Half(file, score.Tracks.Count + 1);
        Half(file, score.TicksPerQuarter);

        var marks = new List<Event>();
        foreach (var (time, tempo) in score.Tempos)
        {
            var microseconds = (int)Math.Round(tempo > 0 ? tempo : CommonTempo);
            marks.Add(new(time, 0, [0xFF, 0x51, 3, (byte)(microseconds >> 16), (byte)(microseconds >> 8), (byte)microseconds]));
        }

        foreach (var meter in score.TimeSignatures) marks.Add(new(meter.Time, 0, [0xFF, 0x58, 4, (byte)meter.Numerator, (byte)Math.Log2(meter.Denominator), 24, 8]));
        Track(file, marks);
        var channel = 0;
        foreach (var track in score.Tracks)
        {
            var own = track.IsDrum ? DrumChannel : channel == DrumChannel ? ++channel : channel;
            if (!track.IsDrum) channel = (channel + 1) % 16;
            var events = new List<Event> { new(0, 0, [(byte)(0xC0 | own), (byte)track.Program]) };
            foreach (var note in track.Notes)
            {
                events.Add(new(note.Start, 2, [(byte)(0x90 | own), (byte)note.Pitch, (byte)note.Velocity]));
                events.Add(new(note.Start + note.Duration, 1, [(byte)(0x80 | own), (byte)note.Pitch, 0]));
            }

            foreach (var pedal in track.Pedals)
            {
                events.Add(new(pedal.Start, 2, [(byte)(0xB0 | own), SustainPedal, 127]));
                events.Add(new(pedal.Start + pedal.Duration, 1, [(byte)(0xB0 | own), SustainPedal, 0]));
            }

            foreach (var bend in track.PitchBends) events.Add(new(bend.Time, 1, [(byte)(0xE0 | own), (byte)(bend.Value + BendCentre & 0x7F), (byte)(bend.Value + BendCentre >> 7)]));
            Track(file, events);
        }

        return [.. file];
    }

    // At one time, what ends comes before what begins.
    private static void Track(List<byte> file, List<Event> events)
    {
        var track = new List<byte>();
        var now = 0;
        foreach (var (time, _, bytes) in events.OrderBy(item => item.Time).ThenBy(item => item.Rank))
        {
            Variable(track, time - now);
            track.AddRange(bytes);
            now = time;
        }

        track.AddRange([0, 0xFF, 0x2F, 0]);
        file.AddRange("MTrk"u8);
        Word(file, track.Count);
        file.AddRange(track);
    }

    private static void Variable(List<byte> bytes, int value)
    {
        for (var shift = 21; shift > 0; shift -= 7)
        {
            if (value >> shift > 0) bytes.Add((byte)(0x80 | value >> shift & 0x7F));
        }

        bytes.Add((byte)(value & 0x7F));
    }

    private static void Word(List<byte> bytes, int value)
    {
        Span<byte> word = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(word, value);
        bytes.AddRange(word);
    }

    private static void Half(List<byte> bytes, int value) => bytes.AddRange([(byte)(value >> 8), (byte)value]);

    private readonly record struct Event(int Time, int Rank, byte[] Bytes);
}
