using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Hosting;
using ModelZoo.Plugins.TextTokenizers.Papers;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>The architecture <c>text-tokenizers/tokenizer-json</c>: a folder with a <c>tokenizer.json</c>.</summary>
internal static class TokenizerJsonModel
{
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "text-tokenizers/tokenizer-json",
            Paper = "Hugging Face tokenizers",
            Authors = ["Anthony Moi", "Nicolas Patry"],
            Repository = "huggingface/tokenizers",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens],
            Layouts = ["tokenizer.json", "vocab.json + merges.txt (GPT-2)", "vocab.txt (BERT)", "tokenizer_config.json and special_tokens_map.json beside the last two"],
        },
        (source, _) =>
        {
            var tokenizer = source.Parts.Count > 0 ? TokenizerJson.Load(PathOf(source)) : TokenizerFolder.Open(source.RequireFolder());
            return ValueTask.FromResult<IModel>(new TextTokenizerModel(source, tokenizer, Calls(tokenizer)));
        });

    /// <summary>The tokenizer.json of a source.</summary>
    public static string PathOf(ModelSource source) => Path.Combine(source.RequireFolder(), source.Parts.Count > 0 ? source.Parts[0].File : "tokenizer.json");

    /// <summary>The calls of the reference library.</summary>
    public static LineCalls Calls(PipelineTokenizer tokenizer) => new LineCalls()
        .Add("encode", line => Answer(tokenizer, line))
        .Add("decode_stream", line => Stream(tokenizer, line));

    private static JsonObject Answer(PipelineTokenizer tokenizer, JsonElement line)
    {
        var options = line.TryGetProperty("options", out var given) ? given : default;
        if (line.TryGetProperty("ids", out var ids)) return new() { ["decoded"] = tokenizer.Decode(Ids(ids), Flag(options, "skip_special_tokens", true)) };
        var encode = new EncodeOptions
        {
            AddSpecialTokens = Flag(options, "add_special_tokens", true),
            EncodeSpecialTokens = Flag(options, "encode_special_tokens", false),
            Offsets = OffsetUnit.CodePoint,
        };
        if (line.TryGetProperty("batch", out var batch))
        {
            var inputs = batch.AsList().Select(member => (Input(member.Member("text")), Pair(member))).ToArray();
            var encodings = tokenizer.EncodeBatch(inputs, encode);
            return new()
            {
                ["batch"] = new JsonArray([.. encodings.Select(encoding => Describe(tokenizer, encoding))]),
                ["decoded"] = LineCalls.ToArray(encodings.Select(encoding => tokenizer.Decode([.. encoding.Ids], skipSpecialTokens: true))),
            };
        }

        var text = line.Member("text");
        var result = Describe(tokenizer, tokenizer.Encode(Input(text), Pair(line), encode));
        if (text.ValueKind == JsonValueKind.String) AddStages(tokenizer, text.AsText(), result);
        return result;
    }

    private static JsonObject Describe(PipelineTokenizer tokenizer, TokenEncoding encoding, bool isWindow = false)
    {
        var result = new JsonObject
        {
            ["ids"] = LineCalls.ToArray(encoding.Ids),
            ["tokens"] = LineCalls.ToArray(encoding.Tokens),
            ["offsets"] = LineCalls.ToArray(encoding.Offsets),
            ["type_ids"] = LineCalls.ToArray(encoding.TypeIds),
            ["special_mask"] = LineCalls.ToArray(encoding.SpecialTokensMask),
            ["attention_mask"] = LineCalls.ToArray(encoding.AttentionMask),
            ["word_ids"] = new JsonArray([.. encoding.WordIds.Select(id => (JsonNode?)id)]),
            ["sequence_ids"] = new JsonArray([.. encoding.SequenceIds.Select(id => (JsonNode?)id)]),
        };
        if (encoding.Overflow.Count > 0) result["overflow"] = new JsonArray([.. encoding.Overflow.Select(window => Describe(tokenizer, window, isWindow: true))]);
        if (isWindow) return result;
        int[] ids = [.. encoding.Ids];
        result["decoded"] = tokenizer.Decode(ids, skipSpecialTokens: true);
        result["decoded_with_special"] = tokenizer.Decode(ids);
        return result;
    }

    // What the normalizer alone, and then the pre-tokenizer alone, make of the whole text.
    private static void AddStages(PipelineTokenizer tokenizer, string text, JsonObject result)
    {
        var normalized = tokenizer.Normalizer?.Normalize(text) ?? text;
        result["normalized"] = normalized;
        if (tokenizer.PreTokenizer is null) return;
        result["pre_tokens"] = new JsonArray([.. tokenizer.PreTokenizer.PreTokenize(normalized).Select(piece => new JsonArray(piece.Text, new JsonArray(piece.Start, piece.End)))]);
    }

    private static JsonObject Stream(PipelineTokenizer tokenizer, JsonElement line)
    {
        var stream = tokenizer.StartDecoding(skipSpecialTokens: true);
        var chunks = new JsonArray();
        try
        {
            foreach (var id in Ids(line.Member("ids"))) chunks.Add(stream.Step(id));
        }
        catch (MediaException error)
        {
            chunks.Add(null);
            return new() { ["chunks"] = chunks, ["error"] = error.Message };
        }

        return new() { ["chunks"] = chunks };
    }

    private static int[] Ids(JsonElement ids) => [.. ids.AsList().Select(id => id.AsInt())];

    private static EncodeInput Input(JsonElement text) =>
        text.ValueKind == JsonValueKind.Array ? EncodeInput.Words([.. text.AsList().Select(word => word.AsText())]) : EncodeInput.Text(text.AsText());

    private static EncodeInput? Pair(JsonElement line) => line.TryGetProperty("pair", out var pair) && pair.ValueKind != JsonValueKind.Null ? Input(pair) : null;

    private static bool Flag(JsonElement options, string name, bool otherwise) =>
        options.ValueKind == JsonValueKind.Object && options.TryGetProperty(name, out var value) ? value.AsFlag() : otherwise;
}
