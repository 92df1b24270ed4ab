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
    private const string Values = "values";

    public static JsonObject Write(Tensor tensor)
    {
        if (tensor is Tensor<int> numbers)
        {
            return JsonBytes.Node(json =>
            {
                json.WriteStartObject();
                json.WriteString("type", tensor.Type.ToString());
                NestedNumbers.Write(json, Values, numbers);
                json.WriteEndObject();
            }).AsObject();
        }

        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, new Dictionary<string, Tensor> { ["value"] = tensor });
        return new() { ["type"] = tensor.Type.ToString(), ["shape"] = string.Join('x', tensor.Shape.ToArray().Select(extent => extent.ToString(CultureInfo.InvariantCulture))), ["safetensors"] = Convert.ToBase64String(stream.GetBuffer().AsSpan(0, (int)stream.Length)) };
    }

    /// <exception cref="FormatException">It is not what <see cref="Write"/> writes.</exception>
    public static Tensor Read(JsonElement value) => value.TryGetProperty(Values, out _)
        ? NestedNumbers.Read(value, Values)
        : TensorArchive.Read(value.GetProperty("safetensors").GetBytesFromBase64(), "tensor")["value"];
}
