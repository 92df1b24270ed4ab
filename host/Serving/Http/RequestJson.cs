using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Serving.Http;

/// <summary>JSON of requests, read whole: a text that is no Unicode is found here and not where it is used.</summary>
internal static class RequestJson
{
    /// <summary>The object that a body holds.</summary>
    /// <exception cref="ModelZooException">It is no JSON object.</exception>
    public static async Task<JsonObject> ReadObjectAsync(HttpRequest request, CancellationToken cancel)
    {
        try
        {
            using var document = await JsonDocument.ParseAsync(request.Body, cancellationToken: cancel).ConfigureAwait(false);
            Check(document.RootElement);
            return JsonObject.Create(document.RootElement.Clone()) ?? throw new JsonException("a JSON object is expected, not null");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or ArgumentException)
        {
            throw new ModelZooException("request.malformed", $"The body is not the JSON that was expected: {error.Message}", error);
        }
    }

    /// <summary>Refuses texts that are no Unicode, and fields that are given twice.</summary>
    /// <exception cref="JsonException">A field is given twice.</exception>
    /// <exception cref="InvalidOperationException">A text is no Unicode.</exception>
    public static void Check(JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String: value.GetString(); break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray()) Check(item);
                break;
            case JsonValueKind.Object:
                var names = new HashSet<string>();
                foreach (var field in value.EnumerateObject())
                {
                    if (!names.Add(field.Name)) throw new JsonException($"the field '{field.Name}' is given twice.");
                    Check(field.Value);
                }

                break;
            default: break;
        }
    }
}
