using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Recommenders.Tests;

public sealed class LetterTigerTests : IAsyncLifetime
{
    private static readonly string Folder = Repository.Path("samples", "letter-instruments");
    private IModel _model = null!;

    public async Task InitializeAsync() =>
        _model = await LetterTigerModel.Architecture.Open(new() { Id = ModelId.Parse("recommenders/letter-tiger.instruments"), Folder = Folder, Services = HostServices.Instance }, CancellationToken.None);

    public Task DisposeAsync() => _model.DisposeAsync().AsTask();

    [Fact]
    public async Task Generate_TheReferenceHistories_GivesTheReferenceItems()
    {
        using var reference = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Folder, "reference.json")));
        foreach (var example in reference.RootElement.GetProperty("examples").EnumerateArray())
        {
            var ranked = await RecommendAsync(example.GetProperty("history").Deserialize<int[]>()!.Select(item => item.ToString()));
            Assert.Equal(20, ranked.Ids.Distinct().Count());
            var scores = example.GetProperty("scores").Deserialize<double[]>()!;
            for (var i = 0; i < scores.Length; i++) Assert.Equal(scores[i], ranked.Scores![i], 1e-4);
        }
    }

    [Fact]
    public async Task Observe_Batched_EqualsSingle()
    {
        var histories = new[] { new Items(["0", "1", "2"]), new Items(["40", "41", "42", "43", "44", "45"]) };
        var observed = new List<Observation>();
        await foreach (var observation in _model.Get<IEvaluate>().ObserveAsync(Examples(histories), new RecommendOptions(), 0)) observed.Add(observation);
        for (var i = 0; i < histories.Length; i++) Assert.Equal((await RecommendAsync(histories[i].Ids)).Ids, ((Items)observed[i].Output!).Ids);
    }

    [Fact]
    public async Task Generate_UnknownItem_IsRefused()
    {
        var error = await Assert.ThrowsAsync<MediaException>(() => RecommendAsync(["no such item"]));
        Assert.Equal("no such item", error.Where);
    }

    private async Task<Items> RecommendAsync(IEnumerable<string> history)
    {
        await foreach (var step in _model.Get<IGenerate>().GenerateAsync(new(null, [new Items([.. history])]), new RecommendOptions(), 0))
        {
            if (step.IsFinal) return (Items)step.Value!;
        }

        throw new InvalidOperationException("The model gave no result.");
    }

    private static async IAsyncEnumerable<Example> Examples(IEnumerable<Items> histories)
    {
        foreach (var history in histories)
        {
            yield return new("user", history);
            await Task.Yield();
        }
    }
}
