using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Host.Replay;

namespace ModelZoo.Host.Shards;

/// <summary>One of many things to generate.</summary>
/// <param name="Ordinal">Its place in the list, from 0.</param>
/// <param name="Prompt">Words, or the name or number of a class.</param>
/// <param name="Inputs">Files that go with it.</param>
/// <param name="Seed">Its own seed.</param>
internal sealed record PromptRequest(int Ordinal, string? Prompt, IReadOnlyList<string> Inputs, ulong Seed)
{
    /// <summary>File and line that it stands on, for messages.</summary>
    public required string Where { get; init; }

    /// <summary>SHA-256 of prompt, seed and inputs, in lower-case hex.</summary>
    public string Digest(IEnumerable<RecordedFile> inputs) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(new { Prompt, Seed, Inputs = inputs.Select(input => input.Sha256) }))));
}

/// <summary>Prompts in a file: one a line; in a .jsonl file <c>{"prompt": "...", "in": ["FILE", ...], "seed": n}</c> a line, each part of which may be missing.</summary>
internal static class PromptFile
{
    private sealed record Line(string? Prompt, string[]? In, ulong? Seed);

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow };

    /// <summary>The requests of a file. The seed of a request is that of the run plus its place, unless its line says another: alone, with that seed, it gives the same.</summary>
    /// <exception cref="ModelZooException">There is no such file, or a line is of another form.</exception>
    public static IReadOnlyList<PromptRequest> Read(string path, ulong seed)
    {
        if (!File.Exists(path)) throw Invalid(path, "no such file");
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var lines = File.ReadAllLines(path).Select((text, i) => (Text: text.Trim(), Number: i + 1)).Where(line => line.Text.Length > 0).ToList();
        if (lines.Count == 0) throw Invalid(path, "nothing");
        var structured = Path.GetExtension(path).Equals(".jsonl", StringComparison.OrdinalIgnoreCase);
        return [.. lines.Select((line, ordinal) =>
        {
            var asked = structured ? Parse(line.Text, $"{path}:{line.Number}") : new(line.Text, null, null);
            return new PromptRequest(ordinal, asked.Prompt, [.. (asked.In ?? []).Select(file => Path.GetFullPath(file, folder))], asked.Seed ?? unchecked(seed + (ulong)ordinal)) { Where = $"{path}:{line.Number}" };
        })];
    }

    private static Line Parse(string text, string where)
    {
        try
        {
            return JsonSerializer.Deserialize<Line>(text, Json) ?? throw Invalid(where, "null");
        }
        catch (JsonException)
        {
            throw Invalid(where, text);
        }
    }

    private static ModelZooException Invalid(string where, string found) => new(ErrorCodes.DatasetInvalid, "This is no list of prompts.")
    { Where = where, Expected = "a prompt a line, or in a .jsonl file {\"prompt\": \"...\", \"in\": [\"FILE\"], \"seed\": n} a line", Found = found };
}
