// Getting the most out of your tokenizer for pre-training and domain adaptation. Dagan, Synnaeve, Rozière. arXiv:2402.01035. github.com/gautierdag/bpeasy
// Published layout: config.json (regex, max_token_length, vocab_size). Deviations: none.
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Regex;
using ModelZoo.Plugins.TextTokenizers.Trainers;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>bpeasy: BPE over bytes whose pre-tokens come from a pattern; and the figures by which the paper compares tokenizers of code.</summary>
internal static class CodeBpe
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("code-bpe-ablation", "Getting the most out of your tokenizer for pre-training and domain adaptation", "2402.01035", ["Gautier Dagan", "Gabriel Synnaeve", "Baptiste Rozière"], "gautierdag/bpeasy", "MIT")
            with { Layouts = ["config.json"] },
        source =>
        {
            var config = source.Json("config.json");
            return new PaperModel(source).On("train", (arguments, cancel) =>
            {
                var vocabulary = Train(
                    arguments.Lines("lines").Select(line => line.Text("text")), config.Text("regex"), config.Member("max_token_length").AsInt(), config.Member("vocab_size").AsInt(), cancel);
                return new CallResults().Add("vocabulary", [.. vocabulary.Select((bytes, id) => Line.Of(("id", id), ("bytes", Convert.ToBase64String(bytes))))]);
            });
        });

    /// <summary>Entries by id: the 256 bytes, then merges.</summary>
    public static List<byte[]> Train(IEnumerable<string> texts, string pattern, int maxTokenLength, int size, CancellationToken cancel)
    {
        var counts = new Dictionary<string, long>();
        var regex = new TextRegex(pattern, RegexFlavor.Rust);
        foreach (var text in texts)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            var search = regex.Matches(bytes);
            while (search.Next(out var start, out var end))
            {
                var word = Convert.ToHexString(bytes.AsSpan(start..end));
                counts[word] = counts.GetValueOrDefault(word) + 1;
            }
        }

        var words = counts.Where(word => word.Key.Length > 2).Select(word => (Convert.FromHexString(word.Key).Select(value => (int)value).ToArray(), word.Value)).ToList();
        var merger = new PairMerger(words, maxTokenLength);
        var vocabulary = Enumerable.Range(0, 256).Select(value => new[] { (byte)value }).ToList();
        while (vocabulary.Count < size && merger.Next() is { Count: > 0 } pair)
        {
            cancel.ThrowIfCancellationRequested();
            merger.Merge(vocabulary.Count);
            vocabulary.Add([.. vocabulary[pair.Left], .. vocabulary[pair.Right]]);
        }

        return vocabulary;
    }

    /// <summary>Normalized sequence length: tokens of one tokenizer over those of a baseline, on the same texts.</summary>
    public static double NormalizedSequenceLength(IEnumerable<string> texts, Tokenizer tokenizer, Tokenizer baseline)
    {
        var (own, other) = (0L, 0L);
        foreach (var text in texts) (own, other) = (own + tokenizer.CountTokens(text), other + baseline.CountTokens(text));
        return Boundaries.Share(own, other);
    }
}
