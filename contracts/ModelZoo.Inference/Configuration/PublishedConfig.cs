using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>A published configuration as a record of the architecture.</summary>
/// <param name="Value">The record.</param>
/// <param name="Unknown">Dotted keys of the file that the record does not have, in the order of the file: reported, but no error, since authors publish training settings too.</param>
/// <param name="Json">Everything that the section holds.</param>
/// <typeparam name="T">A record whose property names in snake_case are the published keys.</typeparam>
public sealed record PublishedConfig<T>(T Value, IReadOnlyList<string> Unknown, JsonObject Json);

/// <summary>
/// Reads the authors' own configuration files, JSON or YAML, into records: <c>HiddenSize</c> takes <c>hidden_size</c> (or what <see cref="JsonPropertyNameAttribute"/> says), a key
/// that is absent leaves the default, and validation attributes are checked.
/// </summary>
public static class PublishedConfig
{
    private static readonly string[] Names = ["config.json", "config.yaml", "config.yml"];

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        PropertyNameCaseInsensitive = true,
        NumberHandling = JsonNumberHandling.AllowReadingFromString | JsonNumberHandling.AllowNamedFloatingPointLiterals,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>Reads a configuration.</summary>
    /// <param name="path">A .json, .yaml or .yml file, or a folder with <c>config.json</c>, <c>config.yaml</c> or <c>config.yml</c>.</param>
    /// <param name="section">Dotted path of the part that is wanted, such as <c>model.params</c>; null for all of it.</param>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.CheckpointMissing"/>: no such file; <see cref="ErrorCodes.ConfigInvalid"/>: a value cannot be taken.</exception>
    public static PublishedConfig<T> Read<T>(string path, string? section = null)
    {
        var file = Find(path);
        return BindNode<T>(Select(ReadNode(file), section, file), file, section);
    }

    /// <summary>Reads a configuration as plain JSON, for architectures that must look before they know which record to bind.</summary>
    /// <inheritdoc cref="Read{T}(string, string?)"/>
    public static JsonObject ReadJson(string path, string? section = null)
    {
        var file = Find(path);
        return Select(ReadNode(file), section, file) as JsonObject ?? throw Invalid(file, section, "The configuration is not a set of keys.", "keys and values", null);
    }

    /// <summary>Binds settings that were read already: JSON, or what a checkpoint holds beside its tensors, such as <c>checkpoint.Values["args"]</c>.</summary>
    /// <param name="values">A <see cref="JsonObject"/>, or a dictionary of <see cref="Checkpoint.Values"/>.</param>
    /// <param name="origin">Where they come from, for messages.</param>
    /// <param name="section">Dotted path of the part that is wanted; null for all of it.</param>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.ConfigInvalid"/>: a value cannot be taken.</exception>
    public static PublishedConfig<T> Bind<T>(object? values, string origin, string? section = null) =>
        BindNode<T>(Select(values as JsonNode ?? PlainJson.Of(values), section, origin), origin, section);

    private static PublishedConfig<T> BindNode<T>(JsonNode? node, string file, string? section)
    {
        if (node is not JsonObject json) throw Invalid(file, section, "The configuration is not a set of keys.", "keys and values", node?.GetValueKind().ToString());
        var unknown = new List<string>();
        var prepared = json.DeepClone();
        Prepare(prepared, Options.GetTypeInfo(typeof(T)), "", unknown);
        T value;
        try
        {
            value = prepared.Deserialize<T>(Options)!;
        }
        catch (JsonException e)
        {
            var key = e.Path is null ? "" : e.Path.TrimStart('$', '.');
            throw Invalid(file, Join(section ?? "", key), "A value of the configuration cannot be taken.", null, Find(json, key) ?? e.Message, e);
        }

        Validate(value, file, section ?? "");
        return new(value, unknown, json);
    }

    private static string Find(string path)
    {
        if (File.Exists(path)) return path;
        return Names.Select(name => Path.Combine(path, name)).FirstOrDefault(File.Exists)
            ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no configuration.") { Where = path, Expected = Directory.Exists(path) ? string.Join(", ", Names) : "a file" };
    }

    private static JsonNode? ReadNode(string file)
    {
        try
        {
            var text = File.ReadAllText(file);
            return Path.GetExtension(file).ToLowerInvariant() is ".yaml" or ".yml" ? YamlJson.Parse(text)
                : JsonNode.Parse(text, documentOptions: new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip });
        }
        catch (Exception e) when (e is JsonException or FormatException or IOException or UnauthorizedAccessException)
        {
            throw Invalid(file, null, "The configuration cannot be read.", null, e.Message, e);
        }
    }

    private static JsonNode? Select(JsonNode? node, string? section, string file)
    {
        if (section is null) return node;
        foreach (var step in section.Split('.'))
            node = (node as JsonObject)?[step] ?? throw Invalid(file, section, "The configuration has no such section.", section, null);
        return node!.DeepClone();
    }

    // Notes keys that the record lacks, and takes out nulls where the record has a default that cannot be null.
    private static void Prepare(JsonNode? node, JsonTypeInfo type, string path, List<string> unknown)
    {
        if (node is JsonArray list && type.Kind == JsonTypeInfoKind.Enumerable)
        {
            for (var i = 0; i < list.Count; i++) Prepare(list[i], Options.GetTypeInfo(type.ElementType!), $"{path}[{i}]", unknown);
        }
        else if (node is JsonObject json && type.Kind == JsonTypeInfoKind.Object)
        {
            foreach (var (key, value) in json.ToArray())
            {
                var property = type.Properties.FirstOrDefault(p => p.Name.Equals(key, StringComparison.OrdinalIgnoreCase));
                if (property is null || property.Set is null && property.AssociatedParameter is null) unknown.Add(Join(path, key));
                else if (value is null && !property.IsSetNullable) json.Remove(key);
                else Prepare(value, Options.GetTypeInfo(property.PropertyType), Join(path, key), unknown);
            }
        }
    }

    private static void Validate(object? value, string file, string path)
    {
        if (value is null or string || Options.GetTypeInfo(value.GetType()) is not { Kind: JsonTypeInfoKind.Object or JsonTypeInfoKind.Enumerable } type) return;
        if (type.Kind == JsonTypeInfoKind.Enumerable)
        {
            var i = 0;
            foreach (var item in (IEnumerable)value) Validate(item, file, $"{path}[{i++}]");
            return;
        }

        // Not by Validator, whose table of types would keep a plugin's load context for ever.
        foreach (var property in type.Properties.Where(p => p.Get is not null))
        {
            if (property.AttributeProvider is not MemberInfo member) continue;
            var item = property.Get!(value);
            if (member.GetCustomAttributes<ValidationAttribute>().FirstOrDefault(rule => !Takes(rule, item)) is { } broken)
                throw Invalid(file, Join(path, property.Name), broken.FormatErrorMessage(member.Name), null, item?.ToString());
        }

        foreach (var property in type.Properties.Where(p => p.Get is not null)) Validate(property.Get!(value), file, Join(path, property.Name));
    }

    // Bounds are compared as numbers: RangeAttribute would turn a value into the type of its bounds, rounding it or failing where it is too large for that.
    private static bool Takes(ValidationAttribute rule, object? value) => rule is RangeAttribute { Minimum: int or double, Maximum: int or double } range && value is IConvertible and not string
        ? Convert.ToDouble(value, CultureInfo.InvariantCulture) is var number && number >= Convert.ToDouble(range.Minimum, CultureInfo.InvariantCulture) && number <= Convert.ToDouble(range.Maximum, CultureInfo.InvariantCulture)
        : rule.IsValid(value);

    private static string? Find(JsonNode json, string key)
    {
        JsonNode? node = json;
        foreach (var step in key.Split('.', StringSplitOptions.RemoveEmptyEntries)) node = (node as JsonObject)?[step];
        return ReferenceEquals(node, json) ? null : node?.ToJsonString();
    }

    private static string Join(string path, string key) => path.Length == 0 ? key : key.Length == 0 ? path : $"{path}.{key}";

    private static ModelZooException Invalid(string file, string? key, string what, string? expected, string? found, Exception? inner = null) => new(ErrorCodes.ConfigInvalid, what, inner)
    { Where = string.IsNullOrEmpty(key) ? file : $"{file}: {key}", Expected = expected, Found = found };
}
