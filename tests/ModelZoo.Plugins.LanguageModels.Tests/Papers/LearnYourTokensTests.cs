using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels.Tests.Papers;

/// <summary>Over a tiny checkpoint of bytes with words of 5, of which its main layers take 5.</summary>
public sealed class LearnYourTokensTests : IAsyncLifetime
{
    private const string Words = "to be, or not to be: that is the question; número 42";
    private const int Canvas = 5;
    private LearnYourTokensModel _model = null!;

    public async Task InitializeAsync() => _model = await TinyModel.OpenAsync<LearnYourTokensModel>(LearnYourTokensModel.Architecture);

    public Task DisposeAsync() => _model.DisposeAsync().AsTask();

    [Theory, InlineData(Words), InlineData(" \t spaces\r\n and\nlines "), InlineData(""), InlineData("𝄞 überlange Wörter")]
    public async Task Tokenize_AnyText_RoundTripsAndPiecesAreWords(string text)
    {
        var tokens = await _model.TokenizeAsync(new(text), new());
        Assert.Equal(text, (await _model.DetokenizeAsync(tokens, new())).Value);
        Assert.Equal(tokens.Ids.Length, TinyModel.PieceLengths(tokens).Sum());
        Assert.Equal(tokens.Ids.Length, tokens.Spans.Count);
    }

    [Fact]
    public async Task Forward_AByteOfALaterWordChanged_LeavesEarlierVectorsAndPredictions()
    {
        string[] words = ["to", "be", "or", "not"];
        var before = await ForwardAsync(words);
        words[2] = "on";
        var after = await ForwardAsync(words);
        for (var t = 0; t < 4; t++) Assert.Equal(t != 2, Row(before.Vectors, t).SequenceEqual(Row(after.Vectors, t)));
        // Logits t spell word t + 1 from the words up to t, and its characters before.
        Near(before.Logits.Slice(0), after.Logits.Slice(0));
        Near(before.Logits.Slice(1).Slice(0), after.Logits.Slice(1).Slice(0));
        Near(before.Logits.Slice(1).Slice(1), after.Logits.Slice(1).Slice(1));
        Assert.True(Apart(before.Logits.Slice(1).Slice(2), after.Logits.Slice(1).Slice(2)));
        Assert.True(Apart(before.Logits.Slice(2), after.Logits.Slice(2)));
    }

    [Fact]
    public async Task Append_CharacterByCharacter_EqualsTheWholeAtOnceWithOneRunAWord()
    {
        string[] words = ["to", "be", "or", "not"];
        var whole = await ForwardAsync([".", .. words]);
        using var stream = _model.Begin();
        var next = new[] { WordStream.EndOfWord };
        for (var w = 0; w < words.Length; w++)
        {
            foreach (var (id, c) in Ids(words[w]).Append(WordStream.EndOfWord).Select((id, c) => (id, c)))
            {
                var logits = await stream.AppendAsync(Tensor.Create(next, 1, 1), CancellationToken.None);
                // A word's first character is never its end.
                var expected = whole.Logits.Slice(w).Slice(c).Span.ToArray();
                for (var i = c == 0 ? 1 : 0; i < expected.Length; i++) Assert.Equal(expected[i], logits[0, i], 1e-4f);
                next = [id];
            }

            Assert.Equal(w + 1, stream.Runs);
        }
    }

    [Fact]
    public async Task Append_MoreWordsThanTheBlock_GoesOnFromTheLastHalf()
    {
        string[] words = ["a", "b", "c", "d", "e", "f", "g"];
        using var stream = _model.Begin();
        Tensor<float> last = null!;
        foreach (var word in words) last = await stream.AppendAsync(Tensor.Create([.. Ids(word), WordStream.EndOfWord], 1, 2), CancellationToken.None);
        // The block of five is full with the full stop and four words; "d" and "e" begin anew, "f" and "g" follow.
        var whole = await ForwardAsync(["d", "e", "f", "g", "x"]);
        for (var i = 1; i < last.Shape[1]; i++) Assert.Equal(whole.Logits.Slice(3).Slice(0).Span[i], last[0, i], 1e-4f);
    }

    [Fact]
    public async Task Append_AFullCanvas_NothingButItsEndFollows()
    {
        using var stream = _model.Begin();
        var logits = await stream.AppendAsync(Tensor.Create(Ids("abcde"), 1, Canvas), CancellationToken.None);
        Assert.Equal(WordStream.EndOfWord, LogitProcessing.ArgMax(logits.Span));
        Assert.Equal(1, logits.Span.ToArray().Count(float.IsFinite));
    }

    [Fact]
    public async Task Observe_Bits_AreThoseOfCharactersAndEndsOfWords()
    {
        var observed = await TinyModel.ObserveAsync(_model, new LearnYourTokensOptions(), "to be", "to be or not to be or");
        var whole = await ForwardAsync([".", "to", "be"]);
        double Bits(int word, int character, int id) => -Math.Log2(LogitProcessing.Probabilities(whole.Logits.Slice(word).Slice(character).Span)[id]);
        var (to, be) = (Ids("to"), Ids("be"));
        double[] expected = [Bits(0, 0, to[0]), Bits(0, 1, to[1]), Bits(0, 2, WordStream.EndOfWord), Bits(1, 0, be[0]), Bits(1, 1, be[1])];
        foreach (var (a, b) in expected.Zip(TinyModel.Bits(observed[0]))) Assert.Equal(a, b, 1e-4);
        // A longer text is measured in stretches of the block, the first of which begins alike.
        Assert.Equal(21, TinyModel.Bits(observed[1]).Length);
        foreach (var (a, b) in expected.Zip(TinyModel.Bits(observed[1]))) Assert.Equal(a, b, 1e-4);
    }

    [Fact]
    public async Task Generate_SameSeed_GivesTheSameText()
    {
        var drawn = new TextGenerationOptions { MaxNewTokens = 30, Temperature = 1 };
        Assert.Equal(await TinyModel.GenerateAsync(_model, "to b", drawn, 3), await TinyModel.GenerateAsync(_model, "to b", drawn, 3));
        Assert.NotEqual(await TinyModel.GenerateAsync(_model, "to b", drawn, 3), await TinyModel.GenerateAsync(_model, "to b", drawn, 4));
    }

    private static int[] Ids(string word) => CharacterVocabulary.OfBytes(384).Encode(word);

    private async Task<(Tensor<float> Vectors, Tensor<float> Logits)> ForwardAsync(string[] words)
    {
        var (ids, lengths) = WordStream.Canvas([.. words.Select(Ids)], Canvas);
        var results = await _model.CallAsync("forward", new CallArguments().With("idx", ids).With("mask", lengths));
        return ((Tensor<float>)results.Tensor("query"), ((Tensor<float>)results.Tensor("logits")).Slice(0));
    }

    private static float[] Row(Tensor<float> x, int place) => x.Slice(0).Slice(place).Span.ToArray();

    private static void Near(Tensor<float> a, Tensor<float> b) => Assert.All(a.Span.ToArray().Zip(b.Span.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));

    private static bool Apart(Tensor<float> a, Tensor<float> b) => a.Span.ToArray().Zip(b.Span.ToArray()).Any(pair => Math.Abs(pair.First - pair.Second) > 1e-3);
}
