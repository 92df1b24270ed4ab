using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace ModelZoo.Inference;

/// <summary>YAML as JSON, with scalars read as PyYAML reads them, except that numbers such as <c>1e-4</c> are numbers.</summary>
internal static partial class YamlJson
{
    private const int Deepest = 64;
    private const int MostNodes = 1_000_000;

    /// <exception cref="FormatException">The text is not YAML, has several documents, or repeats itself without end.</exception>
    public static JsonNode? Parse(string text)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new FormatException($"{e.Message} (line {e.Start.Line})", e);
        }

        if (stream.Documents.Count > 1) throw new FormatException("The file holds several documents.");
        var nodes = 0;
        return stream.Documents.Count == 0 ? null : Convert(stream.Documents[0].RootNode, 0, ref nodes);
    }

    private static JsonNode? Convert(YamlNode node, int depth, ref int nodes)
    {
        if (depth > Deepest || ++nodes > MostNodes) throw new FormatException("The file is nested too deeply, or refers to itself too often.");
        switch (node)
        {
            case YamlMappingNode mapping:
                var json = new JsonObject();
                // A merge key (<<) brings in what the mapping does not say itself.
                foreach (var (key, value) in mapping.Children.OrderBy(c => c.Key is YamlScalarNode { Value: "<<" } ? 0 : 1))
                {
                    var converted = Convert(value, depth + 1, ref nodes);
                    if (key is YamlScalarNode { Value: "<<" }) Merge(json, converted);
                    else json[(key as YamlScalarNode)?.Value ?? throw new FormatException($"A key is not a text (line {key.Start.Line}).")] = converted;
                }

                return json;
            case YamlSequenceNode sequence:
                var list = new JsonArray();
                foreach (var item in sequence.Children) list.Add(Convert(item, depth + 1, ref nodes));
                return list;
            case YamlScalarNode scalar: return Scalar(scalar);
            default: throw new FormatException($"A node cannot be read (line {node.Start.Line}).");
        }
    }

    private static void Merge(JsonObject json, JsonNode? merged)
    {
        foreach (var part in merged is JsonArray list ? [.. list] : new[] { merged })
        {
            foreach (var (key, value) in part as JsonObject ?? []) json.TryAdd(key, value?.DeepClone());
        }
    }

    private static JsonValue? Scalar(YamlScalarNode scalar)
    {
        var text = scalar.Value ?? "";
        if (scalar.Style is ScalarStyle.SingleQuoted or ScalarStyle.DoubleQuoted or ScalarStyle.Literal or ScalarStyle.Folded || scalar.Tag is { IsEmpty: false, Value: "tag:yaml.org,2002:str" })
            return JsonValue.Create(text);
        if (text is "" or "~" or "null" or "Null" or "NULL") return null;
        if (text is "true" or "True" or "TRUE" or "yes" or "Yes" or "YES" or "on" or "On" or "ON") return JsonValue.Create(true);
        if (text is "false" or "False" or "FALSE" or "no" or "No" or "NO" or "off" or "Off" or "OFF") return JsonValue.Create(false);
        var digits = text.Replace("_", "");
        if (Integer().IsMatch(digits) && long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer)) return JsonValue.Create(integer);
        if (digits.StartsWith("0x", StringComparison.Ordinal) && long.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out integer)) return JsonValue.Create(integer);
        if (Real().IsMatch(digits) && double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out var real)) return JsonValue.Create(real);
        return text.ToLowerInvariant() switch
        {
            ".inf" or "+.inf" => JsonValue.Create("Infinity"),
            "-.inf" => JsonValue.Create("-Infinity"),
            ".nan" => JsonValue.Create("NaN"),
            _ => JsonValue.Create(text),
        };
    }

    [GeneratedRegex(@"^[-+]?\d+$")]
    private static partial Regex Integer();

    [GeneratedRegex(@"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")]
    private static partial Regex Real();
}
