using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Terminal;

namespace ModelZoo.Host.Shards;

/// <summary>A shard's results in a file: JSON lines, of which the first says what they are of, and the last that nothing is missing. The file appears whole or not at all.</summary>
internal static class ShardFile
{
    /// <summary>Name and version of the format.</summary>
    public const string Format = "modelzoo.shard/1";

    /// <summary>Writes a shard.</summary>
    /// <param name="path">The file.</param>
    /// <param name="header">What it is of.</param>
    /// <param name="work">Gives the parts in order, and at the end the number of items of the whole.</param>
    /// <param name="cancel">Leaves no file.</param>
    public static async Task WriteAsync(string path, ShardHeader header, Func<Func<ShardPart, ValueTask>, Task<int>> work, CancellationToken cancel)
    {
        await OutputFile.StreamAsync(path, async stream =>
        {
            await LineAsync(new JsonObject { ["format"] = Format, ["shard"] = header.Shard.ToString(), ["plan"] = header.Plan.DeepClone() }).ConfigureAwait(false);
            var items = await work(part => LineAsync(JsonSerializer.SerializeToNode(part, ShardHeader.Json)!.AsObject())).ConfigureAwait(false);
            await LineAsync(new() { ["end"] = items }).ConfigureAwait(false);

            async ValueTask LineAsync(JsonObject line)
            {
                await JsonSerializer.SerializeAsync(stream, line, ShardHeader.Json, cancel).ConfigureAwait(false);
                stream.WriteByte((byte)'\n');
            }
        }, cancel).ConfigureAwait(false);
        foreach (var remains in OutputFile.Unfinished(path)) File.Delete(remains); // of a process that was killed at this shard
    }

    /// <summary>True when the file holds this very shard, whole, of these very items.</summary>
    public static async Task<bool> HoldsAsync(string path, ShardHeader header, IAsyncEnumerable<string> items, CancellationToken cancel)
    {
        if (!File.Exists(path)) return false;
        try
        {
            var reader = await ShardReader.OpenAsync(path, cancel).ConfigureAwait(false);
            await using var _ = reader.ConfigureAwait(false);
            if (reader.Header.Shard != header.Shard || reader.Header.Differences(header).Any()) return false;
            var kept = new Queue<string>();
            await foreach (var item in items.WithCancellation(cancel).ConfigureAwait(false))
            {
                if (kept.Count == 0 && await reader.AdvanceAsync().ConfigureAwait(false)) kept = new(reader.Current!.Items);
                if (!kept.TryDequeue(out var then) || then != item) return false;
            }

            return kept.Count == 0 && !await reader.AdvanceAsync().ConfigureAwait(false);
        }
        catch (ModelZooException error) when (error.Code == ShardErrors.Torn)
        {
            return false;
        }
    }
}
