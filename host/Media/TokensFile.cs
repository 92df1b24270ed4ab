using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Host.Media;

/// <summary>Tokens in files: JSON for people and programs, .safetensors for much of it. Both carry the token space, so that another model refuses them.</summary>
internal static class TokensFile
{
    private const string Format = "modelzoo.tokens/1";

    /// <summary>Tokens as JSON.</summary>
    public static JsonObject ToJson(Tokens tokens)
    {
        var json = Head(tokens);
        json["shape"] = new JsonArray([.. tokens.Ids.Shape.ToArray().Select(extent => (JsonNode)extent)]);
        json["ids"] = Nested(tokens.Ids.Span, tokens.Ids.Shape);
        if (tokens.Spans.Count > 0) json["spans"] = new JsonArray([.. tokens.Spans.Select(span => (JsonNode)new JsonArray(span.Start, span.End))]);
        if (tokens.Extras.Count > 0) json["extras"] = new JsonObject(tokens.Extras.Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Key, TensorJson.Write(pair.Value))));
        return json;
    }

    /// <summary>Tokens from JSON.</summary>
    /// <exception cref="MediaException">It is not what <see cref="ToJson"/> writes.</exception>
    public static Tokens FromJson(JsonElement json, string where)
    {
        try
        {
            var ids = new List<int>();
            Collect(json.GetProperty("ids"), ids);
            long[] shape = json.TryGetProperty("shape", out var given) ? [.. given.EnumerateArray().Select(extent => extent.GetInt64())] : [ids.Count];
            return Head(json, Tensor.Create(ids.ToArray(), shape)) with
            {
                Spans = json.TryGetProperty("spans", out var spans) ? [.. spans.EnumerateArray().Select(span => new TokenSpan(span[0].GetDouble(), span[1].GetDouble()))] : [],
                Extras = json.TryGetProperty("extras", out var extras) ? extras.EnumerateObject().ToDictionary(extra => extra.Name, extra => TensorJson.Read(extra.Value)) : new Dictionary<string, Tensor>(),
            };
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException or OverflowException or IndexOutOfRangeException)
        {
            throw new MediaException(ErrorCodes.MediaMalformed, $"This is not a file of tokens: {error.Message}", error) { Where = where, Expected = "what `modelzoo tokenize --out FILE.json` writes" };
        }
    }

    /// <summary>Writes .safetensors: ids, spans and extras as tensors, the rest beside them.</summary>
    public static void WriteTensors(Stream output, Tokens tokens)
    {
        var tensors = new Dictionary<string, Tensor> { ["ids"] = tokens.Ids };
        if (tokens.Spans.Count > 0) tensors.Add("spans", Tensor.Create(tokens.Spans.SelectMany(span => new[] { span.Start, span.End }).ToArray(), tokens.Spans.Count, 2));
        foreach (var (name, extra) in tokens.Extras) tensors.Add("extra." + name, extra);
        SafetensorsWriter.Write(output, tensors, new Dictionary<string, string> { ["tokens"] = Head(tokens).ToJsonString() });
    }

    /// <summary>Reads .safetensors with tokens.</summary>
    /// <exception cref="MediaException">It is not what <see cref="WriteTensors"/> writes.</exception>
    public static Tokens FromTensors(IReadOnlyDictionary<string, Tensor> tensors, string description, string where)
    {
        try
        {
            using var head = JsonDocument.Parse(description);
            return Head(head.RootElement, tensors["ids"].As<int>()) with
            {
                Spans = tensors.TryGetValue("spans", out var spans) ? [.. Enumerable.Range(0, (int)spans.Shape[0]).Select(i => new TokenSpan(spans.As<double>()[i, 0], spans.As<double>()[i, 1]))] : [],
                Extras = tensors.Where(pair => pair.Key.StartsWith("extra.", StringComparison.Ordinal)).ToDictionary(pair => pair.Key["extra.".Length..], pair => pair.Value),
            };
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new MediaException(ErrorCodes.MediaMalformed, "This .safetensors file holds no tokens.", error) { Where = where, Expected = "what `modelzoo tokenize --out FILE.safetensors` writes" };
        }
    }

    private static JsonObject Head(Tokens tokens)
    {
        var json = new JsonObject
        {
            ["format"] = Format,
            ["model"] = tokens.Space.Model,
            ["layout"] = JsonNamingPolicy.KebabCaseLower.ConvertName(tokens.Space.Layout.ToString()),
            ["vocabulary_sizes"] = new JsonArray([.. tokens.Space.VocabularySizes.Select(size => (JsonNode)size)]),
            ["vocabulary_digest"] = tokens.Space.VocabularyDigest,
            ["source_length"] = tokens.SourceLength,
        };
        if (tokens.FrameRate is { } rate) json["frame_rate"] = rate;
        return json;
    }

    private static Tokens Head(JsonElement root, Tensor<int> ids)
    {
        if (root.GetProperty("format").GetString() != Format) throw new FormatException($"its format is {root.GetProperty("format")}, not {Format}.");
        var layout = Enum.GetValues<TokenLayout>().First(value => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString()) == root.GetProperty("layout").GetString());
        var space = new TokenSpace(root.GetProperty("model").GetString()!, layout, [.. root.GetProperty("vocabulary_sizes").EnumerateArray().Select(size => size.GetInt32())], root.GetProperty("vocabulary_digest").GetString()!);
        return new(space, ids) { SourceLength = root.GetProperty("source_length").GetInt64(), FrameRate = root.TryGetProperty("frame_rate", out var rate) ? rate.GetDouble() : null };
    }

    private static JsonArray Nested(ReadOnlySpan<int> ids, ReadOnlySpan<long> shape)
    {
        var list = new JsonArray();
        if (shape.Length <= 1)
        {
            foreach (var id in ids) list.Add((JsonNode)id);
            return list;
        }

        var size = shape[0] == 0 ? 0 : ids.Length / (int)shape[0];
        for (var i = 0; i < shape[0]; i++) list.Add((JsonNode)Nested(ids.Slice(i * size, size), shape[1..]));
        return list;
    }

    private static void Collect(JsonElement value, List<int> ids)
    {
        if (value.ValueKind != JsonValueKind.Array) ids.Add(value.GetInt32());
        else foreach (var item in value.EnumerateArray()) Collect(item, ids);
    }
}
