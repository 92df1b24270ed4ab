namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>Finds chords: notes that are struck at about the same time and end at about the same time, three to five of them within two octaves.</summary>
internal static class MusicChords
{
    private const int MostNotes = 10;
    private const int MostSemitones = 24;
    private static readonly string[] Roots = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];

    /// <summary>Times and token values of the chords of a track whose notes are in order of time.</summary>
    public static IEnumerable<(int Time, string Value)> Find(IReadOnlyList<Note> notes, Sections beats, MusicConfig config)
    {
        var before = -1;
        for (var count = 0; count < notes.Count;)
        {
            var first = notes[count];
            if (first.Start == before)
            {
                count++;
                continue;
            }

            var beat = beats.At(first.Start);
            var half = beat / 2;
            List<Note> struck = [.. notes.Skip(count).Take(MostNotes).Where(note => note.Start <= first.Start + (double)beat / config.FirstResolution)];
            if (struck.Exists(note => Math.Abs(End(note) - End(first)) > half))
            {
                count += struck.Count;
                continue;
            }

            if (first.Duration <= half) struck.RemoveAll(note => note.Start != first.Start);
            int[] intervals = [.. struck.Select(note => note.Pitch - first.Pitch)];
            if (intervals.Length is >= 3 and <= 5 && intervals[^1] <= MostSemitones)
            {
                var known = config.Chords.FirstOrDefault(chord => chord.Intervals.AsSpan().SequenceEqual(intervals)).Quality;
                var quality = known ?? $"ukn{intervals.Length}";
                if (known is not null || config.KeepsUnknownChords) yield return (struck.Min(note => note.Start), config.ChordsHaveRoots ? $"{Roots[first.Pitch % 12]}:{quality}" : quality);
            }

            before = struck.Max(note => note.Start);
            count += struck.Count;
        }

        static int End(Note note) => note.Start + note.Duration;
    }
}
