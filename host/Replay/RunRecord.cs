using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Host.Replay;

/// <summary>
/// What is needed to do a run again, and to say what differs when it comes out otherwise: plugin, checkpoint and inputs by digest, device, versions, options and seed. It lies beside each result as <c>RESULT.run.json</c>; a report of
/// an evaluation carries it inside.
/// </summary>
internal sealed record RunRecord
{
    public const string FormatName = "modelzoo.run/1";

    public string Format { get; init; } = FormatName;
    public required string Verb { get; init; }
    public required string Model { get; init; }
    public string? Checkpoint { get; init; }
    public required string Device { get; init; }
    public required JsonElement Options { get; init; }
    public ulong Seed { get; init; }
    public string? Prompt { get; init; }
    public IReadOnlyList<RecordedFile> Inputs { get; init; } = [];
    public RecordedFile? Output { get; init; }
    public RecordedEvaluation? Evaluation { get; init; }
    public required Provenance Provenance { get; init; }

    /// <summary>How records are written.</summary>
    public static JsonSerializerOptions Json { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonSerializerOptions Line = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public JsonObject ToJson() => JsonSerializer.SerializeToNode(this, Json)!.AsObject();

    /// <summary>As one line of ASCII, which a header can hold.</summary>
    public string ToLine() => JsonSerializer.Serialize(this, Line);

    public void Write(Utf8JsonWriter json) => JsonSerializer.Serialize(json, this, Json);

    public string ToText() => JsonSerializer.Serialize(this, Json) + "\n";

    /// <summary>Reads a record.</summary>
    /// <exception cref="ModelZooException">It is none.</exception>
    public static RunRecord Read(string path)
    {
        try
        {
            var json = JsonElement.Parse(File.ReadAllBytes(path));
            if (json.ValueKind == JsonValueKind.Object && json.TryGetProperty("run", out var inside)) json = inside;
            var record = json.Deserialize<RunRecord>(Json);
            return record is { Format: FormatName } ? record : throw new JsonException($"the format is not {FormatName}");
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new ModelZooException("replay.malformed", $"This is not the record of a run: {error.Message}", error) { Where = path, Expected = "a .run.json file, which lies beside each result, or the report of an evaluation" };
        }
    }
}

/// <summary>A file by path and SHA-256.</summary>
internal sealed record RecordedFile(string Path, string Sha256)
{
    public static RecordedFile Of(string path)
    {
        using var stream = File.OpenRead(path);
        return new(System.IO.Path.GetFullPath(path), Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(stream)));
    }
}

/// <summary>What was measured, and on what.</summary>
/// <param name="Data">The data set.</param>
/// <param name="Limit">Most examples that were asked for; null for all.</param>
/// <param name="Metrics">The metrics that were asked for; null for the model's own.</param>
internal sealed record RecordedEvaluation(string Data, int? Limit, IReadOnlyList<string>? Metrics)
{
    /// <summary>SHA-256 of the examples that were used; null before it is known.</summary>
    public string? DataSha256 { get; init; }

    /// <summary>What came out, by metric and group; null before it is known.</summary>
    public JsonElement? Figures { get; init; }
}

/// <summary>Where an answer comes from.</summary>
internal sealed record Provenance
{
    public required string Plugin { get; init; }
    public required string PluginVersion { get; init; }
    public required string PluginSha256 { get; init; }
    public required IReadOnlyDictionary<string, string> CheckpointSha256 { get; init; }
    public required string Device { get; init; }

    /// <summary>In what linear maps kept their weights; null for 32-bit floats.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Precision { get; init; }

    public string? Engine { get; init; }
    public required string Host { get; init; }
    public required string Machine { get; init; }

    /// <summary>What differs from another, as lines for people.</summary>
    public IEnumerable<string> Differences(Provenance now)
    {
        if (PluginSha256 != now.PluginSha256) yield return $"plugin: {Plugin} {PluginVersion} ({PluginSha256[..12]}) was {now.Plugin} {now.PluginVersion} ({now.PluginSha256[..12]})";
        foreach (var (file, digest) in CheckpointSha256)
        {
            if (now.CheckpointSha256.GetValueOrDefault(file) is var other && other != digest) yield return $"checkpoint: {file} has SHA-256 {other?[..12] ?? "none"}, then {digest[..12]}";
        }

        if (Device != now.Device) yield return $"device: {now.Device}, then {Device}";
        if (Precision != now.Precision) yield return $"precision: {now.Precision ?? WeightPrecision.Float32.Name()}, then {Precision ?? WeightPrecision.Float32.Name()}";
        if (Engine != now.Engine) yield return $"engine: {now.Engine}, then {Engine}";
        if (Host != now.Host) yield return $"host: {now.Host}, then {Host}";
        if (Machine != now.Machine) yield return $"machine: {now.Machine}, then {Machine}";
    }
}
