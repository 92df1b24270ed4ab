using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class HatTests
{
    private const string Text = "Words of bytes: Käse, howAreYou 日本🧀 now!";

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData(Text)]
    [InlineData("written <|eot_id|> and \uD83E alone")]
    public async Task Tokenize_AnyText_ComesBackAsItsBytes(string text)
    {
        await using var model = await OpenAsync();
        var tokens = await TinyModel.TokenizeAsync(model, text);
        Assert.Equal(Encoding.UTF8.GetBytes(text), tokens.Ids.Span.ToArray().Select(id => (byte)id));
        Assert.Equal(tokens.Ids.Length, TinyModel.PieceLengths(tokens).Sum());
        Assert.Equal(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)), ((Text)await model.Get<ITokenize>().DetokenizeAsync(tokens, new NoOptions())).Value);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(9)]
    [InlineData(100)]
    public async Task Append_InStretches_GivesTheLogitsOfTheTextSoFarComputedAnew(int stretch)
    {
        await using var model = await OpenAsync();
        var (sequence, ids) = (model.Begin(), Encoding.UTF8.GetBytes(Text));
        for (var at = 0; at < ids.Length; at += stretch)
        {
            int[] part = [.. ids[at..Math.Min(at + stretch, ids.Length)].Select(value => (int)value)];
            var logits = await sequence.AppendAsync(Tensor.Create(part, 1, part.Length), default);
            // Where a character is not whole yet, its bytes are of the word before.
            var anew = await ForwardAsync(model, ids[..(at + part.Length)], [.. sequence.Ended, sequence.Open]);
            var whole = anew.Tensor("logits").As<float>();
            TinyModel.Near(whole.Span[^256..], logits.Span);
        }

        Assert.Equal(TinyModel.PieceLengths(await TinyModel.TokenizeAsync(model, Text)), sequence.Ended.Append(sequence.Open).Select(length => (long)length));
    }

    [Fact]
    public async Task Forward_ChangedBytes_ChangeNoWordBeforeThem()
    {
        await using var model = await OpenAsync();
        var (first, second) = (await ForwardAsync(model, "one two three four"), await ForwardAsync(model, "one two three!four"));
        foreach (var (name, places) in (ReadOnlySpan<(string, int)>)[("encoder_connector", 2), ("hidden_states", 2), ("logits", 13)])
        {
            var (a, b) = (first.Tensor(name).As<float>(), second.Tensor(name).As<float>());
            var width = (int)a.Shape[2];
            TinyModel.Near(a.Span[..(places * width)], b.Span[..(places * width)]);
            Assert.NotEqual(a.Span[^1], b.Span[^1], 1e-4f);
        }
    }

    [Fact]
    public async Task Evaluate_Bits_AreThoseOfTheWholesLogitsAndEightForTheFirst()
    {
        await using var model = await OpenAsync();
        var logits = (await ForwardAsync(model, Text)).Tensor("logits").As<float>();
        var bytes = Encoding.UTF8.GetBytes(Text);
        double[] expected = [8, .. ByteEvaluation.Bits(logits, [.. bytes.Skip(1).Select(value => (int)value)])];
        var observed = (await TinyModel.ObserveAsync(model, new ByteEvaluationOptions(), Text))[0];
        var bits = TinyModel.Bits(observed);
        Assert.Equal(bytes.Length, bits.Length);
        for (var i = 0; i < bits.Length; i++) Assert.Equal(expected[i], bits[i], 1e-4);
        Assert.Equal(TinyModel.PieceLengths(await TinyModel.TokenizeAsync(model, Text)), ((NamedTensors)observed.Output!).Values[Tokens.PieceLengths].As<long>().Span.ToArray());
    }

    [Fact]
    public async Task Generate_DrawnWithASeed_RepeatsAndDiffersFromAnother()
    {
        await using var model = await OpenAsync();
        var options = new HatGenerateOptions { MaxNewTokens = 20, Temperature = 1 };
        var first = await TinyModel.GenerateAsync(model, "one", options, 1);
        Assert.Equal(first, await TinyModel.GenerateAsync(model, "one", options, 1));
        Assert.NotEqual(first, await TinyModel.GenerateAsync(model, "one", options, 2));
        Assert.NotEqual(first, await TinyModel.GenerateAsync(model, "one", options with { Chat = true }, 1));
    }

    [Theory]
    [InlineData("\"num_attention_heads\": 2", "\"num_attention_heads\": 3")]
    [InlineData("\"<|eot_id|>\": 192", "\"<|eot_id|>\": 256")]
    public async Task Config_ThatDoesNotFit_IsRefused(string part, string instead)
    {
        var error = await Assert.ThrowsAsync<ModelZooException>(() => TinyModel.OpenAsync<HatModel>(HatModel.Architecture, config => config.Contains(part, StringComparison.Ordinal) ? config.Replace(part, instead, StringComparison.Ordinal) : throw new InvalidOperationException(config)));
        Assert.Equal(ErrorCodes.ConfigInvalid, error.Code);
    }

    private static Task<HatModel> OpenAsync() => TinyModel.OpenAsync<HatModel>(HatModel.Architecture);

    private static Task<CallResults> ForwardAsync(IModel model, string text) => ForwardAsync(model, Encoding.UTF8.GetBytes(text), [.. new HatSplitter(new Dictionary<string, int>(), 100).Encode(text).Select(word => word.Length)]);

    private static Task<CallResults> ForwardAsync(IModel model, byte[] bytes, int[] lengths)
    {
        var ends = new List<long> { 0 };
        foreach (var length in lengths) ends.Add(ends[^1] + length);
        var ids = Tensor.Create([.. bytes.Select(value => (long)value)], 1, bytes.Length);
        return model.Get<IReferenceCalls>().CallAsync("forward", new CallArguments().With("input_ids", ids).With("cumulative_seq_lengths_per_word", Tensor.Create(ends.ToArray(), ends.Count))).AsTask();
    }
}
