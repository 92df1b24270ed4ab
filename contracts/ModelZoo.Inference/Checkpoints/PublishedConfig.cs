using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace ModelZoo.Inference;

/// <summary>A configuration as the authors publish it, bound to a record.</summary>
/// <typeparam name="T">The record: properties in PascalCase for keys in snake_case, with validation attributes.</typeparam>
/// <param name="Value">The record.</param>
/// <param name="Unknown">Keys of the file that the record does not have.</param>
/// <param name="Json">Everything that the file holds.</param>
public sealed record PublishedConfig<T>(T Value, IReadOnlyList<string> Unknown, JsonObject Json);

/// <summary>Reads published configurations: JSON or YAML.</summary>
public static class PublishedConfig
{
    private static readonly string[] UsualNames = ["config.json", "config.yaml", "config.yml"];

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowReadingFromString,
        AllowTrailingCommas = true,
        ReadCommentHandling = JsonCommentHandling.Skip,
    };

    /// <summary>Reads a file, or the usual file of a folder.</summary>
    /// <param name="path">File or folder.</param>
    /// <param name="section">Dotted path of the part of the file that holds the settings, such as <c>model.vq_model</c>; null for the whole.</param>
    /// <exception cref="CheckpointException">The file is not there or cannot be read.</exception>
    /// <exception cref="ModelZooException">A value cannot be taken (<see cref="ErrorCodes.ConfigInvalid"/>); file and key are named.</exception>
    public static PublishedConfig<T> Read<T>(string path, string? section = null) where T : class
    {
        var file = FileAt(path);
        return Bind<T>(Parse(file), file, section);
    }

    /// <summary>Everything that a file holds, or the usual file of a folder.</summary>
    /// <exception cref="CheckpointException">The file is not there or cannot be read.</exception>
    public static JsonObject ReadJson(string path) => Parse(FileAt(path));

    /// <summary>Binds settings that were read already.</summary>
    /// <param name="json">The settings.</param>
    /// <param name="file">Where they come from, for messages.</param>
    /// <param name="section">Dotted path of the part that is wanted; null for the whole.</param>
    public static PublishedConfig<T> Bind<T>(JsonObject json, string file, string? section = null) where T : class
    {
        foreach (var key in section?.Split('.') ?? [])
            json = json[key] as JsonObject ?? throw Invalid(file, section!, "a section of settings", "nothing");
        T value;
        try
        {
            value = json.Deserialize<T>(Options)!;
        }
        catch (JsonException error)
        {
            throw Invalid(file, error.Path?.TrimStart('$', '.') ?? "", error.Message.Split(" Path:")[0], null);
        }

        foreach (var property in typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            var key = Options.PropertyNamingPolicy!.ConvertName(property.Name);
            foreach (var rule in property.GetCustomAttributes<ValidationAttribute>())
            {
                if (!rule.IsValid(property.GetValue(value))) throw Invalid(file, key, rule.FormatErrorMessage(key), json[key]?.ToJsonString());
            }
        }

        var known = typeof(T).GetProperties().Select(property => Options.PropertyNamingPolicy!.ConvertName(property.Name)).ToHashSet();
        return new(value, [.. json.Select(pair => pair.Key).Where(key => !known.Contains(key))], json);
    }

    private static string FileAt(string path)
    {
        if (File.Exists(path)) return path;
        return UsualNames.Select(name => Path.Combine(path, name)).FirstOrDefault(File.Exists)
            ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "The published configuration is not there.") { Where = path, Expected = string.Join(" or ", UsualNames) };
    }

    private static JsonObject Parse(string file)
    {
        try
        {
            var text = File.ReadAllText(file);
            var node = Path.GetExtension(file) is ".yaml" or ".yml"
                ? FromYaml(text)
                : JsonNode.Parse(text, documentOptions: new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip, MaxDepth = 64 });
            return node as JsonObject ?? throw new JsonException("it does not hold an object");
        }
        catch (Exception error) when (error is JsonException or YamlException or IOException)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The published configuration cannot be read.", error) { Where = file, Found = error.Message.TrimEnd('.') };
        }
    }

    private static JsonNode? FromYaml(string text)
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(text));
        return yaml.Documents.Count == 0 ? null : Node(yaml.Documents[0].RootNode, 0);
    }

    private static JsonNode? Node(YamlNode node, int depth) => node switch
    {
        _ when depth > 64 => throw new YamlException("nested deeper than 64 levels"),
        YamlMappingNode mapping => new JsonObject(mapping.Children.Select(pair => KeyValuePair.Create(((YamlScalarNode)pair.Key).Value ?? "", Node(pair.Value, depth + 1)))),
        YamlSequenceNode sequence => new JsonArray([.. sequence.Children.Select(child => Node(child, depth + 1))]),
        YamlScalarNode { Style: ScalarStyle.Plain } plain => Plain(plain.Value ?? ""),
        YamlScalarNode quoted => JsonValue.Create(quoted.Value),
        _ => null,
    };

    // YAML 1.1 plain scalars as PyYAML reads them.
    private static JsonNode? Plain(string text) => text switch
    {
        "" or "~" or "null" or "Null" or "NULL" => null,
        "true" or "True" or "yes" or "on" => true,
        "false" or "False" or "no" or "off" => false,
        _ when long.TryParse(text, System.Globalization.NumberStyles.AllowLeadingSign, System.Globalization.CultureInfo.InvariantCulture, out var whole) => whole,
        _ when double.TryParse(text, System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture, out var number) => number,
        _ => text,
    };

    private static ModelZooException Invalid(string file, string key, string expected, string? found) =>
        new(ErrorCodes.ConfigInvalid, "The published configuration has a value that cannot be taken.") { Where = $"{file}: {key}", Expected = expected, Found = found };
}
