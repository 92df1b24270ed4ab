using ModelZoo.Host.Commands;
using ModelZoo.Host.Loading.Tests;

namespace ModelZoo.Host.Shards.Tests;

/// <summary>The command line on a model whose results depend on batches, places and order.</summary>
public sealed class EvaluationShardsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shards-").FullName;

    public EvaluationShardsTests()
    {
        TestPlugins.Build("Batches", In("plugins", "batches"));
        File.WriteAllText(In("plugins.json"), """{ "plugins": ["plugins/*"], "models": { "test/batches.x": {} } }""");
        Directory.CreateDirectory(In("data", "a"));
        for (var i = 0; i < 17; i++) File.WriteAllText(In("data", i % 3 == 0 ? "a" : ".", $"{i:00}.txt"), new string('x', i * i % 11));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(params string[] parts) => Path.Combine([_folder, .. parts]);

    private async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        var code = await CommandLine.RunAsync([.. arguments, "--manifest", In("plugins.json")], output, error);
        return (code, output.ToString(), error.ToString());
    }

    private async Task<string> EvaluateAsync(params string[] arguments)
    {
        var (code, output, error) = await RunAsync(["evaluate", "test/batches.x", "--data", In("data"), .. arguments]);
        Assert.True(code == ExitCodes.Ok, error);
        return output;
    }

    private async Task<string[]> ShardsAsync(int count, params string[] arguments)
    {
        for (var i = 1; i <= count; i++) await EvaluateAsync(["--shard", $"{i}/{count}", "--out", In($"{i}.jsonl"), .. arguments]);
        return [.. Enumerable.Range(1, count).Select(i => In($"{i}.jsonl"))];
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(7)]
    public async Task Merge_AnyNumberOfShards_IsTheReportOfOneProcessByteForByte(int count)
    {
        string[] asked = ["--seed", "3", "--limit", "16", "--option", $"batch_size={(count == 3 ? 1 : 3)}"];
        await EvaluateAsync([.. asked, "--out", In("whole.json")]);
        var (code, output, error) = await RunAsync(["merge", .. await ShardsAsync(count, asked), "--out", In("merged.json")]);
        Assert.True(code == ExitCodes.Ok, error);
        Assert.Contains("16 examples", output, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllText(In("whole.json")), File.ReadAllText(In("merged.json")));
        Assert.Equal(ExitCodes.Ok, (await RunAsync("replay", In("merged.json"))).Code);
    }

    [Fact]
    public async Task Shard_Again_IsRecognisedUntilTheDataChanges()
    {
        await ShardsAsync(2);
        var before = File.ReadAllBytes(In("1.jsonl"));
        Assert.Contains("was complete already", await EvaluateAsync("--shard", "1/2", "--out", In("1.jsonl")), StringComparison.Ordinal);
        Assert.DoesNotContain("already", await EvaluateAsync("--shard", "1/2", "--out", In("1.jsonl"), "--seed", "1"), StringComparison.Ordinal);
        Assert.DoesNotContain("already", await EvaluateAsync("--shard", "1/2", "--out", In("1.jsonl")), StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(In("1.jsonl")));
        File.AppendAllText(In("data", "01.txt"), "y");
        Assert.DoesNotContain("already", await EvaluateAsync("--shard", "1/2", "--out", In("1.jsonl")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Shard_WithoutAFileOrNoShard_IsWrongUsage()
    {
        Assert.Equal(ExitCodes.Usage, (await RunAsync("evaluate", "test/batches.x", "--data", In("data"), "--shard", "1/2")).Code);
        Assert.Equal(ExitCodes.Usage, (await RunAsync("evaluate", "test/batches.x", "--data", In("data"), "--shard", "3/2", "--out", In("3.jsonl"))).Code);
        Assert.Empty(Directory.GetFiles(_folder, "*.jsonl"));
    }

    [Fact]
    public async Task Merge_OfOtherLimits_IsRefusedAndWritesNothing()
    {
        var paths = await ShardsAsync(2);
        await EvaluateAsync("--limit", "5", "--shard", "2/2", "--out", paths[1]);
        var (code, _, error) = await RunAsync(["merge", .. paths, "--out", In("merged.json")]);
        Assert.Equal(ExitCodes.Failed, code);
        Assert.Contains("run/evaluation/limit none", error, StringComparison.Ordinal);
        Assert.False(File.Exists(In("merged.json")));
    }
}
