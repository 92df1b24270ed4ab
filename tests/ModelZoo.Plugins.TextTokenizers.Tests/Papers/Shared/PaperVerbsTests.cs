using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Papers.Shared;

/// <summary>The papers as a user has them: by the verbs, on the small cases' checkpoints.</summary>
public sealed class PaperVerbsTests
{
    private const string Sample = "The othersource machine, Häuser of 2024\n日本 👩.";

    private static async Task<IModel> Open(string architecture, string @case)
    {
        var source = new ModelSource { Id = ModelId.Parse($"text-tokenizers/{architecture}"), Folder = Repository.Path("tests", "parity", "text-tokenizers", architecture, @case, "checkpoint"), Services = HostServices.Instance };
        return await new TextTokenizersPlugin().Architectures.Single(row => row.Card.Id == source.Id.ToString()).Open(source, CancellationToken.None);
    }

    private static async Task<Media> Generate(IModel model, Prompt prompt, CallOptions options)
    {
        Media? result = null;
        await foreach (var step in model.Get<IGenerate>().GenerateAsync(prompt, options, 0)) result = step.Value;
        return result!;
    }

    [Theory]
    [InlineData("pathpiece", "segment-a")]
    [InlineData("sage-tokenizer", "ablation-a")]
    [InlineData("boundlessbpe", "deletions-a")]
    [InlineData("lib-tokenizer", "segment-a")]
    [InlineData("dynamic-tokenization", "batch-bpe-a")]
    [InlineData("binary-bpe", "bytes-a")]
    public async Task Tokenize_TokensThatSpellTheText_SayWhereTheyStandAndComeBack(string architecture, string @case)
    {
        await using var model = await Open(architecture, @case);
        var tokenizer = model.Get<ITokenize>();
        var tokens = await tokenizer.TokenizeAsync(new Text(Sample), tokenizer.TokenizeOptions.Defaults);
        Assert.Equal(tokens.Ids.Length, tokens.Spans.Count);
        Assert.Equal(0, tokens.Spans[0].Start);
        Assert.Equal(Sample.Length, tokens.Spans[^1].End);
        Assert.All(tokens.Spans.Zip(tokens.Spans.Skip(1)), pair => Assert.True(pair.Second.Start <= pair.First.End && pair.Second.End >= pair.First.End));
        Assert.Equal(Sample, (await tokenizer.DetokenizeAsync(tokens, tokenizer.TokenizeOptions.Defaults)).Expect<Text>().Value);
    }

    private static async Task<(Tokens Tokens, string[] Pieces)> Place(string architecture, string @case, string text)
    {
        await using var model = await Open(architecture, @case);
        var tokenizer = model.Get<ITokenize>();
        var tokens = await tokenizer.TokenizeAsync(new Text(text), tokenizer.TokenizeOptions.Defaults);
        Assert.Equal(tokens.Ids.Length, tokens.Spans.Count);
        return (tokens, [.. tokens.Spans.Select(span => text[(int)span.Start..(int)span.End])]);
    }

    [Fact]
    public async Task Tokenize_TokensWithMeaning_CapitalMarksStandForNothingAndLettersForThemselves()
    {
        const string Text = "Evlerden \n İstanbul'a 😀k";
        var (_, pieces) = await Place("tokens-with-meaning", "turkish-a", Text);
        Assert.Equal("", pieces[0]);
        Assert.Equal(Text.Replace("\n", "", StringComparison.Ordinal), string.Concat(pieces));
        Assert.Equal(2, pieces.Count(piece => piece.Length == 0));
    }

    [Fact]
    public async Task Tokenize_Myte_BytesOfACodeStandForAllOfIt()
    {
        const string Text = "The others\u0130 日本";
        var (tokens, pieces) = await Place("myte", "rewrite-a", Text);
        Assert.Equal(0, tokens.Spans[0].Start);
        Assert.Equal(Text.Length, tokens.Spans[^1].End);
        Assert.All(tokens.Spans.Zip(tokens.Spans.Skip(1)), pair => Assert.True(pair.Second.Start >= pair.First.Start && pair.Second.Start <= pair.First.End));
        Assert.DoesNotContain("", pieces);
    }

    [Fact]
    public async Task Tokenize_Flota_EntriesStandWhereTheyWereFound()
    {
        const string Text = "undesirable  properties";
        var (tokens, pieces) = await Place("flota", "gpt2-a", Text);
        await using var model = await Open("flota", "gpt2-a");
        var words = (await model.Get<ITokenize>().DetokenizeAsync(tokens, new FlotaOptions())).Expect<Text>().Value;
        Assert.Equal(words.Replace(" ", "", StringComparison.Ordinal), string.Concat(pieces));
        Assert.All(tokens.Spans.Zip(tokens.Spans.Skip(1)), pair => Assert.True(pair.Second.Start >= pair.First.End));
    }

    [Fact]
    public async Task Tokenize_PickyBpe_TokensCoverTheWordsAndUnknownOnesALetter()
    {
        const string Text = "the  low 日😀 er";
        var (_, pieces) = await Place("picky-bpe", "train-a", Text);
        Assert.Equal(Text.Replace(" ", "", StringComparison.Ordinal), string.Concat(pieces));
        Assert.Contains("日", pieces);
        Assert.Contains("😀", pieces);
    }

    [Fact]
    public void Place_MultiWord_JoinedWordsStandForBothAndTheBlank()
    {
        var folder = Repository.Path("tests", "parity", "text-tokenizers", "mwt", "ngrams-fvt-a", "checkpoint");
        var general = TokenizerJson.Load(Path.Combine(folder, "general", "tokenizer.json"));
        var words = new MultiWord(TokenizerJson.Load(Path.Combine(folder, "tokenizer.json")), general, new Dictionary<string, int>()).With([("of\u2017the", 2)]);
        const string Text = "so of the\n\tends";
        string[] pieces = [.. words.Place(Text)!.Select(token => Text[token.Start..token.End].Trim())];
        Assert.Contains("of the", pieces);
        Assert.Equal("soof theends", string.Concat(pieces));
    }

    [Fact]
    public async Task Tokenize_Tokompiler_NamesStandForWhatTheyReplace()
    {
        const string Text = "/* sum */\nint total(int n) { return n + 41; }";
        var (_, pieces) = await Place("tokompiler", "c-a", Text.Trim());
        Assert.Contains("total", pieces);
        Assert.Contains("41", pieces);
        Assert.Equal(2 * 2, pieces.Count(piece => piece == "n"));
        Assert.Contains("return", pieces);
    }

    [Theory]
    [InlineData(0, 30)]
    [InlineData(1000, 9)]
    public async Task Dynamic_MoreMerges_GiveFewerTokens(int merges, int most)
    {
        await using var model = await Open("dynamic-tokenization", "batch-bpe-a");
        var tokens = await model.Get<ITokenize>().TokenizeAsync(new Text("The othersource machine learning"), new DynamicOptions { MaxMerges = merges });
        Assert.InRange(tokens.Ids.Length, 1, most);
        Assert.Equal(merges > 0, tokens.Extras.Count > 0);
    }

    [Fact]
    public async Task Flota_K_BoundsTheEntriesOfAWord()
    {
        await using var model = await Open("flota", "gpt2-a");
        var one = await model.Get<ITokenize>().TokenizeAsync(new Text("undesirable properties"), new FlotaOptions { K = 1 });
        var more = await model.Get<ITokenize>().TokenizeAsync(new Text("undesirable properties"), new FlotaOptions { K = 3 });
        Assert.Equal(2, one.Ids.Length);
        Assert.InRange(more.Ids.Length, 3, 6);
    }

    [Fact]
    public async Task Zip2Zip_TokensOfAnotherTokenizer_ComeBackAsTheyWere()
    {
        await using var model = await Open("zip2zip", "lzw-a");
        var space = new TokenSpace("test/base", TokenLayout.Flat, [30], "digest");
        var given = new Tokens(space, Tensor.Create([3, 4, 3, 4, 3, 4, 5, 3, 4, 5, 3, 4, 5], 13));
        var tokenizer = model.Get<ITokenize>();
        var packed = await tokenizer.TokenizeAsync(given, new NoOptions());
        Assert.True(packed.Ids.Length < given.Ids.Length);
        var again = (await tokenizer.DetokenizeAsync(packed, new NoOptions())).Expect<Tokens>();
        Assert.Equal(given.Ids.Span.ToArray(), again.Ids.Span.ToArray());
        Assert.Equal(space, again.Space);
        Assert.Contains("0..29", (await Assert.ThrowsAsync<MediaException>(async () => await tokenizer.TokenizeAsync(new Tokens(space, Tensor.Create([30], 1)), new NoOptions()))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task BinaryBpe_AnyBytes_ComeBackExactly()
    {
        await using var model = await Open("binary-bpe", "bytes-a");
        var bytes = new byte[5000];
        new Random(3).NextBytes(bytes);
        var tokenizer = model.Get<ITokenize>();
        var tokens = await tokenizer.TokenizeAsync(new NamedTensors(new Dictionary<string, Tensor> { ["bytes"] = Tensor.Create(bytes, bytes.Length) }), new NoOptions());
        Assert.Equal(bytes, (await tokenizer.DetokenizeAsync(tokens, new NoOptions())).Expect<NamedTensors>().Values["bytes"].As<byte>().Span.ToArray());
    }

    [Fact]
    public async Task Music_WrittenAndReadAgain_IsTheSameTokens()
    {
        await using var model = await Open("bpe-symbolic-music", "remi-a");
        var tokenizer = model.Get<ITokenize>();
        foreach (var line in File.ReadLines(Repository.Path("tests", "parity", "text-tokenizers", "bpe-symbolic-music", "remi-a", "inputs.jsonl")))
        {
            var midi = JsonElement.Parse(line).GetProperty("midi").GetBytesFromBase64();
            var tokens = await tokenizer.TokenizeAsync(new NamedTensors(new Dictionary<string, Tensor> { ["bytes"] = Tensor.Create(midi, midi.Length) }), new NoOptions());
            var again = await tokenizer.TokenizeAsync(await tokenizer.DetokenizeAsync(tokens, new NoOptions()), new NoOptions());
            Assert.Equal(tokens.Ids.Span.ToArray(), again.Ids.Span.ToArray());
        }
    }

    [Fact]
    public async Task Generate_LinesOfJson_AreAnsweredLineByLine()
    {
        await using var model = await Open("charbench", "items-a");
        var call = JsonElement.Parse(File.ReadLines(Repository.Path("tests", "parity", "text-tokenizers", "charbench", "items-a", "inputs.jsonl")).First()).GetRawText();
        var answers = (await Generate(model, new(null, [new Text(call + "\n\n" + call)]), new())).Expect<Text>().Value;
        Assert.Equal(2, answers.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        var error = await Assert.ThrowsAsync<MediaException>(() => Generate(model, new(call + "\n{"), new()));
        Assert.Contains("line 2", error.Message, StringComparison.Ordinal);
        Assert.Contains("has no such call", (await Assert.ThrowsAsync<OptionsException>(() => Generate(model, new(call), new() { Call = "other" }))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_CallsInARow_BuildOnEachOther()
    {
        var folder = Repository.Path("tests", "parity", "text-tokenizers", "data-mixture-inference", "lp-a");
        await using var model = await Open("data-mixture-inference", "lp-a");
        Text Read(string file) => new(File.ReadAllText(Path.Combine(folder, file)));
        var answer = JsonElement.Parse((await Generate(model, new(null, [Read("inputs.jsonl"), Read("inputs-solve.jsonl")]), new() { Call = "words,solve" })).Expect<Text>().Value);
        Assert.Equal(1, answer.GetProperty("weights").EnumerateArray().Sum(weight => weight.GetDouble()), 6);
        await using var fresh = await Open("data-mixture-inference", "lp-a");
        Assert.Contains("'words' before", (await Assert.ThrowsAsync<ModelZooException>(() => Generate(fresh, new(null, [Read("inputs-solve.jsonl")]), new() { Call = "solve" }))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task DataMixture_TextsOfCategories_CountAsTheirWordsDo()
    {
        await using var model = await Open("data-mixture-inference", "lp-a");
        const string Counted = """{"category": "a", "words": {"le": 2, "ton": 1}}""", Text = """{"category": "a", "text": "le ton\nle"}""";
        var options = new CallOptions { Call = "words" };
        Assert.Equal((await Generate(model, new(Counted), options)).Expect<Text>().Value, (await Generate(model, new(Text), options)).Expect<Text>().Value);
        var wrong = await Assert.ThrowsAsync<ModelZooException>(() => Generate(model, new("""{"category": "a", "words": {"le": "two"}}"""), options));
        Assert.Equal("line 1", wrong.Where);
        Assert.Equal("a whole number", wrong.Expected);
    }

    [Fact]
    public async Task Generate_Tensors_GiveTensorsAndRefuseForeignArguments()
    {
        await using var model = await Open("zip2zip", "lzw-a");
        Assert.Equal(Modality.Text, model.Get<IGenerate>().Makes);
        var source = new ModelSource { Id = ModelId.Parse("text-tokenizers/omp-tokenizer-transplant"), Services = HostServices.Instance };
        await using var omp = await new TextTokenizersPlugin().Architectures.Single(row => row.Card.Id == source.Id.ToString()).Open(source, CancellationToken.None);
        Tensor<float> Rows(int rows) => Tensor.Create([.. Enumerable.Range(0, rows * 3).Select(i => MathF.Sin(i + rows))], rows, 3);
        var tables = new NamedTensors(new Dictionary<string, Tensor> { ["targets"] = Rows(2), ["candidate_points"] = Rows(5), ["base_points"] = Rows(5) });
        var made = (await Generate(omp, new(null, [tables]), new() { Arguments = """{"k": 2}""" })).Expect<NamedTensors>();
        Assert.Equal([2, 3], made.Values["base_rows"].Shape.ToArray());
        Assert.Contains("widths", (await Assert.ThrowsAsync<OptionsException>(() => Generate(omp, new(null, [tables]), new() { Arguments = """{"k": 2, "widths": 1}""" }))).Message, StringComparison.Ordinal);
    }

    // Where one token alone begins with white space, its chance is that of white space.
    [Fact]
    public async Task Alm_EndOfTextAsSpace_IsWhiteSpaceOfThatTokenAlone()
    {
        await using var model = await Open("alm", "losses-b");
        var path = Path.Combine(Repository.Path("tests", "parity", "text-tokenizers", "alm", "losses-b"), "inputs.safetensors");
        var tensors = TensorArchive.Read(File.ReadAllBytes(path), path);
        async Task<double> Loss(IReadOnlyDictionary<string, Tensor> given, string mode)
        {
            var line = $$"""{"diff": "binary_ce", "temperature": 2, "mode": "{{mode}}", "teacher_eos_id": 2, "student_eos_id": 3}""";
            return JsonElement.Parse((await Generate(model, new(line, [new NamedTensors(given)]), new() { Call = "loss" })).Expect<Text>().Value).GetProperty("loss").GetDouble();
        }

        Tensor Only(string name, int id)
        {
            var mask = Tensor.Zeros<float>(tensors[name].Length);
            mask.Span[id] = 1;
            return mask;
        }

        var masked = new Dictionary<string, Tensor>(tensors) { ["space_mask_teacher"] = Only("space_mask_teacher", 2), ["space_mask_student"] = Only("space_mask_student", 3) };
        foreach (var mode in new[] { "append_space", "append_space+merge_by_space_prob" })
        {
            var loss = await Loss(tensors, mode + "+eos_as_space");
            Assert.Equal(await Loss(masked, mode), loss, 9);
            Assert.NotEqual(await Loss(tensors, mode), loss, 6);
        }
    }

    [Fact]
    public async Task Evaluate_AFolderOfTokenizers_IsAColumnEach()
    {
        await using var model = await Open("tokenizer-information-theory", "tiny-a");
        var evaluator = model.Get<IEvaluate>();
        var groups = new List<string>();
        await foreach (var observation in evaluator.ObserveAsync(new[] { new Example("a", new Text(Sample)) }.ToAsyncEnumerable(), new NoOptions(), 0)) groups.Add(observation.Group);
        Assert.Equal(["bpe", "unigram"], groups);
    }
}
