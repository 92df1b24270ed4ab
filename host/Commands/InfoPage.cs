using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace ModelZoo.Host.Commands;

/// <summary>What is known of a model, as text: a line a fact, words wrapped under the fact that they belong to.</summary>
internal static class InfoPage
{
    private const int Step = 2, Narrowest = 20;

    // What programs read: schemas, and the fields of OpenAI's list.
    private static readonly HashSet<string> ForPrograms = ["schema", "object", "created", "owned_by"];

    /// <summary>The lines for an edge at <paramref name="width"/> cells.</summary>
    public static IEnumerable<string> Lines(JsonObject info, int width) => Lines(info, width, 0, []);

    // Options stand once; verbs with the same ones refer to the first. Names of files keep their underscores.
    private static IEnumerable<string> Lines(JsonObject json, int width, int indent, Dictionary<string, string> told, bool names = false, string? verb = null)
    {
        foreach (var (key, value) in json)
        {
            if (value is null || ForPrograms.Contains(key) || (key == "architecture" && value.ToString() == json["id"]?.ToString())) continue;
            var label = names ? key : key.Replace('_', ' ');
            var inner = value switch
            {
                JsonObject map => Lines(map, width, indent + Step, told, names: key == "files", verb: key),
                JsonArray { Count: 0 } => null,
                JsonArray list when key == "options" && !told.TryAdd(list.ToJsonString(), verb!) => [],
                JsonArray list => Items(key == "sizes" ? Aligned(list) : [.. list.Select(item => $"{item}")], width, indent + Step),
                _ => [],
            };
            if (inner is null) continue;
            var text = value switch
            {
                JsonArray list when key == "options" && told[list.ToJsonString()] is var first && first != verb => $" as {first}",
                JsonObject or JsonArray => "",
                _ when value.GetValueKind() == JsonValueKind.Number && value.AsValue().TryGetValue(out long number) => $" {number:N0}",
                _ => $" {value}",
            };
            foreach (var line in Wrapped($"{label}:{text}", width, indent).Concat(inner)) yield return line;
        }
    }

    private static IEnumerable<string> Items(IEnumerable<string> items, int width, int indent) => items.SelectMany(item => Wrapped(item, width, indent));

    // Names in one column, numbers under each other in the next; names may have a colon of their own.
    private static string[] Aligned(JsonArray sizes)
    {
        var rows = sizes.Select(size => $"{size}").Select(size => (Name: size[..size.LastIndexOf(": ", StringComparison.Ordinal)], Count: size[(size.LastIndexOf(": ", StringComparison.Ordinal) + 2)..])).ToList();
        var (name, count) = (rows.Max(row => row.Name.GetCellWidth()), rows.Max(row => row.Count.IndexOf(' ', StringComparison.Ordinal)));
        return [.. rows.Select(row => row.Name + new string(' ', name - row.Name.GetCellWidth() + Step + count - row.Count.IndexOf(' ', StringComparison.Ordinal)) + row.Count)];
    }

    // Words that follow stand two cells further in; a word longer than a line is not cut.
    private static IEnumerable<string> Wrapped(string text, int width, int indent)
    {
        var (line, filled) = (new StringBuilder().Append(' ', indent), indent);
        var edge = Math.Max(width, indent + Narrowest);
        foreach (var word in text.Split(' '))
        {
            var cells = word.GetCellWidth();
            if (filled > indent && filled + 1 + cells > edge)
            {
                yield return line.ToString().TrimEnd();
                (line, filled) = (new StringBuilder().Append(' ', indent + Step), indent + Step);
            }
            else if (filled > indent)
            {
                line.Append(' ');
                filled++;
            }

            line.Append(word);
            filled += cells;
        }

        yield return line.ToString();
    }
}
