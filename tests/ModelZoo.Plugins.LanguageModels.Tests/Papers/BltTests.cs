using System.Numerics;
using System.Text;
using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class BltTests
{
    private const string Words = "Patches scale, tokens do not: Käse 🧀 日本. Zebra zebra zebra";

    // Three marks and 260 ids.
    private static readonly ByteVocabulary Vocabulary = new(260, Offset: 4, Start: 1, End: 2);

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData(Words)]
    [InlineData("nul \0 and \uD83E alone")]
    public async Task Tokenize_AnyText_ComesBackAsItsBytes(string text)
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture);
        var tokens = await TinyModel.TokenizeAsync(model, text);
        Assert.Equal(Encoding.UTF8.GetBytes(text), Vocabulary.Decode(tokens.Ids.Span));
        Assert.Equal(tokens.Ids.Length, tokens.Extras[Tokens.PieceLengths].As<long>().Span.ToArray().Sum());
        var back = (Text)await model.Get<ITokenize>().DetokenizeAsync(tokens, model.Get<ITokenize>().TokenizeOptions.Defaults);
        Assert.Equal(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)), back.Value);
    }

    [Fact]
    public async Task Tokenize_Patches_BeginWhereEntropiesOfTheWholeAreAboveTheThreshold()
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture);
        var tokens = await TinyModel.TokenizeAsync(model, Words);
        var entropies = (await ForwardAsync(model, Words)).Tensor("entropies").As<float>().Span[..^1].ToArray();
        TinyModel.Near(entropies, tokens.Extras["entropies"].As<float>().Span);
        var threshold = Threshold(model);
        var starts = Enumerable.Range(0, entropies.Length).Where(at => at == 0 || entropies[at] > threshold).ToList();
        Assert.Equal(starts, Starts(tokens));
        Assert.InRange(starts.Count, 10, entropies.Length - 10);
    }

    [Theory]
    [InlineData("entropy")]
    [InlineData("space")]
    [InlineData("static")]
    [InlineData("byte")]
    public async Task Tokenize_OfEachPrefix_BeginsPatchesWhereTheWholeDoes(string patching)
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture);
        var all = Starts(await TinyModel.TokenizeAsync(model, Words, ("patching", patching)));
        for (var length = 1; length < Words.Length; length++)
        {
            if (char.IsHighSurrogate(Words[length - 1])) continue;
            var bytes = Encoding.UTF8.GetByteCount(Words.AsSpan(..length));
            Assert.Equal(all.Where(start => start < bytes), Starts(await TinyModel.TokenizeAsync(model, Words[..length], ("patching", patching))));
        }
    }

    [Fact]
    public async Task Tokenize_LongerThanTheSmallModelReads_BeginsAnew()
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture, config => config.Replace("\"patcher_config\": {", "\"patcher_config\": {\"max_position_embeddings\": 11,", StringComparison.Ordinal));
        var entropies = (await TinyModel.TokenizeAsync(model, "0123456789 and more")).Extras["entropies"].As<float>().Span.ToArray();
        TinyModel.Near([.. Entropies("0123456789"), .. Entropies(" and more")], entropies);

        float[] Entropies(string text) => TinyModel.TokenizeAsync(model, text).Result.Extras["entropies"].As<float>().Span.ToArray();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(100)]
    public async Task Stream_InStretches_GivesTheLogitsOfTheWhole(int stretch)
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture);
        var whole = (await ForwardAsync(model, Words)).Tensor("logits").As<float>().Span.ToArray();
        using var stream = model.Begin(new());
        var logits = new List<float>();
        foreach (var part in Vocabulary.Begin(Vocabulary.Encode(Words)).Chunk(stretch)) logits.AddRange((await stream.TakeAsync(part, default)).Logits.Span);
        TinyModel.Near(whole, logits.ToArray());
    }

    [Fact]
    public async Task Append_APromptOfSeveralStretches_IsReadAsAWhole()
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture);
        var text = string.Concat(Enumerable.Repeat(Words, 20));
        using var stream = model.Begin(new());
        var ids = Vocabulary.Begin(Vocabulary.Encode(text));
        var last = await stream.AppendAsync(Tensor.Create(ids, 1, ids.Length), default);
        Assert.True(ids.Length > 2 * BltStream.Stretch);
        var whole = (await ForwardAsync(model, text)).Tensor("logits").As<float>();
        TinyModel.Near(whole.Span[^260..], last.Span);
    }

    [Theory]
    [InlineData("entropy", null)]
    [InlineData("entropy", 2)]
    [InlineData("space", null)]
    [InlineData("static", 3)]
    [InlineData("byte", null)]
    public async Task Stream_EachWayOfCutting_SeesNothingThatComesLater(string patching, int? longest)
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture, config => config.Replace("\"max_patch_length\": null", $"\"max_patch_length\": {longest?.ToString() ?? "null"}", StringComparison.Ordinal));
        var bits = await BitsAsync(model, Words, patching);
        var changed = await BitsAsync(model, Words[..20] + "§§§§" + Words[24..], patching);
        for (var i = 0; i < 20; i++) Assert.Equal(bits[i], changed[i], 1e-4);
        Assert.NotEqual(bits[20], changed[20], 1e-2);
    }

    [Fact]
    public async Task Generate_ByteByByte_GivesWhatTheReferenceComputesAnew()
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture);
        var call = new CallArguments().With("input_ids", Ids("Patches")).With("max_new_tokens", JsonSerializer.SerializeToElement(24));
        var sequences = (await model.Get<IReferenceCalls>().CallAsync("generate", call)).Tensor("sequences").As<long>().Span.ToArray();
        var expected = Vocabulary.Text([.. sequences.Skip(8).TakeWhile(id => id != 2).Select(id => (int)id)]);
        Assert.Equal(expected, await TinyModel.GenerateAsync(model, "Patches", new BltGenerateOptions { MaxNewTokens = 24 }));
    }

    [Fact]
    public async Task Generate_DrawnWithASeed_RepeatsAndDiffersFromAnother()
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture);
        var options = new BltGenerateOptions { MaxNewTokens = 20, Temperature = 1 };
        var first = await TinyModel.GenerateAsync(model, "a", options, 1);
        Assert.Equal(first, await TinyModel.GenerateAsync(model, "a", options, 1));
        Assert.NotEqual(first, await TinyModel.GenerateAsync(model, "a", options, 2));
    }

    [Fact]
    public async Task Evaluate_Bits_AreThoseOfTheWholesLogits()
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture);
        var logits = (await ForwardAsync(model, Words)).Tensor("logits").As<float>();
        var expected = ByteEvaluation.Bits((Tensor<float>)logits.Reshape(logits.Shape[1], logits.Shape[2]), Vocabulary.Encode(Words));
        var bits = await BitsAsync(model, Words, null);
        Assert.Equal(expected.Length, bits.Length);
        for (var i = 0; i < bits.Length; i++) Assert.Equal(expected[i], bits[i], 1e-4);
    }

    [Fact]
    public async Task Forward_RowsOfABatch_AreWhatTheyAreAlone()
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture);
        var (first, second) = (Ids("one text, and"), Ids("two other one"));
        var both = (await CallAsync(model, Tensor.Create([.. first.Span, .. second.Span], 2, first.Shape[1]))).Tensor("logits").As<float>();
        TinyModel.Near((await CallAsync(model, first)).Tensor("logits").As<float>().Span, both.Slice(0).Span);
        TinyModel.Near((await CallAsync(model, second)).Tensor("logits").As<float>().Span, both.Slice(1).Span);
    }

    [Fact]
    public async Task Forward_WithLabels_LosesTheMeanInformationOfTheNext()
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture);
        var ids = Ids(Words);
        var results = await model.CallAsync("forward", new CallArguments().With("input_ids", ids).With("labels", ids));
        var bits = await BitsAsync(model, Words, null);
        Assert.Equal(bits.Average() * Math.Log(2), ((Tensor<double>)results.Tensor("loss")).Span[0], 1e-4);
    }

    [Fact]
    public async Task Patching_ByEntropyWithoutASmallModel_IsRefusedByName()
    {
        await using var model = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture, config => config.Replace("\"patch_in_forward\": true", "\"patch_in_forward\": false", StringComparison.Ordinal));
        var error = await Assert.ThrowsAsync<OptionsException>(() => TinyModel.TokenizeAsync(model, "text", ("patching", "entropy")));
        Assert.Equal("patching", error.Where);
        Assert.Equal([0, 1, 2, 3], Starts(await TinyModel.TokenizeAsync(model, "text")));
    }

    [Fact]
    public async Task Config_PartsThatDoNotFit_AreRefused()
    {
        var error = await Assert.ThrowsAsync<ModelZooException>(() => TinyModel.OpenAsync<BltModel>(BltModel.Architecture, config => config.Replace("\n \"cross_attn_k\": 2", "\n \"cross_attn_k\": 3", StringComparison.Ordinal)));
        Assert.Equal(ErrorCodes.ConfigInvalid, error.Code);
    }

    [Fact]
    public async Task Open_TheAuthorsFolder_IsTheSameModel()
    {
        await using var library = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture);
        await WithTheAuthorsAsync(512, async authors =>
        {
            var (expected, found) = (await ForwardAsync(library, Words), await ForwardAsync(authors, Words));
            TinyModel.Near(expected.Tensor("logits").As<float>().Span, found.Tensor("logits").As<float>().Span);
            Assert.Equal(await TinyModel.GenerateAsync(library, "Patches", new BltGenerateOptions { MaxNewTokens = 12 }), await TinyModel.GenerateAsync(authors, "Patches", new BltGenerateOptions { MaxNewTokens = 12 }));
            Assert.Equal(library.Facts.Parameters, authors.Facts.Parameters);
        });
    }

    [Fact]
    public Task Open_TheAuthorsFolderWithAWindow_SeesItsBytesInEveryForm() => WithTheAuthorsAsync(5, async authors =>
    {
        await using var library = await TinyModel.OpenAsync<BltModel>(BltModel.Architecture);
        var (ids, real) = (Ids(Words), Tensor.Zeros<long>(Ids(Words).Shape));
        real.Span.Fill(1);
        var whole = (await CallAsync(authors, ids)).Tensor("logits").As<float>();
        var masked = await authors.CallAsync("forward", new CallArguments().With("input_ids", ids).With("attention_mask", real));
        TinyModel.Near(whole.Span, masked.Tensor("logits").As<float>().Span);
        using (var stream = authors.Begin(new()))
        {
            var logits = new List<float>();
            foreach (var part in Vocabulary.Begin(Vocabulary.Encode(Words)).Chunk(3)) logits.AddRange((await stream.TakeAsync(part, default)).Logits.Span);
            TinyModel.Near(whole.Span, logits.ToArray());
        }

        var unbounded = (await CallAsync(library, ids)).Tensor("logits").As<float>();
        TinyModel.Near(unbounded.Span[..(5 * 260)], whole.Span[..(5 * 260)]);
        Assert.NotEqual(unbounded[0, 40, 7], whole[0, 40, 7], 1e-3f);
    });

    [Fact]
    public void Hashes_OfEachRun_AreThePolynomialModulo64BitsAndTheTable()
    {
        var config = new BltConfig { EncoderHashByteGroupSize = [3, 8], EncoderHashByteGroupNbFunctions = 2, EncoderHashByteGroupVocab = 500002 };
        var ids = Vocabulary.Begin(Vocabulary.Encode(Words));
        var rows = new BltHashes(config).Rows(ids, 5);
        BigInteger[] primes = [1000000007, 5915587277];
        for (var at = 5; at < ids.Length; at++)
        {
            for (var table = 0; table < 4; table++)
            {
                var (group, sum) = (table % 2 == 0 ? 3 : 8, BigInteger.Zero);
                for (var i = 0; i < group; i++) sum += BigInteger.Pow(primes[table / 2], i) * (at - group + 1 + i is >= 0 and var place ? ids[place] : 0);
                // As a signed number of 64 bits, whose remainder is not negative.
                var wrapped = (sum + BigInteger.Pow(2, 63)) % BigInteger.Pow(2, 64) - BigInteger.Pow(2, 63);
                Assert.Equal((long)((wrapped % 500002 + 500002) % 500002), rows[at - 5, table]);
            }
        }
    }

    private static async Task WithTheAuthorsAsync(int window, Func<BltModel, Task> test)
    {
        var folder = BltAuthorsFolder.Write(window);
        try
        {
            await using var authors = (BltModel)await BltModel.Architecture.Open(new() { Id = ModelId.Parse(BltModel.Architecture.Card.Id), Folder = folder, Services = HostServices.Instance }, default);
            await test(authors);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static List<int> Starts(Tokens tokens)
    {
        var (starts, at) = (new List<int>(), 0L);
        foreach (var length in tokens.Extras[Tokens.PieceLengths].As<long>().Span)
        {
            starts.Add((int)at);
            at += length;
        }

        return starts;
    }

    private static async Task<double[]> BitsAsync(BltModel model, string text, string? patching)
    {
        var options = new BltEvaluateOptions { Patching = patching is null ? null : Enum.Parse<BltPatching>(patching, ignoreCase: true) };
        return TinyModel.Bits((await TinyModel.ObserveAsync(model, options, text))[0]);
    }

    private static double Threshold(IModel model) => double.Parse(model.Facts.Properties.Single(property => property.Key == "threshold").Value.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);

    private static Tensor<long> Ids(string text) => Vocabulary.Begin(Vocabulary.Encode(text)) is var ids ? Tensor.Create([.. ids.Select(id => (long)id)], 1, ids.Length) : null!;

    private static Task<CallResults> ForwardAsync(IModel model, string text) => CallAsync(model, Ids(text));

    private static Task<CallResults> CallAsync(IModel model, Tensor<long> ids) => model.Get<IReferenceCalls>().CallAsync("forward", new CallArguments().With("input_ids", ids)).AsTask();
}
