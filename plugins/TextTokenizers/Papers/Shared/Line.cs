using System.Collections;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Lines of JSON: how papers' calls take and give what is not a tensor. Written without reflection, so that nothing outside holds on to the plugin.</summary>
internal static class Line
{
    private const int LongestShown = 200;

    /// <summary>A JSON object; a value is text, a number, true or false, a list, a pair of them, null or JSON.</summary>
    public static JsonElement Of(params ReadOnlySpan<(string Key, object? Value)> members)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var (key, value) in members)
            {
                writer.WritePropertyName(key);
                Write(writer, value);
            }

            writer.WriteEndObject();
        }

        return Parse(buffer.WrittenSpan);
    }

    /// <summary>A JSON list.</summary>
    public static JsonElement List(IEnumerable values)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer)) Write(writer, values);
        return Parse(buffer.WrittenSpan);
    }

    /// <summary>The text of a member.</summary>
    public static string Text(this JsonElement line, string key) => line.Member(key) is { ValueKind: not JsonValueKind.Null } text ? text.AsText() : "";

    /// <summary>The bytes of a line: <c>bytes</c> in base64, or <c>text</c> in UTF-8.</summary>
    public static byte[] Bytes(this JsonElement line) =>
        line.Find("bytes") is { } bytes ? bytes.AsBytes() : System.Text.Encoding.UTF8.GetBytes(line.Text("text"));

    /// <summary>The list of texts of a member.</summary>
    public static string[] Texts(this JsonElement line, string key) => [.. line.Member(key).AsList().Select(item => item.ValueKind == JsonValueKind.Null ? "" : item.AsText())];

    /// <summary>The list of whole numbers of a member.</summary>
    public static int[] Ints(this JsonElement line, string key) => [.. line.Member(key).AsList().Select(item => item.AsInt())];

    /// <summary>The list of numbers of a member.</summary>
    public static double[] Doubles(this JsonElement line, string key) => [.. line.Member(key).AsList().Select(item => item.AsDouble())];

    /// <summary>The member of that name.</summary>
    /// <exception cref="ModelZooException">The line has none.</exception>
    public static JsonElement Member(this JsonElement line, string key) => line.ValueKind == JsonValueKind.Object && line.TryGetProperty(key, out var value) ? value
        : throw new ModelZooException(ErrorCodes.VerbUnsupported, $"A line lacks '{key}'.") { Found = Short(line) };

    /// <summary>The beginning of a line, for messages.</summary>
    public static string Short(JsonElement line) => line.GetRawText() is { Length: > LongestShown } text ? text[..LongestShown] + "..." : line.GetRawText();

    /// <summary>The member of that name, or null when it is not there or null.</summary>
    public static JsonElement? Find(this JsonElement line, string key) =>
        line.ValueKind == JsonValueKind.Object && line.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>The option of that name in the line's <c>options</c>, or null.</summary>
    public static JsonElement? Option(this JsonElement line, string key) => line.Find("options")?.Find(key);

    /// <summary>A whole number.</summary>
    /// <exception cref="MediaException">It is something else; so with all that follow.</exception>
    public static int AsInt(this JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : throw Wrong(value, "a whole number");

    /// <summary>A large whole number.</summary>
    public static long AsLong(this JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number : throw Wrong(value, "a whole number");

    /// <summary>A number.</summary>
    public static double AsDouble(this JsonElement value) => value.ValueKind == JsonValueKind.Number ? value.GetDouble() : throw Wrong(value, "a number");

    /// <summary>A text.</summary>
    public static string AsText(this JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(value, "a text");

    /// <summary>True or false.</summary>
    public static bool AsFlag(this JsonElement value) => value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Wrong(value, "true or false");

    /// <summary>The items of a list.</summary>
    public static JsonElement.ArrayEnumerator AsList(this JsonElement value) => value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : throw Wrong(value, "a list");

    /// <summary>The items of a member that is a list of at least one.</summary>
    public static JsonElement.ArrayEnumerator Some(this JsonElement line, string key) => line.Member(key) is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0 ? list.EnumerateArray()
        : throw new MediaException(ErrorCodes.MediaMalformed, "A list has nothing in it.") { Where = key, Expected = "one item or more", Found = Short(line.Member(key)) };

    /// <summary>The members of an object.</summary>
    public static JsonElement.ObjectEnumerator AsMembers(this JsonElement value) => value.ValueKind == JsonValueKind.Object ? value.EnumerateObject() : throw Wrong(value, "an object");

    /// <summary>Bytes that are written in base64.</summary>
    public static byte[] AsBytes(this JsonElement value) => value.ValueKind == JsonValueKind.String && value.TryGetBytesFromBase64(out var bytes) ? bytes : throw Wrong(value, "bytes in base64");

    /// <summary>A whole-number option.</summary>
    public static int Option(this JsonElement line, string key, int otherwise) => line.Option(key)?.AsInt() ?? otherwise;

    /// <summary>A true or false option.</summary>
    public static bool Option(this JsonElement line, string key, bool otherwise) => line.Option(key)?.AsFlag() ?? otherwise;

    private static MediaException Wrong(JsonElement value, string expected) => new(ErrorCodes.MediaMalformed, "This is of another kind.") { Expected = expected, Found = Short(value) };

    private static JsonElement Parse(ReadOnlySpan<byte> utf8)
    {
        var reader = new Utf8JsonReader(utf8);
        return JsonElement.ParseValue(ref reader);
    }

    private static void Write(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null: writer.WriteNullValue(); break;
            case string text: writer.WriteStringValue(text); break;
            case bool flag: writer.WriteBooleanValue(flag); break;
            case int number: writer.WriteNumberValue(number); break;
            case long number: writer.WriteNumberValue(number); break;
            case float number: writer.WriteNumberValue(number); break;
            case double number when !double.IsFinite(number): throw new MediaException(ErrorCodes.MediaMalformed, "What was given has no such figure: it is infinite, or a share of nothing.") { Found = number.ToString(System.Globalization.CultureInfo.InvariantCulture) };
            case double number: writer.WriteNumberValue(number); break;
            case JsonElement json: json.WriteTo(writer); break;
            case ITuple tuple:
                writer.WriteStartArray();
                for (var i = 0; i < tuple.Length; i++) Write(writer, tuple[i]);
                writer.WriteEndArray();
                break;
            case IEnumerable<KeyValuePair<string, object?>> members:
                writer.WriteStartObject();
                foreach (var (key, member) in members)
                {
                    writer.WritePropertyName(key);
                    Write(writer, member);
                }

                writer.WriteEndObject();
                break;
            case IEnumerable items:
                writer.WriteStartArray();
                foreach (var item in items) Write(writer, item);
                writer.WriteEndArray();
                break;
            default: throw new ArgumentException($"JSON lines do not hold {value.GetType().Name}.");
        }
    }
}
