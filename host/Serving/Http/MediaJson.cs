using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Media;

namespace ModelZoo.Host.Serving.Http;

/// <summary>
/// Media within JSON: text is a string, items are a list of ids, tokens are what <c>modelzoo tokenize</c> writes; all else is <c>{"type": "audio/wav", "data": base64}</c>.
/// </summary>
internal static class MediaJson
{
    /// <summary>Media as JSON.</summary>
    public static JsonNode Write(Contracts.Media media) => JsonBytes.Node(json => Write(json, media));

    /// <summary>Writes media as JSON.</summary>
    public static void Write(Utf8JsonWriter json, Contracts.Media media)
    {
        switch (media)
        {
            case Text text: json.WriteStringValue(text.Value); break;
            case Items items: MediaFiles.ItemsJson(items).WriteTo(json); break;
            case Tokens tokens: TokensFile.Write(json, tokens); break;
            case NamedTensors or Image or Audio or Motion or Mesh:
                using (var stream = new MemoryStream())
                {
                    MediaFiles.Write(stream, media, "answer" + MediaFiles.Extension(media.Modality));
                    json.WriteStartObject();
                    json.WriteString("type", MediaTypes.Of(media.Modality));
                    json.WriteBase64String("data", stream.GetBuffer().AsSpan(0, (int)stream.Length));
                    json.WriteEndObject();
                }

                break;
            default: throw new MediaException(ErrorCodes.MediaUnsupported, $"{media.Modality} cannot be sent as JSON.");
        }
    }

    /// <summary>Media from JSON.</summary>
    /// <exception cref="MediaException">It is none.</exception>
    public static async ValueTask<Contracts.Media> ReadAsync(JsonElement json, string where, CancellationToken cancel, long pixels = PngReader.PixelLimit)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.String: return new Text(json.GetString()!);
            case JsonValueKind.Array: return await MediaFiles.ReadAsync(Encoding.UTF8.GetBytes(json.GetRawText()), ".json", where, cancel).ConfigureAwait(false);
            case JsonValueKind.Object when json.TryGetProperty("data", out var data) && json.TryGetProperty("type", out var type):
                var extension = MediaTypes.Extension(type.ValueKind == JsonValueKind.String ? type.GetString() : null) ?? throw Malformed(where, $"type {type.GetRawText()}");
                if (data.ValueKind != JsonValueKind.String || !data.TryGetBytesFromBase64(out var bytes)) throw Malformed(where, "data that is not base64");
                return await MediaFiles.ReadAsync(bytes, extension, where, cancel, pixels).ConfigureAwait(false);
            case JsonValueKind.Object: return await MediaFiles.ReadAsync(Encoding.UTF8.GetBytes(json.GetRawText()), ".json", where, cancel).ConfigureAwait(false);
            default: throw Malformed(where, json.ValueKind.ToString().ToLowerInvariant());
        }
    }

    private static MediaException Malformed(string where, string found) => new(ErrorCodes.MediaMalformed, "This is not media.")
    {
        Where = where, Expected = "text as a string, items as a list of ids, tokens as `tokenize` gives them, or {\"type\": \"audio/wav\", \"data\": base64}", Found = found,
    };
}
