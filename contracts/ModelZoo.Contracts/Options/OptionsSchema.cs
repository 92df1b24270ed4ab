using System.Collections;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ModelZoo.Contracts;

/// <summary>The options of a call, read from an options record: the one source of JSON schema, help text, binding and error messages.</summary>
public sealed class OptionsSchema
{
    private readonly Func<ModelOptions> _create;

    private OptionsSchema(Func<ModelOptions> create, IReadOnlyList<OptionDescription> options)
    {
        _create = create;
        Options = options;
    }

    /// <summary>The options in the order of their declaration.</summary>
    public IReadOnlyList<OptionDescription> Options { get; }

    /// <summary>All options at their defaults.</summary>
    public ModelOptions Defaults => _create();

    /// <summary>The schema of a record.</summary>
    public static OptionsSchema Of<T>() where T : ModelOptions, new() => Known<T>.Schema;

    // Every call asks for its schema. The type's own statics go with the plugin that has it.
    private static class Known<T> where T : ModelOptions, new()
    {
        public static readonly OptionsSchema Schema = Read();

        private static OptionsSchema Read()
        {
            var defaults = new T();
            return new(static () => new T(),
                [.. typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.SetMethod is not null).Select(property => new OptionDescription(property, property.GetValue(defaults)))]);
        }
    }

    /// <summary>Options from text, as in <c>--option name=value</c>.</summary>
    /// <exception cref="OptionsException">A name is unknown, or a value cannot be taken.</exception>
    public ModelOptions Bind(IEnumerable<KeyValuePair<string, string>> values) => Bind(values, static (option, text) => option.Parse(text));

    /// <summary>Options from a JSON object; null or undefined gives the defaults.</summary>
    /// <exception cref="OptionsException">A name is unknown, or a value cannot be taken.</exception>
    public ModelOptions Bind(JsonElement? values)
    {
        if (values is not { ValueKind: not (JsonValueKind.Null or JsonValueKind.Undefined) } json) return Defaults;
        if (json.ValueKind != JsonValueKind.Object) throw new OptionsException(ErrorCodes.OptionType, "Options are a JSON object.") { Found = json.ValueKind.ToString() };
        return Bind(json.EnumerateObject().Select(property => KeyValuePair.Create(property.Name, property.Value)), static (option, value) => option.Parse(value));
    }

    /// <summary>JSON schema (draft 2020-12) of the options object.</summary>
    public JsonObject ToJsonSchema() => new()
    {
        ["type"] = "object",
        ["properties"] = new JsonObject(Options.Select(option => KeyValuePair.Create<string, JsonNode?>(option.Name, option.ToJsonSchema()))),
        ["additionalProperties"] = false,
    };

    private ModelOptions Bind<TValue>(IEnumerable<KeyValuePair<string, TValue>> values, Func<OptionDescription, TValue, object?> parse)
    {
        var result = Defaults;
        foreach (var (name, value) in values)
        {
            var option = Options.FirstOrDefault(option => option.Name == name) ?? throw Unknown(name);
            option.Set(result, parse(option, value));
        }

        return result;
    }

    private OptionsException Unknown(string name) => new(ErrorCodes.OptionUnknown, $"There is no option '{name}'.")
    {
        Where = name,
        Expected = Options.Count == 0 ? "no options" : string.Join(", ", Options.Select(option => option.Name)),
        Remedy = Names.Nearest(name, Options.Select(option => option.Name)) is { } nearest ? $"Did you mean '{nearest}'?" : null,
    };
}

/// <summary>One option: name, type, default, bounds and what it does.</summary>
public sealed class OptionDescription
{
    private const string PathFormat = "path";

    private readonly PropertyInfo _property;
    private readonly Type _type;

    internal OptionDescription(PropertyInfo property, object? defaultValue)
    {
        _property = property;
        _type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        Default = defaultValue;
    }

    /// <summary>Name in snake_case, as the models' own configurations write them.</summary>
    public string Name => JsonNamingPolicy.SnakeCaseLower.ConvertName(_property.Name);

    /// <summary>What it does.</summary>
    public string Description => _property.GetCustomAttribute<DescriptionAttribute>()?.Description ?? "";

    /// <summary>Value when it is not given; null means that the model decides.</summary>
    public object? Default { get; }

    /// <summary>Lowest and highest value that are taken, where it has bounds.</summary>
    public (double Minimum, double Maximum)? Range => _property.GetCustomAttribute<RangeAttribute>() is { } range
        ? (Convert.ToDouble(range.Minimum, CultureInfo.InvariantCulture), Convert.ToDouble(range.Maximum, CultureInfo.InvariantCulture))
        : null;

    /// <summary>The values that are taken, where there are few.</summary>
    public IReadOnlyList<string> Choices => _type.IsEnum
        ? [.. Enum.GetNames(_type).Select(JsonNamingPolicy.KebabCaseLower.ConvertName)]
        : [.. (_property.GetCustomAttribute<AllowedValuesAttribute>()?.Values ?? []).Select(Show)];

    /// <summary>True for the path of a file or folder, which <c>[DataType("path")]</c> marks: a server takes it as a path within its data folder.</summary>
    public bool IsPath => _property.GetCustomAttribute<DataTypeAttribute>()?.CustomDataType == PathFormat;

    /// <summary>Kind of value, for help texts: <c>integer</c>, <c>number</c>, <c>text</c>, <c>path</c>, <c>true|false</c> or the choices.</summary>
    public string Kind => Choices.Count > 0 ? string.Join('|', Choices) : Range is { } range ? $"{BaseKind} {range.Minimum:G}..{range.Maximum:G}" : BaseKind;

    private string BaseKind => _type.IsArray ? "list" : IsPath ? PathFormat : KindOf(_type);

    private static string KindOf(Type type) => type == typeof(bool) ? "true|false"
        : type == typeof(int) || type == typeof(long) || type == typeof(ulong) ? "integer"
        : type == typeof(float) || type == typeof(double) ? "number" : "text";

    private static string JsonKind(string kind) => kind switch { "true|false" => "boolean", "text" or PathFormat => "string", "list" => "array", _ => kind };

    internal object? Parse(string text)
    {
        try
        {
            if (_type == typeof(string)) return text;
            if (_type.IsEnum) return ParseEnum(text);
            // Words as people type them, with commas between; JSON where a word holds a comma. A word such as [MASK] is no JSON.
            if (_type == typeof(string[]) && !(text.StartsWith('[') && text.AsSpan(1).TrimStart() is ['"' or ']', ..])) return text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            if (_type.IsArray) return JsonSerializer.Deserialize(text.StartsWith('[') ? text : $"[{text}]", _type);
            return Convert.ChangeType(text, _type, CultureInfo.InvariantCulture);
        }
        catch (Exception error) when (error is FormatException or OverflowException or InvalidCastException or JsonException)
        {
            throw WrongType(text, error);
        }
    }

    internal object? Parse(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Null) return Default;
        if (value.ValueKind == JsonValueKind.String) return Parse(value.GetString()!);
        try
        {
            return value.Deserialize(_type);
        }
        catch (JsonException error)
        {
            throw WrongType(value.GetRawText(), error);
        }
    }

    internal void Set(ModelOptions options, object? value)
    {
        foreach (var rule in _property.GetCustomAttributes<ValidationAttribute>())
        {
            if (!Takes(rule, value))
                throw new OptionsException(ErrorCodes.OptionRange, $"Option '{Name}' does not take this value.") { Where = Name, Expected = Kind, Found = Show(value) };
        }

        _property.SetValue(options, value);
    }

    // Bounds are compared as numbers: RangeAttribute would turn a value into the type of its bounds, rounding it or failing on NaN.
    private bool Takes(ValidationAttribute rule, object? value) => rule is RangeAttribute && Range is var (minimum, maximum) && value is IConvertible and not string
        ? Convert.ToDouble(value, CultureInfo.InvariantCulture) is var number && number >= minimum && number <= maximum
        : rule.IsValid(value);

    internal JsonObject ToJsonSchema()
    {
        var schema = new JsonObject
        {
            ["type"] = JsonKind(BaseKind),
            ["description"] = Description,
        };
        if (_type.IsArray) schema["items"] = new JsonObject { ["type"] = JsonKind(KindOf(_type.GetElementType()!)) };
        if (IsPath) schema["format"] = PathFormat;
        if (Default is not null) schema["default"] = _type.IsEnum ? Show(Default) : JsonSerializer.SerializeToNode(Default, _type);
        if (Range is { } range) (schema["minimum"], schema["maximum"]) = (range.Minimum, range.Maximum);
        if (Choices.Count > 0) schema["enum"] = new JsonArray([.. Choices.Select(choice => _type == typeof(string) || _type.IsEnum ? (JsonNode)choice : JsonNode.Parse(choice)!)]);
        return schema;
    }

    private object ParseEnum(string text) => Enum.GetValues(_type).Cast<object>().FirstOrDefault(value => Show(value).Equals(text, StringComparison.OrdinalIgnoreCase)) ?? throw new FormatException();

    private OptionsException WrongType(string text, Exception error) =>
        new(ErrorCodes.OptionType, $"Option '{Name}' does not take this value.", error) { Where = Name, Expected = Kind, Found = $"'{text}'" };

    /// <summary>A value as it would be typed.</summary>
    public static string Show(object? value) => value switch
    {
        null => "none",
        string text => text,
        bool flag => flag ? "true" : "false",
        Enum choice => JsonNamingPolicy.KebabCaseLower.ConvertName(choice.ToString()),
        IEnumerable list => string.Join(',', list.Cast<object>().Select(Show)),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}
