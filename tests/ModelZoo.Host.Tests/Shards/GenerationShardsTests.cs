using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Commands;
using ModelZoo.Host.Loading.Tests;

namespace ModelZoo.Host.Shards.Tests;

/// <summary>The command line on the echo model, which answers with its prompt and seed.</summary>
public sealed class GenerationShardsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("shards-").FullName;

    public GenerationShardsTests()
    {
        TestPlugins.Build("Good", In("plugins", "good"));
        File.WriteAllText(In("plugins.json"), """{ "plugins": ["plugins/*"] }""");
        File.WriteAllLines(In("prompts.txt"), ["one", "", "two", "  three", "four", "five"]);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(params string[] parts) => Path.Combine([_folder, .. parts]);

    private async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        var code = await CommandLine.RunAsync([.. arguments, "--manifest", In("plugins.json")], output, error);
        return (code, output.ToString(), error.ToString());
    }

    private async Task GenerateAsync(params string[] arguments)
    {
        var (code, _, error) = await RunAsync(["generate", "test/echo", "--seed", "7", .. arguments]);
        Assert.True(code == ExitCodes.Ok, error);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(6)]
    public async Task Merge_AnyNumberOfShards_IsTheManifestOfOneProcessByteForByte(int count)
    {
        await GenerateAsync("--prompts", In("prompts.txt"), "--out", In("whole"));
        for (var i = 1; i <= count; i++) await GenerateAsync("--prompts", In("prompts.txt"), "--out", In("parts"), "--shard", $"{i}/{count}");
        Assert.Equal(ExitCodes.Ok, (await RunAsync(["merge", .. Directory.GetFiles(In("parts"), "*.jsonl"), "--out", In("parts", "manifest.json")])).Code);
        Assert.Equal(File.ReadAllText(In("whole", "manifest.json")), File.ReadAllText(In("parts", "manifest.json")));
        foreach (var file in Directory.GetFiles(In("whole"), "*.txt")) Assert.Equal(File.ReadAllText(file), File.ReadAllText(In("parts", Path.GetFileName(file))));
        Assert.Equal("1.0.0:three:9", File.ReadAllText(In("parts", "000002.txt")));
        Assert.Equal(ExitCodes.Ok, (await RunAsync("replay", In("parts", "000002.txt"))).Code);
    }

    [Fact]
    public async Task Generate_Again_DoesOnlyWhatIsMissingOrOther()
    {
        await GenerateAsync("--prompts", In("prompts.txt"), "--out", In("out"));
        var longAgo = new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        foreach (var file in Directory.GetFiles(In("out"), "*.txt")) File.SetLastWriteTimeUtc(file, longAgo);
        File.Delete(In("out", "000001.txt"));
        File.AppendAllText(In("out", "000002.txt"), "torn");
        File.Delete(In("out", "000003.txt.run.json"));
        await GenerateAsync("--prompts", In("prompts.txt"), "--out", In("out"));
        Assert.Equal([true, false, false, false, true], Enumerable.Range(0, 5).Select(i => File.GetLastWriteTimeUtc(In("out", $"00000{i}.txt")) == longAgo));
        Assert.Equal("1.0.0:three:9", File.ReadAllText(In("out", "000002.txt")));
        await GenerateAsync("--prompts", In("prompts.txt"), "--out", In("out"), "--option", "shift=1");
        Assert.All(Enumerable.Range(0, 5), i => Assert.NotEqual(longAgo, File.GetLastWriteTimeUtc(In("out", $"00000{i}.txt"))));
    }

    [Fact]
    public async Task Prompts_JsonLines_CarrySeedsAndInputs()
    {
        File.WriteAllText(In("input.txt"), "x");
        File.WriteAllLines(In("prompts.jsonl"), ["""{"prompt": "a", "seed": 3}""", """{"in": ["input.txt"]}"""]);
        await GenerateAsync("--prompts", In("prompts.jsonl"), "--out", In("out"));
        Assert.Equal(["1.0.0:a:3", "1.0.0:x:8"], [File.ReadAllText(In("out", "000000.txt")), File.ReadAllText(In("out", "000001.txt"))]);
        Assert.Equal(In("input.txt"), (string?)JsonNode.Parse(File.ReadAllText(In("out", "000001.txt.run.json")))!["inputs"]![0]!["path"]);
    }

    [Fact]
    public async Task Prompts_LineThatTheModelRefuses_IsNamed()
    {
        File.WriteAllText(In("items.json"), """["a"]""");
        File.WriteAllLines(In("prompts.jsonl"), ["""{"prompt": "a"}""", "", """{"prompt": "b", "in": ["items.json"]}"""]);
        var (code, _, error) = await RunAsync("generate", "test/echo", "--prompts", In("prompts.jsonl"), "--out", In("out"));
        Assert.Equal(ExitCodes.Failed, code);
        Assert.Contains($"{In("prompts.jsonl")}:3", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("none.txt", "")]
    [InlineData("empty.txt", " \n")]
    [InlineData("broken.jsonl", "{\"prompt\": ")]
    [InlineData("unknown.jsonl", "{\"promt\": \"a\"}")]
    [InlineData("null.jsonl", "null")]
    public void Prompts_OfAnotherForm_AreRefused(string name, string text)
    {
        if (text.Length > 0) File.WriteAllText(In(name), text);
        var error = Assert.Throws<ModelZooException>(() => PromptFile.Read(In(name), 0));
        Assert.Equal(ErrorCodes.DatasetInvalid, error.Code);
        Assert.StartsWith(In(name), error.Where, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Merge_OfEvaluationsAndOtherSeeds_IsRefused()
    {
        await GenerateAsync("--prompts", In("prompts.txt"), "--out", In("out"), "--shard", "1/2");
        Assert.Equal(ExitCodes.Ok, (await RunAsync("generate", "test/echo", "--seed", "8", "--prompts", In("prompts.txt"), "--out", In("out"), "--shard", "2/2")).Code);
        Assert.Contains("run/seed 7", (await RunAsync(["merge", .. Directory.GetFiles(In("out"), "*.jsonl").Order(), "--out", In("m.json")])).Error, StringComparison.Ordinal);

        Directory.CreateDirectory(In("data"));
        File.WriteAllText(In("data", "a.txt"), "a");
        await RunAsync("evaluate", "test/echo", "--data", In("data"), "--shard", "2/2", "--out", In("out", "shard-2-of-2.jsonl"));
        Assert.Contains(ShardErrors.Foreign, (await RunAsync(["merge", .. Directory.GetFiles(In("out"), "*.jsonl").Order(), "--out", In("m.json")])).Error, StringComparison.Ordinal);
        Assert.False(File.Exists(In("m.json")));
    }

    [Theory]
    [InlineData("--prompts", "prompts.txt", "--prompt", "a")]
    [InlineData("--prompt", "a", "--shard", "1/2")]
    [InlineData("--prompts", "prompts.txt", "--shard", "0/2")]
    public async Task Generate_ArgumentsThatDoNotGoTogether_AreWrongUsage(params string[] arguments) =>
        Assert.Equal(ExitCodes.Usage, (await RunAsync(["generate", "test/echo", "--out", In("out"), .. arguments.Select(argument => argument == "prompts.txt" ? In(argument) : argument)])).Code);
}
