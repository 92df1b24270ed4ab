using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;
using ModelZoo.Plugins.TextTokenizers.Hosting;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Formats;

/// <summary>Models of every kind and with every option of the trainer, beside what the reference answered (Data/sentencepiece.json).</summary>
public class SentencePieceTests
{
    private const double Tolerance = 1e-5; // of a score in single precision

    private static readonly Lazy<JsonNode> File = new(() =>
        JsonNode.Parse(System.IO.File.ReadAllText(Repository.Path("tests", "ModelZoo.Plugins.TextTokenizers.Tests", "Formats", "Data", "sentencepiece.json")))!);

    private static readonly Lazy<ILookup<string, JsonArray>> Rows = new(() => File.Value["rows"]!.AsArray().Select(row => row!.AsArray()).ToLookup(row => row[0]!.GetValue<string>()));

    public static TheoryData<string> Models => [.. Rows.Value.Select(rows => rows.Key)];

    [Theory, MemberData(nameof(Models))]
    public async Task Calls_Model_EqualTheReference(string model)
    {
        var tokenizer = Load(model);
        foreach (var row in Rows.Value[model])
        {
            var (call, line, expected) = (row[1]!.GetValue<string>(), row[2]!, row[3]!);
            if (call == "restrict")
            {
                tokenizer = tokenizer.WithVocabulary(line["vocabulary"]!.AsArray().Select(piece => piece!.GetValue<string>()));
                continue;
            }

            var answer = call switch
            {
                "ids" => new JsonObject { ["unk"] = tokenizer.UnknownId, ["bos"] = tokenizer.StartId ?? -1, ["eos"] = tokenizer.EndId ?? -1, ["pad"] = tokenizer.PaddingId ?? -1 },
                "bytes" => EncodeBytes(tokenizer, Convert.FromBase64String(line["bytes"]!.GetValue<string>())),
                _ => await CallAsync(tokenizer, call, line),
            };
            AssertHas(expected, answer, row.ToJsonString());
            if (call == "encode" && line["options"] is null) AssertIds(tokenizer, line["text"]!.GetValue<string>(), expected["ids"]!);
        }
    }

    [Theory, MemberData(nameof(Models))]
    public void EncodeToIds_LongTexts_EqualsTheWholeSegmentation(string model)
    {
        var tokenizer = Load(model);
        var texts = new RandomText(31);
        for (var i = 0; i < 40; i++)
        {
            var text = string.Join(i % 3 == 0 ? "  " : " ", Enumerable.Range(0, i % 10 == 0 ? 200 : 12).Select(_ => texts.Next(4) + (i % 2 == 0 ? " the hello foob" : "abba ab")));
            var ids = tokenizer.Encode(text).Select(piece => piece.Id);
            Assert.Equal(ids, tokenizer.EncodeToIds(text));
            Assert.Equal(ids, tokenizer.EncodeToIds(text));
        }
    }

    [Fact]
    public void EncodeToIds_TextMetBefore_AllocatesTheResultAlone()
    {
        var tokenizer = Load("unigram-rules");
        var text = string.Concat(Enumerable.Repeat("the quick fox it's tested ", 200));
        var ids = tokenizer.EncodeToIds(text);
        tokenizer.CountTokens(text);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var count = tokenizer.CountTokens(text);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(ids.Length, count);
    }

    [Fact]
    public void Sample_UnigramOfGreatAlpha_IsTheBest()
    {
        var tokenizer = Load("unigram-few-letters");
        Assert.Equal(tokenizer.Encode("abbabaab"), tokenizer.Sample("abbabaab", 50, new Random(4).NextDouble));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void Sample_BpeWithDropout_DropsNoMergeOrAll(float dropout, bool dropsAll)
    {
        var tokenizer = Load("bpe-few-letters");
        var expected = dropsAll ? [.. tokenizer.Normalize("abbabaab").Select(letter => $"{letter}")] : tokenizer.Encode("abbabaab").Select(piece => piece.Text).ToArray();
        Assert.Equal(expected, tokenizer.Sample("abbabaab", dropout, new Random(4).NextDouble).Select(piece => piece.Text));
    }

    [Fact]
    public void Constructor_FailedSelfTest_IsRefused()
    {
        var file = Parse("unigram-rules");
        Assert.NotEmpty(file.SelfTests);
        Assert.Throws<CheckpointException>(() => new SentencePieceTokenizer(file with { SelfTests = [("hello", "h ello")] }));
    }

    private static SentencePieceTokenizer Load(string model) => new(Parse(model));

    private static SentencePieceFile Parse(string model)
    {
        using var inflate = new DeflateStream(new MemoryStream(Convert.FromBase64String(File.Value["models"]![model]!.GetValue<string>())), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        inflate.CopyTo(bytes);
        return SentencePieceFile.Parse(bytes.ToArray());
    }

    private static async Task<JsonNode> CallAsync(SentencePieceTokenizer tokenizer, string call, JsonNode line)
    {
        var results = await SentencePieceModel.Calls(tokenizer).CallAsync(call, new CallArguments().With("lines", [LineCalls.ToElement(line)]));
        return JsonNode.Parse(((IReadOnlyList<JsonElement>)results.Find("lines")!)[0].GetRawText())!;
    }

    private static JsonObject EncodeBytes(SentencePieceTokenizer tokenizer, byte[] utf8)
    {
        var pieces = tokenizer.Encode(utf8);
        Assert.Equal(pieces.Select(piece => piece.Id), tokenizer.EncodeToIds(utf8));
        return new() { ["ids"] = LineCalls.ToArray(pieces.Select(piece => piece.Id)), ["offsets"] = LineCalls.ToArray(pieces.Select(piece => (piece.Start, piece.End))) };
    }

    private static void AssertIds(SentencePieceTokenizer tokenizer, string text, JsonNode expected)
    {
        var ids = expected.AsArray().Select(id => id!.GetValue<int>()).ToArray();
        Assert.Equal(ids, tokenizer.EncodeToIds(text));
        Assert.Equal(ids.Length, tokenizer.CountTokens(text));
    }

    // All that the reference says, numbers with a point within the tolerance.
    private static void AssertHas(JsonNode? expected, JsonNode? actual, string where)
    {
        switch (expected)
        {
            case JsonObject members:
                foreach (var (name, value) in members) AssertHas(value, actual![name], where);
                break;
            case JsonArray items when items.Any(item => item is JsonObject):
                Assert.True(items.Count == actual!.AsArray().Count, where);
                for (var i = 0; i < items.Count; i++) AssertHas(items[i], actual[i], where);
                break;
            case JsonValue value when value.GetValueKind() == JsonValueKind.Number:
                var (one, other) = (value.GetValue<double>(), JsonSerializer.Deserialize<double>(actual));
                Assert.True(Math.Abs(one - other) <= Tolerance * Math.Max(1, Math.Abs(one)), $"{other} in {where}");
                break;
            default:
                Assert.True(JsonNode.DeepEquals(expected, actual), $"{actual?.ToJsonString()} in {where}");
                break;
        }
    }
}
