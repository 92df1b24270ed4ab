using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class HuginnTests
{
    private static readonly int[] Ids = [3, 14, 15, 9, 26, 5, 35, 8, 9, 7];

    private static readonly HuginnConfig Config = new() { NEmbd = 32, NHeads = 2, BlockSize = 48, VocabSize = 64, IntermediateSize = 48, MeanRecurrence = 8 };

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task Append_TokenByToken_GivesWhatTheWholeGives(int steps)
    {
        await using var model = await TinyModel.OpenAsync<HuginnModel>(HuginnModel.Architecture);
        var options = new HuginnGenerateOptions { Steps = steps };
        var whole = await ForwardAsync(model, Ids, HuginnState.Draw(Config, 0, Ids.Length, 1, seed: 7), steps);
        using var stream = model.Begin(options, seed: 7);
        var first = await stream.AppendAsync(Tensor.Create(Ids[..4], 1, 4), default);
        TinyModel.Near(whole.Slice(0).Slice(3).Span, first.Span);
        for (var i = 4; i < Ids.Length; i++)
        {
            var logits = await stream.AppendAsync(Tensor.Create([Ids[i]], 1, 1), default);
            TinyModel.Near(whole.Slice(0).Slice(i).Span, logits.Span);
        }

        Assert.All(stream.Steps, taken => Assert.Equal(steps, taken));
    }

    [Fact]
    public async Task Append_BeyondTheLongestText_IsRefused()
    {
        await using var model = await TinyModel.OpenAsync<HuginnModel>(HuginnModel.Architecture);
        using var stream = model.Begin(new() { Steps = 1 }, seed: 0);
        var error = await Assert.ThrowsAsync<MediaException>(async () => await stream.AppendAsync(Tensor.Zeros<int>(1, 49), default));
        Assert.Equal("49", error.Found);
    }

    [Fact]
    public void Draw_OfAPosition_DoesNotDependOnWhatIsDrawnBesides()
    {
        var whole = HuginnState.Draw(Config, 0, 6, 1, seed: 3);
        Assert.Equal(whole.Slice(0).Slice(4).Span.ToArray(), HuginnState.Draw(Config, 4, 1, 1, seed: 3).Span.ToArray());
        Assert.NotEqual(whole.Slice(0).Slice(4).Span.ToArray(), HuginnState.Draw(Config, 4, 1, 1, seed: 4).Span.ToArray());
    }

    [Fact]
    public void Draw_ManyNumbers_HaveTheDeviationAndNoTails()
    {
        var config = new HuginnConfig { NEmbd = 4096, NHeads = 32 };
        var numbers = HuginnState.Draw(config, 0, 32, 1, seed: 1).Span.ToArray();
        var deviation = config.StateDeviation * config.EmbedScale;
        Assert.All(numbers, number => Assert.InRange(Math.Abs(number), 0, 3 * deviation));
        // A normal distribution that is cut at three deviations has 0.9866 of its deviation.
        Assert.InRange(Math.Sqrt(numbers.Average(number => (double)number * number)) / deviation, 0.982, 0.991);
        Assert.Equal(0, HuginnState.Draw(config, 0, 1, 0, seed: 1).Span[0]);
    }

    [Fact]
    public async Task Generate_ByItsTokenizer_SeedDecidesAndPartsGoOn()
    {
        var companions = new Letters();
        await using var model = await OpenAsync(companions);
        var options = new HuginnGenerateOptions { MaxNewTokens = 8, Temperature = 1, Steps = 3 };
        var text = await TinyModel.GenerateAsync(model, "zebra", options, seed: 5);
        Assert.Equal(8, text.Length);
        Assert.Equal(text, await TinyModel.GenerateAsync(model, "zebra", options, seed: 5));
        Assert.NotEqual(text, await TinyModel.GenerateAsync(model, "zebra", options, seed: 6));
        Assert.Equal(text[..3], await TinyModel.GenerateAsync(model, "zebra", options with { Stop = [text[3..5], ""] }, seed: 5));
        Assert.Equal(1, companions.Opened);
    }

    [Fact]
    public async Task Generate_IdsBeyondTheTokenizers_StandForNothing()
    {
        await using var model = await OpenAsync(new Letters { Count = 2 });
        var text = await TinyModel.GenerateAsync(model, "@", new HuginnGenerateOptions { MaxNewTokens = 12, Temperature = 100, Steps = 1 }, seed: 1);
        Assert.InRange(text.Length, 0, 6);
    }

    [Fact]
    public async Task Generate_MoreThanTheLongestText_EndsThere()
    {
        await using var model = await OpenAsync(new Letters());
        var options = new HuginnGenerateOptions { MaxNewTokens = 1000, Steps = 1 };
        Assert.Equal(48 - 5 + 1, (await TinyModel.GenerateAsync(model, "zebra", options)).Length);
        Assert.Equal("49", (await Assert.ThrowsAsync<MediaException>(() => TinyModel.GenerateAsync(model, new('a', 49), options))).Found);
    }

    [Fact]
    public async Task Evaluate_Texts_MeasuresThemInStretches()
    {
        await using var model = await OpenAsync(new Letters());
        const string text = "the whole and its parts";
        async Task<double> BitsAsync(string part, int context) => TinyModel.Bits((await TinyModel.ObserveAsync(model, new HuginnEvaluateOptions { Steps = 2, StateScale = 0, Context = context }, part))[0]).Sum();
        var whole = await BitsAsync(text, 1024);
        // Stretches share a token: what the one ends with, the next goes on from.
        Assert.Equal(await BitsAsync(text[..8], 1024) + await BitsAsync(text[7..15], 1024) + await BitsAsync(text[14..22], 1024) + await BitsAsync(text[21..], 1024), await BitsAsync(text, 8), 9);
        Assert.NotEqual(whole, await BitsAsync(text, 8), 3);
        var observed = await TinyModel.ObserveAsync(model, new HuginnEvaluateOptions { Steps = 1 }, "", "Käse");
        Assert.Equal([0, 5], observed.Select(observation => ((NamedTensors)observation.Output!).Values[ByteMetrics.Bytes].As<long>().Span[0]));
    }

    [Fact]
    public async Task Generate_WithoutATokenizer_SaysWhatIsMissing()
    {
        await using var model = await TinyModel.OpenAsync<HuginnModel>(HuginnModel.Architecture);
        var error = await Assert.ThrowsAsync<CheckpointException>(() => TinyModel.GenerateAsync(model, "a", new HuginnGenerateOptions()));
        Assert.Equal("tokenizer.json or tokenizer.model", error.Expected);
    }

    private static async Task<Tensor<float>> ForwardAsync(HuginnModel model, int[] ids, Tensor<float> states, int steps)
    {
        var arguments = new CallArguments().With("input_ids", Tensor.Create(Array.ConvertAll(ids, id => (long)id), 1, ids.Length)).With("input_states", states).With("num_steps", System.Text.Json.JsonSerializer.SerializeToElement(steps));
        return (Tensor<float>)(await model.CallAsync("forward", arguments)).Tensor("logits");
    }

    // The tiny model beside a file that says where its tokenizer would be; what is in it does not matter here.
    private static async Task<HuginnModel> OpenAsync(Letters companions)
    {
        var @case = ParityCasesAttribute.Find(HuginnModel.Architecture.Card.Id, shared: false)[0];
        var folder = Directory.CreateTempSubdirectory("huginn").FullName;
        foreach (var file in Directory.GetFiles(@case.CheckpointFolder!)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), "{}");
        return (HuginnModel)await HuginnModel.Architecture.Open(new() { Id = @case.Model, Folder = folder, Parts = @case.Checkpoint, Services = companions }, default);
    }

    // A tokenizer of another plugin: letters, each 32 higher than its id.
    private sealed record LetterOptions : ModelOptions
    {
        public bool AddSpecialTokens { get; init; }

        public bool SkipSpecialTokens { get; init; }
    }

    private sealed class Letters : IServiceProvider, ICompanions, IModel, ITokenize<Text, LetterOptions>
    {
        public int Opened { get; private set; }

        public ModelFacts Facts => new();

        public int Count { get; init; } = 64;

        public TokenSpace Space => new("test/letters", TokenLayout.Flat, [Count], "letters");

        public object? GetService(Type serviceType) => serviceType == typeof(ICompanions) ? this : HostServices.Instance.GetService(serviceType);

        public Task<IModel> OpenAsync(ModelId architecture, string folder, CancellationToken cancel = default)
        {
            Assert.Equal("text-tokenizers/tokenizer-json", architecture.ToString());
            Opened++;
            return Task.FromResult<IModel>(this);
        }

        public ValueTask<Tokens> TokenizeAsync(Text media, LetterOptions options, CancellationToken cancel = default) =>
            ValueTask.FromResult(new Tokens(Space, Tensor.Create(media.Value.Select(letter => letter % 64).ToArray(), media.Value.Length)));

        public ValueTask<Text> DetokenizeAsync(Tokens tokens, LetterOptions options, CancellationToken cancel = default) =>
            ValueTask.FromResult(new Text(string.Concat(tokens.Expect(Space).Ids.Span.ToArray().Select(id => (char)(id + 32)))));

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
