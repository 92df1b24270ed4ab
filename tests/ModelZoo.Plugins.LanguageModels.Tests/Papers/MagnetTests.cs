using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels.Tests.Papers;

public sealed class MagnetTests : IAsyncLifetime
{
    private const string Words = "Segments close where bytes say so: Привет, नमस्ते!";
    private MagnetModel _model = null!;

    public async Task InitializeAsync() => _model = await TinyModel.OpenAsync<MagnetModel>(MagnetModel.Architecture);

    public Task DisposeAsync() => _model.DisposeAsync().AsTask();

    [Theory, InlineData("latin"), InlineData("deva"), InlineData("cyrl"), InlineData("auto")]
    public async Task Tokenize_AnyScript_SegmentsAreTheBytes(string script)
    {
        var tokens = await _model.TokenizeAsync(new(Words), new() { Script = script });
        Assert.Equal(Encoding.UTF8.GetByteCount(Words), TinyModel.PieceLengths(tokens).Sum());
        Assert.Equal(Words, (await _model.DetokenizeAsync(tokens, new())).Value);
    }

    [Fact]
    public async Task Tokenize_OtherScripts_UseOtherPredictors()
    {
        var hidden = (await _model.Hourglass.Encoder.RunAsync(("ids", Ids(Words)), _model.Hourglass.Encoder.Begin(), CancellationToken.None)).Outputs["hidden"];
        var (latin, deva) = (await PredictAsync("latin"), await PredictAsync("deva"));
        Assert.All(latin.Zip(deva), pair => Assert.NotEqual(pair.First, pair.Second));
        Assert.NotEqual(TinyModel.PieceLengths(await _model.TokenizeAsync(new(Words), new() { Script = "latin" })), TinyModel.PieceLengths(await _model.TokenizeAsync(new(Words), new() { Script = "deva" })));

        async Task<float[]> PredictAsync(string script) => (await _model.Hourglass.PredictAsync(MagnetConfig.Predictor(script), hidden, CancellationToken.None)).Span.ToArray();
    }

    [Fact]
    public async Task Forward_ALaterByteChanged_LeavesEarlierPredictions()
    {
        var ids = Ids(Words);
        var before = await LogitsAsync(ids);
        for (var changed = 1; changed < ids.Length; changed += 7)
        {
            var other = Tensor.Create(ids.Span.ToArray(), ids.Shape);
            other[0, changed] = 200;
            var after = await LogitsAsync(other);
            // Row t predicts byte t + 1.
            for (var t = 0; t < changed; t++) AssertNear(before[t], after[t]);
            Assert.True(changed == ids.Length - 1 || before[changed].Zip(after[changed]).Any(pair => Math.Abs(pair.First - pair.Second) > 1e-3));
        }
    }

    [Fact]
    public async Task Run_MoreThanAStretch_GivesWhatItGivesInOtherParts()
    {
        var encoder = _model.Hourglass.Encoder;
        var ids = Enumerable.Range(0, 2 * CausalStack.Stretch + 90).Select(i => (long)(i * 37 % 250)).ToArray();
        Tensor<long> Rows(int first, int end) => Tensor.Create([.. ids[first..end], .. ids[first..end].Select(id => id + 5)], 2, end - first);
        var whole = (await encoder.RunAsync(("ids", Rows(0, ids.Length)), encoder.Begin(2), CancellationToken.None)).Outputs["hidden"];
        var past = encoder.Begin(2);
        for (var (first, next) = (0, 300); first < ids.Length; first = next, next = Math.Min(first + 300, ids.Length))
        {
            (var outputs, past) = await encoder.RunAsync(("ids", Rows(first, next)), past, CancellationToken.None);
            for (var row = 0; row < 2; row++) AssertNear(whole.Place(row, next - 1).ToArray(), outputs["hidden"].Place(row, next - 1 - first).ToArray());
        }
    }

    [Fact]
    public async Task Append_ByteByByte_EqualsTheWholeTextAtOnce()
    {
        var whole = await LogitsAsync(Ids(Words));
        var stepped = new HourglassByteModel(_model.Hourglass, new(_model.Hourglass, MagnetConfig.Predictor("latin")));
        var ids = Ids(Words).Span[..].ToArray();
        for (var (t, next) = (0, 5); t < ids.Length - 1; t = next, next = Math.Min(t + 1 + t % 3, ids.Length - 1))
        {
            var logits = await stepped.AppendAsync(Tensor.Create([.. ids[t..next].Select(id => (int)id)], 1, next - t), CancellationToken.None);
            AssertNear(whole[next - 1], logits.Span.ToArray());
        }
    }

    [Fact]
    public async Task Append_BetweenBoundaries_LeavesTheMiddleAlone()
    {
        var reader = new HourglassReader(_model.Hourglass, MagnetConfig.Predictor("latin"));
        var runs = _model.Hourglass.Middle.Runs;
        var groups = 0;
        foreach (var id in Ids(Words).Span.ToArray())
        {
            var read = await reader.ReadAsync((int[])[(int)id], CancellationToken.None);
            groups += read.Boundaries[0] ? 1 : 0;
        }

        // Once for the null group, with the first byte, and once for each segment.
        Assert.InRange(groups, 2, Words.Length);
        Assert.InRange(_model.Hourglass.Middle.Runs - runs, groups, groups + 1);
    }

    [Fact]
    public async Task Forward_Batched_EqualsSingle()
    {
        var rows = new[] { "first row", "a second", "and third" }.Select((text, i) => (long[])[259 + i, .. Ids(text).Span[..8]]).ToArray();
        var together = await CallAsync(Tensor.Create([.. rows.SelectMany(row => row)], 3, 9));
        for (var row = 0; row < 3; row++)
        {
            var alone = await CallAsync(Tensor.Create(rows[row], 1, 9));
            for (var t = 0; t < 7; t++) AssertNear(alone.Slice(t).Slice(0).Span.ToArray(), together.Slice(t).Slice(row).Span.ToArray());
        }

        async Task<Tensor<float>> CallAsync(Tensor<long> ids) => (Tensor<float>)(await _model.CallAsync("forward", new CallArguments().With("input_ids", ids))).Tensor("logits");
    }

    [Fact]
    public async Task Observe_TextsOfTwoScripts_AreGroupedAndMeasuredOverAllTheirBytes()
    {
        var observed = await TinyModel.ObserveAsync(_model, new MagnetEvaluateOptions(), "plain words", "простые слова");
        Assert.Equal(["latin", "cyrl"], observed.Select(observation => observation.Group));
        var pieces = ByteMetrics.PiecesPerText.Start();
        pieces.Add(observed[1]);
        var tokens = await _model.TokenizeAsync(new("простые слова"), new());
        Assert.Equal(TinyModel.PieceLengths(tokens).Length, pieces.Result()!.Value);
        Assert.Equal([11, 25], observed.Select(observation => TinyModel.Bits(observation).Length));
        var short1 = await TinyModel.ObserveAsync(_model, new MagnetEvaluateOptions { Context = 4 }, "plain words");
        Assert.Equal(TinyModel.Bits(observed[0])[..4], TinyModel.Bits(short1[0])[..4]);
    }

    [Fact]
    public async Task Generate_SameSeed_GivesTheSameTextAndGreedyTakesTheLikeliest()
    {
        var drawn = new MagnetGenerateOptions { MaxNewTokens = 12, Temperature = 1 };
        Assert.Equal(await TinyModel.GenerateAsync(_model, "abc", drawn, 3), await TinyModel.GenerateAsync(_model, "abc", drawn, 3));
        Assert.NotEqual(await TinyModel.GenerateAsync(_model, "abc", drawn, 3), await TinyModel.GenerateAsync(_model, "abc", drawn, 4));
    }

    [Theory, InlineData("hello", "latin"), InlineData("мир 3", "cyrl"), InlineData("తెలుగు x", "deva"), InlineData("123", "latin"), InlineData("", "latin")]
    public void Choose_Auto_GoesByTheLetters(string text, string script) => Assert.Equal(script, MagnetScripts.Choose("auto", text, ["latin", "deva", "cyrl"]));

    [Fact]
    public void Choose_AScriptThatIsNotThere_IsRefused() => Assert.Equal("greek", Assert.Throws<OptionsException>(() => MagnetScripts.Choose("greek", "x", ["latin"])).Found);

    private static Tensor<long> Ids(string text)
    {
        long[] ids = [1, .. Encoding.UTF8.GetBytes(text).Select(value => value + 3L)];
        return Tensor.Create(ids, 1, ids.Length);
    }

    // Rows of the published call, which sees the text behind a script's id.
    private async Task<float[][]> LogitsAsync(Tensor<long> ids)
    {
        var logits = (Tensor<float>)(await _model.CallAsync("forward", new CallArguments().With("input_ids", Tensor.Create([259, .. ids.Span], 1, ids.Length + 1)))).Tensor("logits");
        return [.. Enumerable.Range(0, (int)logits.Shape[0]).Select(t => logits.Slice(t).Span.ToArray())];
    }

    private static void AssertNear(float[] expected, float[] actual) => Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-4f));
}
