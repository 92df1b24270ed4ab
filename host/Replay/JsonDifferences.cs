using System.Text.Json.Nodes;

namespace ModelZoo.Host.Replay;

/// <summary>A value that is another one in two documents.</summary>
/// <param name="Path">Where it stands: names, with slashes.</param>
/// <param name="Now">The value here, or null.</param>
/// <param name="Then">The value there, or null.</param>
internal sealed record JsonDifference(string Path, JsonNode? Now, JsonNode? Then)
{
    public override string ToString() => $"{Path}: {Show(Now)}, then {Show(Then)}";

    /// <summary>A value for people.</summary>
    public static string Show(JsonNode? value) => value?.ToJsonString() ?? "none";
}

/// <summary>Compares documents value by value.</summary>
internal static class JsonDifferences
{
    /// <summary>Each value that is another one, in the order of the names.</summary>
    public static IEnumerable<JsonDifference> Between(JsonNode? now, JsonNode? then) => Between("", now, then);

    private static IEnumerable<JsonDifference> Between(string path, JsonNode? now, JsonNode? then)
    {
        if (now is JsonObject or null && then is JsonObject or null && (now is not null || then is not null))
        {
            var keys = (now as JsonObject ?? []).Select(pair => pair.Key).Union((then as JsonObject ?? []).Select(pair => pair.Key));
            return keys.SelectMany(key => Between(path.Length == 0 ? key : $"{path}/{key}", now?[key], then?[key]));
        }

        return JsonNode.DeepEquals(now, then) ? [] : [new(path, now, then)];
    }
}
