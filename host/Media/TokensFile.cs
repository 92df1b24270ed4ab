using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Host.Media;

/// <summary>Tokens in files: JSON for people and programs, .safetensors for much of it. Both carry the token space, so that another model refuses them.</summary>
internal static class TokensFile
{
    private const string Format = "modelzoo.tokens/1";

    private static readonly Dictionary<TokenLayout, string> Layouts = Enum.GetValues<TokenLayout>().ToDictionary(layout => layout, layout => JsonNamingPolicy.KebabCaseLower.ConvertName(layout.ToString()));

    /// <summary>Tokens as JSON.</summary>
    public static JsonObject ToJson(Tokens tokens) => JsonBytes.Node(json => Write(json, tokens)).AsObject();

    /// <summary>Writes tokens as JSON.</summary>
    public static void Write(Utf8JsonWriter json, Tokens tokens)
    {
        json.WriteStartObject();
        WriteHead(json, tokens);
        NestedNumbers.Write(json, "ids", tokens.Ids);
        if (tokens.Spans.Count > 0) WriteSpans(json, tokens.Spans);
        if (tokens.Extras.Count > 0)
        {
            json.WriteStartObject("extras");
            foreach (var (name, extra) in tokens.Extras)
            {
                json.WritePropertyName(name);
                TensorJson.Write(extra).WriteTo(json);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    /// <summary>Tokens from JSON.</summary>
    /// <exception cref="MediaException">It is not what <see cref="ToJson"/> writes.</exception>
    public static Tokens FromJson(JsonElement json, string where)
    {
        try
        {
            return Head(json, NestedNumbers.Read(json, "ids")) with
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
        if (tokens.Spans.Count > 0) tensors.Add("spans", Tensor.Create(Positions(tokens.Spans), tokens.Spans.Count, 2));
        foreach (var (name, extra) in tokens.Extras) tensors.Add("extra." + name, extra);
        SafetensorsWriter.Write(output, tensors, new Dictionary<string, string> { ["tokens"] = JsonBytes.Text(json => { json.WriteStartObject(); WriteHead(json, tokens); json.WriteEndObject(); }) });
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

    private static void WriteHead(Utf8JsonWriter json, Tokens tokens)
    {
        json.WriteString("format", Format);
        json.WriteString("model", tokens.Space.Model);
        json.WriteString("layout", Layouts[tokens.Space.Layout]);
        json.WriteStartArray("vocabulary_sizes");
        foreach (var size in tokens.Space.VocabularySizes) json.WriteNumberValue(size);
        json.WriteEndArray();
        json.WriteString("vocabulary_digest", tokens.Space.VocabularyDigest);
        json.WriteNumber("source_length", tokens.SourceLength);
        if (tokens.FrameRate is { } rate) json.WriteNumber("frame_rate", rate);
        if (tokens.SpannedText is { } text) json.WriteString("spanned_text", text);
    }

    private static Tokens Head(JsonElement root, Tensor<int> ids)
    {
        if (root.GetProperty("format").GetString() != Format) throw new FormatException($"its format is {root.GetProperty("format")}, not {Format}.");
        var layout = Layouts.First(pair => pair.Value == root.GetProperty("layout").GetString()).Key;
        var space = new TokenSpace(root.GetProperty("model").GetString()!, layout, [.. root.GetProperty("vocabulary_sizes").EnumerateArray().Select(size => size.GetInt32())], root.GetProperty("vocabulary_digest").GetString()!);
        return new(space, ids)
        {
            SourceLength = root.GetProperty("source_length").GetInt64(),
            FrameRate = root.TryGetProperty("frame_rate", out var rate) ? rate.GetDouble() : null,
            SpannedText = root.TryGetProperty("spanned_text", out var text) ? text.GetString() : null,
        };
    }

    private static double[] Positions(IReadOnlyList<TokenSpan> spans)
    {
        var positions = new double[2 * spans.Count];
        for (var i = 0; i < spans.Count; i++) (positions[2 * i], positions[2 * i + 1]) = (spans[i].Start, spans[i].End);
        return positions;
    }

    private static void WriteSpans(Utf8JsonWriter json, IReadOnlyList<TokenSpan> spans)
    {
        json.WriteStartArray("spans");
        for (var i = 0; i < spans.Count; i++)
        {
            json.WriteStartArray();
            WriteNumber(json, spans[i].Start);
            WriteNumber(json, spans[i].End);
            json.WriteEndArray();
        }

        json.WriteEndArray();
    }

    // Positions in text are whole numbers, which are written several times as fast.
    private static void WriteNumber(Utf8JsonWriter json, double value)
    {
        if (value is >= 0 and < int.MaxValue && (int)value == value) json.WriteNumberValue((int)value);
        else json.WriteNumberValue(value);
    }
}
