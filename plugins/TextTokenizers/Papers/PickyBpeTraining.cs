// BPE Gets Picky, arXiv:2409.04599: the options of bpe_trainer.py, and the file that it writes.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Trainers;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Options of PickyBPE's training, as the authors' program names them.</summary>
public sealed record PickyBpeTrainingOptions : ModelOptions
{
    /// <summary>Tokens to end with.</summary>
    [Description("Tokens to end with, special ones included."), Range(5, 4_000_000)]
    public int VocabSize { get; init; } = 8192;

    /// <summary>From what share on a part goes.</summary>
    [Description("A part of a merge is split again when more than this share of its occurrences was merged (IoS)."), Range(0.0, 1.0)]
    public double Threshold { get; init; } = 0.9999;

    /// <summary>Share of the characters that stay.</summary>
    [Description("Share of the corpus' characters that stay in the vocabulary; the rarest others become unknown."), Range(0.0, 1.0)]
    public double Coverage { get; init; } = 0.9999;

    /// <summary>Id of &lt;PAD&gt;.</summary>
    [Description("Id of <PAD>."), Range(0, 1000)]
    public int PadId { get; init; }

    /// <summary>Id of &lt;UNK&gt;.</summary>
    [Description("Id of <UNK>."), Range(0, 1000)]
    public int UnkId { get; init; } = 1;

    /// <summary>Id of &lt;BOS&gt;.</summary>
    [Description("Id of <BOS>."), Range(0, 1000)]
    public int BosId { get; init; } = 2;

    /// <summary>Id of &lt;EOS&gt;.</summary>
    [Description("Id of <EOS>."), Range(0, 1000)]
    public int EosId { get; init; } = 3;

    internal (int Id, string Text)[] SpecialTokens => [(PadId, "<PAD>"), (UnkId, PickyBpe.Unknown), (BosId, "<BOS>"), (EosId, "<EOS>")];

    internal static PickyBpeTrainingOptions Of(JsonElement config)
    {
        var usual = new PickyBpeTrainingOptions();
        return new()
        {
            VocabSize = config.Member("vocab_size").AsInt(),
            Threshold = config.Find("threshold")?.AsDouble() ?? usual.Threshold,
            Coverage = config.Find("coverage")?.AsDouble() ?? usual.Coverage,
            PadId = config.Find("pad_id")?.AsInt() ?? usual.PadId,
            UnkId = config.Find("unk_id")?.AsInt() ?? usual.UnkId,
            BosId = config.Find("bos_id")?.AsInt() ?? usual.BosId,
            EosId = config.Find("eos_id")?.AsInt() ?? usual.EosId,
        };
    }
}

/// <summary>Trains from files of text and writes the authors' <c>model.json</c>.</summary>
internal sealed class PickyBpeTraining : ITrain
{
    private const string FileName = "model.json";

    public Modality LearnsFrom => Modality.Text;

    public OptionsSchema TrainOptions { get; } = OptionsSchema.Of<PickyBpeTrainingOptions>();

    public async ValueTask<TrainingResult> TrainAsync(IReadOnlyList<string> files, string folder, ModelOptions options, IProgress<TrainingProgress> progress, CancellationToken cancel = default)
    {
        var settings = options.Expect<PickyBpeTrainingOptions>();
        if (settings.SpecialTokens.DistinctBy(token => token.Id).Count() < settings.SpecialTokens.Length)
            throw new OptionsException(ErrorCodes.OptionRange, "Special tokens are told apart by their ids.") { Where = "pad_id, unk_id, bos_id, eos_id", Expected = "four different ids", Found = string.Join(", ", settings.SpecialTokens) };
        var trainer = new PickyBpeTrainer(settings);
        progress.Report(new("counting", 0, null));
        var merging = new MergingProgress(progress, settings.VocabSize);
        var events = await Task.Run(() => trainer.Train(CorpusReader.Lines(files), merging, cancel), cancel).ConfigureAwait(false);
        if (events.Count == 0) throw new ModelZooException(ErrorCodes.DatasetInvalid, "The corpus has no pair of letters that is worth a merge.") { Where = string.Join(", ", files.Take(3)), Remedy = "Give files with text in them, or a larger vocab_size." };
        var file = File.Create(Path.Combine(folder, FileName));
        await using (file.ConfigureAwait(false)) Write(file, trainer.Tokens, events);
        return new(ModelId.Parse(PickyBpe.Architecture.Card.Id), [FileName])
        {
            Figures =
            [
                new("tokens", trainer.Tokens.Count(token => token.IsPresent).ToString(CultureInfo.InvariantCulture)),
                new("merges", events.Count(step => step.IsMerge).ToString(CultureInfo.InvariantCulture)),
                new("splits", events.Count(step => !step.IsMerge).ToString(CultureInfo.InvariantCulture)),
            ],
        };
    }

    /// <summary>Writes what the authors' program dumps: every token that ever was, numbers without gaps for those that are left, and the events.</summary>
    public static void Write(Stream stream, IReadOnlyList<PickyBpeTrainer.Token> tokens, IReadOnlyList<PickyBpeTrainer.Event> events)
    {
        int[] present = [.. tokens.Where(token => token.IsPresent).Select(token => token.Id).Order()];
        using var json = new Utf8JsonWriter(stream, new() { Indented = true });
        json.WriteStartObject();
        List("tokens", tokens);
        json.WriteStartObject("id2int");
        for (var number = 0; number < present.Length; number++) json.WriteNumber(present[number].ToString(CultureInfo.InvariantCulture), number);
        json.WriteEndObject();
        json.WriteStartObject("int2id");
        for (var number = 0; number < present.Length; number++) json.WriteNumber(number.ToString(CultureInfo.InvariantCulture), present[number]);
        json.WriteEndObject();
        Events("merges", isMerge: true, "pair", "new_token");
        Events("splits", isMerge: false, "split", "token");
        json.WriteEndObject();

        void Events(string name, bool isMerge, string parts, string whole)
        {
            json.WriteStartArray(name);
            foreach (var (id, step) in events.Index().Where(item => item.Item.IsMerge == isMerge))
            {
                json.WriteStartObject();
                json.WriteNumber("id", id);
                List(parts, step.Parts);
                json.WritePropertyName(whole);
                Token(step.Whole);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        void List(string name, IEnumerable<PickyBpeTrainer.Token> items)
        {
            json.WriteStartArray(name);
            foreach (var item in items) Token(item);
            json.WriteEndArray();
        }

        void Token(PickyBpeTrainer.Token token)
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("str", token.Text);
            json.WriteNumber("freq", token.Count);
            json.WriteBoolean("special", token.IsSpecial);
            json.WriteBoolean("present", token.IsPresent);
            Part("left", token.Left);
            Part("right", token.Right);
            json.WriteStartArray("split");
            foreach (var part in token.Walk()) json.WriteNumberValue(part.Id);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        void Part(string name, PickyBpeTrainer.Token? part)
        {
            if (part is null) json.WriteNull(name);
            else json.WriteNumber(name, part.Id);
        }
    }

    // Reports on the thread that works, unlike Progress<T>.
    private sealed class MergingProgress(IProgress<TrainingProgress> progress, int size) : IProgress<int>
    {
        public void Report(int value) => progress.Report(new("merging", value, size));
    }
}
