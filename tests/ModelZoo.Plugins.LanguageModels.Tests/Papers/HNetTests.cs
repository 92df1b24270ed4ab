using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class HNetTests
{
    private const string Words = "Chunks of bytes: Käse 🧀 日本, and chunks of chunks";

    private static readonly ByteVocabulary Vocabulary = new(256, Start: 254, End: 255);

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData(Words)]
    [InlineData("nul \0 and \uD83E alone")]
    public async Task Tokenize_AnyText_ComesBackAsItsBytes(string text)
    {
        await using var model = await OpenAsync();
        var tokens = await TinyModel.TokenizeAsync(model, text);
        Assert.Equal(Encoding.UTF8.GetBytes(text), Vocabulary.Decode(tokens.Ids.Span));
        Assert.Equal(tokens.Ids.Length, TinyModel.PieceLengths(tokens).Sum());
        var back = (Text)await model.Get<ITokenize>().DetokenizeAsync(tokens, new HNetTokenizeOptions());
        Assert.Equal(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)), back.Value);
    }

    [Fact]
    public async Task Tokenize_Chunks_AreThoseOfTheAuthorsForward()
    {
        await using var model = await OpenAsync();
        var forward = await ForwardAsync(model, Words);
        var tokens = await TinyModel.TokenizeAsync(model, Words);
        var (outer, inner, levels) = (Mask(forward, 0), Mask(forward, 1), tokens.Extras["chunk_level"].As<long>().Span.ToArray());
        var chunk = 0;
        for (var place = 0; place < outer.Length; place++)
        {
            var level = outer[place] == 0 ? 0 : 1 + inner[chunk++];
            if (place > 0) Assert.Equal(level, levels[place - 1]);
        }

        var probabilities = tokens.Extras["boundary_prob"].As<float>();
        var expected = forward.Tensor("boundary_prob_0").As<float>();
        for (var place = 1; place < outer.Length; place++) Assert.Equal(expected[place, 1], probabilities[place - 1, 0], 1e-5);
        var (small, large) = (TinyModel.PieceLengths(tokens), TinyModel.PieceLengths(await TinyModel.TokenizeAsync(model, Words, ("stage", "1"))));
        Assert.InRange(large.Length, 2, small.Length - 2);
        Assert.Subset(Ends(small), Ends(large));
    }

    [Fact]
    public async Task Tokenize_OfAStageThatIsNotThere_IsRefused()
    {
        await using var model = await OpenAsync();
        Assert.Equal("stage", (await Assert.ThrowsAsync<OptionsException>(() => TinyModel.TokenizeAsync(model, Words, ("stage", "2")))).Where);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(100)]
    public async Task Append_InStretches_GivesTheLogitsOfTheWhole(int stretch)
    {
        await using var model = await OpenAsync();
        var whole = Logits(await ForwardAsync(model, Words));
        var (sequences, ids) = (model.Begin(), Ids(Words));
        for (var at = 0; at < ids.Length; at += stretch)
        {
            var part = ids[at..Math.Min(at + stretch, ids.Length)];
            var logits = await sequences.AppendAsync(Tensor.Create(part, 1, part.Length), default);
            TinyModel.Near(whole.Slice(at + part.Length - 1).Span, logits.Span);
        }
    }

    [Fact]
    public async Task Append_SeveralSequences_AreWhatTheyAreAlone()
    {
        await using var model = await OpenAsync();
        int[][] texts = [Ids("one text, and"), Ids("two others: é"), Ids("0123456789 !?")];
        var together = model.Begin();
        var alone = texts.Select(_ => model.Begin()).ToArray();
        var length = texts.Min(text => text.Length);
        for (var at = 0; at < length; at++)
        {
            var logits = await together.AppendAsync(Tensor.Create([.. texts.Select(text => text[at])], texts.Length, 1), default);
            for (var row = 0; row < texts.Length; row++) TinyModel.Near((await alone[row].AppendAsync(Tensor.Create([texts[row][at]], 1, 1), default)).Span, logits.Slice(row).Span);
        }

        together.Reorder([2, 2, 0]);
        var next = await together.AppendAsync(Tensor.Create([65, 66, 67], 3, 1), default);
        TinyModel.Near((await alone[0].AppendAsync(Tensor.Create([67], 1, 1), default)).Span, next.Slice(2).Span);
        TinyModel.Near((await alone[2].AppendAsync(Tensor.Create([66], 1, 1), default)).Span, next.Slice(1).Span);
    }

    [Fact]
    public async Task Forward_RowsOfABatch_AreWhatTheyAreAlone()
    {
        await using var model = await OpenAsync();
        var (first, second) = (Ids("one text, and more"), Ids("two others"));
        var ids = Tensor.Zeros<long>(2, first.Length);
        var mask = Tensor.Zeros<long>(2, first.Length);
        foreach (var (row, text) in new[] { first, second }.Index())
        {
            for (var i = 0; i < text.Length; i++) (ids[row, i], mask[row, i]) = (text[i], 1);
        }

        var both = (await CallAsync(model, ids, mask)).Tensor("logits").As<float>();
        TinyModel.Near(Logits(await ForwardAsync(model, "one text, and more")).Span, both.Slice(0).Span);
        TinyModel.Near(Logits(await ForwardAsync(model, "two others")).Span, both.Slice(1).Span[..(second.Length * 256)]);
    }

    [Fact]
    public async Task Forward_ChangedBytes_ChangeNothingBeforeThem()
    {
        await using var model = await OpenAsync();
        var (whole, changed) = (Logits(await ForwardAsync(model, Words)), Logits(await ForwardAsync(model, Words[..20] + "§§§§" + Words[24..])));
        var before = Encoding.UTF8.GetByteCount(Words.AsSpan(..20));
        TinyModel.Near(whole.Span[..((before + 1) * 256)], changed.Span[..((before + 1) * 256)]);
        Assert.NotEqual(whole[before + 1, 0], changed[before + 1, 0], 1e-3);
    }

    [Fact]
    public async Task Generate_Greedy_IsTheMostProbableByteOfTheWholeEachTime()
    {
        await using var model = await OpenAsync();
        var ids = Ids("chunk").ToList();
        for (var i = 0; i < 20; i++)
        {
            var logits = Logits(await CallAsync(model, Tensor.Create([.. ids.Select(id => (long)id)], 1, ids.Count), null));
            ids.Add(LogitProcessing.ArgMax(logits.Slice(ids.Count - 1).Span));
            if (ids[^1] == 255) break;
        }

        Assert.Equal(Vocabulary.Text(ids.Skip(6).TakeWhile(id => id != 255).ToArray()), await TinyModel.GenerateAsync(model, "chunk", new TextGenerationOptions { MaxNewTokens = 20 }));
    }

    [Fact]
    public async Task Evaluate_Bits_AreThoseOfTheWholesLogits()
    {
        await using var model = await OpenAsync();
        var expected = ByteEvaluation.Bits(Logits(await ForwardAsync(model, Words)), Vocabulary.Encode(Words));
        var observed = (await TinyModel.ObserveAsync(model, new ByteEvaluationOptions(), Words))[0];
        var bits = TinyModel.Bits(observed);
        Assert.Equal(Encoding.UTF8.GetByteCount(Words), bits.Length);
        for (var i = 0; i < bits.Length; i++) Assert.Equal(expected[i], bits[i], 1e-4);
        Assert.Equal(TinyModel.PieceLengths(await TinyModel.TokenizeAsync(model, Words)), ((NamedTensors)observed.Output!).Values[Tokens.PieceLengths].As<long>().Span.ToArray());
    }

    [Theory]
    [InlineData("\"t1m1\"", "\"x1\"", "arch_layout")]
    [InlineData("\"t1m1\",", "", "arch_layout")]
    [InlineData("\n  48\n", "\n  16\n", "d_model")]
    [InlineData("\"expand\": 2", "\"expand\": 1", "d_model")]
    public async Task Config_ThatDoesNotFit_IsRefusedByItsKey(string part, string instead, string key)
    {
        var error = await Assert.ThrowsAsync<ModelZooException>(() => TinyModel.OpenAsync<HNetModel>(HNetModel.Architecture, config => config.Contains(part, StringComparison.Ordinal) ? config.Replace(part, instead, StringComparison.Ordinal) : throw new InvalidOperationException(config)));
        Assert.Equal((ErrorCodes.ConfigInvalid, key), (error.Code, error.Where));
    }

    [Fact]
    public void Smooth_OverChunks_IsTheScanOfMamba2()
    {
        float[] p = [0.2f, 0.9f, 0.4f, 0.50001f, 1f, 0.5f];
        var boundaries = new HNetBoundaries(Tensor.Create(p, 1, 6), [6], isFirst: true);
        var z = Tensor.Create([1f, 2f, -3f, 4f], 1, 4, 1);
        Assert.Equal([true, true, false, true, true, false], Enumerable.Range(0, 6).Select(place => boundaries.Begins(0, place)));
        var (state, chunk, expected) = (0.0, 0, new List<double>());
        for (var place = 0; place < 6; place++)
        {
            if (boundaries.Begins(0, place))
            {
                // h = exp(-dt) h + dt b x, with dt = log(1 / (1 - p)), x = z / dt, b = p.
                var clamped = Math.Clamp(place == 0 ? 1 : p[place], 1e-4, 1 - 1e-4);
                var step = Math.Log(1 / (1 - clamped));
                state = Math.Exp(-step) * state + step * clamped * (z[0, chunk++, 0] / step);
            }

            expected.Add(state);
        }

        var smoothed = boundaries.Smooth(z, Tensor.Zeros<float>(1, 1)).Span.ToArray();
        for (var place = 0; place < 6; place++) Assert.Equal(expected[place], smoothed[place], 1e-5);
    }

    [Fact]
    public void Chunks_OfSequencesWithFewer_GoOnWithPlacesThatBeginNone()
    {
        var boundaries = new HNetBoundaries(Tensor.Create([0f, 0.9f, 0.9f, 0.9f, 0f, 0.1f, 0.9f, 0.9f], 2, 4), [4, 3], isFirst: true);
        var chunks = boundaries.Chunks(Tensor.Create([0f, 1, 2, 3, 10, 11, 12, 13], 2, 4, 1));
        Assert.Equal([4, 2], boundaries.Counts);
        Assert.Equal([0, 1, 2, 3, 10, 12, 11, 13], chunks.Span.ToArray());
    }

    private static Task<HNetModel> OpenAsync() => TinyModel.OpenAsync<HNetModel>(HNetModel.Architecture);

    private static int[] Ids(string text) => Vocabulary.Begin(Vocabulary.Encode(text));

    private static Task<CallResults> ForwardAsync(IModel model, string text) => CallAsync(model, Ids(text) is var ids ? Tensor.Create([.. ids.Select(id => (long)id)], 1, ids.Length) : null!, null);

    private static Task<CallResults> CallAsync(IModel model, Tensor<long> ids, Tensor<long>? mask)
    {
        var arguments = new CallArguments().With("input_ids", ids);
        return model.Get<IReferenceCalls>().CallAsync("forward", mask is null ? arguments : arguments.With("mask", mask)).AsTask();
    }

    private static Tensor<float> Logits(CallResults results) => results.Tensor("logits").As<float>() is var logits && logits.Shape[0] == 1 ? logits.Reshape(logits.Shape[1], logits.Shape[2]) : throw new InvalidOperationException();

    private static long[] Mask(CallResults results, int stage) => results.Tensor($"boundary_mask_{stage}").As<long>().Span.ToArray();

    private static HashSet<long> Ends(long[] lengths)
    {
        var at = 0L;
        return [.. lengths.Select(length => at += length)];
    }
}
