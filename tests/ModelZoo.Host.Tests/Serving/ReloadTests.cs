using System.Net.Http.Json;
using System.Text.Json;
using ModelZoo.Host.Loading.Tests;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>The configuration changes while the server serves.</summary>
public sealed class ReloadTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("reload-").FullName;

    private string File => Path.Combine(_folder, "plugins.json");

    public ReloadTests()
    {
        TestPlugins.Build("Good", Path.Combine(_folder, "good"));
        TestPlugins.Build("Studio", Path.Combine(_folder, "studio"));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Task<TestServer> StartAsync(string manifest, Func<ServerSettings, ServerSettings>? settings = null)
    {
        System.IO.File.WriteAllText(File, manifest);
        return TestServer.StartAsync(settings, manifestFile: File);
    }

    private async Task<(int Status, JsonElement Json)> ReloadAsync(TestServer server, string manifest)
    {
        System.IO.File.WriteAllText(File, manifest);
        return await server.PostAsync("/v1/admin/reload", new { });
    }

    private static async Task<string> FirstUnitAsync(TestServer server, string model = "test/echo.a") =>
        (await server.PostAsync($"/v1/models/{model}/tokenize", new { input = "a" })).Json.TryGetProperty("tokens", out var tokens) ? tokens.GetProperty("ids").GetRawText() : "none";

    private static string Good(string more = "", string options = "{}") => $$$"""{ "plugins": ["good"], "models": { "test/echo.a": { "options": { "tokenize": {{{options}}} } } }{{{more}}} }""";

    [Fact]
    public async Task Reload_PluginsOptionsAndQueue_TakeEffect()
    {
        await using var server = await StartAsync(Good());
        Assert.Equal("[97]", await FirstUnitAsync(server)); // it is open now

        var (status, json) = await ReloadAsync(server, """
            { "plugins": ["good", "studio"], "memory": { "cpu": "1GB" }, "queue": { "limit": 3, "ageingSeconds": 2 },
              "models": { "test/echo.a": { "options": { "tokenize": { "shift": 1 } } }, "test/echo.b": {} } }
            """);
        Assert.Equal((200, 3, 1L << 30), (status, json.GetProperty("queue").GetProperty("limit").GetInt32(), json.GetProperty("memory").GetProperty("cpu").GetInt64()));
        Assert.Equal(("[98]", "[97]"), (await FirstUnitAsync(server), await FirstUnitAsync(server, "test/echo.b")));
        Assert.Equal(["Good ready", "Studio ready"], await PluginsAsync(server));

        await ReloadAsync(server, """{ "plugins": ["studio", { "path": "good", "enabled": false }] }""");
        Assert.Equal("none", await FirstUnitAsync(server));
        Assert.Contains("Studio ready", await PluginsAsync(server));
    }

    private static async Task<List<string>> PluginsAsync(TestServer server) =>
        [.. (await server.Client.GetFromJsonAsync<JsonElement>("/v1/admin/plugins")).EnumerateArray().Select(plugin => $"{plugin.GetProperty("name")} {plugin.GetProperty("state")}").Order(StringComparer.Ordinal)];

    [Fact]
    public async Task Reload_UnderRequests_LosesNone()
    {
        await using var server = await StartAsync(Good());
        using var stop = new CancellationTokenSource();
        var (asked, units) = (0, new System.Collections.Concurrent.ConcurrentBag<string>());
        var clients = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                Interlocked.Increment(ref asked);
                units.Add(await FirstUnitAsync(server));
            }
        })).ToList();
        var slow = server.Client.PostAsJsonAsync("/v1/models/test/echo.a/generate", new { prompt = "x", options = new { delay = 200 } });
        for (var i = 0; i < 6; i++) Assert.Equal(200, (await ReloadAsync(server, Good(i % 2 == 0 ? """, "device": "cpu", "queue": { "concurrency": 2 }""" : "", $$"""{ "shift": {{i}} }"""))).Status);
        await stop.CancelAsync();
        await Task.WhenAll(clients);
        Assert.Equal("1.0.0:x:0", await (await slow).Content.ReadAsStringAsync());
        Assert.Equal(asked, units.Count);
        Assert.All(units, unit => Assert.Contains(unit, Enumerable.Range(97, 6).Select(code => $"[{code}]")));
        Assert.Equal("[102]", await FirstUnitAsync(server));
    }

    [Fact]
    public async Task Reload_BadFile_KeepsTheOldAndSaysWhyWithFileAndLine()
    {
        await using var server = await StartAsync(Good());
        var (status, json) = await ReloadAsync(server, "{\n  \"plugins\": [\"good\"],\n  \"modles\": {}\n}");
        Assert.Equal((422, "manifest.invalid", $"{File}:3", "Did you mean 'models'?"), (status, json.GetProperty("code").GetString(), json.GetProperty("where").GetString(), json.GetProperty("remedy").GetString()));
        var now = await server.Client.GetFromJsonAsync<JsonElement>("/v1/admin/configuration");
        Assert.Equal(("test/echo.a", $"{File}:3"), (now.GetProperty("models")[0].GetString(), now.GetProperty("refused").GetProperty("where").GetString()));
        Assert.Equal("[97]", await FirstUnitAsync(server));
    }

    [Fact]
    public async Task File_Changed_IsReadByItself()
    {
        await using var server = await StartAsync(Good());
        Assert.Equal("[97]", await FirstUnitAsync(server));
        System.IO.File.WriteAllText(File, Good(options: """{ "shift": 2 }"""));
        var until = DateTime.UtcNow.AddSeconds(30);
        while (await FirstUnitAsync(server) != "[99]") Assert.True(DateTime.UtcNow < until, "it was not read");
    }

    [Fact]
    public async Task Hangup_OfTheProcess_ReadsAgainAndGoesOn()
    {
        if (OperatingSystem.IsWindows()) return;
        await using var server = (await RealServer.StartAsync(_folder))!;
        async Task<string> ReadAtAsync() => (await server.Client.GetFromJsonAsync<JsonElement>("/v1/admin/configuration")).GetProperty("read_at").GetString()!;
        var before = await ReadAtAsync();
        using var kill = System.Diagnostics.Process.Start("kill", ["-HUP", $"{server.Process.Id}"]);
        await kill.WaitForExitAsync();
        var until = DateTime.UtcNow.AddSeconds(30);
        while (await ReadAtAsync() == before) Assert.True(DateTime.UtcNow < until, "it was not read");
    }

    [Fact]
    public async Task Keys_OfAFile_ChangeWithoutARestart()
    {
        var (users, administrators) = (Path.Combine(_folder, "users"), Path.Combine(_folder, "administrators"));
        System.IO.File.WriteAllText(users, "# last month's\nold\n");
        System.IO.File.WriteAllText(administrators, "admin\n");
        var source = new KeySource(null, null, users, administrators);
        await using var server = await StartAsync(Good(), settings => settings with { Keys = source.Read(), KeySource = source });
        async Task<int> AskAsync(string key)
        {
            using var ask = new HttpRequestMessage(HttpMethod.Get, "/v1/models") { Headers = { Authorization = new("Bearer", key) } };
            using var answer = await server.Client.SendAsync(ask);
            return (int)answer.StatusCode;
        }

        Assert.Equal((200, 401), (await AskAsync("old"), await AskAsync("new")));
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "admin");
        System.IO.File.WriteAllText(users, "new\n");
        Assert.Equal(200, (await ReloadAsync(server, Good())).Status);
        Assert.Equal((401, 200), (await AskAsync("old"), await AskAsync("new")));

        System.IO.File.WriteAllText(users, "\n"); // must not open the server
        Assert.Equal((422, users), (await ReloadAsync(server, Good()) is var (status, json) ? status : 0, json.GetProperty("where").GetString()));
        Assert.Equal((401, 200), (await AskAsync("old"), await AskAsync("new")));
    }
}
