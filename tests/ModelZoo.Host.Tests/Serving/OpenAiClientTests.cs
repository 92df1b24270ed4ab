using System.Diagnostics;
using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Host.Loading.Tests;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>The npm package <c>openai</c>, unchanged and pinned by its lock file, against the server. It needs node and npm, which the CI script installs.</summary>
public sealed class OpenAiClientTests
{
    [Fact]
    public async Task NpmPackage_Unchanged_ReadsEveryRoute()
    {
        if (await InstallAsync() is not { } script) return;
        var folder = Directory.CreateTempSubdirectory("server-").FullName;
        await using var server = await TestServer.StartAsync(folder: folder, manifest: new HostManifest { Plugins = [new(TestPlugins.Build("Studio", Path.Combine(folder, "plugins")), "test")] });
        var (code, output, error) = await RunAsync("node", [script], new() { ["OPENAI_BASE_URL"] = server.Address + "/v1", ["OPENAI_API_KEY"] = "none" });
        Assert.True(code == 0, error);
        var came = JsonDocument.Parse(output).RootElement;
        string Raw(string name) => came.GetProperty(name).GetRawText();

        Assert.Contains("""["test/story","model"]""", Raw("list"), StringComparison.Ordinal);
        Assert.Equal("""["test/story","model","number","string"]""", Raw("retrieve"));
        Assert.Equal("""["chat.completion","assistant","once upon a time once upon","stop"]""", Raw("chat"));
        var chunks = came.GetProperty("chunks").EnumerateArray().ToList();
        Assert.All(chunks, chunk => Assert.Equal("chat.completion.chunk", chunk[0].GetString()));
        Assert.Equal("once upon a time once upon", string.Concat(chunks.Select(chunk => chunk[1].GetString())));
        Assert.Equal(("stop", JsonValueKind.Number), (chunks[^2][2].GetString(), chunks[^1][3].ValueKind));
        Assert.Equal("\"once upon a time once upon\"", Raw("runner"));
        Assert.Equal("\"a b c a\"", Raw("completion"));
        Assert.Equal("a b c a", string.Concat(came.GetProperty("completionChunks").EnumerateArray().Select(text => text.GetString())));
        Assert.Equal("3", Raw("givenUp"));
        Assert.Equal("""["PNG","PNG"]""", Raw("images"));
        Assert.Equal("\"PNG\"", Raw("link"));
        Assert.Equal("""["audio/wav","RIFF",1644]""", Raw("wav"));
        Assert.Equal(1600, came.GetProperty("pcm")[2].GetInt32());
        Assert.Equal("[[0,[2,1,1,0,0,0,0,0]],[1,[0,1,0,1,1,0,0,0]]]", Raw("embeddings"));
        Assert.Equal("[2,1,1,0,0,0,0,0]", Raw("floats"));
        Assert.Equal(
        [
            """["NotFoundError",404,"model.unknown","invalid_request_error",null,true]""",
            """["BadRequestError",400,"options.unknown","invalid_request_error","top_k",true]""",
            """["BadRequestError",400,"options.out-of-range","invalid_request_error","temperature",true]""",
            """["BadRequestError",400,"verb.unsupported","invalid_request_error",null,true]""",
            """["NotFoundError",404,null,null,null,true]""",
        ], came.GetProperty("errors").EnumerateArray().Select(item => item.GetRawText()));

        // The stream that was given up holds nothing: neither a place in the queue nor the model.
        for (var i = 0; i < 100 && !(await server.Client.GetStringAsync("/metrics")).Contains("modelzoo_requests_running 0\n", StringComparison.Ordinal); i++) await Task.Delay(20);
        Assert.Contains("modelzoo_requests_running 0\n", await server.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    // Installed once a lock file, below artifacts; npm compares the package with the lock's hash and runs none of its scripts.
    private static async Task<string?> InstallAsync()
    {
        var source = Repository.Path("tests", "ModelZoo.Host.Tests", "Serving", "OpenAiClient");
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(source, "package-lock.json"))))[..12];
        var folder = Repository.Path("artifacts", "npm", $"openai-{hash}");
        if (!Directory.Exists(folder))
        {
            var scratch = Directory.CreateDirectory($"{folder}.{Guid.NewGuid():N}").FullName;
            foreach (var name in new[] { "package.json", "package-lock.json" }) File.Copy(Path.Combine(source, name), Path.Combine(scratch, name));
            var (code, _, error) = await RunAsync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", scratch], []);
            Assert.True(code == 0 || Environment.GetEnvironmentVariable("CI") != "true", $"npm ci failed: {error}");
            if (code != 0) return null;
            Directory.Move(scratch, folder);
        }

        var script = Path.Combine(folder, "client.mjs");
        File.Copy(Path.Combine(source, "client.mjs"), script, overwrite: true);
        return script;
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(string program, string[] arguments, Dictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        try
        {
            using var process = Process.Start(start)!;
            var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            await process.WaitForExitAsync();
            return (process.ExitCode, await output, await error);
        }
        catch (System.ComponentModel.Win32Exception missing)
        {
            return (-1, "", missing.Message);
        }
    }
}
