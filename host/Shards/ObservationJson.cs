using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Shards;

/// <summary>Observations as JSON and back, the same to the bit. Media that several of them share, such as the original beside each reconstruction, is written once.</summary>
internal static class ObservationJson
{
    public static JsonObject Write(IReadOnlyList<Observation> observations)
    {
        var places = new Dictionary<Contracts.Media, int>(ReferenceEqualityComparer.Instance);
        var media = new JsonArray();
        return new() { ["observations"] = new JsonArray([.. observations.Select(One)]), ["media"] = media };

        JsonNode One(Observation observation)
        {
            var json = new JsonObject { ["id"] = observation.Id };
            if (observation.Group.Length > 0) json["group"] = observation.Group;
            if (observation.Label is { } label) json["label"] = label;
            if (observation.Reference is { } reference) json["reference"] = Place(reference);
            if (observation.Output is { } output) json["output"] = Place(output);
            if (observation.Tokens is { } tokens) json["tokens"] = Place(tokens);
            return json;
        }

        int Place(Contracts.Media value)
        {
            if (places.TryGetValue(value, out var place)) return place;
            places.Add(value, media.Count);
            media.Add((JsonNode)ExactMedia.Write(value));
            return media.Count - 1;
        }
    }

    public static IReadOnlyList<Observation> Read(JsonElement json)
    {
        var media = json.GetProperty("media").EnumerateArray().Select(ExactMedia.Read).ToList();
        return [.. json.GetProperty("observations").EnumerateArray().Select(observation => new Observation(observation.GetProperty("id").GetString()!, Find(observation, "reference"), Find(observation, "output"))
        {
            Group = Text(observation, "group") ?? "",
            Label = Text(observation, "label"),
            Tokens = (Tokens?)Find(observation, "tokens"),
        })];

        Contracts.Media? Find(JsonElement observation, string name) => observation.TryGetProperty(name, out var place) ? media[place.GetInt32()] : null;
    }

    private static string? Text(JsonElement observation, string name) => observation.TryGetProperty(name, out var text) ? text.GetString() : null;
}
