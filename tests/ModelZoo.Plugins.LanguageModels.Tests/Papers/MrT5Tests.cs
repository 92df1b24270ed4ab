using System.Text;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class MrT5Tests
{
    private const string Words = "Deleting bytes, merging what they say: Käse 日本.";

    private static readonly ByteVocabulary Vocabulary = new(384, Offset: 3, End: 1);

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData(Words)]
    public async Task Tokenize_AnyText_ComesBackWhateverIsDeleted(string text)
    {
        await using var model = await OpenAsync();
        var tokens = await TinyModel.TokenizeAsync(model, text);
        var back = await model.DetokenizeAsync(tokens, new());
        Assert.Equal((text, Encoding.UTF8.GetByteCount(text)), (back.Value, tokens.Ids.Length));
    }

    [Fact]
    public async Task Tokenize_Kept_AreTheGatesAboveTheThresholdAndBeginThePieces()
    {
        await using var model = await OpenAsync();
        var tokens = await TinyModel.TokenizeAsync(model, Words, ("threshold", "-6"));
        var (gates, kept) = (tokens.Extras["gates"].As<float>().Span.ToArray(), tokens.Extras["kept"].As<long>().Span.ToArray());
        Assert.Equal(gates.Select(gate => gate > -6 ? 1L : 0), kept);
        Assert.InRange(kept.Sum(), 3, kept.Length - 3);
        Assert.Equal(kept.Skip(1).Sum() + 1, TinyModel.PieceLengths(tokens).Length);

        // The reference's forward says the same of each.
        var call = new CallArguments().With("input_ids", Ids([.. Vocabulary.Encode(Words), 1])).With("decoder_input_ids", Ids([0]));
        var reference = (await model.CallAsync("forward", call)).Tensor("delete_gate_output").As<float>();
        TinyModel.Near(reference.Span[..^1], gates);
    }

    [Fact]
    public async Task Encode_Hard_IsSoftWithNothingLeftOfTheDeletedKeys()
    {
        var @case = ParityCasesAttribute.Find(MrT5Model.Architecture.Card.Id, shared: false)[0];
        using var checkpoint = Checkpoint.Open([new(Path.Combine(@case.CheckpointFolder!, "model.safetensors"))]);
        var (context, config) = (new NetworkContext(HostServices.Instance.Engine, checkpoint), PublishedConfig.Read<MrT5Config>(@case.CheckpointFolder!).Value);
        using var runner = new MrT5Runner(context, config);
        using var before = Network.Build(context, "before", MrT5Runner.Graphs(config)[0]);
        using var after = Network.Build(context, "after", MrT5Runner.Graphs(config)[1]);

        var ids = Ids([.. Vocabulary.Encode(Words), 1]);
        var hard = await runner.EncodeAsync(ids, null, isHard: true, null, default);
        var length = (int)ids.Shape[1];
        var (keys, kept) = (Tensor.Zeros<float>(1, length), new List<int>());
        for (var i = 0; i < length; i++)
        {
            if (hard.Gates![0, i, 0] > config.Threshold) kept.Add(i);
            else keys[0, i] = float.NegativeInfinity;
        }

        var states = before.Run(default, ("ids", ids), ("keys", Tensor.Zeros<float>(1, length)))["states"];
        var whole = after.Run(default, ("x", states), ("positions", Ids([.. Enumerable.Range(0, length)])), ("keys", keys))["states"];
        Assert.Equal(kept.Count, hard.States.Shape[1]);
        TinyModel.Near(hard.States.Span, [.. kept.SelectMany(at => whole.Slice(0).Slice(at).Span.ToArray())]);
    }

    [Fact]
    public async Task Forward_WithoutAGate_IsTheLibrarysT5()
    {
        await using var model = await TinyModel.OpenAsync<MrT5Model>(MrT5Model.Architecture, config => config.Replace("\"delete_gate_layer\": 2", "\"delete_gate_layer\": 9", StringComparison.Ordinal));
        var (ids, decoder) = (Ids([.. Vocabulary.Encode(Words), 1]), Ids([0, .. Vocabulary.Encode("other")]));
        var found = await model.CallAsync("forward", new CallArguments().With("input_ids", ids).With("decoder_input_ids", decoder));

        var @case = ParityCasesAttribute.Find(MrT5Model.Architecture.Card.Id, shared: false)[0];
        using var checkpoint = Checkpoint.Open([new(Path.Combine(@case.CheckpointFolder!, "model.safetensors"))]);
        var config = PublishedConfig.Read<T5Config>(@case.CheckpointFolder!).Value with { ModelType = "t5" };
        using var t5 = Network.Build(new(HostServices.Instance.Engine, checkpoint), "t5", scope =>
        {
            var g = scope.Graph;
            var states = T5Encoder.Encode(scope, g.Input("ids", ElementType.Int64, [1, Dim.Symbol("n")]), config).LastHiddenState;
            g.Output("logits", T5Decoder.Logits(scope, g.Input("decoder", ElementType.Int64, [1, Dim.Symbol("l")]), states, g.Input("mask", ElementType.Int64, [1, Dim.Symbol("n")]), config));
        });
        var mask = Tensor.Zeros<long>(ids.Shape);
        mask.Span.Fill(1);
        TinyModel.Near(t5.Run(default, ("ids", ids), ("decoder", decoder), ("mask", mask))["logits"].Span, found.Tensor("logits").As<float>().Span);
        Assert.Null(found.Find("delete_gate_output"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Generate_Greedy_IsWhatTheReferenceWrites(bool soft)
    {
        await using var model = await OpenAsync();
        var call = new CallArguments().With("input_ids", Ids([.. Vocabulary.Encode(Words), 1])).With("max_new_tokens", Json(20)).With("hard_delete", Json(!soft));
        var sequences = (await model.CallAsync("generate", call)).Tensor("sequences").As<long>().Span.ToArray();
        Assert.Equal(Written(sequences), await TinyModel.GenerateAsync(model, Words, new MrT5GenerateOptions { MaxNewTokens = 20, Soft = soft }));
    }

    [Fact]
    public async Task Generate_MarksInAPrompt_AreTheirIds()
    {
        await using var model = await OpenAsync();
        var call = new CallArguments().With("input_ids", Ids([.. Vocabulary.Encode("a "), 258, .. Vocabulary.Encode(" b"), 248, 1])).With("max_new_tokens", Json(6)).With("hard_delete", Json(true));
        var sequences = (await model.CallAsync("generate", call)).Tensor("sequences").As<long>().Span.ToArray();
        Assert.Equal(Written(sequences), await TinyModel.GenerateAsync(model, "a <extra_id_0> b<extra_id_10>", new MrT5GenerateOptions { MaxNewTokens = 6 }));
    }

    [Fact]
    public async Task Evaluate_WithATarget_MeasuresItsBytes()
    {
        await using var model = await OpenAsync();
        var example = new Example("pair", new Text(Words)) { Target = new Text("target") };
        var observed = await model.ObserveAsync(new[] { example }.ToAsyncEnumerable(), new MrT5EvaluateOptions(), 0).SingleAsync();
        var bits = TinyModel.Bits(observed);
        var call = new CallArguments().With("input_ids", Ids([.. Vocabulary.Encode(Words), 1])).With("hard_delete", Json(true)).With("decoder_input_ids", Ids([0, .. Vocabulary.Encode("targe")]));
        var logits = (Tensor<float>)(await model.CallAsync("forward", call)).Tensor("logits");
        var expected = ByteEvaluation.Bits(logits, Vocabulary.Encode("target"));
        Assert.Equal(6, bits.Length);
        for (var i = 0; i < bits.Length; i++) Assert.Equal(expected[i], bits[i], 1e-4);
    }

    [Theory, InlineData("decoder_start_token_id", "384"), InlineData("decoder_start_token_id", "-1"), InlineData("layer_norm_epsilon", "-1")]
    public async Task Open_ANumberThatNoModelHas_IsRefused(string key, string value)
    {
        static string With(string json, string key, string value)
        {
            var config = System.Text.Json.Nodes.JsonNode.Parse(json)!;
            config[key] = System.Text.Json.Nodes.JsonNode.Parse(value);
            return config.ToJsonString();
        }

        var error = await Assert.ThrowsAsync<ModelZooException>(() => TinyModel.OpenAsync<MrT5Model>(MrT5Model.Architecture, json => With(json, key, value)));
        Assert.Equal((ErrorCodes.ConfigInvalid, value), (error.Code, error.Found));
    }

    [Fact]
    public async Task Generate_ALongerTextThanTheEncoderReads_IsRefused()
    {
        await using var model = await TinyModel.OpenAsync<MrT5Model>(MrT5Model.Architecture);
        Assert.Equal("4097", (await Assert.ThrowsAsync<MediaException>(() => TinyModel.GenerateAsync(model, new('a', 4096), new MrT5GenerateOptions()))).Found);
    }

    [Fact]
    public async Task Generate_EverythingDeleted_IsRefused()
    {
        await using var model = await OpenAsync();
        var error = await Assert.ThrowsAsync<ModelZooException>(() => TinyModel.GenerateAsync(model, Words, new MrT5GenerateOptions { Threshold = 0 }));
        Assert.Equal("threshold", error.Where);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(30)]
    [InlineData(1000)]
    public void SpanCorruption_InputsAndLabels_TogetherAreTheText(int length)
    {
        int[] ids = [.. Enumerable.Range(0, length).Select(i => 3 + i % 100)];
        for (var seed = 0UL; seed < 5; seed++)
        {
            var corrupted = SpanCorruption.Apply(ids, new Philox(seed));
            Assert.Equal(corrupted.Labels.Length, corrupted.IsByte.Length);
            var (whole, mark) = (new List<int>(), 258);
            foreach (var id in corrupted.Inputs[..^1])
            {
                if (id != mark)
                {
                    whole.Add(id);
                    continue;
                }

                whole.AddRange(corrupted.Labels.SkipWhile(label => label != mark).Skip(1).TakeWhile(label => label is < 200 and not 1).ToList());
                mark--;
            }

            Assert.Equal(ids, whole);
            Assert.Equal(Math.Max(1, (int)Math.Round(length * 0.15)), corrupted.IsByte.Count(isByte => isByte));
        }
    }

    // What stands behind the start and before the end, marks spelled.
    private static string Written(long[] sequence) =>
        Encoding.UTF8.GetString([.. sequence.Skip(1).TakeWhile(id => id != 1).SelectMany(id => id is >= 248 and <= 258 ? Encoding.ASCII.GetBytes($"<extra_id_{258 - id}>") : Vocabulary.Decode([(int)id]))]);

    private static Task<MrT5Model> OpenAsync() => TinyModel.OpenAsync<MrT5Model>(MrT5Model.Architecture);

    private static Tensor<long> Ids(int[] ids) => Tensor.Create([.. ids.Select(id => (long)id)], 1, ids.Length);

    private static System.Text.Json.JsonElement Json<TValue>(TValue value) => System.Text.Json.JsonSerializer.SerializeToElement(value);
}
