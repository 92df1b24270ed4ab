using ModelZoo.Contracts;
using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Scheduling.Tests;

/// <summary>An error says which of many inputs it is about, and no input is left out in silence.</summary>
public sealed class RefusedInputTests
{
    private static readonly Text Words = new("abc");

    [Fact]
    public async Task Observe_ModelRefusesAnExample_NamesIt()
    {
        await using var host = new TestHost();
        await host.LoadAsync("Good");
        var error = await Assert.ThrowsAsync<ModelZooException>(() => ObserveAsync(host, "test/echo", new Text("abc"), new Text("silence"), new Text("de")));
        Assert.Equal((ErrorCodes.MediaMalformed, "Silence has no echo. At: example 1.txt. Found: silence."), (error.Code, error.Message));
    }

    [Fact]
    public async Task Observe_ModelRefusesABatchThatItLooksAtTogether_NamesTheBatch()
    {
        await using var host = new TestHost();
        await host.LoadAsync("Batches");
        var error = await Assert.ThrowsAsync<ModelZooException>(() => ObserveAsync(host, "test/batches", new Text("abc"), new Text("silence"), new Text("de")));
        Assert.Equal("Silence has no score. At: one of the 3 examples from 0.txt to 2.txt: line 1.", error.Message);
    }

    [Fact]
    public async Task Generate_FileThatTheModelNeverLooksAt_IsRefused()
    {
        await using var host = new TestHost();
        await host.LoadAsync("Good");
        var error = await Assert.ThrowsAsync<MediaException>(() => GenerateAsync(host, "test/echo", Words));
        Assert.Equal("test/echo generates from no such file. Expected: a prompt without files. Found: text.", error.Message);
    }

    [Fact]
    public async Task Generate_FileOfAKindThatTheCardDoesNotName_IsRefusedBeforeTheModelRuns()
    {
        await using var host = new TestHost();
        await host.LoadAsync("Good");
        var error = await Assert.ThrowsAsync<MediaException>(() => GenerateAsync(host, "test/echo", new Motion(Tensor.Zeros<float>(2, 3), 20, "features-3")));
        Assert.Equal("test/echo generates from no such file. Expected: text. Found: motion.", error.Message);
    }

    [Fact]
    public void Generate_WordsForAModelThatTakesNone_AreRefused()
    {
        var card = new ModelCard { Id = "test/ear", Paper = "An Ear", Authors = [], Inputs = [Modality.Audio], Outputs = [Modality.Tensors] };
        var error = Assert.Throws<MediaException>(() => PromptMedia.For(ModelId.Parse(card.Id), card, new("hi")));
        Assert.Equal("test/ear takes no words. Expected: audio. Found: the prompt 'hi'.", error.Message);
        Assert.Empty(PromptMedia.For(ModelId.Parse(card.Id), card, new("")));
    }

    private static Task<VerbResult<Contracts.Media>> GenerateAsync(TestHost host, string model, Contracts.Media media) =>
        host.Verbs.GenerateAsync(new(ModelId.Parse(model)), new("hi", [media]), [], 0, static _ => { }, default);

    private static Task<VerbResult<int>> ObserveAsync(TestHost host, string model, params Text[] texts) =>
        host.Verbs.ObserveAsync(new(ModelId.Parse(model)), new[] { (IReadOnlyList<Example>)[.. texts.Select((text, i) => new Example($"{i}.txt", text))] }.ToAsyncEnumerable(), [], 0, static _ => ValueTask.CompletedTask, default);
}
