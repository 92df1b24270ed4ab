using System.Runtime.CompilerServices;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>
/// Histories as JSON lines, oldest item first: <c>{"user": "u1", "items": [3, 17, 4], "target": 9}</c>, or a list of items. Where no target is given the last item is it (leave-one-out); lines of fewer than two items then are left out.
/// </summary>
public sealed class HistoryReader : IDatasetReader
{
    /// <inheritdoc/>
    public string Name => "histories";

    /// <inheritdoc/>
    public Modality Gives => Modality.Items;

    /// <inheritdoc/>
    public bool CanRead(string path) => path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) && File.Exists(path);

    /// <inheritdoc/>
    public int? Count(string path) => null;

    /// <inheritdoc/>
    public async IAsyncEnumerable<Example> ReadAsync(string path, IMediaReader media, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var number = 0;
        await foreach (var line in File.ReadLinesAsync(path, cancel).ConfigureAwait(false))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line)) continue;
            if (Read(line, $"{path}: line {number}", number) is { } example) yield return example;
        }
    }

    private static string Item(JsonElement item) => item.ValueKind is JsonValueKind.String or JsonValueKind.Number ? item.ToString() : throw new JsonException("An item is a name or a number.");

    private static Example? Read(string line, string where, int number)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            var items = (root.ValueKind == JsonValueKind.Array ? root : root.GetProperty("items")).EnumerateArray().Select(Item).ToArray();
            var user = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("user", out var name) ? name.ToString() : number.ToString(System.Globalization.CultureInfo.InvariantCulture);
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("target", out var target)) return new(user, new Items(items)) { Target = new Items([Item(target)]), Label = user };
            return items.Length < 2 ? null : new(user, new Items(items[..^1])) { Target = new Items([items[^1]]), Label = user };
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new ModelZooException(ErrorCodes.DatasetInvalid, "A history cannot be read.", error) { Where = where, Expected = "{\"user\": .., \"items\": [..]} or [..]" };
        }
    }
}
