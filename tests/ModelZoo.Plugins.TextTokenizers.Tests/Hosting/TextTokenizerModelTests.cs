using System.Text;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Hosting;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Hosting;

/// <summary>What a user asks of tokenize by options: pairs, windows, padding, special tokens, units.</summary>
public sealed class TextTokenizerModelTests
{
    private const string Words = """
        {"version":"1.0","truncation":TRUNCATION,"padding":PADDING,"added_tokens":[
          {"id":0,"content":"[PAD]","special":true,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false},
          {"id":1,"content":"[CLS]","special":true,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false},
          {"id":2,"content":"[SEP]","special":true,"single_word":false,"lstrip":false,"rstrip":false,"normalized":false}],
         "normalizer":null,"pre_tokenizer":{"type":"Whitespace"},"decoder":null,
         "post_processor":{"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]},
         "model":{"type":"WordLevel","unk_token":"?","vocab":{"[PAD]":0,"[CLS]":1,"[SEP]":2,"?":3,"a":4,"b":5,"c":6,"d":7,"e":8,"𐐀é":9}}}
        """;

    private static TextTokenizerModel Open(string padding = "null", string truncation = "null") => new(
        new() { Id = ModelId.Parse("text-tokenizers/tokenizer-json"), Services = HostServices.Instance },
        TokenizerJson.Parse(Encoding.UTF8.GetBytes(Words.Replace("PADDING", padding, StringComparison.Ordinal).Replace("TRUNCATION", truncation, StringComparison.Ordinal))));

    private static async Task<IModel> OpenCase(string architecture, string @case)
    {
        var source = new ModelSource { Id = ModelId.Parse($"text-tokenizers/{architecture}"), Folder = Repository.Path("tests", "parity", "text-tokenizers", architecture, @case, "checkpoint"), Services = HostServices.Instance };
        return await new TextTokenizersPlugin().Architectures.Single(row => row.Card.Id == source.Id.ToString()).Open(source, CancellationToken.None);
    }

    private static async Task<Tokens> Tokenize(IModel model, string text, TextTokenizerOptions options) => await model.Get<ITokenize>().TokenizeAsync(new Text(text), options);

    private static int[] Column(Tokens tokens, string name) => ((Tensor<int>)tokens.Extras[name]).Span.ToArray();

    private static string Ids(Tokens tokens) => string.Join(' ', tokens.Ids.Span.ToArray());

    [Fact]
    public async Task Tokenize_Pair_SpansRunOnInBothTextsAndTypesTellThemApart()
    {
        await using var model = Open();
        var tokens = await Tokenize(model, "a b", new() { Pair = "c d", AddSpecialTokens = true, Columns = ["all"], Offsets = OffsetUnit.CodePoint });
        Assert.Equal("1 4 5 2 6 7 2", Ids(tokens));
        Assert.Equal("a b\nc d", tokens.SpannedText);
        Assert.Equal(["", "a", "b", "", "c", "d", ""], tokens.Spans.Select(span => tokens.SpannedText![(int)span.Start..(int)span.End]));
        Assert.Equal([0, 0, 0, 0, 1, 1, 1], Column(tokens, "type_ids"));
        Assert.Equal([1, 0, 0, 1, 0, 0, 1], Column(tokens, "special_tokens_mask"));
        Assert.Equal([-1, 0, 0, -1, 1, 1, -1], Column(tokens, "sequence_ids"));
        Assert.Equal([-1, 0, 1, -1, 0, 1, -1], Column(tokens, "word_ids"));
        Assert.Equal([0, 0, 0, 1, 2, 3, 0, 0, 0, 1, 2, 3, 0, 0], Column(tokens, "offsets"));
    }

    [Fact]
    public async Task Tokenize_MaxLengthAndStride_WindowsShareTokensAndCoverTheText()
    {
        await using var model = Open();
        var tokens = await Tokenize(model, "a b c d e", new() { MaxLength = 5, Stride = 1, AddSpecialTokens = true });
        Assert.Equal("1 4 5 6 2", Ids(tokens));
        Assert.Equal([5], Column(tokens, "overflow_lengths"));
        Assert.Equal([1, 6, 7, 8, 2], Column(tokens, "overflow_ids"));
        Assert.Equal([0, 0, 4, 5, 6, 7, 8, 9, 0, 0], Column(tokens, "overflow_offsets"));
        Assert.Equal("8", Ids(await Tokenize(model, "a b c d e", new() { MaxLength = 1, TruncateSide = Side.Left })));
        Assert.Equal("4 5 6", Ids(await Tokenize(model, "a b", new() { Pair = "c d e", MaxLength = 3, Truncate = TruncationStrategy.OnlySecond })));
    }

    [Theory]
    [InlineData(7, null, null, "4 5 0 0 0 0 0", "1 1 0 0 0 0 0")]
    [InlineData(null, 4, null, "4 5 0 0", "1 1 0 0")]
    [InlineData(3, 4, Side.Left, "0 0 4 5", "0 0 1 1")]
    public async Task Tokenize_Padding_HasLengthMultipleAndSide(int? length, int? multiple, Side? side, string ids, string mask)
    {
        await using var model = Open();
        var tokens = await Tokenize(model, "a b", new() { PadLength = length, PadMultiple = multiple, PadSide = side });
        Assert.Equal(ids, Ids(tokens));
        Assert.Equal(mask, string.Join(' ', Column(tokens, "attention_mask")));
        Assert.Equal("a b", (await model.DetokenizeAsync(tokens, new() { SkipSpecialTokens = true })).Value);
    }

    [Fact]
    public async Task Tokenize_FileSettings_AreThoseOfTheFileAndOnlyOnDemand()
    {
        const string Truncation = """{"max_length":3,"stride":0,"strategy":"LongestFirst","direction":"Right"}""", Padding = """{"strategy":{"Fixed":4},"direction":"Left","pad_to_multiple_of":null,"pad_id":3,"pad_type_id":0,"pad_token":"?"}""";
        await using var model = Open(Padding, Truncation);
        Assert.Equal("4 5 6 7", Ids(await Tokenize(model, "a b c d", new())));
        Assert.Equal("3 4 5 6", Ids(await Tokenize(model, "a b c d", new() { FileSettings = true })));
        Assert.Equal("3 4 5", Ids(await Tokenize(model, "a b", new() { PadLength = 3 })));
        Assert.Equal("3 3 4 5", Ids(await Tokenize(model, "a b c d", new() { FileSettings = true, MaxLength = 2 })));
    }

    [Fact]
    public async Task Tokenize_FileThatPadsWithoutMeasure_IsRefusedBeforeAnythingIsAllocated()
    {
        await using var model = Open("""{"strategy":{"Fixed":2000000000},"direction":"Right","pad_to_multiple_of":7,"pad_id":0,"pad_type_id":0,"pad_token":"[PAD]"}""");
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = await Assert.ThrowsAsync<MediaException>(() => Tokenize(model, "a", new() { FileSettings = true }));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000_000);
        Assert.Equal(("at most 1048576 tokens", "2000000002"), (error.Expected, error.Found));
        Assert.Equal("4", Ids(await Tokenize(model, "a", new())));
    }

    [Fact]
    public async Task Tokenize_SpecialTokenInTheText_IsItselfTextOrRefused()
    {
        await using var model = Open();
        const string Text = "a [SEP] b [CLS]";
        Assert.Equal("4 2 5 1", Ids(await Tokenize(model, Text, new())));
        Assert.Equal("4 3 3 3 5 3 3 3", Ids(await Tokenize(model, Text, new() { SpecialText = SpecialText.Text })));
        Assert.Equal("4 3 3 3 5 1", Ids(await Tokenize(model, Text, new() { AllowedSpecial = ["[CLS]"] })));
        Assert.Equal("4 2 5 1", Ids(await Tokenize(model, Text, new() { SpecialText = SpecialText.Refuse, AllowedSpecial = ["[CLS]", "[SEP]"] })));
        var error = await Assert.ThrowsAsync<MediaException>(() => Tokenize(model, Text, new() { SpecialText = SpecialText.Refuse, AllowedSpecial = ["[CLS]"] }));
        Assert.Equal(("the text, character 2", "[SEP]"), (error.Where, error.Found));
        error = await Assert.ThrowsAsync<MediaException>(() => Tokenize(model, "a", new() { SpecialText = SpecialText.Refuse, Pair = "b [PAD]" }));
        Assert.Equal(("the pair, character 2", "[PAD]"), (error.Where, error.Found));
    }

    [Fact]
    public async Task Tokenize_Offsets_AreInTheUnitThatIsAskedForAndSpansInUtf16()
    {
        await using var model = Open();
        foreach (var (unit, end) in new[] { (OffsetUnit.Byte, 6), (OffsetUnit.Utf16, 3), (OffsetUnit.CodePoint, 2) })
        {
            var tokens = await Tokenize(model, "𐐀é a", new() { Offsets = unit });
            Assert.Equal([0, end, end + 1, end + 2], Column(tokens, "offsets"));
            Assert.Equal([new(0, 3), new(4, 5)], tokens.Spans);
        }
    }

    public static TheoryData<TextTokenizerOptions, string> Foolish => new()
    {
        { new() { Stride = 1 }, "stride" }, { new() { TruncateSide = Side.Left }, "truncate_side" }, { new() { PadSide = Side.Left }, "pad_side" }, { new() { PadToken = "a" }, "pad_token" },
        { new() { MaxLength = 2, AddSpecialTokens = true }, "max_length" }, { new() { MaxLength = 3, Pair = "b", AddSpecialTokens = true }, "max_length" }, { new() { MaxLength = 2, Stride = 2 }, "stride" },
        { new() { MaxLength = 2, Truncate = TruncationStrategy.OnlySecond }, "truncate=only-second" }, { new() { MaxLength = 1, Pair = "b", Truncate = TruncationStrategy.OnlySecond }, "max_length" },
        { new() { PadLength = 5, PadToken = "none" }, "pad_token" }, { new() { AllowedSpecial = ["a"] }, "allowed_special" }, { new() { AllowedSpecial = ["[CLS]"], SpecialText = SpecialText.Special }, "allowed_special" },
        { new() { Columns = ["words"] }, "columns" },
    };

    [Theory, MemberData(nameof(Foolish), DisableDiscoveryEnumeration = true)]
    public async Task Tokenize_OptionsThatCannotBe_AreRefusedByName(TextTokenizerOptions options, string where)
    {
        await using var model = Open();
        Assert.Equal(where, (await Assert.ThrowsAsync<OptionsException>(() => Tokenize(model, "a b", options))).Where);
    }

    [Fact]
    public async Task Tokenize_Tiktoken_TakesSpecialTokensForTextUnlessAllowed()
    {
        await using var model = await OpenCase("tiktoken", "o200k-a");
        const string Text = "é 😀<|endoftext|>";
        var ordinary = await Tokenize(model, Text, new() { Offsets = OffsetUnit.Byte });
        var allowed = await Tokenize(model, Text, new() { SpecialText = SpecialText.Refuse, AllowedSpecial = ["<|endoftext|>"], Offsets = OffsetUnit.Byte });
        Assert.True(ordinary.Ids.Length > allowed.Ids.Length);
        Assert.Equal([7, 20], Column(allowed, "offsets")[^2..]);
        Assert.Equal(Encoding.UTF8.GetByteCount(Text), Column(ordinary, "offsets")[^1]);
        Assert.Equal(Text, (await model.Get<ITokenize>().DetokenizeAsync(allowed, new TextTokenizerOptions())).Expect<Text>().Value);
        await Assert.ThrowsAsync<MediaException>(() => Tokenize(model, Text, new() { SpecialText = SpecialText.Refuse }));
        Assert.Equal("pad_token", (await Assert.ThrowsAsync<OptionsException>(() => Tokenize(model, Text, new() { PadLength = 30 }))).Where);
        var padded = await Tokenize(model, "é", new() { PadLength = 5, PadToken = "<|endoftext|>" });
        Assert.Equal(5, padded.Ids.Length);
    }

    [Fact]
    public async Task Tokenize_SentencePiece_WindowsKeepStartAndEnd()
    {
        await using var model = await OpenCase("sentencepiece", "word-a");
        var tokenizer = ((TextTokenizerModel)model).Tokenizer;
        var whole = await Tokenize(model, "one two three four", new() { AddSpecialTokens = true });
        Assert.Equal(tokenizer.EncodeToIds("one two three four", addSpecialTokens: true), whole.Ids.Span.ToArray());
        var cut = await Tokenize(model, "one two three four", new() { AddSpecialTokens = true, MaxLength = 4 });
        var ids = whole.Ids.Span.ToArray();
        Assert.Equal([ids[0], ids[1], ids[2], ids[^1]], cut.Ids.Span.ToArray());
        Assert.Equal([ids[0], ids[3], ids[4], ids[^1]], Column(cut, "overflow_ids"));
        Assert.Equal("special_text", (await Assert.ThrowsAsync<OptionsException>(() => Tokenize(model, "a", new() { SpecialText = SpecialText.Special }))).Where);
        Assert.Equal("pair", (await Assert.ThrowsAsync<MediaException>(() => Tokenize(model, "a", new() { Pair = "b", AddSpecialTokens = true }))).Where);
    }

    [Fact]
    public async Task Tokenize_Clip_SpansStandInTheCleanedText()
    {
        await using var model = await OpenCase("clip", "published-a");
        var tokens = await Tokenize(model, "  A   CAT &amp; dog", new() { AddSpecialTokens = true });
        Assert.Equal("a cat & dog", tokens.SpannedText);
        Assert.Equal(["", "a", "cat", "&", "dog", ""], tokens.Spans.Select(span => tokens.SpannedText![(int)span.Start..(int)span.End]));
    }
}
