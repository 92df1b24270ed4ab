// BPE Gets Picky: Efficient Vocabulary Refinement During Tokenizer Training. Chizhov, Arnett, Korotkova, Yamshchikov. arXiv:2409.04599. github.com/pchizhov/picky_bpe
// Published layout: model.json (tokens, merges, splits). Deviations: what a merge changes is counted word by word in the order of the corpus; the authors' code goes through a set of objects, so that which of equals merges first is chance.
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>BPE that splits a token again once most of its occurrences went into a merge; encoding replays merges and splits in their order.</summary>
internal sealed class PickyBpe : ITextCodec
{
    internal const string Unknown = "<UNK>";
    internal const char Space = '\u2581';

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("picky-bpe", "BPE Gets Picky: Efficient Vocabulary Refinement During Tokenizer Training", "2409.04599",
            ["Pavel Chizhov", "Catherine Arnett", "Elizaveta Korotkova", "Ivan P. Yamshchikov"], "pchizhov/picky_bpe", "none stated")
            with { Layouts = ["model.json", "model.json + config.json"], Deviations = "Among pairs with equal counts the one merges that comes first in the corpus' order of words, which in the authors' code is chance." },
        Open);

    private readonly Dictionary<string, int> _ids = [];
    private readonly HashSet<string> _present = [];
    private readonly Dictionary<(string, string), List<int>> _merges = [];
    private readonly Dictionary<string, List<int>> _splits = [];
    private readonly Dictionary<int, string[]> _parts = [];
    private readonly string _unknown;
    private readonly string[] _tokens;

    /// <summary>Reads the published model.</summary>
    public PickyBpe(JsonElement model)
    {
        var strings = new Dictionary<int, string>();
        var numbers = model.Member("id2int");
        foreach (var token in model.Member("tokens").AsList())
        {
            var (id, text) = (token.Member("id").AsInt(), token.Text("str"));
            strings.Add(id, text);
            if (!token.Member("present").AsFlag()) continue;
            _present.Add(text);
            _ids[text] = numbers.Member($"{id}").AsInt();
        }

        _tokens = [.. _ids.OrderBy(pair => pair.Value).Select(pair => pair.Key)];
        _unknown = strings.Values.FirstOrDefault(text => text == Unknown) ?? throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The model has no token <UNK>.");
        foreach (var merge in model.Member("merges").AsList())
        {
            string[] pair = [.. merge.Member("pair").AsList().Select(token => token.Text("str"))];
            Entry(_merges, (pair[0], pair[1])).Add(merge.Member("id").AsInt());
        }

        foreach (var split in model.Member("splits").AsList())
        {
            var id = split.Member("id").AsInt();
            Entry(_splits, split.Member("token").Text("str")).Add(id);
            _parts.Add(id, [.. split.Member("split").AsList().Select(token => token.Text("str"))]);
        }
    }

    public int VocabularySize => _tokens.Length;

    public string VocabularyDigest => Published.Digest(_tokens);

    public int[] Encode(string text) => PlacedToken.Ids(Place(text));

    /// <remarks>An unknown token stands for one letter; the mark of a word's start for none.</remarks>
    public IReadOnlyList<PlacedToken> Place(string text)
    {
        var placed = new List<PlacedToken>();
        foreach (var (word, start) in TokenPlaces.Locate(text, PythonText.Words(text)))
        {
            var letters = Scalars.Split(Space + word);
            var (at, taken) = (start, 0);
            foreach (var token in EncodeWord(Space + word))
            {
                var width = Math.Min(letters.Length - taken, Scalars.Count(token.Replace(_unknown, "?", StringComparison.Ordinal)));
                var end = at;
                for (var i = Math.Max(1, taken); i < taken + width; i++) end += letters[i].Length;
                placed.Add(new(Id(token), at, end));
                (at, taken) = (end, taken + width);
            }
        }

        return placed;
    }

    public string Decode(ReadOnlySpan<int> ids)
    {
        var text = new StringBuilder();
        foreach (var id in ids) text.Append(_tokens[id]);
        return text.ToString().Replace(Space, ' ').Trim();
    }

    /// <summary>Tokens of a word: the events that apply, earliest first, none before the one done last.</summary>
    public List<string> EncodeWord(string word)
    {
        if (_present.Contains(word)) return [word];
        List<string> tokens = [.. Scalars.Split(word).Select(letter => _present.Contains(letter) ? letter : _unknown)];
        for (var done = -1; ;)
        {
            var next = int.MaxValue;
            (string, string)? pair = null;
            string? token = null;
            for (var i = 0; i < tokens.Count; i++)
            {
                if (_splits.TryGetValue(tokens[i], out var splits) && From(splits, done) is var split && split < next) (next, token, pair) = (split, tokens[i], null);
                if (i + 1 < tokens.Count && _merges.TryGetValue((tokens[i], tokens[i + 1]), out var merges) && From(merges, done) is var merge && merge < next)
                    (next, token, pair) = (merge, null, (tokens[i], tokens[i + 1]));
            }

            if (next == int.MaxValue) return tokens;
            if (pair is var (left, right)) Join(tokens, left, right);
            else tokens = [.. tokens.SelectMany(item => item == token ? _parts[next] : [item])];
            done = next;
        }
    }

    private int Id(string token) => _ids.GetValueOrDefault(token, _ids[_unknown]);

    // The first event at or after the last one; events are in rising order.
    private static int From(List<int> events, int done)
    {
        var place = events.BinarySearch(done);
        place = place < 0 ? ~place : place;
        return place < events.Count ? events[place] : int.MaxValue;
    }

    private static void Join(List<string> tokens, string left, string right)
    {
        for (var i = 0; i + 1 < tokens.Count; i++)
        {
            if (tokens[i] != left || tokens[i + 1] != right) continue;
            tokens[i] = left + right;
            tokens.RemoveAt(i + 1);
        }
    }

    private static List<int> Entry<TKey>(Dictionary<TKey, List<int>> table, TKey key) where TKey : notnull
    {
        if (!table.TryGetValue(key, out var list)) table.Add(key, list = []);
        return list;
    }

    private static PaperModel Open(ModelSource source)
    {
        var model = new PaperModel(source);
        // Without a folder there is nothing to encode with: it learns from files.
        if (source.Folder is null) return model.With(new PickyBpeTraining());
        if (File.Exists(Path.Combine(source.Folder, "config.json")))
        {
            var options = PickyBpeTrainingOptions.Of(source.Json("config.json"));
            // The authors' events are the same from run to run only up to the first tie whose order a set decides.
            model.On("train", (arguments, cancel) =>
                new CallResults().AddOngoing("events", [.. new PickyBpeTrainer(options).Train(arguments.Lines("lines").Select(line => line.Text("text")), cancel: cancel).Select(step => step.ToLine())]));
        }

        var bpe = new PickyBpe(source.Json("model.json"));
        return model
            .OnLines("encode", line =>
            {
                var tokens = bpe.EncodeWord(Space + line.Text("word"));
                return Line.Of(("tokens", tokens), ("ids", tokens.Select(bpe.Id)));
            })
            .Tokenizes(bpe);
    }
}
