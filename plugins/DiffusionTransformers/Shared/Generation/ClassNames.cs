using System.Globalization;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>A model's classes by number and, where the publication has them, by name.</summary>
/// <param name="count">Number of classes.</param>
/// <param name="names">Class of each name.</param>
internal sealed class ClassNames(int count, IReadOnlyDictionary<string, int> names)
{
    /// <summary>Number of classes.</summary>
    public int Count => count;

    /// <summary>Names from <c>id2label</c> of a folder's <c>model_index.json</c>, in which synonyms are divided by commas; none when there is no such file.</summary>
    public static ClassNames Read(string folder, int count)
    {
        var names = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        if (Path.Combine(folder, "model_index.json") is var file && File.Exists(file))
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(file));
            foreach (var entry in json.RootElement.TryGetProperty("id2label", out var labels) ? labels.EnumerateObject() : default)
            {
                if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var id)) continue;
                foreach (var name in entry.Value.GetString()!.Split(',', StringSplitOptions.TrimEntries)) names.TryAdd(name, id);
            }
        }

        return new(count, names);
    }

    /// <summary>The classes of a prompt: numbers or names, divided by commas.</summary>
    /// <exception cref="MediaException">One is not known.</exception>
    public long[] Parse(string prompt)
    {
        var parts = prompt.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return parts.Length > 0 ? [.. parts.Select(One)] : throw Unknown(prompt);
    }

    private long One(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < count ? number
        : names.TryGetValue(text, out var named) ? named
        : throw Unknown(text);

    private MediaException Unknown(string text) => new(ErrorCodes.MediaUnsupported, "The model has no such class.")
    {
        Where = "prompt",
        Expected = $"numbers from 0 to {count - 1}{(names.Count > 0 ? " or names" : "")}, divided by commas",
        Found = $"'{text}'",
        Remedy = Names.Nearest(text, names.Keys) is { } nearest ? $"Did you mean '{nearest}'?" : null,
    };
}
