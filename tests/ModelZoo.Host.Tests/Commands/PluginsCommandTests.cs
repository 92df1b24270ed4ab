using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using ModelZoo.Conformance;
using ModelZoo.Host.Loading.Tests;
using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Commands.Tests;

public sealed class PluginsCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("plugins-").FullName;

    public PluginsCommandTests() => File.WriteAllText(In("plugins.json"), """{ "plugins": ["all/*"], "models": {} }""");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(params string[] parts) => Path.Combine([_folder, .. parts]);

    private async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        var code = await CommandLine.RunAsync(["plugins", .. arguments, "--manifest", In("plugins.json")], output, error);
        return (code, output.ToString(), error.ToString());
    }

    private async Task<JsonNode> OneAsync() => Assert.Single(JsonNode.Parse((await RunAsync("list", "--json")).Output)!.AsArray())!;

    [Fact]
    public async Task AddPinDisableEnableRemove_ChangeTheManifest()
    {
        TestPlugins.Build("Good", In("mine"));
        Assert.Equal(ExitCodes.Ok, (await RunAsync("add", In("mine"))).Code);
        Assert.Equal("ready", (string?)(await OneAsync())["state"]);
        Assert.Equal(ExitCodes.Usage, (await RunAsync("add", In("mine"))).Code);

        Assert.Equal(ExitCodes.Ok, (await RunAsync("pin", "Good")).Code);
        Assert.True((bool)(await OneAsync())["pinned"]!);
        TestPlugins.Build("Good", In("mine"), "2.0.0");
        Assert.Contains("pins", (string?)(await OneAsync())["reason"], StringComparison.Ordinal);
        Assert.Equal(ExitCodes.Ok, (await RunAsync("pin", "Good")).Code);
        Assert.Equal("ready", (string?)(await OneAsync())["state"]);

        Assert.Equal(ExitCodes.Ok, (await RunAsync("disable", "Good")).Code);
        Assert.Equal("disabled", (string?)(await OneAsync())["state"]);
        Assert.Equal(ExitCodes.Ok, (await RunAsync("enable", In("mine"))).Code);
        Assert.Equal("ready", (string?)(await OneAsync())["state"]);
        Assert.Equal(ExitCodes.Ok, (await RunAsync("remove", "Good")).Code);
        Assert.Equal("""{"plugins":["all/*"],"models":{}}""", JsonNode.Parse(File.ReadAllText(In("plugins.json")))!.ToJsonString());
    }

    [Fact]
    public async Task Disable_PluginOfAPattern_GetsAnEntryOfItsOwn()
    {
        TestPlugins.Build("Good", In("all", "good"));
        Assert.Equal(ExitCodes.Ok, (await RunAsync("disable", "Good")).Code);
        Assert.Equal("disabled", (string?)(await OneAsync())["state"]);
        Assert.Equal("all/*", (string?)JsonNode.Parse(File.ReadAllText(In("plugins.json")))!["plugins"]![0]);
    }

    [Fact]
    public async Task Add_PluginThatDoesNotLoad_IsRefused()
    {
        TestPlugins.Build("ThrowsInConstructor", In("bad"));
        var (code, _, error) = await RunAsync("add", In("bad"));
        Assert.Equal(ExitCodes.Failed, code);
        Assert.Contains("licence server", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Add_ManifestWithComments_IsLeftToItsAuthor()
    {
        File.WriteAllText(In("plugins.json"), "{ // mine\n }");
        var (code, _, error) = await RunAsync("add", TestPlugins.Build("Good", In("mine")));
        Assert.Equal(ExitCodes.Usage, code);
        Assert.Contains("changed by hand", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_BadPlugin_SaysWhyAndExitsWithOne()
    {
        var newer = TestPlugins.NewerContracts(In("newer"), "9.0.0");
        TestPlugins.Build("NewerContracts", In("bad"), replaced: new Dictionary<string, string> { ["ModelZoo.Contracts"] = newer });
        var (code, output, _) = await RunAsync("check", In("bad"), "--json");
        Assert.Equal(ExitCodes.Failed, code);
        Assert.Equal(3, JsonNode.Parse(output)!["problems"]!.AsArray().Count);
    }

    [Fact]
    public async Task Check_PluginThatMayNotUnload_SaysSo()
    {
        TestPlugins.Build("Leaks", In("leaks"));
        var (code, output, _) = await RunAsync("check", In("leaks"), "--json");
        Assert.Equal(ExitCodes.Ok, code);
        Assert.Equal("it uses System.AppDomain.add_ProcessExit: A handler on a static event holds the plugin. End what you hold in DisposeAsync.", (string?)Assert.Single(JsonNode.Parse(output)!["hazards"]!.AsArray()));
        TestPlugins.Build("Misbehaves", In("misbehaves"));
        Assert.Equal(["System.Environment.FailFast", "System.Threading.Thread..ctor"],
            JsonNode.Parse((await RunAsync("check", In("misbehaves"), "--json")).Output)!["hazards"]!.AsArray().Select(hazard => ((string)hazard!).Split(' ')[2].TrimEnd(':')).Order());
    }

    [Fact]
    public void Schema_NamesTheKeysThatTheReaderTakes()
    {
        var schema = JsonNode.Parse(File.ReadAllText(Repository.Path("docs", "plugins.schema.json")))!;
        var reader = File.ReadAllText(Repository.Path("host", "Manifest", "ManifestReader.cs"));
        var allowed = Regex.Matches(reader, @"AllowOnly\(([^)]*)\)").Select(match => Regex.Matches(match.Groups[1].Value, "\"([^\"]+)\"").Select(key => key.Groups[1].Value).Order().ToList()).ToList();
        var described = Objects(schema).Select(keys => keys.Order().ToList()).ToList();
        foreach (var keys in allowed) Assert.Contains(described, other => other.SequenceEqual(keys));

        static IEnumerable<IEnumerable<string>> Objects(JsonNode? node) => node switch
        {
            JsonObject map => (map["properties"] is JsonObject properties ? new[] { properties.Select(pair => pair.Key) } : []).Concat(map.SelectMany(pair => Objects(pair.Value))),
            JsonArray list => list.SelectMany(Objects),
            _ => [],
        };
    }

    /// <summary>The commands of docs/plugins.md, one after the other, with the real executable.</summary>
    [Fact]
    public async Task Docs_TenMinutes_WorkAsTheyStand()
    {
        File.WriteAllText(In("plugins.json"), """{ "plugins": [] }""");
        var page = File.ReadAllText(Repository.Path("docs", "plugins.md"));
        var commands = Regex.Match(page, "```bash\n(.*?)```", RegexOptions.Singleline).Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(9, commands.Length);
        foreach (var command in commands)
        {
            var words = Regex.Matches(command, "\"([^\"]*)\"|(\\S+)").Select(match => match.Groups[1].Success ? match.Groups[1].Value : match.Groups[2].Value).ToList();
            var arguments = words[0] == "modelzoo" ? [Path.Combine(AppContext.BaseDirectory, "modelzoo.dll"), .. words[1..]] : words[1..];
            var (code, output) = await Dotnet.RunAsync(_folder, arguments);
            Assert.True(code == 0, $"{command}\n{output}");
            if (words[1] == "test") Assert.Matches(@"Failed:\s+0, Passed:\s+[1-9]", output);
        }

        Assert.Equal("Hello", File.ReadAllText(In("hello.txt")));
        Assert.Contains("sha256", File.ReadAllText(In("plugins.json")), StringComparison.Ordinal);

        // What keeps a plugin from unloading does not build.
        File.WriteAllText(In("MyLab.Bytes", "Late.cs"), "public sealed class Late { public Late() => System.AppDomain.CurrentDomain.ProcessExit += (_, _) => { }; private readonly object _timer = new System.Threading.Timer(_ => { }); }");
        var (failed, why) = await Dotnet.RunAsync(_folder, ["build", "MyLab.Bytes"]);
        Assert.NotEqual(0, failed);
        Assert.Contains("RS0030", why, StringComparison.Ordinal);
        Assert.Contains("'AppDomain.ProcessExit' is banned", why, StringComparison.Ordinal);
        Assert.Contains("A timer that runs holds the plugin", why, StringComparison.Ordinal);
    }

    [Fact]
    public void Template_Versions_AreThoseOfTheRepository()
    {
        var central = Regex.Matches(File.ReadAllText(Repository.Path("Directory.Packages.props")), "Include=\"([^\"]+)\" Version=\"([^\"]+)\"").ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);
        foreach (var project in Directory.GetFiles(Repository.Path("contracts", "templates", "modelzoo-plugin"), "*.csproj", SearchOption.AllDirectories))
        {
            foreach (Match match in Regex.Matches(File.ReadAllText(project), "PackageReference Include=\"([^\"]+)\" Version=\"([^\"]+)\"")) Assert.Equal(central[match.Groups[1].Value], match.Groups[2].Value);
        }
    }
}
