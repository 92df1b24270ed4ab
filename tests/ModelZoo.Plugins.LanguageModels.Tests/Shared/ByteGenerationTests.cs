using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class ByteGenerationTests
{
    private static readonly ByteVocabulary Vocabulary = new(260, Offset: 4, Start: 1, End: 2);

    [Fact]
    public async Task StreamAsync_EachStep_GoesOnFromTheOneBefore()
    {
        var texts = await RunAsync("é, then an end", new());
        for (var i = 1; i < texts.Count; i++) Assert.StartsWith(texts[i - 1], texts[i], StringComparison.Ordinal);
        Assert.Equal("é, then an end", texts[^1]);
    }

    [Fact]
    public async Task StreamAsync_FewBytes_CutsACharacterVisibly() => Assert.Equal("a\uFFFD", (await RunAsync("aé", new() { MaxNewTokens = 2 }))[^1]);

    [Fact]
    public async Task StreamAsync_AStop_EndsTheText() => Assert.Equal("one", (await RunAsync("one. two", new() { Stop = ["."] }))[^1]);

    [Fact]
    public async Task StreamAsync_NothingToGoOnFrom_IsRefused() =>
        await Assert.ThrowsAsync<MediaException>(async () => await ByteGeneration.StreamAsync(new Script([]), Vocabulary, [], new(), 0).ToListAsync());

    [Fact]
    public void TextOf_AnythingButOneText_IsRefused()
    {
        Assert.Equal(("", "a"), (ByteGeneration.TextOf(new(null, [])), ByteGeneration.TextOf(new(null, [new Text("a")]))));
        Assert.Equal("text, text", Assert.Throws<MediaException>(() => ByteGeneration.TextOf(new(null, [new Text("a"), new Text("b")]))).Found);
        Assert.Equal("tensors", Assert.Throws<MediaException>(() => ByteGeneration.TextOf(new(null, [new NamedTensors(new Dictionary<string, Tensor>())]))).Found);
    }

    private static async Task<List<string>> RunAsync(string text, TextGenerationOptions options)
    {
        var steps = await ByteGeneration.StreamAsync(new Script([.. Vocabulary.Encode(text), 2]), Vocabulary, [1], options, 0).ToListAsync();
        Assert.True(steps[^1].IsFinal);
        return [.. steps.Select(step => step.Result!.Value)];
    }

    // Says one id after the other.
    private sealed class Script(int[] ids) : ITokenModel
    {
        private int _next;

        public ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, CancellationToken cancel)
        {
            var logits = Tensor.Zeros<float>(1, Vocabulary.Size);
            logits[0, ids[_next++]] = 1;
            return ValueTask.FromResult(logits);
        }

        public void Reorder(ReadOnlySpan<int> parents) => throw new NotSupportedException();
    }
}
