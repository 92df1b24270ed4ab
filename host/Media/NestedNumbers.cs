using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Media;

/// <summary>Whole numbers of a tensor as nested lists of JSON.</summary>
internal static class NestedNumbers
{
    /// <summary>Writes the shape and the numbers, as members of an object.</summary>
    public static void Write(Utf8JsonWriter json, string name, Tensor<int> tensor)
    {
        json.WriteStartArray("shape");
        foreach (var extent in tensor.Shape) json.WriteNumberValue(extent);
        json.WriteEndArray();
        json.WritePropertyName(name);
        Write(json, tensor.Span, tensor.Shape);
    }

    /// <summary>Reads them again; without a shape they are a row.</summary>
    /// <exception cref="FormatException">The numbers do not fill the shape, or are none; other exceptions of reading JSON are possible.</exception>
    public static Tensor<int> Read(JsonElement json, string name)
    {
        var numbers = new List<int>();
        Collect(json.GetProperty(name), numbers);
        long[] shape = json.TryGetProperty("shape", out var given) ? [.. given.EnumerateArray().Select(extent => extent.GetInt64())] : [numbers.Count];
        return shape.All(extent => extent >= 0) && numbers.Count == Tensor.Count(shape)
            ? Tensor.Create(numbers.ToArray(), shape)
            : throw new FormatException($"{numbers.Count} numbers of '{name}' do not fill a shape of {string.Join(" x ", shape)}.");
    }

    private static void Write(Utf8JsonWriter json, ReadOnlySpan<int> numbers, ReadOnlySpan<long> shape)
    {
        json.WriteStartArray();
        if (shape.Length <= 1)
        {
            foreach (var number in numbers) json.WriteNumberValue(number);
        }
        else
        {
            var size = shape[0] == 0 ? 0 : numbers.Length / (int)shape[0];
            for (var i = 0; i < shape[0]; i++) Write(json, numbers.Slice(i * size, size), shape[1..]);
        }

        json.WriteEndArray();
    }

    private static void Collect(JsonElement value, List<int> numbers)
    {
        if (value.ValueKind != JsonValueKind.Array) numbers.Add(value.GetInt32());
        else foreach (var item in value.EnumerateArray()) Collect(item, numbers);
    }
}
