using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Host.Replay;

namespace ModelZoo.Host.Shards;

/// <summary>All shards of one whole, read together in the order of the whole.</summary>
internal sealed class ShardSet : IAsyncDisposable
{
    private readonly List<ShardReader> _shards;

    private ShardSet(List<ShardReader> shards) => _shards = shards;

    /// <summary>What the whole is.</summary>
    public ShardHeader Header => _shards[0].Header;

    /// <summary>The machines that worked on it.</summary>
    public string Machines => string.Join("; ", _shards.Select(shard => (string)shard.Header.Plan["run"]!["provenance"]!["machine"]!).Distinct().Order(StringComparer.Ordinal));

    /// <summary>Opens the files of all shards, in any order.</summary>
    /// <exception cref="ModelZooException">A shard is missing, there twice, or of something else.</exception>
    public static async Task<ShardSet> OpenAsync(IEnumerable<string> paths, CancellationToken cancel)
    {
        var set = new ShardSet([]);
        try
        {
            foreach (var path in paths) set._shards.Add(await ShardReader.OpenAsync(path, cancel).ConfigureAwait(false));
            set.Check();
            set._shards.Sort((a, b) => a.Header.Shard.Index.CompareTo(b.Header.Shard.Index));
            return set;
        }
        catch
        {
            await set.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The parts of all shards in the order of the whole.</summary>
    /// <exception cref="ModelZooException">A file is torn, or they overlap or leave something out.</exception>
    public async IAsyncEnumerable<ShardPart> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        var next = 0;
        foreach (var shard in _shards) await shard.AdvanceAsync().ConfigureAwait(false);
        while (_shards.Where(shard => shard.Current is not null).MinBy(shard => shard.Current!.First) is { } shard)
        {
            cancel.ThrowIfCancellationRequested();
            var part = shard.Current!;
            if (part.First != next || part.Items.Count == 0) throw Broken(shard, $"item {next}", $"item {part.First}");
            yield return part;
            next += part.Items.Count;
            await shard.AdvanceAsync().ConfigureAwait(false);
        }

        if (_shards.Find(shard => shard.Items != next) is { } other) throw Broken(other, $"{next} items in all", $"{other.Items}");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var shard in _shards) await shard.DisposeAsync().ConfigureAwait(false);
    }

    private void Check()
    {
        var (first, count) = (_shards[0], _shards[0].Header.Shard.Count);
        foreach (var shard in _shards)
        {
            if (shard.Header.Shard.Count != count) throw Foreign(shard, $"a shard of {count}, as {first.Path}", shard.Header.Shard.ToString());
            if (shard.Header.Differences(first.Header).FirstOrDefault() is { } difference)
                throw Foreign(shard, $"{difference.Path} {JsonDifference.Show(difference.Then)}, as {first.Path}", JsonDifference.Show(difference.Now));
        }

        foreach (var same in _shards.GroupBy(shard => shard.Header.Shard).Where(group => group.Count() > 1))
            throw new ModelZooException(ShardErrors.Double, $"Shard {same.Key} is there twice.") { Where = string.Join(", ", same.Select(shard => shard.Path)) };
        var missing = Enumerable.Range(1, count).Except(_shards.Select(shard => shard.Header.Shard.Index)).Select(index => new Shard(index, count).ToString()).ToList();
        if (missing.Count > 0) throw new ModelZooException(ShardErrors.Missing, $"Of {count} shards {missing.Count} {(missing.Count == 1 ? "is" : "are")} missing.") { Expected = string.Join(", ", missing), Remedy = "Run what is missing with the same arguments." };
    }

    private static ModelZooException Foreign(ShardReader shard, string expected, string found) =>
        new(ShardErrors.Foreign, "This shard is of something else than the others.") { Where = shard.Path, Expected = expected, Found = found };

    private static ModelZooException Broken(ShardReader shard, string expected, string found) =>
        new(ShardErrors.Broken, "The shards overlap, or leave something out.") { Where = shard.Path, Expected = expected, Found = found, Remedy = "Did the data change in between? Run the shards again." };
}
