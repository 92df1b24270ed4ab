using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Shards;

/// <summary>Reads a shard's file part by part; only one part is in memory.</summary>
internal sealed class ShardReader : IAsyncDisposable
{
    private readonly Stream _stream;
    private readonly IAsyncEnumerator<JsonElement> _lines;

    private ShardReader(string path, CancellationToken cancel)
    {
        Path = path;
        _stream = File.OpenRead(path);
        _lines = JsonSerializer.DeserializeAsyncEnumerable<JsonElement>(_stream, topLevelValues: true, ShardHeader.Json, cancel).GetAsyncEnumerator(cancel);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>What the shard is of.</summary>
    public ShardHeader Header { get; private set; } = null!;

    /// <summary>The part that was read last; null before the first and after the last.</summary>
    public ShardPart? Current { get; private set; }

    /// <summary>Items of the whole; known at the end.</summary>
    public int? Items { get; private set; }

    /// <summary>Opens a shard's file.</summary>
    /// <exception cref="ModelZooException">It is none.</exception>
    public static async Task<ShardReader> OpenAsync(string path, CancellationToken cancel)
    {
        if (!File.Exists(path)) throw new ModelZooException(ShardErrors.Missing, "There is no such file.") { Where = path };
        var reader = new ShardReader(path, cancel);
        try
        {
            reader.Header = await reader.LineAsync(head => head.GetProperty("format").GetString() == ShardFile.Format
                ? new ShardHeader(Shard.Parse(head.GetProperty("shard").GetString()!), JsonObject.Create(head.GetProperty("plan"))!)
                : throw new FormatException($"the format {head.GetProperty("format")}")).ConfigureAwait(false);
            return reader;
        }
        catch
        {
            await reader.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Reads the next part into <see cref="Current"/>; false at the end.</summary>
    /// <exception cref="ModelZooException">The file ends too early.</exception>
    public async Task<bool> AdvanceAsync()
    {
        if (Items is not null) return false;
        (Current, Items) = await LineAsync(static line => line.TryGetProperty("end", out var end) ? ((ShardPart?)null, (int?)end.GetInt32()) : (line.Deserialize<ShardPart>(ShardHeader.Json), null)).ConfigureAwait(false);
        return Items is null;
    }

    public async ValueTask DisposeAsync()
    {
        await _lines.DisposeAsync().ConfigureAwait(false);
        await _stream.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<T> LineAsync<T>(Func<JsonElement, T> read)
    {
        try
        {
            return await _lines.MoveNextAsync().ConfigureAwait(false) ? read(_lines.Current) : throw Torn("the end of the file");
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or OptionsException)
        {
            throw Torn(error.Message);
        }
    }

    private ModelZooException Torn(string found) => new(ShardErrors.Torn, "This is no shard, or not a whole one.") { Where = Path, Expected = "what `modelzoo evaluate|generate --shard i/n` writes", Found = found, Remedy = "Run that shard again." };
}
