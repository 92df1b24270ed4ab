using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Recommenders.Tests;

/// <summary>The verbs for people, over the parity cases' small checkpoints with the files that a data set brings beside them.</summary>
public sealed class RecommendTests : IDisposable
{
    private readonly List<string> _folders = [];

    public void Dispose()
    {
        foreach (var folder in _folders) Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("recgpt-fsq")]
    [InlineData("unigrec")]
    [InlineData("setrec")]
    [InlineData("setrec-qwen")]
    [InlineData("letter-lcrec")]
    public async Task Observe_Batched_EqualsSingle(string architecture)
    {
        await using var model = await OpenAsync(architecture);
        var histories = new[] { new Items(["3", "1", "2"]), new Items(["4"]), new Items(["7", "5", "9", "11", "2"]) };
        var (evaluate, observed) = (model.Get<IEvaluate>(), new List<Observation>());
        await foreach (var observation in evaluate.ObserveAsync(Examples(histories), evaluate.EvaluateOptions.Defaults, 0)) observed.Add(observation);
        for (var i = 0; i < histories.Length; i++)
        {
            var alone = await RecommendAsync(model, histories[i]);
            var beside = (Items)observed[i].Output!;
            Assert.NotEmpty(alone.Ids);
            Assert.Equal(alone.Ids, beside.Ids);
            Assert.Equal(alone.Ids.Count, alone.Ids.Distinct().Count());
            Assert.Equal(alone.Scores!.OrderDescending(), alone.Scores!);
            for (var k = 0; k < alone.Ids.Count; k++) Assert.Equal(alone.Scores![k], beside.Scores![k], 1e-5);
        }
    }

    [Theory]
    [InlineData("recgpt-fsq", "no such item")]
    [InlineData("unigrec", "0")]
    [InlineData("setrec", "26")]
    [InlineData("letter-lcrec", "no such item")]
    public async Task Generate_UnknownItem_IsRefused(string architecture, string item)
    {
        await using var model = await OpenAsync(architecture);
        var error = await Assert.ThrowsAsync<MediaException>(() => RecommendAsync(model, new([item])));
        Assert.Equal(item, error.Where);
        await Assert.ThrowsAsync<MediaException>(() => RecommendAsync(model, new([])));
    }

    [Theory]
    [InlineData("recgpt-fsq", 32)]
    [InlineData("unigrec", 20)]
    public async Task Tokenize_ThereAndBackAndThere_IsStable(string architecture, int width)
    {
        await using var model = await OpenAsync(architecture);
        var tokenizer = model.Get<ITokenize>();
        var options = tokenizer.TokenizeOptions.Defaults;
        var tokens = await tokenizer.TokenizeAsync(new NamedTensors(new Dictionary<string, Tensor> { ["item_embeddings"] = DataSetFiles.Noise(12, width) }), options);
        Assert.Equal(12, tokens.Ids.Shape[0]);
        var back = (NamedTensors)await tokenizer.DetokenizeAsync(tokens, options);
        Assert.Equal([12, width], back.Values["item_embeddings"].Shape.ToArray());
        await Assert.ThrowsAsync<MediaException>(async () => await tokenizer.TokenizeAsync(new NamedTensors(new Dictionary<string, Tensor>()), options));
    }

    [Fact]
    public async Task Tokenize_AnArrayWithoutAName_IsTheEmbeddings()
    {
        await using var model = await OpenAsync("unigrec");
        var (tokenizer, rows) = (model.Get<ITokenize>(), DataSetFiles.Noise(3, 20));
        ValueTask<Tokens> Of(string name, Tensor tensor) => tokenizer.TokenizeAsync(new NamedTensors(new Dictionary<string, Tensor> { [name] = tensor }), tokenizer.TokenizeOptions.Defaults);
        var named = await Of("item_embeddings", rows);
        Assert.Equal(named.Ids.Span.ToArray(), (await Of("array", rows)).Ids.Span.ToArray());
        Assert.Equal(named.Ids.Span.ToArray(), (await Of("array", Tensor.Create(Array.ConvertAll(rows.Span.ToArray(), value => (double)value), 3, 20))).Ids.Span.ToArray());
        rows[1, 7] = float.NaN;
        Assert.Equal("item 1", (await Assert.ThrowsAsync<MediaException>(async () => await Of("array", rows))).Where);
        Assert.Equal(ErrorCodes.MediaUnsupported, (await Assert.ThrowsAsync<MediaException>(async () => await Of("array", Tensor.Zeros<float>(0, 20)))).Code);
    }

    [Fact]
    public async Task RecGpt_HistoryLongerThanItsPositions_IsReadFromTheEnd()
    {
        await using var model = await OpenAsync("recgpt-fsq");
        string[] last = [.. Enumerable.Range(0, 16).Select(i => $"{i * 7 % 40}")];
        Assert.Equal((await RecommendAsync(model, new(last))).Ids, (await RecommendAsync(model, new(["1", "2", .. last]))).Ids);
    }

    [Theory]
    [InlineData("unigrec", 40)]
    [InlineData("letter-lcrec", 40)]
    public async Task Generate_MoreBeamsThanItems_RanksEachOnce(string architecture, int items)
    {
        await using var model = await OpenAsync(architecture);
        var ranked = await RecommendAsync(model, new(["3", "1"]), new KeyValuePair<string, string>("beams", "100"));
        Assert.Equal(items, ranked.Ids.Distinct().Count());
        Assert.Equal(items, ranked.Ids.Count);
        Assert.All(ranked.Scores!, score => Assert.InRange(score, -1000, 0));
    }

    [Fact]
    public async Task SetRecQwen_WithAWindow_GoesByTheAuthorsMaskAlone()
    {
        await using var plain = await OpenAsync("setrec-qwen");
        await using var windowed = await OpenAsync("setrec-qwen", ("config.json", "\"use_sliding_window\": false", "\"use_sliding_window\": true, \"sliding_window\": 2, \"max_window_layers\": 0"));
        var history = new Items(["3", "1", "2"]);
        Assert.Equal((await RecommendAsync(plain, history)).Scores, (await RecommendAsync(windowed, history)).Scores);
    }

    [Fact]
    public async Task UniGRec_WithHardCodes_TokenizesOnly()
    {
        await using var model = await OpenAsync("unigrec", ("rqvae_config.json", "\"soft\"", "\"standard\""));
        var tokenizer = model.Get<ITokenize>();
        var tokens = await tokenizer.TokenizeAsync(new NamedTensors(new Dictionary<string, Tensor> { ["item_embeddings"] = DataSetFiles.Noise(3, 20) }), tokenizer.TokenizeOptions.Defaults);
        Assert.Equal([3, 3], tokens.Ids.Shape.ToArray());
        var error = await Assert.ThrowsAsync<ModelZooException>(() => RecommendAsync(model, new(["3"])));
        Assert.Equal((ErrorCodes.VerbUnsupported, "standard"), (error.Code, error.Found));
    }

    [Theory]
    [InlineData("ntk")]
    [InlineData("linear")]
    [InlineData("longrope")]
    public async Task LcRec_RotarySettingsThatCannotBeUsed_AreRefusedByName(string kind)
    {
        var error = await Assert.ThrowsAsync<ModelZooException>(() => OpenAsync("letter-lcrec", ("config.json", "\"rope_type\": \"default\"", $"\"rope_type\": \"{kind}\"")));
        Assert.Equal(ErrorCodes.ConfigInvalid, error.Code);
        Assert.Contains(kind, error.Found, StringComparison.Ordinal);
        Assert.Contains("rope_parameters", error.Where, StringComparison.Ordinal);
    }

    private async Task<IModel> OpenAsync(string architecture, params (string File, string Text, string Instead)[] changes)
    {
        var source = Path.Combine(Directory.GetDirectories(Repository.Path("tests", "parity", "recommenders", architecture), "tiny-*").Single(), "checkpoint");
        var folder = Directory.CreateTempSubdirectory("recommend-").FullName;
        _folders.Add(folder);
        foreach (var file in Directory.GetFiles(source)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        foreach (var (file, text, instead) in changes) File.WriteAllText(Path.Combine(folder, file), File.ReadAllText(Path.Combine(folder, file)).Replace(text, instead, StringComparison.Ordinal));
        DataSetFiles.Write(architecture, folder);
        return await new RecommendersPlugin().Architectures.Single(one => one.Card.Id == $"recommenders/{architecture}").Open(
            new() { Id = ModelId.Parse($"recommenders/{architecture}"), Folder = folder, Services = HostServices.Instance }, CancellationToken.None);
    }

    private static async Task<Items> RecommendAsync(IModel model, Items history, params KeyValuePair<string, string>[] options)
    {
        var generate = model.Get<IGenerate>();
        await foreach (var step in generate.GenerateAsync(new(null, [history]), generate.GenerateOptions.Bind(options), 0))
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
