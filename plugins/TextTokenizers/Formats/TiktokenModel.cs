using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Hosting;
using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>The architecture <c>text-tokenizers/tiktoken</c>: a folder with a rank file and, where its name is not one of the known, its settings.</summary>
internal static class TiktokenModel
{
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "text-tokenizers/tiktoken",
            Paper = "tiktoken",
            Authors = ["Shantanu Jain"],
            Repository = "openai/tiktoken",
            CodeLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens],
            Layouts = ["NAME.tiktoken with a known NAME (gpt2, r50k_base, p50k_base, p50k_edit, cl100k_base, o200k_base, o200k_harmony)", "*.tiktoken + config.json (name, pat_str, special_tokens)"],
        },
        (source, _) =>
        {
            var encoding = Open(source);
            return ValueTask.FromResult<IModel>(new TextTokenizerModel(source, encoding, Calls(encoding)));
        });

    private static TiktokenEncoding Open(ModelSource source)
    {
        var folder = source.RequireFolder();
        var file = source.Parts.FirstOrDefault(part => !part.File.EndsWith(".json", StringComparison.Ordinal))?.File
            ?? Directory.EnumerateFiles(folder, "*.tiktoken").Order(StringComparer.Ordinal).FirstOrDefault()
            ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no rank file.") { Where = folder, Expected = "*.tiktoken" };
        var ranks = TiktokenFile.Load(Path.Combine(folder, file));
        var config = Path.Combine(folder, "config.json");
        if (File.Exists(config))
        {
            var (name, pattern, special, size) = TiktokenFile.LoadConfig(config);
            return new(name, ranks, pattern, special, size);
        }

        return TiktokenEncodings.Make(Path.GetFileNameWithoutExtension(file), ranks);
    }

    private static LineCalls Calls(TiktokenEncoding encoding) => new LineCalls()
        .Add("encode_ordinary", line => DescribeOrdinary(encoding, encoding.EncodeOrdinary(line.Member("text").AsText())))
        .Add("encode", line =>
        {
            var ids = encoding.Encode(line.Member("text").AsText(), Names(line, "allowed_special", []), Names(line, "disallowed_special", null));
            return new()
            {
                ["ids"] = LineCalls.ToArray(ids),
                ["decoded"] = encoding.Decode(ids),
                ["is_special"] = new JsonArray([.. ids.Select(id => (JsonNode)encoding.IsSpecial(id))]),
            };
        })
        .Add("decode", line => DescribeDecoded(encoding, [.. line.Member("ids").AsList().Select(id => id.AsInt())]))
        .Add("encode_single_token", line => encoding.EncodeSingleToken(line.Member("bytes").AsBytes()) is { } id ? new() { ["id"] = id } : new() { ["error"] = "not one token" })
        .Add("encode_bytes", line => new() { ["ids"] = LineCalls.ToArray(encoding.EncodeBytes(line.Member("bytes").AsBytes())) })
        .Add("encode_with_unstable", line =>
        {
            var (stable, completions) = encoding.EncodeWithUnstable(line.Member("text").AsText(), Names(line, "allowed_special", []), Names(line, "disallowed_special", null));
            return new() { ["stable"] = LineCalls.ToArray(stable), ["completions"] = new JsonArray([.. completions.Select(LineCalls.ToArray)]) };
        })
        .Add("facts", _ => new()
        {
            ["n_vocab"] = encoding.IdLimit,
            ["max_token_value"] = encoding.IdLimit - 1,
            ["eot_token"] = encoding.SpecialTokens.TryGetValue("<|endoftext|>", out var end) ? end : null,
            ["special_tokens"] = LineCalls.ToArray(encoding.SpecialTokens.Keys),
        });

    private static JsonObject DescribeOrdinary(TiktokenEncoding encoding, int[] ids) => new()
    {
        ["ids"] = LineCalls.ToArray(ids),
        ["offsets"] = LineCalls.ToArray(Offsets(encoding, ids)),
        ["tokens"] = LineCalls.ToArray(ids.Select(id => Convert.ToBase64String(encoding.BytesOf(id)))),
        ["decoded"] = encoding.Decode(ids),
    };

    private static JsonObject DescribeDecoded(TiktokenEncoding encoding, int[] ids)
    {
        var bytes = encoding.DecodeBytes(ids);
        var result = new JsonObject { ["decoded_bytes"] = Convert.ToBase64String(bytes), ["decoded"] = Encoding.UTF8.GetString(bytes) };
        if (System.Text.Unicode.Utf8.IsValid(bytes)) result["offsets"] = LineCalls.ToArray(Offsets(encoding, ids));
        return result;
    }

    // decode_with_offsets: the code point where each token starts; one that starts inside a character counts from it.
    private static List<int> Offsets(TiktokenEncoding encoding, int[] ids)
    {
        var result = new List<int>(ids.Length);
        var length = 0;
        foreach (var id in ids)
        {
            var bytes = encoding.BytesOf(id);
            result.Add(Math.Max(0, length - ((bytes[0] & 0xC0) == 0x80 ? 1 : 0)));
            foreach (var b in bytes) length += (b & 0xC0) == 0x80 ? 0 : 1;
        }

        return result;
    }

    // "all" is null, and so is what is not said where that means all.
    private static HashSet<string>? Names(JsonElement line, string name, HashSet<string>? otherwise)
    {
        if (line.Option(name) is not { } value) return otherwise;
        return value.ValueKind == JsonValueKind.String ? null : [.. value.AsList().Select(item => item.AsText())];
    }
}
