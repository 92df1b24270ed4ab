using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Formats;

/// <summary>Files that were spoiled at random: each is read and used, or refused with an error that says where. <c>MODELZOO_FUZZ=100000</c> makes the run as long as one likes.</summary>
public sealed class HostileFileTests
{
    private const string Text = "Hello, wörld 12  <s>[MASK]</s> 日本語 ▁a\u0301\n";

    private static readonly string[] Values =
    [
        "null", "true", "0", "-1", "1", "3", "2147483647", "2147483648", "1e308", "-0.5", "\"\"", "\"a\"", "\"ab c\"", "\"(\"", "\"(a+)+$\"", "\"\\u0000\"", "\"@lone@\"", "\"[UNK]\"", "[]", "[[]]", "[\"a\"]", "[\"a\",1]",
        "[1,2]", "{}", "{\"a\":1}", "{\"String\":\"\"}", "{\"Regex\":\"\\\\p{L\"}", "{\"type\":\"Sequence\"}", "{\"type\":\"BPE\"}", "\"" + "\u4e2d" + "\"",
    ];

    private static int Files(int otherwise) => int.TryParse(Environment.GetEnvironmentVariable("MODELZOO_FUZZ"), CultureInfo.InvariantCulture, out var count) ? Math.Max(1, count / 100) : otherwise;

    [Theory, ParityCases("text-tokenizers/tokenizer-json")]
    public void TokenizerJson_SpoiledAtRandom_IsUsedOrRefusedByPath(ParityCase @case)
    {
        var file = new FileInfo(Path.Combine(@case.CheckpointFolder!, "tokenizer.json"));
        if (file.Length > 200_000) return;
        var text = File.ReadAllText(file.FullName);
        var random = new Random(@case.Name.Length);
        for (var i = 0; i < Files(8); i++)
        {
            var root = JsonNode.Parse(text)!;
            for (var count = random.Next(1, 3); count > 0; count--) Spoil(root, random);
            var spoiled = root.ToJsonString().Replace("@lone@", "\\ud800", StringComparison.Ordinal);   // half a character, which the writer would refuse
            try
            {
                var tokenizer = TokenizerJson.Parse(Encoding.UTF8.GetBytes(spoiled));
                _ = tokenizer.Decode(tokenizer.EncodeToIds(Text));
                _ = TokenizerJson.Parse(TokenizerJson.Write(tokenizer));
            }
            catch (CheckpointException error)
            {
                Assert.StartsWith("$", error.Where, StringComparison.Ordinal);
            }
            catch (ModelZooException)
            {
            }
            catch (Exception error)
            {
                Assert.Fail($"{error.GetType().Name}: {error.Message}\n{error.StackTrace}\n{(spoiled.Length > 3000 ? spoiled[..3000] : spoiled)}");
            }
        }
    }

    [Theory, ParityCases("text-tokenizers/sentencepiece")]
    public void SentencePiece_SpoiledAtRandom_IsUsedOrRefused(ParityCase @case)
    {
        var file = Directory.GetFiles(@case.CheckpointFolder!, "*.model").Single();
        var bytes = File.ReadAllBytes(file);
        if (bytes.Length > 200_000) return;
        var random = new Random(@case.Name.Length);
        for (var i = 0; i < Files(8); i++)
        {
            var spoiled = Spoil(bytes, random);
            Use(spoiled, () =>
            {
                var tokenizer = new SentencePieceTokenizer(SentencePieceFile.Parse(spoiled));
                _ = tokenizer.Decode(tokenizer.EncodeToIds(Text));
            }, typeof(FormatException));
        }
    }

    [Fact]
    public void RankFile_SpoiledAtRandom_IsUsedOrRefused()
    {
        var bytes = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 256).Select(value => $"{Convert.ToBase64String([(byte)value])} {value}\n")) + "YWI= 256\nYWJj 257\n");
        var random = new Random(9);
        for (var i = 0; i < Files(300); i++)
        {
            var spoiled = Spoil(bytes, random);
            Use(spoiled, () =>
            {
                var encoding = new TiktokenEncoding("spoiled", TiktokenFile.Parse(spoiled), TiktokenEncodings.Cl100kPattern, new Dictionary<string, int>());
                _ = encoding.Decode(encoding.EncodeToIds(Text));
            });
        }
    }

    [Theory]
    [InlineData("""{"a":0,"b":1,"ab":2,"ba":3}""", """["a b","b a","ab ab","ba ba"]""", "$.model.merges[2]")]    // the joined token is not there
    [InlineData("""{"a":0,"aa":0}""", """["a a"]""", null)]                                                        // a merge that gives what it merges: 0 0 -> 0
    [InlineData("""{"a":0,"b":1,"ab":0}""", """["a b"]""", null)]
    [InlineData("""{"a":0,"b":1,"ab":2,"aba":0,"abab":2}""", """["a b","ab a","ab ab"]""", null)]                   // ids in a circle
    public void Merges_InACircle_EndOrAreRefused(string vocabulary, string merges, string? path)
    {
        var file = Encoding.UTF8.GetBytes("""{"model":{"type":"BPE","vocab":""" + vocabulary + ""","merges":""" + merges + "}}");
        if (path is not null)
        {
            Assert.Equal(path, Assert.Throws<CheckpointException>(() => TokenizerJson.Parse(file)).Where);
            return;
        }

        var ids = TokenizerJson.Parse(file).EncodeToIds(string.Concat(Enumerable.Repeat("abaab", 400)));
        Assert.InRange(ids.Length, 1, 2000);
    }

    [Theory]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 12)]
    [InlineData("aa", 64)]
    public void Replacements_ThatFeedEachOther_AreRefusedBeforeTheyFillTheMemory(string content, int times)
    {
        var replace = $$"""{"type":"Replace","pattern":{"String":"a"},"content":"{{content}}"}""";
        var all = string.Join(',', Enumerable.Repeat(replace, times));
        var file = $$$"""{"normalizer":{"type":"Sequence","normalizers":[{{{all}}}]},"decoder":{"type":"Sequence","decoders":[{{{all}}}]},"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}""";
        var tokenizer = TokenizerJson.Parse(Encoding.UTF8.GetBytes(file));
        Assert.Equal("text.replacements-overrun", Assert.Throws<MediaException>(() => tokenizer.EncodeToIds("a cat")).Code);
        Assert.Equal("text.replacements-overrun", Assert.Throws<MediaException>(() => tokenizer.Decode([0])).Code);
    }

    [Theory]
    [InlineData("""{"type":"WordLevel","vocab":{"a":2147483647},"unk_token":"a"}""")]
    [InlineData("""{"type":"WordPiece","vocab":{"a":2147483647},"unk_token":"a","continuing_subword_prefix":"##","max_input_chars_per_word":2147483647}""")]
    [InlineData("""{"type":"BPE","vocab":{"a":2147483647,"b":0,"ab":1},"merges":["a b"]}""")]
    public void Vocabulary_OfTheLargestId_IsUsedOrRefused(string model)
    {
        try
        {
            var tokenizer = TokenizerJson.Parse(Encoding.UTF8.GetBytes("""{"model":""" + model + "}"));
            Assert.Equal("a", tokenizer.Decode(tokenizer.EncodeToIds("a")));
        }
        catch (CheckpointException error)
        {
            Assert.StartsWith("$.model", error.Where, StringComparison.Ordinal);
        }
    }

    private static void Use(byte[] file, Action use, Type? alsoAllowed = null)
    {
        try
        {
            use();
        }
        catch (ModelZooException)
        {
        }
        catch (Exception error) when (error.GetType() != alsoAllowed)
        {
            Assert.Fail($"{error.GetType().Name}: {error.Message}\n{error.StackTrace}\n{Convert.ToBase64String(file.AsSpan(0, Math.Min(file.Length, 600)))}");
        }
        catch (Exception error) when (error.GetType() == alsoAllowed)
        {
        }
    }

    // Something somewhere becomes something else, goes, or comes twice.
    private static void Spoil(JsonNode node, Random random)
    {
        while (true)
        {
            switch (node)
            {
                case JsonObject { Count: > 0 } members:
                    var key = members.ElementAt(random.Next(members.Count)).Key;
                    if (members[key] is JsonObject or JsonArray && random.Next(8) > 0)
                    {
                        node = members[key]!;
                        continue;
                    }

                    if (random.Next(6) == 0) members.Remove(key);
                    else if (random.Next(6) == 0) members[key + "x"] = members[key]?.DeepClone();
                    else members[key] = JsonNode.Parse(Values[random.Next(Values.Length)]);
                    return;
                case JsonArray { Count: > 0 } items:
                    var place = random.Next(items.Count);
                    if (items[place] is JsonObject or JsonArray && random.Next(8) > 0)
                    {
                        node = items[place]!;
                        continue;
                    }

                    if (random.Next(6) == 0) items.RemoveAt(place);
                    else if (random.Next(6) == 0) items.Add(items[place]?.DeepClone());
                    else items[place] = JsonNode.Parse(Values[random.Next(Values.Length)]);
                    return;
                default: return;
            }
        }
    }

    private static byte[] Spoil(byte[] file, Random random)
    {
        var spoiled = file.ToList();
        for (var count = random.Next(1, 4); count > 0 && spoiled.Count > 0; count--)
        {
            var place = random.Next(3) == 0 ? Math.Max(0, spoiled.Count - 1 - random.Next(400)) : random.Next(spoiled.Count);
            place = Math.Min(place, spoiled.Count - 1);
            switch (random.Next(5))
            {
                case 0: spoiled[place] = (byte)random.Next(256); break;
                case 1: spoiled[place] ^= (byte)(1 << random.Next(8)); break;
                case 2: spoiled.RemoveRange(place, Math.Min(random.Next(1, 40), spoiled.Count - place)); break;
                case 3: spoiled.InsertRange(place, spoiled.GetRange(place, Math.Min(random.Next(1, 40), spoiled.Count - place))); break;
                default: spoiled.RemoveRange(place, spoiled.Count - place); break;
            }
        }

        return [.. spoiled];
    }
}
