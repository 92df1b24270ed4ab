// Byte Pair Encoding for Symbolic Music. Fradet, Gutowski, Chhel, Briot. arXiv:2301.11975. github.com/Natooz/MidiTok (REMI, TSD; BPE over their events)
// Published layout: tokenizer.json of MidiTok (config, _vocab_base, _model: a tokenizer.json of Hugging Face in a string). Deviations: programs, chords, rests, pedals, bends and controls are refused by name.
using System.Globalization;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Formats;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>MIDI to event tokens (REMI or TSD), and pairs of events merged.</summary>
internal sealed class SymbolicMusicBpe
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("bpe-symbolic-music", "Byte Pair Encoding for Symbolic Music", "2301.11975", ["Nathan Fradet", "Nicolas Gutowski", "Fabien Chhel", "Jean-Pierre Briot"], "Natooz/MidiTok", "MIT")
            with { Inputs = [Modality.Tensors, Modality.Text], Layouts = ["tokenizer.json of MidiTok"], Deviations = "MidiTok's programs, chords, rests, pedals, bends and controls are refused by name." },
        source =>
        {
            var music = new SymbolicMusicBpe(source);
            return new PaperModel(source).OnLines("encode", line =>
            {
                var tracks = music._events.Tokenize(MidiFile.Read(line.Member("midi").AsBytes()));
                var baseIds = tracks.Select(track => track.Select(music.IdOf).ToArray()).ToList();
                var ids = baseIds.Select(music.Merge).ToList();
                var decoded = music._events.Detokenize([.. ids.Select(music.Events)]);
                return Line.Of(
                    ("base_ids", One(baseIds)), ("base_tokens", One(tracks)), ("ids", One(ids)), ("decoded_ticks_per_quarter", decoded.TicksPerQuarter),
                    ("decoded_notes", decoded.Tracks.SelectMany((track, i) => track.Notes.Select(note => (i, note.Start, note.Duration, note.Pitch, note.Velocity)))));
            }).With(new MusicVerbs(source.Id.ToString(), music));
        });

    private readonly MusicEvents _events;
    private readonly Dictionary<string, int> _ids = [];
    private readonly Dictionary<string, string> _eventOf = [];      // letter of the merging model -> event
    private readonly string[] _letters;
    private readonly PipelineTokenizer? _merges;

    private SymbolicMusicBpe(ModelSource source)
    {
        var file = source.Json("tokenizer.json");
        foreach (var token in file.Member("_vocab_base").AsMembers()) _ids.Add(token.Name, token.Value.AsInt());
        var tempos = _ids.Keys.Where(token => token.StartsWith("Tempo_", StringComparison.Ordinal)).Select(token => (Beats: double.Parse(token.AsSpan(6), CultureInfo.InvariantCulture), token)).OrderBy(tempo => tempo.Beats);
        _events = new(new(file), [.. tempos]);
        _letters = new string[_ids.Count == 0 ? 0 : _ids.Values.Max() + 1];
        if (file.Find("_model") is not { } model) return;
        foreach (var letter in file.Member("_vocab_base_byte_to_token").AsMembers())
        {
            _eventOf.Add(letter.Name, letter.Value.AsText());
            _letters[IdOf(letter.Value.AsText())] = letter.Name;
        }

        _merges = TokenizerJson.Parse(Encoding.UTF8.GetBytes(model.AsText()));
    }

    /// <summary>Number of ids.</summary>
    public int VocabularySize => Math.Max(_letters.Length, _merges?.IdLimit ?? 0);

    /// <summary>SHA-256 of events and merges.</summary>
    public string VocabularyDigest => Published.Digest([.. _ids.OrderBy(pair => pair.Value).Select(pair => $"{pair.Value} {pair.Key}"), _merges?.VocabularyDigest ?? ""]);

    /// <summary>The ids of each track.</summary>
    public List<int[]> Encode(Score score) => [.. _events.Tokenize(score).Select(track => Merge([.. track.Select(IdOf)]))];

    /// <summary>The music of each track's ids.</summary>
    public Score Decode(IEnumerable<int[]> tracks) => _events.Detokenize([.. tracks.Select(Events)]);

    private int IdOf(string token) => _ids.TryGetValue(token, out var id) ? id : throw new MediaException(ErrorCodes.TokensInvalid, "The vocabulary lacks an event.") { Found = token };

    // Each event is a letter; the sequence of a track is one word.
    private int[] Merge(int[] baseIds) => _merges is null ? baseIds : [.. _merges.EncodePlain(string.Concat(baseIds.Select(id => _letters[id]))).Ids];

    private string[] Events(int[] ids) => _merges is null
        ? [.. ids.Select(id => _ids.First(pair => pair.Value == id).Key)]
        : [.. ids.SelectMany(id => Scalars.Split(_merges.TokenOf(id) ?? "")).Select(letter => _eventOf[letter])];

    // Music with one track is one sequence, as in the reference.
    private static object One<T>(List<T> tracks) => tracks is [var single] ? single! : tracks;
}
