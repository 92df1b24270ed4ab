using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;
using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Papers;

public sealed class PickyBpeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("picky").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory, ParityCases("text-tokenizers/picky-bpe")]
    public void Train_ToAFullVocabulary_BeginsWithTheEventsThatAreTheSameInEachRun(ParityCase @case)
    {
        var options = Options(@case);
        var trainer = new PickyBpeTrainer(options);
        var expected = ParityRunner.ReadLines(Path.Combine(@case.Folder, "expected-events.jsonl"));

        var events = trainer.Train(Corpus(@case));

        Assert.All(events.Take(expected.Count).Zip(expected), pair => Assert.True(JsonElement.DeepEquals(pair.First.ToLine(), pair.Second), pair.Second.GetRawText()));
        Assert.Equal(options.VocabSize - 4, trainer.Tokens.Count(token => token.IsAtomic && !token.IsSpecial) + events.Count(step => step.IsMerge) - events.Count(step => !step.IsMerge));
        if (@case.Folder.EndsWith("no-ties-b", StringComparison.Ordinal)) Assert.Equal(expected.Count, events.Count);
    }

    // The case's corpus leaves nothing to chance, so that the whole file is the authors'.
    [Fact]
    public async Task TrainAsync_CorpusWithoutTies_WritesTheAuthorsFile()
    {
        var @case = ParityCase.Load(Repository.Path("tests", "parity", "text-tokenizers", "picky-bpe", "no-ties-b"));
        var corpus = Path.Combine(_folder, "corpus.txt");
        await File.WriteAllLinesAsync(corpus, Corpus(@case));

        var result = await new PickyBpeTraining().TrainAsync([corpus], _folder, Options(@case), new Progress<TrainingProgress>());

        var written = JsonElement.Parse(await File.ReadAllTextAsync(Path.Combine(_folder, result.Files[0])));
        Assert.True(JsonElement.DeepEquals(written, JsonElement.Parse(await File.ReadAllTextAsync(Path.Combine(@case.CheckpointFolder!, "model.json")))));
        Assert.Equal("the other tokens", new PickyBpe(written) is var bpe ? bpe.Decode(bpe.Encode("the other  tokens")) : null);
    }

    [Fact]
    public async Task TrainAsync_NothingToMergeOrIdsTwice_IsRefused()
    {
        var corpus = Path.Combine(_folder, "corpus.txt");
        await File.WriteAllTextAsync(corpus, " \n");
        Assert.Equal(ErrorCodes.DatasetInvalid, (await Assert.ThrowsAsync<ModelZooException>(async () => await new PickyBpeTraining().TrainAsync([corpus], _folder, new PickyBpeTrainingOptions(), new Progress<TrainingProgress>()))).Code);
        Assert.Equal(ErrorCodes.OptionRange, (await Assert.ThrowsAsync<OptionsException>(async () => await new PickyBpeTraining().TrainAsync([corpus], _folder, new PickyBpeTrainingOptions { PadId = 1 }, new Progress<TrainingProgress>()))).Code);
    }

    private static PickyBpeTrainingOptions Options(ParityCase @case) => PickyBpeTrainingOptions.Of(JsonElement.Parse(File.ReadAllText(Path.Combine(@case.CheckpointFolder!, "config.json"))));

    private static IEnumerable<string> Corpus(ParityCase @case) => ParityRunner.ReadLines(Path.Combine(@case.Folder, "inputs.jsonl")).Select(line => line.GetProperty("text").GetString()!);
}
