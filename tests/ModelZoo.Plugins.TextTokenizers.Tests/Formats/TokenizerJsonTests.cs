using System.Text;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;
using ModelZoo.Plugins.TextTokenizers.Formats;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Formats;

public class TokenizerJsonTests
{
    private const string Model = """{"type":"WordLevel","vocab":{"[UNK]":0,"a":1},"unk_token":"[UNK]"}""";

    [Theory, ParityCases("text-tokenizers/tokenizer-json")]
    public void Write_ReadBack_EncodesTheSame(ParityCase @case)
    {
        var first = TokenizerJson.Load(Path.Combine(@case.CheckpointFolder!, "tokenizer.json"));
        var written = TokenizerJson.Write(first);
        var second = TokenizerJson.Parse(written);
        Assert.Equal(written, TokenizerJson.Write(second));
        var texts = new RandomText(11);
        for (var i = 0; i < 6; i++)
        {
            var text = texts.Next(10);
            Assert.Equal(Run(first, text), Run(second, text));
        }
    }

    [Theory, ParityCases("text-tokenizers/tokenizer-json")]
    public void EncodeToIds_AnyText_EqualsTheFullEncoding(ParityCase @case)
    {
        var tokenizer = TokenizerJson.Load(Path.Combine(@case.CheckpointFolder!, "tokenizer.json"));
        var texts = new RandomText(13);
        for (var i = 0; i < 6; i++)
        {
            var text = texts.Next(10) + "<|x|>[MASK]";
            var full = Run(tokenizer, text);
            if (full is not null) Assert.Equal(full, string.Join(' ', tokenizer.EncodeToIds(text)));
        }
    }

    [Theory]
    [InlineData("""{"normalizer":{"type":"Magic"}}""", "$.normalizer.type")]
    [InlineData("""{"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":"("},"content":""}]}}""", "$.normalizer.normalizers[1].pattern")]
    [InlineData("""{"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Whitespace"},{"type":"Split","pattern":{"String":"a"},"behavior":"Sideways","invert":false}]}}""", "$.pre_tokenizer.pretokenizers[1].behavior")]
    [InlineData("""{"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"X","type_id":0}}],"pair":[],"special_tokens":{}}}""", "$.post_processor.single[0].SpecialToken.id")]
    [InlineData("""{"decoder":{"type":"Strip","content":"ab","start":0,"stop":0}}""", "$.decoder.content")]
    [InlineData("""{"truncation":{"max_length":-1,"stride":0,"strategy":"LongestFirst"}}""", "$.truncation.max_length")]
    [InlineData("""{"version":"9"}""", "$.version")]
    public void Parse_WhatIsNotKnown_IsRefusedByPath(string file, string path)
    {
        var error = Assert.Throws<CheckpointException>(() => Parse(file[..^1] + ",\"model\":" + Model + "}"));
        Assert.Equal(path, error.Where);
    }

    [Theory]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}""", "$.model.merges[0]")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}""", "$.model.vocab.a")]
    [InlineData("""{"model":{"type":"Unigram","vocab":[["a",0]],"unk_id":7}}""", "$.model")]
    [InlineData("""{"model":{"type":"Oracle"}}""", "$.model.type")]
    public void Parse_BadModel_IsRefusedByPath(string file, string path) => Assert.Equal(path, Assert.Throws<CheckpointException>(() => Parse(file)).Where);

    [Fact]
    public void Parse_AbsurdDepth_IsRefused()
    {
        var nested = string.Concat(Enumerable.Repeat("""{"type":"Sequence","normalizers":[""", 10_000)) + string.Concat(Enumerable.Repeat("]}", 10_000));
        Assert.Throws<CheckpointException>(() => Parse($$"""{"normalizer":{{nested}},"model":{{Model}}}"""));
    }

    [Theory]
    [InlineData(@"(a+)+$")]
    [InlineData(@"(a|aa)+$")]
    [InlineData(@"(?:a*)*b")]
    [InlineData(@"(x+x+)+y|a{1000}a{1000}b")]
    public void Encode_CatastrophicPattern_EndsOrIsRefused(string pattern)
    {
        var split = $$"""{"type":"Split","pattern":{"Regex":"{{pattern}}"},"behavior":"Isolated","invert":false}""";
        try
        {
            var tokenizer = Parse($$"""{"pre_tokenizer":{{split}},"model":{{Model}}}""");
            tokenizer.EncodeToIds(new string('a', 300) + "!");
        }
        catch (ModelZooException error)
        {
            Assert.Contains(error.Code, new[] { "text.regex-overrun", ErrorCodes.CheckpointMalformed });
        }
    }

    [Fact]
    public void Parse_MillionMerges_IsRead()
    {
        var file = new StringBuilder("""{"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[""");
        for (var i = 0; i < 1_000_000; i++) file.Append(i == 0 ? "" : ",").Append("\"a b\"");
        Assert.Equal([2, 2], Parse(file.Append("]}}").ToString()).EncodeToIds("abab"));
    }

    private static PipelineTokenizer Parse(string file) => TokenizerJson.Parse(Encoding.UTF8.GetBytes(file));

    private static string? Run(PipelineTokenizer tokenizer, string text)
    {
        try
        {
            return string.Join(' ', tokenizer.Encode(text, options: new() { AddSpecialTokens = false, NoTruncation = true, NoPadding = true }).Ids);
        }
        catch (MediaException)
        {
            return null;
        }
    }
}
