using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Host.Media;

/// <summary>A tensor within JSON: its elements as raw bytes, so that what is read is what was written, to the bit.</summary>
internal static class TensorJson
{
    public static JsonObject Write(Tensor tensor)
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(stream, new Dictionary<string, Tensor> { ["value"] = tensor });
        return new() { ["type"] = tensor.Type.ToString(), ["shape"] = string.Join('x', tensor.Shape.ToArray().Select(extent => extent.ToString(CultureInfo.InvariantCulture))), ["safetensors"] = Convert.ToBase64String(stream.GetBuffer().AsSpan(0, (int)stream.Length)) };
    }

    /// <exception cref="FormatException">It is not what <see cref="Write"/> writes.</exception>
    public static Tensor Read(JsonElement value) => TensorArchive.Read(value.GetProperty("safetensors").GetBytesFromBase64(), "tensor")["value"];
}
