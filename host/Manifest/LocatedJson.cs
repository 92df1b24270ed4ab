using System.Globalization;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Manifest;

/// <summary>A JSON value that knows the line it stands on. Comments and trailing commas are allowed.</summary>
internal sealed class LocatedJson
{
    private readonly List<(string Key, int Line, LocatedJson Value)> _properties = [];
    private readonly List<LocatedJson> _items = [];
    private string _text = "";

    private LocatedJson(string file, string path, int line, JsonValueKind kind) => (File, Path, Line, Kind) = (file, path, line, kind);

    public string File { get; }

    /// <summary>Keys from the root, such as <c>models.speech/encodec.8khz.checkpoint</c>.</summary>
    public string Path { get; }

    public int Line { get; }

    public JsonValueKind Kind { get; }

    /// <summary>File and line, as editors read them.</summary>
    public string Where => $"{File}:{Line}" + (Path.Length == 0 ? "" : $" ({Path})");

    public IEnumerable<LocatedJson> Items => Require(JsonValueKind.Array, "a list")._items;

    public IEnumerable<KeyValuePair<string, LocatedJson>> Properties => Require(JsonValueKind.Object, "an object")._properties.Select(property => KeyValuePair.Create(property.Key, property.Value));

    public string AsString() => Require(JsonValueKind.String, "text")._text;

    public bool AsBoolean() => Kind is JsonValueKind.True or JsonValueKind.False ? Kind == JsonValueKind.True : throw Wrong("true or false");

    public int AsInteger() => Kind == JsonValueKind.Number && int.TryParse(_text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : throw Wrong("a whole number");

    public double AsNumber() => double.Parse(Require(JsonValueKind.Number, "a number")._text, CultureInfo.InvariantCulture);

    /// <summary>The property of that name, or null.</summary>
    public LocatedJson? Find(string key) => Require(JsonValueKind.Object, "an object")._properties.Find(property => property.Key == key).Value;

    /// <summary>Refuses keys other than these, naming the nearest one.</summary>
    public LocatedJson AllowOnly(params string[] keys)
    {
        foreach (var (key, line, _) in Require(JsonValueKind.Object, "an object")._properties)
        {
            if (keys.Contains(key)) continue;
            throw new ModelZooException(ErrorCodes.ManifestInvalid, $"There is no key '{key}' here.")
            {
                Where = $"{File}:{line}" + (Path.Length == 0 ? "" : $" ({Path})"),
                Expected = string.Join(", ", keys),
                Remedy = Names.Nearest(key, keys) is { } nearest ? $"Did you mean '{nearest}'?" : null,
            };
        }

        return this;
    }

    /// <summary>This value for those who bind it themselves.</summary>
    public JsonElement ToElement()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream)) Write(writer);
        return JsonElement.Parse(stream.GetBuffer().AsSpan(0, (int)stream.Length));
    }

    public ModelZooException Wrong(string expected) => new(ErrorCodes.ManifestInvalid, "This value cannot be used.")
    {
        Where = Where, Expected = expected, Found = Kind == JsonValueKind.String ? $"'{_text}'" : Kind.ToString().ToLowerInvariant(),
    };

    /// <summary>Reads a file's text; <paramref name="substitute"/> is applied to every string value.</summary>
    /// <exception cref="ModelZooException">It is not JSON; the message has the line.</exception>
    public static LocatedJson Parse(string file, byte[] text, Func<string, LocatedJson, string>? substitute = null)
    {
        var reader = new Utf8JsonReader(text.AsSpan().StartsWith("\uFEFF"u8) ? text.AsSpan(3) : text, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        var lines = new LineCounter(text);
        try
        {
            reader.Read();
            return Read(ref reader, lines, file, "", substitute ?? (static (value, _) => value));
        }
        catch (JsonException error)
        {
            throw new ModelZooException(ErrorCodes.ManifestInvalid, $"This is not JSON: {error.Message.Split(" LineNumber", StringSplitOptions.None)[0]}", error)
            { Where = $"{file}:{(error.LineNumber ?? 0) + 1}" };
        }
    }

    private static LocatedJson Read(ref Utf8JsonReader reader, LineCounter lines, string file, string path, Func<string, LocatedJson, string> substitute)
    {
        var line = lines.At(reader.TokenStartIndex);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                var map = new LocatedJson(file, path, line, JsonValueKind.Object);
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    var (key, keyLine) = (reader.GetString()!, lines.At(reader.TokenStartIndex));
                    if (map._properties.Exists(property => property.Key == key))
                        throw new ModelZooException(ErrorCodes.ManifestInvalid, $"The key '{key}' is there twice.") { Where = $"{file}:{keyLine}" };
                    reader.Read();
                    map._properties.Add((key, keyLine, Read(ref reader, lines, file, path.Length == 0 ? key : $"{path}.{key}", substitute)));
                }

                return map;
            case JsonTokenType.StartArray:
                var list = new LocatedJson(file, path, line, JsonValueKind.Array);
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    list._items.Add(Read(ref reader, lines, file, $"{path}[{list._items.Count}]", substitute));
                return list;
            case JsonTokenType.String:
                var text = new LocatedJson(file, path, line, JsonValueKind.String);
                text._text = substitute(reader.GetString()!, text);
                return text;
            case JsonTokenType.Number:
                return new(file, path, line, JsonValueKind.Number) { _text = System.Text.Encoding.UTF8.GetString(reader.ValueSpan) };
            default:
                return new(file, path, line, reader.TokenType switch { JsonTokenType.True => JsonValueKind.True, JsonTokenType.False => JsonValueKind.False, _ => JsonValueKind.Null });
        }
    }

    private LocatedJson Require(JsonValueKind kind, string expected) => Kind == kind ? this : throw Wrong(expected);

    private void Write(Utf8JsonWriter writer)
    {
        switch (Kind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var (key, _, value) in _properties)
                {
                    writer.WritePropertyName(key);
                    value.Write(writer);
                }

                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in _items) item.Write(writer);
                writer.WriteEndArray();
                break;
            case JsonValueKind.String:
                writer.WriteStringValue(_text);
                break;
            case JsonValueKind.Number:
                writer.WriteRawValue(_text);
                break;
            case JsonValueKind.Null:
                writer.WriteNullValue();
                break;
            default:
                writer.WriteBooleanValue(Kind == JsonValueKind.True);
                break;
        }
    }

    // Tokens come in order, so counting goes on from the last place.
    private sealed class LineCounter(byte[] text)
    {
        private readonly int _start = text.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0;
        private long _position;
        private int _line = 1;

        public int At(long position)
        {
            _line += text.AsSpan(_start + (int)_position, (int)(position - _position)).Count((byte)'\n');
            _position = position;
            return _line;
        }
    }
}
