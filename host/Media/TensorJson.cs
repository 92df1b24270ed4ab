using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Host.Media;

/// <summary>A tensor within JSON: whole numbers as nested lists, all else as raw bytes, so that what is read is what was written, to the bit.</summary>
internal static class TensorJson
{
    public static JsonObject Write(Tensor tensor)
    {
        if (tensor is Tensor<int> numbers) return new() { ["type"] = tensor.Type.ToString(), ["shape"] = new JsonArray([.. tensor.Shape.ToArray().Select(extent => (JsonNode)extent)]), ["values"] = Nested(numbers.Span, tensor.Shape) };
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, new Dictionary<string, Tensor> { ["value"] = tensor });
        return new() { ["type"] = tensor.Type.ToString(), ["shape"] = string.Join('x', tensor.Shape.ToArray().Select(extent => extent.ToString(CultureInfo.InvariantCulture))), ["safetensors"] = Convert.ToBase64String(stream.GetBuffer().AsSpan(0, (int)stream.Length)) };
    }

    /// <exception cref="FormatException">It is not what <see cref="Write"/> writes.</exception>
    public static Tensor Read(JsonElement value)
    {
        if (!value.TryGetProperty("values", out var nested)) return TensorArchive.Read(value.GetProperty("safetensors").GetBytesFromBase64(), "tensor")["value"];
        var numbers = new List<int>();
        Flatten(nested, numbers);
        long[] shape = [.. value.GetProperty("shape").EnumerateArray().Select(extent => extent.GetInt64())];
        return numbers.Count == Tensor.Count(shape) ? Tensor.Create(numbers.ToArray(), shape) : throw new FormatException($"{numbers.Count} numbers do not fill a shape of {string.Join(" x ", shape)}.");
    }

    private static JsonArray Nested(ReadOnlySpan<int> numbers, ReadOnlySpan<long> shape)
    {
        var list = new JsonArray();
        if (shape.Length <= 1)
        {
            foreach (var number in numbers) list.Add((JsonNode)number);
            return list;
        }

        var size = shape[0] == 0 ? 0 : numbers.Length / (int)shape[0];
        for (var i = 0; i < shape[0]; i++) list.Add((JsonNode)Nested(numbers.Slice(i * size, size), shape[1..]));
        return list;
    }

    private static void Flatten(JsonElement value, List<int> numbers)
    {
        if (value.ValueKind != JsonValueKind.Array) numbers.Add(value.GetInt32());
        else foreach (var item in value.EnumerateArray()) Flatten(item, numbers);
    }
}
