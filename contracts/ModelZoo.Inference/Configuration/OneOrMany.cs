using System.Text.Json;
using System.Text.Json.Serialization;

namespace ModelZoo.Inference;

/// <summary>Reads a number as a list of one, where a published configuration may have one number for all or a list.</summary>
public sealed class OneOrMany : JsonConverter<int[]>
{
    /// <inheritdoc/>
    public override int[] Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.StartArray ? JsonSerializer.Deserialize<List<int>>(ref reader, options)!.ToArray() : [reader.GetInt32()];

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, int[] value, JsonSerializerOptions options) => JsonSerializer.Serialize(writer, value.ToList(), options);
}
