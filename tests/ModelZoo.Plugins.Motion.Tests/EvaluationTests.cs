using System.Text;
using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion.Tests;

/// <summary>The text-to-motion protocol on a small data set in HumanML3D's layout, with the demonstration model and the parity case's evaluator.</summary>
public sealed class EvaluationTests : IDisposable
{
    private static readonly string Samples = Repository.Path("samples", "mmm-synthetic");
    private readonly string _folder = Directory.CreateTempSubdirectory("humanml3d").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Read_PublishedLayout_GivesWholeMotionsAndParts()
    {
        WriteData(2);
        var examples = await new HumanMl3dReader().ReadAsync(_folder, null!).ToListAsync();
        Assert.Equal(["000000", "000001@1.0-2.5", "000001"], examples.Select(example => example.Id));
        Assert.Equal("a person walks#a/DET person/NOUN walk/VERB\nsomeone goes#someone/PRON go/VERB", examples[0].Label);
        Assert.Equal(30, ((Contracts.Motion)examples[1].Media).Features.Shape[0]);
        Assert.True(new HumanMl3dReader().CanRead(_folder));
        Assert.False(new HumanMl3dReader().CanRead(Samples));
    }

    [Fact]
    public async Task Observe_WithAnEvaluator_MeasuresWhatWasMade()
    {
        WriteData(3);
        WriteEvaluator();
        await using var model = await OpenAsync();
        var options = new MotionEvaluationOptions { Evaluator = At("evaluator"), Repeats = 2, BatchSize = 2, MultimodalCaptions = 1, Generation = ["steps=2"] };
        // The host hands on as many examples at once as the model asks for.
        Assert.Equal((1, int.MaxValue), (model.Find<IEvaluate>()!.BatchSize(new MotionEvaluationOptions()), model.Find<IEvaluate>()!.BatchSize(options)));
        var first = await ObserveAsync(model, options);
        // Two repeats of one batch, each real and made.
        Assert.Equal(8, first.Count);
        Assert.Equal(["generated", "real"], first.Select(observation => observation.Group).Distinct().Order());
        var figures = EmbeddingMetric.All.ToDictionary(metric => metric.Name, metric => Measure(metric, first, "generated"));
        Assert.All(figures.Where(figure => figure.Key != "motion-diversity"), figure => Assert.NotNull(figure.Value));
        Assert.All(Enumerable.Range(1, 3), k => Assert.InRange(figures[$"r-precision-{k}"]!.Value, 0, 1));
        Assert.True(figures["r-precision-1"]!.Value <= figures["r-precision-2"]!.Value);
        Assert.Equal(1, figures["r-precision-2"]!.Value); // of two motions one of the nearest two is the own
        Assert.Equal(0, Measure(EmbeddingMetric.All[0], first, "real")!.Value, 4);
        Assert.True(figures["motion-fid"]!.Value > 0);
        Assert.True(figures["multimodality"]!.Value > 0);
        Assert.NotNull(figures["motion-fid"]!.Confidence);

        var again = await ObserveAsync(model, options);
        Assert.Equal(Embeddings(first), Embeddings(again));
        Assert.NotEqual(Embeddings(first), Embeddings(await ObserveAsync(model, options, seed: 5)));
    }

    [Fact]
    public async Task Observe_EvaluatorIsNotThere_SaysSo()
    {
        WriteData(1);
        await using var model = await OpenAsync();
        await Assert.ThrowsAsync<CheckpointException>(() => ObserveAsync(model, new() { Evaluator = At("nowhere") }));
    }

    [Fact]
    public async Task Evaluator_PaddedCaption_IsTheCaptionAlone()
    {
        WriteEvaluator();
        using var evaluator = new MotionTextEvaluator(Source(), At("evaluator"), null);
        var walk = await evaluator.TextAsync("a/DET person/NOUN walk/VERB", default);
        Assert.Equal(walk.Span.ToArray(), (await evaluator.TextAsync("a/DET  person/NOUN walk/VERB ", default)).Span.ToArray());
        Assert.NotEqual(walk.Span.ToArray(), (await evaluator.TextAsync("a/DET person/NOUN walk/NOUN jump/VERB", default)).Span.ToArray());
        // A word of the list counts by itself, whatever its tag.
        Assert.Equal(walk.Span.ToArray(), (await evaluator.TextAsync("a/DET person/NOUN walk/NOUN", default)).Span.ToArray());
        // A word without a vector is unknown, whatever its tag.
        Assert.Equal((await evaluator.TextAsync("zzz/NOUN", default)).Span.ToArray(), (await evaluator.TextAsync("qqq/VERB", default)).Span.ToArray());
    }

    private static MetricValue? Measure(IMetric metric, List<Observation> observations, string group)
    {
        var accumulator = metric.Start();
        foreach (var observation in observations.Where(observation => observation.Group == group)) accumulator.Add(observation);
        return accumulator.Result();
    }

    private static float[] Embeddings(List<Observation> observations) =>
        [.. observations.SelectMany(observation => ((NamedTensors)observation.Output!).Values[MotionEvaluation.MotionKey].As<float>().Span.ToArray())];

    private async Task<List<Observation>> ObserveAsync(IModel model, MotionEvaluationOptions options, ulong seed = 1) =>
        await model.Get<IEvaluate>().ObserveAsync(new HumanMl3dReader().ReadAsync(_folder, null!), options, seed).ToListAsync();

    private static ModelSource Source() => new() { Id = ModelId.Parse("motion/mmm.synthetic"), Folder = Samples, Services = HostServices.Instance };

    private static async Task<IModel> OpenAsync() => await MmmModel.Architecture.Open(Source(), default);

    private string At(string part) => Path.Combine(_folder, part);

    // Motions of the demonstration, the second with a text of a part.
    private void WriteData(int count)
    {
        Directory.CreateDirectory(At("new_joint_vecs"));
        Directory.CreateDirectory(At("texts"));
        var motions = Directory.GetFiles(Path.Combine(Samples, "motions"), "*.npy").Order(StringComparer.Ordinal).Take(count).ToList();
        for (var i = 0; i < motions.Count; i++)
        {
            File.Copy(motions[i], At($"new_joint_vecs/{i:d6}.npy"));
            File.WriteAllText(At($"texts/{i:d6}.txt"), i == 1
                ? "a man jumps#a/DET man/NOUN jump/VERB#0.0#0.0\na man turns#a/DET man/NOUN turn/VERB#1.0#2.5\n"
                : "a person walks#a/DET person/NOUN walk/VERB#0.0#0.0\nsomeone goes#someone/PRON go/VERB#0.0#nan\n");
        }

        File.WriteAllLines(At("test.txt"), [.. Enumerable.Range(0, motions.Count).Select(i => $"{i:d6}"), "M000000"]);
    }

    // The parity case's evaluator, whose words have a width of 20.
    private void WriteEvaluator()
    {
        Copy(Repository.Path("tests", "parity", "metrics", "t2m-evaluator", "tiny-a", "checkpoint", "text_mot_match", "model", "finest.tar"), At("evaluator/text_mot_match/model/finest.tar"));
        foreach (var file in (string[])["mean.npy", "std.npy"]) Copy(Path.Combine(Samples, file), At($"evaluator/{file}"));
        string[] words = ["unk", "sos", "eos", "a", "person", "walk", "someone", "go", "man", "jump", "turn"];
        Directory.CreateDirectory(At("evaluator/glove"));
        File.WriteAllBytes(At("evaluator/glove/our_vab_data.npy"), Vectors(words.Length, 20));
        File.WriteAllBytes(At("evaluator/glove/our_vab_idx.pkl"), Pickle(words));
    }

    // A float32 .npy of vectors by chance.
    private static byte[] Vectors(int rows, int width)
    {
        var header = $"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {width}), }}".PadRight(117) + "\n";
        var random = new Random(3);
        return [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. Encoding.ASCII.GetBytes(header), .. Enumerable.Range(0, rows * width).SelectMany(_ => BitConverter.GetBytes(random.NextSingle() - 0.5f))];
    }

    // Protocol 2: a dictionary of each word's row.
    private static byte[] Pickle(string[] words) =>
        [0x80, 2, .. "}("u8, .. words.SelectMany((word, row) => (byte[])[(byte)'X', .. BitConverter.GetBytes(word.Length), .. Encoding.ASCII.GetBytes(word), (byte)'K', (byte)row]), .. "u."u8];

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        File.Copy(from, to);
    }
}
