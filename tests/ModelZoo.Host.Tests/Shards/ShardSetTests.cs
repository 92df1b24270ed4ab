using System.Text.Json.Nodes;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Shards.Tests;

/// <summary>Shards of twenty items, of which each tells its square; what is refused, and that all else is the whole.</summary>
public sealed class ShardSetTests : IDisposable
{
    private const int Items = 20;

    private readonly string _folder = Directory.CreateTempSubdirectory("shards-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(string name) => Path.Combine(_folder, name);

    private static JsonObject Plan(int seed = 0, string machine = "here") => new() { ["run"] = new JsonObject { ["verb"] = "evaluate", ["seed"] = seed, ["provenance"] = new JsonObject { ["checkpoint_sha256"] = new JsonObject { ["a"] = "1" }, ["machine"] = machine } } };

    private async Task<string> WriteAsync(Shard shard, int batch = 3, JsonObject? plan = null, string? name = null, int items = Items, IEnumerable<int>? firsts = null)
    {
        var path = In(name ?? $"{shard.Index}.jsonl");
        await ShardFile.WriteAsync(path, new(shard, plan ?? Plan()), async add =>
        {
            foreach (var first in firsts ?? Enumerable.Range(0, items).Where(i => i % batch == 0 && shard.Has(i, batch)))
            {
                var part = Enumerable.Range(first, Math.Min(batch, items - first)).ToList();
                await add(new(first, [.. part.Select(i => $"{i:x2}")], new() { ["squares"] = new JsonArray([.. part.Select(i => (JsonNode)(i * i))]) }));
            }

            return items;
        }, CancellationToken.None);
        return path;
    }

    private async Task<List<string>> AllAsync(int count, int batch = 3)
    {
        var paths = new List<string>();
        for (var i = 1; i <= count; i++) paths.Add(await WriteAsync(new(i, count), batch));
        return paths;
    }

    private static async Task<List<int>> MergeAsync(IEnumerable<string> paths)
    {
        await using var set = await ShardSet.OpenAsync(paths, CancellationToken.None);
        return await set.ReadAsync(CancellationToken.None).SelectMany(part => part.Results["squares"]!.AsArray().Select(square => (int)square!)).ToListAsync();
    }

    private static async Task<ModelZooException> RefusedAsync(string code, IEnumerable<string> paths)
    {
        var error = await Assert.ThrowsAsync<ModelZooException>(() => MergeAsync(paths));
        Assert.Equal(code, error.Code);
        return error;
    }

    [Fact]
    public async Task Read_AnyCountBatchAndOrderOfFiles_IsTheWhole()
    {
        var whole = Enumerable.Range(0, Items).Select(i => i * i);
        var random = new Random(8);
        for (var count = 1; count <= 9; count++)
        {
            var paths = (await AllAsync(count, batch: 1 + count % 4)).ToArray();
            random.Shuffle(paths);
            Assert.Equal(whole, await MergeAsync(paths));
        }
    }

    [Fact]
    public async Task Read_MoreShardsThanItems_IsTheWhole() => Assert.Equal(Items, (await MergeAsync(await AllAsync(30))).Count);

    [Fact]
    public async Task Open_FromOtherMachines_NamesThem()
    {
        string[] paths = [await WriteAsync(new(1, 2), plan: Plan(machine: "there")), await WriteAsync(new(2, 2), plan: Plan(machine: "here"))];
        await using var set = await ShardSet.OpenAsync(paths, CancellationToken.None);
        Assert.Equal("here; there", set.Machines);
    }

    [Fact]
    public async Task Open_MissingShards_AreNamed()
    {
        var paths = await AllAsync(4);
        Assert.Contains("2/4, 3/4", (await RefusedAsync(ShardErrors.Missing, [paths[0], paths[3]])).Message, StringComparison.Ordinal);
        await RefusedAsync(ShardErrors.Missing, [.. paths, In("nowhere")]);
    }

    [Fact]
    public async Task Open_DoubleShard_IsRefused()
    {
        var paths = await AllAsync(3);
        await RefusedAsync(ShardErrors.Double, [.. paths, paths[1]]);
        await RefusedAsync(ShardErrors.Double, [.. paths, await WriteAsync(new(2, 3), name: "again.jsonl")]);
    }

    [Fact]
    public async Task Open_ShardOfSomethingElse_IsRefusedByName()
    {
        var paths = await AllAsync(3);
        await WriteAsync(new(2, 3), plan: Plan(seed: 1));
        var error = await RefusedAsync(ShardErrors.Foreign, paths);
        Assert.Equal((paths[1], "1"), (error.Where, error.Found));
        Assert.Contains("run/seed 0", error.Expected, StringComparison.Ordinal);

        var checkpoint = Plan();
        checkpoint["run"]!["provenance"]!["checkpoint_sha256"]!["a"] = "2";
        await WriteAsync(new(2, 3), plan: checkpoint);
        Assert.Contains("checkpoint_sha256", (await RefusedAsync(ShardErrors.Foreign, paths)).Expected, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_ShardOfAnotherCount_IsRefused()
    {
        var paths = await AllAsync(3);
        await WriteAsync(new(2, 4), name: "2.jsonl");
        Assert.Equal("2/4", (await RefusedAsync(ShardErrors.Foreign, paths)).Found);
    }

    [Fact]
    public async Task Read_TornAnywhere_IsRefused()
    {
        var paths = await AllAsync(2);
        var whole = File.ReadAllBytes(paths[1]);
        for (var length = 0; length < whole.Length - 2; length += 7)
        {
            File.WriteAllBytes(paths[1], whole[..length]);
            await RefusedAsync(ShardErrors.Torn, paths);
        }

        File.WriteAllText(paths[1], """{"metrics": []}""");
        await RefusedAsync(ShardErrors.Torn, paths);
    }

    [Fact]
    public async Task Read_OverlapGapOrOtherLength_IsRefused()
    {
        var paths = await AllAsync(2);
        await WriteAsync(new(2, 2), firsts: [0, 3, 9, 15]);
        await RefusedAsync(ShardErrors.Broken, paths);
        await WriteAsync(new(2, 2), firsts: [3, 15]);
        await RefusedAsync(ShardErrors.Broken, paths);
        await WriteAsync(new(2, 2), items: 24);
        await RefusedAsync(ShardErrors.Broken, paths);
    }

    [Fact]
    public async Task Write_Cancelled_LeavesNoFileAndOfAnotherOnlyTheOld()
    {
        var path = await WriteAsync(new(1, 1));
        var before = File.ReadAllBytes(path);
        await Assert.ThrowsAsync<OperationCanceledException>(() => ShardFile.WriteAsync(path, new(Shard.Whole, Plan()), async add =>
        {
            await add(new(0, ["00"], []));
            throw new OperationCanceledException();
        }, CancellationToken.None));
        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task Write_AfterAProcessWasKilled_ClearsWhatItLeft()
    {
        File.WriteAllText(In("1.jsonl.00000000000000000000000000000000.partial"), "{");
        Assert.Equal([await WriteAsync(new(1, 2))], Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task Holds_SameShardOfSameItems_AndNothingElse()
    {
        var path = await WriteAsync(new(1, 1));
        var digests = Enumerable.Range(0, Items).Select(i => $"{i:x2}").ToArray();
        Task<bool> HoldsAsync(ShardHeader header, IEnumerable<string> items) => ShardFile.HoldsAsync(path, header, items.ToAsyncEnumerable(), CancellationToken.None);

        Assert.True(await HoldsAsync(new(Shard.Whole, Plan(machine: "another")), digests));
        Assert.False(await HoldsAsync(new(new(1, 2), Plan()), digests));
        Assert.False(await HoldsAsync(new(Shard.Whole, Plan(seed: 1)), digests));
        Assert.False(await HoldsAsync(new(Shard.Whole, Plan()), digests[..^1]));
        Assert.False(await HoldsAsync(new(Shard.Whole, Plan()), [.. digests, "ff"]));
        Assert.False(await HoldsAsync(new(Shard.Whole, Plan()), digests.Reverse()));
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^12]);
        Assert.False(await HoldsAsync(new(Shard.Whole, Plan()), digests));
    }
}
