using System.Text;
using System.Text.Json.Nodes;
using ModelZoo.Conformance;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Formats;

/// <summary>Every component of tokenizer.json with every option, beside what the reference library answered (Data/components.json).</summary>
public class ComponentTests
{
    private static readonly Lazy<JsonNode> File = new(() =>
        JsonNode.Parse(System.IO.File.ReadAllText(Repository.Path("tests", "ModelZoo.Plugins.TextTokenizers.Tests", "Formats", "Data", "components.json")))!);

    private static readonly Lazy<ILookup<string, JsonNode>> Rows = new(() => File.Value["rows"]!.AsArray().ToLookup(row => row!["name"]!.GetValue<string>(), row => row!));

    public static TheoryData<string> Components => [.. Rows.Value.Select(rows => rows.Key)];

    [Theory, MemberData(nameof(Components))]
    public void Encode_Component_EqualsTheReference(string component)
    {
        foreach (var row in Rows.Value[component])
        {
            var file = row["parts"]!.DeepClone().AsObject();
            file["version"] = "1.0";
            file["model"] = File.Value["models"]![row["model"]!.GetValue<string>()]!.DeepClone();
            var tokenizer = TokenizerJson.Parse(Encoding.UTF8.GetBytes(file.ToJsonString()));
            Check(tokenizer, row);
            Check(TokenizerJson.Parse(TokenizerJson.Write(tokenizer)), row);
        }
    }

    private static void Check(PipelineTokenizer tokenizer, JsonNode row)
    {
        EncodeInput text = row["text"]!.GetValue<string>();
        var pair = row["pair"] is { } second ? EncodeInput.Text(second.GetValue<string>()) : null;
        var encoding = tokenizer.Encode(text, pair, new() { AddSpecialTokens = row["add"]?.GetValue<bool>() ?? true, Offsets = OffsetUnit.CodePoint });
        Assert.Equal(row["result"]!.ToJsonString(), Describe(encoding).ToJsonString());
        if (pair is null && tokenizer is { Truncation: null, Padding: null })
        {
            Assert.Equal(encoding.Ids, tokenizer.EncodeToIds(row["text"]!.GetValue<string>(), row["add"]?.GetValue<bool>() ?? true));
            Assert.Equal(encoding.Count, tokenizer.CountTokens(row["text"]!.GetValue<string>(), row["add"]?.GetValue<bool>() ?? true));
        }

        int[] ids = [.. encoding.Ids];
        var decoded = row["decoded"]!.GetValue<string>();
        Assert.Equal(decoded, tokenizer.Decode(ids, skipSpecialTokens: true));
        Assert.Equal(row["decoded_with_special"]?.GetValue<string>() ?? decoded, tokenizer.Decode(ids));
    }

    private static JsonObject Describe(TokenEncoding encoding)
    {
        var result = new JsonObject
        {
            ["ids"] = Array(encoding.Ids),
            ["tokens"] = Array(encoding.Tokens),
            ["offsets"] = new JsonArray([.. encoding.Offsets.Select(range => (JsonNode)new JsonArray(range.Start, range.End))]),
        };
        if (encoding.TypeIds.Any(type => type != 0)) result["type_ids"] = Array(encoding.TypeIds);
        if (encoding.SpecialTokensMask.Contains(1)) result["special_mask"] = Array(encoding.SpecialTokensMask);
        if (encoding.AttentionMask.Contains(0)) result["attention_mask"] = Array(encoding.AttentionMask);
        result["word_ids"] = Array(encoding.WordIds);
        result["sequence_ids"] = Array(encoding.SequenceIds);
        if (encoding.Overflow.Count > 0) result["overflow"] = new JsonArray([.. encoding.Overflow.Select(window => (JsonNode)Describe(window))]);
        return result;
    }

    private static JsonArray Array<T>(IEnumerable<T> values) => [.. values.Select(value => value is null ? null : (JsonNode)JsonValue.Create(value)!)];
}
