// Byte Pair Encoding for Symbolic Music. Fradet, Gutowski, Chhel, Briot. arXiv:2301.11975. github.com/Natooz/MidiTok (REMI, TSD; BPE over their events)
// Published layout: tokenizer.json of MidiTok (config, _vocab_base, _model: a tokenizer.json of Hugging Face in a string). Deviations: attribute controls are refused by name.
using System.Globalization;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Formats;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Music;

/// <summary>MIDI to event tokens (REMI or TSD), and pairs of events merged.</summary>
internal sealed class SymbolicMusicBpe
{
    private const string Tempo = "Tempo_";

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("bpe-symbolic-music", "Byte Pair Encoding for Symbolic Music", "2301.11975", ["Nathan Fradet", "Nicolas Gutowski", "Fabien Chhel", "Jean-Pierre Briot"], "Natooz/MidiTok", "MIT")
            with { Inputs = [Modality.Tensors, Modality.Text], Layouts = ["tokenizer.json of MidiTok"], Deviations = "MidiTok's attribute controls are refused by name." },
        source =>
        {
            var music = new SymbolicMusicBpe(source);
            return new PaperModel(source).OnLines("encode", line =>
            {
                var sequences = music._events.Tokenize(MidiFile.Read(line.Member("midi").AsBytes()));
                var tokens = sequences.Select(sequence => sequence.Events.Select(item => item.Token).ToArray()).ToList();
                var ids = sequences.Select(sequence => music.Merge(sequence.Events, sequence.Parts)).ToList();
                var decoded = music.Decode(ids);
                return Line.Of(
                    ("base_ids", One(tokens.Select(sequence => sequence.Select(music.IdOf)).ToList())), ("base_tokens", One(tokens)), ("ids", One(ids)), ("decoded_ticks_per_quarter", decoded.TicksPerQuarter),
                    ("decoded_notes", decoded.Tracks.SelectMany((track, i) => track.Notes.Select(note => (i, note.Start, note.Duration, note.Pitch, note.Velocity)))));
            }).With(new MusicVerbs(source.Id.ToString(), music));
        });

    private readonly MusicEvents _events;
    private readonly MusicDecoder _decoder;
    private readonly Dictionary<string, int> _ids = [];
    private readonly Dictionary<string, string> _eventOf = [];      // letter of the merging model -> event
    private readonly string[] _letters;
    private readonly PipelineTokenizer? _merges;

    private SymbolicMusicBpe(ModelSource source)
    {
        var file = source.Json("tokenizer.json");
        foreach (var token in file.Member("_vocab_base").AsMembers()) _ids.Add(token.Name, token.Value.AsInt());
        var tempos = _ids.Keys.Where(token => token.StartsWith(Tempo, StringComparison.Ordinal)).Select(token => token[Tempo.Length..]).Select(tempo => (Beats: double.Parse(tempo, CultureInfo.InvariantCulture), tempo)).OrderBy(tempo => tempo.Beats);
        var config = new MusicConfig(file);
        (_events, _decoder) = (new(config, [.. tempos]), new(config));
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

    /// <summary>The ids of each sequence: one a track, or one for all.</summary>
    public List<int[]> Encode(Score score) => [.. _events.Tokenize(score).Select(sequence => Merge(sequence.Events, sequence.Parts))];

    /// <summary>The music of each sequence's ids.</summary>
    public Score Decode(IEnumerable<int[]> sequences) => _decoder.Decode([.. sequences.Select(Tokens)]);

    private int IdOf(string token) => _ids.TryGetValue(token, out var id) ? id : throw new MediaException(ErrorCodes.TokensInvalid, "The vocabulary lacks an event.") { Found = token };

    // Each event is a letter; each part of a sequence is one word.
    private int[] Merge(List<MusicEvent> events, List<int> parts)
    {
        int[] baseIds = [.. events.Select(item => IdOf(item.Token))];
        if (_merges is null) return baseIds;
        return [.. parts.Append(baseIds.Length).Zip(parts.Skip(1).Append(baseIds.Length)).SelectMany(part => _merges.EncodePlain(string.Concat(baseIds[part.First..part.Second].Select(id => _letters[id]))).Ids)];
    }

    private string[] Tokens(int[] ids) => _merges is null
        ? [.. ids.Select(id => _ids.First(pair => pair.Value == id).Key)]
        : [.. ids.SelectMany(id => Scalars.Split(_merges.TokenOf(id) ?? "")).Select(letter => _eventOf[letter])];

    // Music with one track is one sequence, as in the reference.
    private static object One<T>(List<T> tracks) => tracks is [var single] ? single! : tracks;
}
