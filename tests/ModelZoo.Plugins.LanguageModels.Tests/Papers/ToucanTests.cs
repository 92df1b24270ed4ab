using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels.Tests.Papers;

public sealed class ToucanTests : IAsyncLifetime
{
    private const string Words = "a toucan eats, it's said, with a long beak.";
    private const int End = 30;
    private ToucanModel _model = null!;

    public async Task InitializeAsync() => _model = await TinyModel.OpenAsync<ToucanModel>(ToucanModel.Architecture);

    public Task DisposeAsync() => _model.DisposeAsync().AsTask();

    [Fact]
    public async Task Tokenize_AnyText_TokensAreItsCharacters()
    {
        var tokens = await _model.TokenizeAsync(new(Words), new());
        Assert.Equal(Words.Length, TinyModel.PieceLengths(tokens).Sum());
        Assert.InRange(TinyModel.PieceLengths(tokens).Length, 2, Words.Length - 1);
        Assert.Equal(Words, (await _model.DetokenizeAsync(tokens, new())).Value);
        Assert.Equal(Words, string.Concat(tokens.Spans.Select(span => Words[(int)span.Start..(int)span.End])));
    }

    [Fact]
    public async Task Tokenize_AForeignCharacter_IsRefusedByName() => Assert.Contains("U+0041", (await Assert.ThrowsAsync<MediaException>(async () => await _model.TokenizeAsync(new("bAd"), new()))).Found, StringComparison.Ordinal);

    // The slow reference computes every place of every stack anew for each character, as the authors' loop does within a token.
    [Fact]
    public async Task Append_Greedy_EqualsTheSlowReferenceWithOneRunOfTheMiddleAToken()
    {
        // The prompt of the committed case, after which the tiny checkpoint ends its tokens.
        var data = TensorArchive.Read(Path.Combine(ParityCasesAttribute.Find(ToucanModel.Architecture.Card.Id, shared: false)[0].Folder, "inputs.safetensors"))["data.3"].As<long>();
        var prompt = Array.ConvertAll(data.Span.ToArray(), id => (int)id);
        var (stream, middle) = (_model.Begin(), _model.Hourglass.Middle);
        var (next, fast, ends) = (prompt, new List<int>(), 0);
        var runs = middle.Runs;
        while (fast.Count < 40)
        {
            var logits = await stream.AppendAsync(Tensor.Create(next, 1, next.Length), CancellationToken.None);
            fast.Add(LogitProcessing.ArgMax(logits.Span));
            next = [fast[^1]];
            ends += fast[^1] == End ? 1 : 0;
        }

        // One for the prompt, and one for each token that was begun.
        Assert.InRange(ends, 3, 20);
        Assert.InRange(middle.Runs - runs, 1, ends + 1);
        Assert.Equal(await SlowAsync(prompt, fast.Count), fast);
    }

    [Fact]
    public async Task Append_ALaterCharacterChanged_LeavesEarlierPredictions()
    {
        var ids = Encoded(Words);
        var before = await ReadAsync(ids);
        for (var changed = 1; changed < ids.Length; changed += 5)
        {
            int[] other = [.. ids];
            other[changed] = (ids[changed] + 11) % End;
            var after = await ReadAsync(other);
            Assert.Equal(before.Places[..changed], after.Places[..changed]);
            // A row up to that of the character before the changed one, and none behind it, knows nothing of the change.
            for (var row = 0; row <= before.Places[changed - 1]; row++) Assert.Equal(before.Logits.Place(0, row).ToArray(), after.Logits.Place(0, row).ToArray(), (a, b) => Math.Abs(a - b) < 1e-4);
        }
    }

    [Fact]
    public async Task Append_InParts_EqualsTheWholeAtOnce()
    {
        var ids = Encoded(Words);
        var whole = await ReadAsync(ids);
        var stream = (ToucanStream)_model.Begin();
        for (var (start, row) = (0, 0); start < ids.Length; start += 6)
        {
            var part = await stream.ReadAsync(ids[start..Math.Min(start + 6, ids.Length)], CancellationToken.None);
            for (var i = 0; i < (int)part.Logits.Shape[1]; i++, row++) Assert.Equal(whole.Logits.Place(0, row).ToArray(), part.Logits.Place(0, i).ToArray(), (a, b) => Math.Abs(a - b) < 1e-4);
        }
    }

    [Fact]
    public void Expand_BoundariesAtBothEnds_PutsAnEndBeforeEach()
    {
        var table = Tensor.Create([1f, 2, 100], 3, 1);
        var states = Tensor.Create([10f, 10, 20], 1, 3, 1);
        var (rows, places) = ToucanStream.Expand([0, 1, 0], [true, false, true], states, 0, [7f], table, end: 2);
        Assert.Equal([107f, 11, 12, 110, 21], rows.Span.ToArray());
        Assert.Equal([1, 2, 4], places);
    }

    [Fact]
    public async Task Observe_Bits_AreThoseOfCharactersAndEndsReadOneByOne()
    {
        var bits = TinyModel.Bits((await TinyModel.ObserveAsync(_model, new ByteEvaluationOptions(), Words))[0]);
        var whole = await ReadAsync([0, .. Encoded(Words)]);
        var ids = Encoded(Words);
        for (var t = 0; t < ids.Length; t++)
        {
            var expected = 0.0;
            for (var row = whole.Places[t]; row < whole.Places[t + 1]; row++)
                expected -= Math.Log2(LogitProcessing.Probabilities(whole.Logits.Place(0, row))[row + 1 == whole.Places[t + 1] ? ids[t] : End]);
            Assert.Equal(expected, bits[t], 1e-4);
        }
    }

    [Fact]
    public async Task Generate_SameSeed_GivesTheSameText()
    {
        var drawn = new TextGenerationOptions { MaxNewTokens = 30, Temperature = 2 };
        Assert.Equal(await TinyModel.GenerateAsync(_model, "a b", drawn, 3), await TinyModel.GenerateAsync(_model, "a b", drawn, 3));
        Assert.NotEqual(await TinyModel.GenerateAsync(_model, "a b", drawn, 3), await TinyModel.GenerateAsync(_model, "a b", drawn, 4));
    }

    private static int[] Encoded(string text) => CharacterVocabulary.Of(" etaoinsrhldcumfpgwybvkxjzq.,'".Select(c => c.ToString())).Encode(text);

    private async Task<ToucanStream.Read> ReadAsync(int[] ids) => await ((ToucanStream)_model.Begin()).ReadAsync(ids, CancellationToken.None);

    private async Task<List<int>> SlowAsync(int[] prompt, int count)
    {
        var (written, all, unread, atEnd) = (new List<int>(), prompt.ToList(), new List<int>(), false);
        while (written.Count < count)
        {
            var data = Tensor.Create([.. all.Select(id => (long)id)], all.Count, 1);
            var forward = await _model.CallAsync("forward", new CallArguments().With("data", data));
            var (rows, states) = ((Tensor<float>)forward.Tensor("last_hidden"), (Tensor<float>)forward.Tensor("pre_upsample"));
            // The rows of what was read, then those of the token that is being written: the last state with each of its characters.
            var x = new List<float>(rows.Span.ToArray());
            foreach (var id in unread) x.AddRange(Table(id).Zip(states.Slice((int)states.Shape[0] - 1).Span.ToArray(), (a, b) => a + b));
            var width = rows.Shape[2];
            var (outputs, _) = await _model.Hourglass.Decoder.RunAsync(("x", Tensor.Create(x.ToArray(), 1, x.Count / width, width)), _model.Hourglass.Decoder.Begin(), CancellationToken.None);
            var logits = outputs["logits"];
            written.Add(LogitProcessing.ArgMax(logits.Place(0, (int)logits.Shape[1] - 1)));
            unread.Add(written[^1]);
            if (atEnd)
            {
                // The first character of a token: all but the end is read.
                all.AddRange(unread.Where((_, i) => i != unread.Count - 2));
                unread.Clear();
            }

            atEnd = !atEnd && written[^1] == End;
        }

        return written;
    }

    private float[] Table(int id) => _model.Table.Slice(id).Span.ToArray();
}
