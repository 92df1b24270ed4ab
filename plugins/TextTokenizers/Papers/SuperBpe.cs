// SuperBPE: Space Travel for Language Models. Liu, Hayase, Hofmann, Oh, Smith, Choi. arXiv:2503.13423. github.com/PythonNut/superbpe
// Published layouts: tokenizer.json; config.json with the two patterns for training. Deviations: none.
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Hosting;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;
using ModelZoo.Plugins.TextTokenizers.Trainers;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Settings of SuperBPE's training.</summary>
public sealed record SuperBpeOptions
{
    /// <summary>Size of the vocabulary at which words stop to bound merges (the paper's t).</summary>
    public required int TransitionSize { get; init; }

    /// <summary>Size of the vocabulary at the end (the paper's T).</summary>
    public required int VocabSize { get; init; }

    /// <summary>Cuts text into words, for the first stage.</summary>
    public string Stage1Pattern { get; init; } = @"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+| ?\p{L}+|\s+(?!\S)|\s+";

    /// <summary>Cuts text where even superwords must not cross, for the second stage.</summary>
    public string Stage2Pattern { get; init; } = @"\p{N}{1,3}| ?[^\s\p{L}\p{N}]{2,}[\r\n/]*| +(?!\S)";
}

/// <summary>SuperBPE: a curriculum of two stages. The first learns subwords as BPE does, within words; the second goes on from its merges over text that is no longer cut at white space, and learns superwords.</summary>
public static class SuperBpe
{
    /// <summary>The architecture <c>text-tokenizers/superbpe</c>.</summary>
    internal static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "text-tokenizers/superbpe",
            Paper = "SuperBPE: Space Travel for Language Models",
            ArXiv = "2503.13423",
            Authors = ["Alisa Liu", "Jonathan Hayase", "Valentin Hofmann", "Sewoong Oh", "Noah A. Smith", "Yejin Choi"],
            Repository = "PythonNut/superbpe",
            CodeLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens],
            Layouts = ["tokenizer.json", "config.json (transition_size, vocab_size, stage_1_pattern, stage_2_pattern), for training"],
        },
        (source, _) =>
        {
            var folder = source.RequireFolder();
            var tokenizer = TokenizerJson.Load(Path.Combine(folder, "tokenizer.json"));
            var calls = TokenizerJsonModel.Calls(tokenizer).AddWhole("train", (arguments, cancel) =>
            {
                var lines = arguments.Lines("lines").Select(line => line.Text("text")).ToArray();
                var trained = Train(lines, ReadOptions(Path.Combine(folder, "config.json")), cancel: cancel);
                return new CallResults().Add("merges", [.. trained.Merges.Select(merge => LineCalls.ToElement(LineCalls.ToArray((string?[])[merge.Left, merge.Right])))]);
            });
            return ValueTask.FromResult<IModel>(new TextTokenizerModel(source, tokenizer, calls));
        });

    /// <summary>Learns a vocabulary from lines of text.</summary>
    /// <param name="lines">The corpus.</param>
    /// <param name="options">Settings.</param>
    /// <param name="progress">Told the number of tokens from time to time.</param>
    /// <param name="cancel">Stops between two merges.</param>
    public static TrainedVocabulary Train(IReadOnlyList<string> lines, SuperBpeOptions options, IProgress<int>? progress = null, CancellationToken cancel = default)
    {
        var subwords = BpeTrainer.Train(
            Words(options.Stage1Pattern, lines, cancel),
            new() { VocabSize = options.TransitionSize, InitialAlphabet = [.. Enumerable.Range(0, 256).Select(b => ByteAlphabet.ToCharacter((byte)b).ToString())] },
            progress, cancel);
        var tokens = subwords.Tokens.ToList();
        var ids = tokens.Select((token, id) => (token, id)).ToDictionary(pair => pair.token, pair => pair.id, StringComparer.Ordinal);
        var merges = subwords.Merges.ToList();
        var model = Model(tokens, merges, ids);
        var merger = new PairMerger([.. Words(options.Stage2Pattern, lines, cancel).Select(word => (Spell(model, word.Key), word.Value))]);
        while (tokens.Count < options.VocabSize && merger.Next() is { } pair)
        {
            cancel.ThrowIfCancellationRequested();
            var (left, right) = (tokens[pair.Left], tokens[pair.Right]);
            merges.Add((left, right));
            if (!ids.TryGetValue(left + right, out var id))
            {
                ids[left + right] = id = tokens.Count;
                tokens.Add(left + right);
            }

            merger.Merge(id);
            if (merges.Count % 256 == 0) progress?.Report(tokens.Count);
        }

        return new(tokens, merges);
    }

    private static IReadOnlyList<KeyValuePair<string, long>> Words(string pattern, IReadOnlyList<string> lines, CancellationToken cancel)
    {
        var cut = new SequencePreTokenizer([new SplitPreTokenizer(pattern, isRegex: true, SplitBehavior.Isolated, invert: false), new ByteLevelPreTokenizer(false, true, useRegex: false)]);
        return new TrainingPipeline(null, cut).Count(lines, cancel);
    }

    private static BpeModel Model(List<string> tokens, List<(string Left, string Right)> merges, Dictionary<string, int> ids)
    {
        var table = new TokenTable(tokens.Count);
        for (var id = 0; id < tokens.Count; id++) table.Add(System.Text.Encoding.UTF8.GetBytes(tokens[id]), id);
        return new(table, new([.. merges.Select(merge => (ids[merge.Left], ids[merge.Right], ids[merge.Left + merge.Right]))]), new());
    }

    private static int[] Spell(BpeModel model, string word)
    {
        var tokens = new List<PieceToken>();
        model.Tokenize(System.Text.Encoding.UTF8.GetBytes(word), tokens);
        return [.. tokens.Select(token => token.Id)];
    }

    private static SuperBpeOptions ReadOptions(string path)
    {
        using var document = System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(path));
        var root = new JsonCursor(document.RootElement, "$");
        return new()
        {
            TransitionSize = root["transition_size"].Integer(),
            VocabSize = root["vocab_size"].Integer(),
            Stage1Pattern = root["stage_1_pattern"].Text(),
            Stage2Pattern = root["stage_2_pattern"].Text(),
        };
    }
}
