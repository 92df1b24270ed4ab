using System.Text;
using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;
using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Papers;

/// <summary>What the papers' rows say that running them means, by the verbs.</summary>
public sealed class FinerVerbsTests
{
    private static string Case(string architecture, string @case) => Repository.Path("tests", "parity", "text-tokenizers", architecture, @case);

    private static async Task<IModel> Open(string architecture, string? folder)
    {
        var source = new ModelSource { Id = ModelId.Parse($"text-tokenizers/{architecture}"), Folder = folder, Services = HostServices.Instance };
        return await new TextTokenizersPlugin().Architectures.Single(row => row.Card.Id == source.Id.ToString()).Open(source, CancellationToken.None);
    }

    private static async Task<string> Generate(IModel model, string prompt, ExactByteOptions options, ulong seed)
    {
        Media? last = null;
        await foreach (var step in model.Get<IGenerate>().GenerateAsync(new(prompt), options, seed)) last = step.Value;
        return last!.Expect<Text>().Value;
    }

    [Fact]
    public async Task ExactBytes_Generate_DrawsByteByByteFromWithinATokenOn()
    {
        await using var model = await Open("exact-byte-probabilities", Path.Combine(Case("exact-byte-probabilities", "next-byte-a"), "checkpoint"));
        const string Prompt = "free softw";
        var chances = JsonElement.Parse(await Generate(model, Prompt, new() { Chances = true }, 0)).GetProperty("next_byte").EnumerateArray().Select(chance => chance.GetDouble()).ToArray();
        Assert.Equal(1, chances.Sum(), 9);
        var braced = await Generate(model, "{free softw\n{\"text\": \"free softw\"}", new() { Chances = true }, 0);
        Assert.Equal(2, braced.Count(letter => letter == '\n'));
        var greedy = await Generate(model, Prompt, new() { MaxBytes = 1, Greedy = true }, 0);
        var best = Array.IndexOf(chances, chances.Max());
        Assert.Equal(best == 0xE2 ? Prompt + " " : best < 128 ? Prompt + (char)best : Prompt, greedy);
        var drawn = await Generate(model, Prompt, new() { MaxBytes = 3 }, 7);
        Assert.StartsWith(Prompt, drawn, StringComparison.Ordinal);
        Assert.InRange(drawn.Length, Prompt.Length, Prompt.Length + 3);
        Assert.Equal(drawn, await Generate(model, Prompt, new() { MaxBytes = 3 }, 7));
        Assert.Contains("two words", (await Assert.ThrowsAsync<MediaException>(() => Generate(model, "free", new(), 0))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ExactBytes_Evaluate_BitsAreThoseOfEachNextByte()
    {
        await using var model = await Open("exact-byte-probabilities", Path.Combine(Case("exact-byte-probabilities", "next-byte-a"), "checkpoint"));
        var metric = ExactByteVerbs.BitsPerByte.Start();
        await foreach (var observation in model.Get<IEvaluate>().ObserveAsync(new[] { new Example("a", new Text("free s i")), new Example("b", new Text("word")) }.ToAsyncEnumerable(), new NoOptions(), 0)) metric.Add(observation);
        var expected = 0.0;
        foreach (var (before, next) in new[] { ("free ", 's'), ("free s", 0xE2), ("free s ", 'i') })
        {
            var line = JsonElement.Parse(await Generate(model, before, new() { Chances = true }, 0));
            expected -= Math.Log2(line.GetProperty("next_byte")[next].GetDouble()) / 3;
        }

        Assert.Equal((1, 1), (metric.Result()!.Count, metric.Result()!.LeftOut));
        Assert.Equal(expected, metric.Result()!.Value, 9);
    }

    [Fact]
    public async Task Cad_TokenizeAndBack_AreTheCodesAndTheSequence()
    {
        var folder = Case("cad-tokenizer", "tiny");
        await using var model = await Open("cad-tokenizer", Path.Combine(folder, "checkpoint"));
        IReadOnlyDictionary<string, Tensor> Read(string file) => TensorArchive.Read(File.ReadAllBytes(Path.Combine(folder, file)), file);
        var (inputs, expected) = (Read("inputs.safetensors"), Read("expected.safetensors"));
        var program = new NamedTensors(new Dictionary<string, Tensor> { ["ids"] = inputs["ids"].As<long>().Slice(0), ["span"] = inputs["span"].As<long>().Slice(0) });
        var tokenizer = model.Get<ITokenize>();
        var tokens = await tokenizer.TokenizeAsync(program, new NoOptions());
        Assert.Equal(expected["codes"].As<long>().Slice(0).Span.ToArray(), tokens.Ids.Span.ToArray().Select(id => (long)id));
        var again = (await tokenizer.DetokenizeAsync(tokens, new NoOptions())).Expect<NamedTensors>();
        Assert.Equal(expected["sequence"].As<long>().Slice(0).Span.ToArray(), again.Values["ids"].As<long>().Span.ToArray());
        await foreach (var observation in model.Get<IEvaluate>().ObserveAsync(new[] { new Example("a", program) }.ToAsyncEnumerable(), new NoOptions(), 0))
        {
            foreach (var metric in CadVerbs.Metrics)
            {
                var figure = metric.Start();
                figure.Add(observation);
                Assert.InRange(figure.Result()!.Value, 0, 1);
            }
        }

        NamedTensors With(params long[] span) => new(new Dictionary<string, Tensor> { ["ids"] = Tensor.Create([5L, 6], 2), ["span"] = Tensor.Create(span, span.Length) });
        foreach (var wrong in new[] { With(0), With(0, 99), With(0, 2), With(-1, -1), With(-2, 0) }) await Assert.ThrowsAsync<MediaException>(async () => await tokenizer.TokenizeAsync(wrong, new NoOptions()));
    }

    [Fact]
    public async Task CadPrograms_Lines_AreProgramsOrRefusedByPlace()
    {
        var file = Path.GetTempFileName() + ".jsonl";
        try
        {
            File.WriteAllText(file, "{\"ids\": [12, 11], \"span\": [0, 0], \"label\": \"bracket\"}\n\n{\"ids\": [1.5]}\n");
            var reader = new CadPrograms();
            Assert.True(reader.CanRead(file));
            var read = new List<Example>();
            var error = await Assert.ThrowsAsync<ModelZooException>(async () =>
            {
                await foreach (var example in reader.ReadAsync(file, null!)) read.Add(example);
            });
            Assert.Equal(ErrorCodes.DatasetInvalid, error.Code);
            Assert.EndsWith(":3", error.Where, StringComparison.Ordinal);
            Assert.Equal([12L, 11], Assert.Single(read).Media.Expect<NamedTensors>().Values["ids"].As<long>().Span.ToArray());
            Assert.Equal("bracket", read[0].Label);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData(true, 0, 1, 2, 3)]
    [InlineData(true, 0, 0, 1, 0, 1, 2, 3, 0, 1, 2, 3)]
    [InlineData(false, 0, 1, 2)]
    [InlineData(false, 1, 2, 3)]
    [InlineData(false, 0, 1, 3)]
    public void CadGrammar_Accepts_SketchesAndExtrusions(bool accepted, params int[] codes)
    {
        var grammar = new CadGrammar([0, 1, 2, 3], codesPerPrimitive: 1);
        var allowed = true;
        foreach (var code in codes)
        {
            allowed &= grammar.Allows(code, int.MaxValue);
            if (allowed) grammar.Take(code);
        }

        Assert.Equal(accepted, allowed && grammar.MayEnd);
    }

    [Theory]
    [InlineData("hash-a")]
    [InlineData("entire-words-b")]
    public async Task TFree_TokenizeAndBack_RowsOfEachWordAndTheText(string @case)
    {
        await using var model = await Open("t-free", Path.Combine(Case("t-free", @case), "checkpoint"));
        const string Sample = "Hello  world, it's 2024\nça";
        var tokenizer = model.Get<ITokenize>();
        var tokens = await tokenizer.TokenizeAsync(new Text(Sample), new NoOptions());
        var call = (await model.Get<IReferenceCalls>().CallAsync("encode", new CallArguments().With("lines", [JsonSerializer.SerializeToElement(new { text = "Hello" })]))).Find("lines");
        var word = ((IReadOnlyList<JsonElement>)call!)[0].GetProperty("encoding")[0];
        var rows = (word.TryGetProperty("active", out var active) ? active : word.GetProperty("hash")).EnumerateArray().Select(row => row.GetInt32());
        var width = (int)tokens.Ids.Shape[1];
        Assert.Equal(rows.ToHashSet(), tokens.Ids.Span[..width].ToArray().ToHashSet());
        Assert.Equal(Sample, (await tokenizer.DetokenizeAsync(tokens, new NoOptions())).Expect<Text>().Value);
        await Assert.ThrowsAsync<MediaException>(async () => await tokenizer.DetokenizeAsync(tokens with { Extras = new Dictionary<string, Tensor>() }, new NoOptions()));
        Assert.Equal(0, (await tokenizer.TokenizeAsync(new Text(""), new NoOptions())).Ids.Length);
    }

    [Fact]
    public void GreedTok_Encode_CoversByRankAndTakesWholePortions()
    {
        byte[][] picked = [.. new[] { "bc", "ab", "abc", "cd", " cab", "zz" }.Select(Encoding.UTF8.GetBytes)];
        var codec = new GreedTokCodec(picked);
        string Pieces(string text) => string.Join('|', codec.Encode(text).Select(id => Encoding.Latin1.GetString(codec.Spelling(id))));
        Assert.Equal("abc", Pieces("abc"));
        Assert.Equal("abc|ab", Pieces("abcab"));
        Assert.Equal("abc|d", Pieces("abcd"));
        Assert.Equal("b|bc|d", Pieces("bbcd"));
        Assert.Equal("abc| cab|zz", Pieces("abc cabzz"));
        Assert.Equal("\u00C3|\u00A9|ab", Pieces("éab"));
        Assert.Equal(6 + 256, codec.VocabularySize);
        Assert.Equal("abc é zzz\n ab", codec.Decode(codec.Encode("abc é zzz\n ab")));
    }

    [Fact]
    public async Task GreedTok_Train_WritesWhatTokenizeOpens()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var corpus = Path.Combine(folder.FullName, "corpus.txt");
            File.WriteAllText(corpus, string.Concat(Enumerable.Repeat("the other mother, the brother\n", 50)));
            await using var trainer = await Open("greedtok", null);
            var result = await trainer.Get<ITrain>().TrainAsync([corpus], folder.FullName, new GreedTokOptions { Steps = 12 }, new Progress<TrainingProgress>());
            Assert.Equal(["added_tokens.txt"], result.Files);
            await using var model = await Open("greedtok", folder.FullName);
            const string Sample = "the other mother";
            var tokens = await model.Get<ITokenize>().TokenizeAsync(new Text(Sample), new NoOptions());
            Assert.InRange(tokens.Ids.Length, 1, 8);
            Assert.Equal(Sample, (await model.Get<ITokenize>().DetokenizeAsync(tokens, new NoOptions())).Expect<Text>().Value);
            Assert.Equal(tokens.Ids.Length, tokens.Spans.Count);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
