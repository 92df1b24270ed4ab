using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Serving.OpenInference;

/// <summary>Requests and answers of the REST form: JSON, or JSON followed by raw tensors (Triton's binary tensor data extension).</summary>
internal static class RestCodec
{
    /// <summary>Header with the length of the JSON before raw tensors.</summary>
    public const string LengthHeader = "Inference-Header-Content-Length";

    /// <summary>Reads a request.</summary>
    /// <param name="body">The whole body.</param>
    /// <param name="header">Value of <see cref="LengthHeader"/>; null when the body is JSON alone.</param>
    /// <param name="wantsBinary">Outputs that shall come as raw tensors: all when it answers true for null.</param>
    /// <exception cref="ModelZooException">It cannot be understood.</exception>
    public static InferRequest Read(ReadOnlyMemory<byte> body, string? header, out Func<string, bool> wantsBinary)
    {
        try
        {
            var length = body.Length;
            if (header == "0") throw Malformed(LengthHeader, "the length of the JSON before the raw tensors", "a body without JSON");
            if (header is not null && (!int.TryParse(header, NumberStyles.None, CultureInfo.InvariantCulture, out length) || length > body.Length)) throw Malformed(LengthHeader, $"at most {body.Length}", header);
            var raw = body[length..];
            using var document = JsonDocument.Parse(body[..length]);
            var root = document.RootElement;
            Http.RequestJson.Check(root);
            var parameters = Parameters(root);
            var inputs = new List<InferTensor>();
            foreach (var input in root.GetProperty("inputs").EnumerateArray()) inputs.Add(Input(input, ref raw));
            if (raw.Length > 0) throw Malformed("the body", "as many raw bytes as the inputs claim", $"{raw.Length} more");
            var (names, binary) = (new List<string>(), new Dictionary<string, bool>());
            if (root.TryGetProperty("outputs", out var outputs))
            {
                foreach (var output in outputs.EnumerateArray())
                {
                    names.Add(output.GetProperty("name").GetString()!);
                    var asked = Parameters(output);
                    RefuseExtensions(asked, names[^1]);
                    if (asked["binary_data"] is { } wanted) binary[names[^1]] = wanted.GetValue<bool>();
                }
            }

            var all = parameters["binary_data_output"]?.GetValue<bool>() ?? false;
            wantsBinary = name => binary.TryGetValue(name, out var own) ? own : all;
            return new(root.TryGetProperty("id", out var id) ? id.GetString() : null, parameters, inputs, names);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new ModelZooException("request.malformed", $"This is not a request of the Open Inference Protocol: {error.Message}", error) { Expected = "{\"inputs\": [{\"name\", \"shape\", \"datatype\", \"data\"}]}" };
        }
    }

    /// <summary>An answer: the JSON, and the raw tensors that follow it.</summary>
    public static (byte[] Json, IReadOnlyList<ReadOnlyMemory<byte>> Raw) Write(string model, string? version, string? id, IReadOnlyList<InferTensor> outputs, Func<string, bool> binary)
    {
        var raw = new List<ReadOnlyMemory<byte>>();
        var list = new JsonArray();
        foreach (var output in outputs)
        {
            var json = new JsonObject { ["name"] = output.Name, ["datatype"] = output.Datatype, ["shape"] = new JsonArray([.. output.Shape.Select(extent => (JsonNode)extent)]) };
            var parameters = output.Parameters.DeepClone().AsObject();
            if (binary(output.Name) || output.Datatype == "FP16") // which JSON has no form for
            {
                parameters["binary_data_size"] = output.Data.Length;
                raw.Add(output.Data);
            }
            else
            {
                json["data"] = Numbers(output);
            }

            if (parameters.Count > 0) json["parameters"] = parameters;
            list.Add((JsonNode)json);
        }

        var answer = new JsonObject { ["model_name"] = model };
        if (version is not null) answer["model_version"] = version;
        if (id is not null) answer["id"] = id;
        answer["outputs"] = list;
        return (JsonSerializer.SerializeToUtf8Bytes(answer), raw);
    }

    private static InferTensor Input(JsonElement input, ref ReadOnlyMemory<byte> raw)
    {
        var (name, datatype) = (input.GetProperty("name").GetString()!, input.GetProperty("datatype").GetString()!);
        long[] shape = [.. input.GetProperty("shape").EnumerateArray().Select(extent => extent.GetInt64())];
        var parameters = Parameters(input);
        RefuseExtensions(parameters, name);
        ReadOnlyMemory<byte> data;
        if (parameters["binary_data_size"] is { } claimed)
        {
            var size = claimed.GetValue<int>();
            if (size < 0 || size > raw.Length) throw Malformed(name, $"at most {raw.Length} bytes", $"{size}");
            (data, raw) = (raw[..size], raw[size..]);
            parameters.Remove("binary_data_size");
        }
        else
        {
            using var bytes = new MemoryStream();
            Collect(input.GetProperty("data"), datatype, bytes, depth: 0);
            data = bytes.ToArray();
        }

        return new(name, datatype, shape, data) { Parameters = parameters };
    }

    // Nested or flat lists, both in row-major order.
    private static void Collect(JsonElement value, string datatype, MemoryStream bytes, int depth)
    {
        if (value.ValueKind == JsonValueKind.Array)
        {
            if (depth > 16) throw new FormatException("the data is nested too deep.");
            foreach (var item in value.EnumerateArray()) Collect(item, datatype, bytes, depth + 1);
            return;
        }

        Span<byte> element = stackalloc byte[8];
        var size = InferTensor.TypeOf(datatype) is { } type ? type.Size() : 0;
        switch (datatype)
        {
            case "BYTES":
                var text = Encoding.UTF8.GetBytes(value.GetString() ?? throw new FormatException("a text is null."));
                BinaryPrimitives.WriteInt32LittleEndian(element, text.Length);
                bytes.Write(element[..4]);
                bytes.Write(text);
                return;
            case "BOOL": element[0] = value.ValueKind == JsonValueKind.Number ? (byte)(value.GetInt32() != 0 ? 1 : 0) : value.GetBoolean() ? (byte)1 : (byte)0; break;
            case "FP32": BinaryPrimitives.WriteSingleLittleEndian(element, value.GetSingle()); break;
            case "FP64": BinaryPrimitives.WriteDoubleLittleEndian(element, value.GetDouble()); break;
            case "FP16": throw new FormatException("FP16 has no form in JSON; send it as raw bytes.");
            case "INT8": element[0] = (byte)value.GetSByte(); break;
            case "UINT8": element[0] = value.GetByte(); break;
            case "INT16": BinaryPrimitives.WriteInt16LittleEndian(element, value.GetInt16()); break;
            case "UINT16": BinaryPrimitives.WriteUInt16LittleEndian(element, value.GetUInt16()); break;
            case "INT32": BinaryPrimitives.WriteInt32LittleEndian(element, value.GetInt32()); break;
            case "UINT32": BinaryPrimitives.WriteUInt32LittleEndian(element, value.GetUInt32()); break;
            case "INT64": BinaryPrimitives.WriteInt64LittleEndian(element, value.GetInt64()); break;
            default: BinaryPrimitives.WriteUInt64LittleEndian(element, value.GetUInt64()); break;
        }

        bytes.Write(element[..size]);
    }

    private static JsonArray Numbers(InferTensor output) => output.Datatype == "BYTES"
        ? [.. output.ToTexts().Select(text => (JsonNode)text)]
        : output.ToTensor() switch
        {
            Tensor<float> tensor => Values(tensor),
            Tensor<double> tensor => Values(tensor),
            Tensor<int> tensor => Values(tensor),
            Tensor<long> tensor => Values(tensor),
            Tensor<bool> tensor => Values(tensor),
            Tensor<byte> tensor => Values(tensor),
            Tensor<sbyte> tensor => Values(tensor),
            Tensor<short> tensor => Values(tensor),
            Tensor<ushort> tensor => Values(tensor),
            Tensor<uint> tensor => Values(tensor),
            var tensor => Values(tensor.As<ulong>()),
        };

    private static JsonArray Values<T>(Tensor<T> tensor) where T : unmanaged => [.. tensor.Span.ToArray().Select(value => value is float and (float.NaN or float.PositiveInfinity or float.NegativeInfinity) or double and (double.NaN or double.PositiveInfinity or double.NegativeInfinity) ? null : JsonValue.Create(value))];

    // What Triton's clients may ask of a tensor and this server does not offer; without a word they would wait for it in vain.
    private static void RefuseExtensions(JsonObject parameters, string tensor)
    {
        if (parameters.FirstOrDefault(parameter => parameter.Key.StartsWith("shared_memory", StringComparison.Ordinal) || parameter.Key == "classification") is { Key: { } name })
            throw new OptionsException(ErrorCodes.OptionUnknown, $"This server has no extension for '{name}'.") { Where = tensor, Expected = string.Join(", ", OpenInferenceRoutes.Extensions) };
    }

    private static JsonObject Parameters(JsonElement owner) => owner.TryGetProperty("parameters", out var parameters) ? JsonObject.Create(parameters.Clone()) ?? [] : [];

    private static ModelZooException Malformed(string where, string expected, string found) => new("request.malformed", "The request's parts do not fit together.") { Where = where, Expected = expected, Found = found };
}
