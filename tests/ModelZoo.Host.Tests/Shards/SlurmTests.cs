using System.Text.Json.Nodes;
using ModelZoo.Conformance;
using ModelZoo.Host.Commands;
using ModelZoo.Host.Loading.Tests;

namespace ModelZoo.Host.Shards.Tests;

/// <summary>The scripts of deploy/slurm on a real Slurm with two nodes.</summary>
public sealed class SlurmTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("jobs-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(params string[] parts) => Path.Combine([_folder, .. parts]);

    // What jobs inherit: how modelzoo is started here.
    private string[] Submit(params string[] arguments) => [$"TMPDIR={_folder}", "MODELZOO=dotnet " + Path.Combine(AppContext.BaseDirectory, "modelzoo.dll") + " --manifest " + In("plugins.json"), Repository.Path("deploy", "slurm", "submit.sh"), .. arguments];

    private async Task RunAsync(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        Assert.True(await CommandLine.RunAsync([.. arguments, "--manifest", In("plugins.json")], output, error) == ExitCodes.Ok, error.ToString());
    }

    private string Logs() => string.Join("\n", Directory.GetFiles(In("out", "log")).Order().Select(file => $"{Path.GetFileName(file)}: {File.ReadAllText(file)}"));

    [SlurmFact]
    public async Task Evaluate_ArrayOfThree_IsTheReportOfOneProcessByteForByte()
    {
        if (!BuiltPlugins.Are("Speech", "Components")) return;
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(110));
        File.WriteAllText(In("plugins.json"), new JsonObject
        {
            ["plugins"] = new JsonArray(BuiltPlugins.Folder("Speech"), BuiltPlugins.Folder("Components")),
            ["models"] = new JsonObject { ["speech/encodec.8khz"] = new JsonObject { ["checkpoint"] = Repository.Path("samples", "encodec-8khz") } },
        }.ToJsonString());
        string[] asked = ["speech/encodec.8khz", "--data", Repository.Path("samples", "encodec-8khz", "recordings"), "--seed", "4"];
        await using var cluster = await SlurmCluster.StartAsync(stop.Token);
        var (array, merge) = await cluster.SubmitAsync(stop.Token, Submit(["evaluate", "3", In("out"), .. asked]));
        await RunAsync(["evaluate", .. asked, "--out", In("whole.json")]);
        await cluster.EndAsync(array, stop.Token);
        await cluster.EndAsync(merge, stop.Token);
        Assert.True(File.Exists(In("out", "report.json")), Logs());
        Assert.Equal(File.ReadAllText(In("whole.json")), File.ReadAllText(In("out", "report.json")));
    }

    [SlurmFact]
    public async Task Generate_NodeKilledHalfWay_IsQueuedAgainAndNothingIsLostOrTwice()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(110));
        TestPlugins.Build("Good", In("plugins", "good"));
        File.WriteAllText(In("plugins.json"), """{ "plugins": ["plugins/*"] }""");
        File.WriteAllLines(In("prompts.txt"), ["one", "two", "three", "four", "five", "six", "seven", "eight"]);
        string[] asked = ["test/echo", "--prompts", In("prompts.txt"), "--seed", "40", "--option", "delay=150"];
        await using var cluster = await SlurmCluster.StartAsync(stop.Token);
        var (array, merge) = await cluster.SubmitAsync(stop.Token, Submit(["generate", "2", In("out"), .. asked]));
        // The second of the second shard's four is being made.
        while (!File.Exists(In("out", "000001.txt.run.json"))) await Task.Delay(50, stop.Token);
        var first = File.GetLastWriteTimeUtc(In("out", "000001.txt"));
        await cluster.KillAsync(await cluster.NodeOfAsync($"{array}_2", stop.Token), stop.Token);
        Assert.False(File.Exists(In("out", "shard-2-of-2.jsonl")));
        while (!File.Exists(In("out", "shard-2-of-2.jsonl")))
        {
            await cluster.HurryAsync($"{array}_2", stop.Token);
            await Task.Delay(300, stop.Token);
        }

        await cluster.EndAsync(merge, stop.Token);
        Assert.True(File.Exists(In("out", "manifest.json")), Logs());
        Assert.Contains("start 1", File.ReadAllText(In("out", "log", "shard-2.log")), StringComparison.Ordinal);
        Assert.Equal(first, File.GetLastWriteTimeUtc(In("out", "000001.txt"))); // what was finished is not done again

        await RunAsync(["generate", .. asked, "--out", In("whole")]);
        Assert.Equal(File.ReadAllText(In("whole", "manifest.json")), File.ReadAllText(In("out", "manifest.json")));
        var results = JsonNode.Parse(File.ReadAllText(In("out", "manifest.json")))!["results"]!.AsArray();
        Assert.Equal(Enumerable.Range(0, 8), results.Select(result => (int)result!["index"]!));
        Assert.Equal("1.0.0:three:42", File.ReadAllText(In("out", "000002.txt")));
        Assert.Empty(Directory.GetFiles(In("out"), "*.partial"));
    }
}
