using System.Text.Json.Nodes;
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;
using ModelZoo.Plugins.TextTokenizers.Tests.Models;
using ModelZoo.Plugins.TextTokenizers.Trainers;

namespace ModelZoo.Plugins.TextTokenizers.Tests;

/// <summary>What is done word by word gives what the whole text gives. <c>MODELZOO_FUZZ=1000000</c> makes the run as long as one likes.</summary>
public class WordwiseTests
{
    private const string Nfkc = """{"type":"NFKC"}""";
    private const string Bert = """{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}""";
    private const string Albert = """{"type":"Sequence","normalizers":[{"type":"Strip","strip_left":true,"strip_right":true},{"type":"Replace","pattern":{"String":"''"},"content":"\""},{"type":"NFKD"},{"type":"StripAccents"},{"type":"Lowercase"},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "},{"type":"Prepend","prepend":"e"}]}""";
    private const string Marks = """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}""";
    private const string Unsplit = """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}""";
    private const string SpacesAndMarks = """{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}]}""";

    [Theory]
    [InlineData(Bert, """{"type":"BertPreTokenizer"}""")]
    [InlineData(Bert, """{"type":"Sequence","pretokenizers":[{"type":"Whitespace"},{"type":"Digits","individual_digits":true}]}""")]
    [InlineData(Nfkc, Marks)]
    [InlineData(Nfkc, SpacesAndMarks)]
    [InlineData(Albert, Marks)]
    [InlineData(Albert, SpacesAndMarks)]
    [InlineData("""{"type":"Nmt"}""", Marks)]
    [InlineData("null", """{"type":"WhitespaceSplit"}""")]
    [InlineData(Nfkc, "null")]
    [InlineData(Nfkc, Unsplit)]
    [InlineData(Albert, Unsplit)]
    [InlineData("""{"type":"Nmt"}""", Unsplit)]
    public void EncodeToIds_RandomTexts_EqualsTheFullEncoding(string normalizer, string preTokenizer)
    {
        var texts = new RandomText(31);
        var vocabulary = new JsonArray(new JsonArray("<unk>", 0));
        foreach (var token in Enumerable.Range(0, 600).Select(_ => texts.Next(2).Replace(' ', '▁')).Where(token => token.Length is > 0 and < 6).Distinct())
        {
            vocabulary.Add(new JsonArray(token, -1 - vocabulary.Count % 97 / 8.0));
        }

        var file = new JsonObject
        {
            ["added_tokens"] = JsonNode.Parse("""[{"id":0,"content":"<unk>","single_word":false,"lstrip":true,"rstrip":true,"normalized":false,"special":true},{"id":0,"content":"ab","single_word":true,"lstrip":false,"rstrip":false,"normalized":true,"special":false}]"""),
            ["normalizer"] = JsonNode.Parse(normalizer),
            ["pre_tokenizer"] = JsonNode.Parse(preTokenizer),
            ["model"] = new JsonObject { ["type"] = "Unigram", ["unk_id"] = 0, ["vocab"] = vocabulary },
        };
        var withNormalizedToken = TokenizerJson.Parse(Encoding.UTF8.GetBytes(file.ToJsonString()));
        file["added_tokens"]!.AsArray().RemoveAt(1);
        var tokenizer = TokenizerJson.Parse(Encoding.UTF8.GetBytes(file.ToJsonString()));
        for (var i = 0; i < FuzzTests.Strings / 4; i++)
        {
            var text = string.Join(i % 3 == 0 ? "  " : i % 3 == 1 ? " " : "\n", Enumerable.Range(0, 6).Select(_ => texts.Next(3))) + (i % 5 == 0 ? " <unk> ab ''" : i % 7 == 0 ? " " : "");
            foreach (var pipeline in (ReadOnlySpan<PipelineTokenizer>)[tokenizer, withNormalizedToken])
            {
                var expected = pipeline.Encode(text, options: new() { AddSpecialTokens = false }).Ids;
                Assert.Equal(expected, pipeline.EncodeToIds(text));
                Assert.Equal(expected, pipeline.EncodeToIds(text)); // once more, from what is kept
                Assert.Equal(expected.Count, pipeline.CountTokens(text));
            }
        }
    }

    // The mark goes only before what begins the text, and that is gone.
    [Theory]
    [InlineData("\u0001abc")]
    [InlineData("\u0001\uFE0Fabc")]
    [InlineData(" \u0001abc")]
    public void EncodeToIds_FirstCharacterVanishes_EqualsTheFullEncoding(string text)
    {
        var tokenizer = TokenizerJson.Parse(Encoding.UTF8.GetBytes($$"""{"added_tokens":[],"normalizer":{"type":"Nmt"},"pre_tokenizer":{{Marks}},"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["▁",-1],["a",-2]]} }"""));
        Assert.Equal(tokenizer.Encode(text, options: new() { AddSpecialTokens = false }).Ids, tokenizer.EncodeToIds(text));
    }

    [Fact]
    public void CountTokens_TextMetBefore_AllocatesNothing()
    {
        var tokenizer = TokenizerJson.Parse(Encoding.UTF8.GetBytes($$"""{"normalizer":{{Bert}},"pre_tokenizer":{"type":"BertPreTokenizer"},"model":{"type":"WordPiece","unk_token":"u","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"u":0,"the":1,"cat":2,"##s":3,",":4} } }"""));
        const string Text = "The cats, the cat, THE Cats cat-cat";
        var count = tokenizer.CountTokens(Text);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var again = tokenizer.CountTokens(Text);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal((count, 0L), (again, allocated));
    }

    [Fact]
    public void Count_Lines_EqualsCountingTheWordsOfEach()
    {
        var pipeline = new TrainingPipeline(new SequenceNormalizer([new StripNormalizer(true, true), new LowercaseNormalizer()]), new MetaspacePreTokenizer('▁', PrependScheme.First, split: true));
        var texts = new RandomText(33);
        string[] lines = [.. Enumerable.Range(0, 400).Select(_ => $"{texts.Next(4)} {texts.Next(2)}  {texts.Next(3)}")];
        var expected = lines.SelectMany(pipeline.Words).GroupBy(word => word, StringComparer.Ordinal).ToDictionary(group => group.Key, group => (long)group.Count());
        var counted = pipeline.Count(lines).ToDictionary(pair => pair.Key, pair => pair.Value);
        Assert.Equal(expected.OrderBy(pair => pair.Key, StringComparer.Ordinal), counted.OrderBy(pair => pair.Key, StringComparer.Ordinal));
    }
}
