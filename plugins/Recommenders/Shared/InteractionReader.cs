using System.Runtime.CompilerServices;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>
/// The layout that LETTER, LC-Rec and TIGER's re-implementations publish: <c>NAME.inter.json</c>, an object of users with their items in order of time. Leave-one-out: the last item is the target, what comes before is the history.
/// </summary>
public sealed class InteractionReader : IDatasetReader
{
    /// <inheritdoc/>
    public string Name => "interactions";

    /// <inheritdoc/>
    public Modality Gives => Modality.Items;

    /// <inheritdoc/>
    public bool CanRead(string path) => File(path) is not null;

    /// <inheritdoc/>
    public int? Count(string path) => null;

    /// <inheritdoc/>
    public async IAsyncEnumerable<Example> ReadAsync(string path, IMediaReader media, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var file = File(path)!;
        Dictionary<string, JsonElement> users;
        try
        {
            await using var stream = System.IO.File.OpenRead(file);
            users = await JsonSerializer.DeserializeAsync<Dictionary<string, JsonElement>>(stream, cancellationToken: cancel).ConfigureAwait(false) ?? [];
        }
        catch (JsonException error)
        {
            throw new ModelZooException(ErrorCodes.DatasetInvalid, "The interactions cannot be read.", error) { Where = file, Expected = "{\"user\": [item, item, ...], ...}" };
        }

        foreach (var (user, items) in users)
        {
            if (items.ValueKind != JsonValueKind.Array) throw new ModelZooException(ErrorCodes.DatasetInvalid, "A user's items are a list.") { Where = $"{file}: {user}", Found = items.ValueKind.ToString() };
            var ids = items.EnumerateArray().Select(item => item.ToString()).ToArray();
            if (ids.Length < 2) continue;
            yield return new(user, new Items(ids[..^1])) { Target = new Items([ids[^1]]), Label = user };
        }
    }

    private static string? File(string path) => path.EndsWith(".inter.json", StringComparison.Ordinal) && System.IO.File.Exists(path) ? path
        : Directory.Exists(path) ? Directory.EnumerateFiles(path, "*.inter.json").Order(StringComparer.Ordinal).FirstOrDefault() : null;
}
