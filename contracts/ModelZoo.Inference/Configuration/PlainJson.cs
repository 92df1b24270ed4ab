using System.Text.Json.Nodes;

namespace ModelZoo.Inference;

/// <summary>Plain values (numbers, texts, lists, dictionaries) as JSON.</summary>
internal static class PlainJson
{
    public static JsonNode? Of(object? value) => value switch
    {
        null => null,
        bool flag => JsonValue.Create(flag),
        long number => JsonValue.Create(number),
        double number when double.IsFinite(number) => JsonValue.Create(number),
        double number => JsonValue.Create(number.ToString(System.Globalization.CultureInfo.InvariantCulture)),
        string text => JsonValue.Create(text),
        byte[] bytes => JsonValue.Create(Convert.ToBase64String(bytes)),
        IReadOnlyDictionary<string, object?> dictionary => new JsonObject(dictionary.Select(item => KeyValuePair.Create(item.Key, Of(item.Value)))),
        IReadOnlyList<object?> list => new JsonArray([.. list.Select(Of)]),
        _ => JsonValue.Create(value.ToString()),
    };
}
