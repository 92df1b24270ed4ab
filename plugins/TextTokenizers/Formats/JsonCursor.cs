using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>A JSON value and where it stands, so that every refusal names its path.</summary>
internal readonly record struct JsonCursor(JsonElement Element, string Path)
{
    public bool IsNull => Element.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined;

    public bool IsString => Element.ValueKind == JsonValueKind.String;

    public bool IsArray => Element.ValueKind == JsonValueKind.Array;

    /// <summary>The member of an object; an undefined value when it is not there.</summary>
    public JsonCursor Find(string name)
    {
        if (Element.ValueKind != JsonValueKind.Object) throw Wrong("an object");
        return new(Element.TryGetProperty(name, out var value) ? value : default, $"{Path}.{name}");
    }

    /// <summary>The member of an object, which must be there.</summary>
    public JsonCursor this[string name]
    {
        get
        {
            var found = Find(name);
            return found.Element.ValueKind == JsonValueKind.Undefined ? throw found.Error("A key is missing.", "a value", "nothing") : found;
        }
    }

    public string Text() => IsString ? Element.GetString()! : throw Wrong("a string");

    public string? OptionalText() => IsNull ? null : Text();

    public bool Flag() => Element.ValueKind is JsonValueKind.True or JsonValueKind.False ? Element.GetBoolean() : throw Wrong("true or false");

    public bool Flag(bool otherwise) => IsNull ? otherwise : Flag();

    public int Integer() => Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out var value) && value >= 0 ? value : throw Wrong("an integer from 0 to 2147483647");

    public double Number() => Element.ValueKind == JsonValueKind.Number ? Element.GetDouble() : throw Wrong("a number");

    /// <summary>A string of one code point.</summary>
    public int Character()
    {
        var text = Text();
        return text.Length > 0 && char.ConvertToUtf32(text, 0) is var c && text.Length == (c > 0xFFFF ? 2 : 1) ? c : throw Wrong("one character");
    }

    /// <summary>One of the names of an enumeration.</summary>
    public T Name<T>() where T : struct, Enum => Enum.TryParse<T>(Text(), out var value) && Enum.IsDefined(value) ? value : throw Wrong(string.Join(", ", Enum.GetNames<T>()));

    public IEnumerable<JsonCursor> Items()
    {
        if (!IsArray) throw Wrong("an array");
        return All(this);

        static IEnumerable<JsonCursor> All(JsonCursor array)
        {
            var i = 0;
            foreach (var item in array.Element.EnumerateArray()) yield return new(item, $"{array.Path}[{i++}]");
        }
    }

    public IEnumerable<(string Name, JsonCursor Value)> Members()
    {
        if (Element.ValueKind != JsonValueKind.Object) throw Wrong("an object");
        return All(this);

        static IEnumerable<(string, JsonCursor)> All(JsonCursor value)
        {
            foreach (var member in value.Element.EnumerateObject()) yield return (member.Name, new(member.Value, $"{value.Path}.{member.Name}"));
        }
    }

    public CheckpointException Wrong(string expected) => Error("A value is of the wrong kind.", expected, Shorten(Element));

    /// <summary>A refusal that names this path.</summary>
    public CheckpointException Error(string what, string? expected = null, string? found = null, Exception? inner = null) =>
        new(ErrorCodes.CheckpointMalformed, what, inner) { Where = Path, Expected = expected, Found = found };

    /// <summary>Runs a constructor that refuses with <see cref="FormatException"/>, adding this path.</summary>
    public T Guard<T>(Func<T> make)
    {
        try
        {
            return make();
        }
        catch (FormatException error)
        {
            throw Error($"A value cannot be used: {error.Message}.", inner: error);
        }
    }

    private static string Shorten(JsonElement element)
    {
        if (element.ValueKind is JsonValueKind.Object or JsonValueKind.Array or JsonValueKind.Undefined) return element.ValueKind.ToString().ToLowerInvariant();
        var text = element.GetRawText();
        return text.Length > 80 ? text[..80] + "…" : text;
    }
}
