using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ModelZoo.Conformance;

namespace ModelZoo.Host.Deploy.Tests;

/// <summary>What the container recipe does, without the container: <c>dotnet publish</c> into a folder, and the server started from there with nothing of the repository or of this user around it.</summary>
public sealed class PublishTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("publish-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = Repository.Path("."), RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}\n{await output}{await error}");
        return await output;
    }

    [Fact]
    public async Task PublishedFolder_StartedElsewhere_IsReadyServesAndDrains()
    {
        if (!OperatingSystem.IsLinux() || !Loading.Tests.BuiltPlugins.Are("DiffusionTransformers", "Speech")) return;
        var app = Path.Combine(_folder, "app");
        await RunAsync("dotnet", "publish", "host", "-o", app, "--no-build", "--nologo", "-v", "q");

        // As in the container: the environment holds what the recipe says, and the user has no home with a cache.
        var start = new ProcessStartInfo(Path.Combine(app, "modelzoo"), ["serve", "--address", "0.0.0.0", "--port", "0", "--data", _folder]) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true };
        var root = Environment.GetEnvironmentVariable("DOTNET_ROOT") ?? Path.GetDirectoryName(Environment.ProcessPath);
        start.Environment.Clear();
        foreach (var (name, value) in new[] { ("DOTNET_ROOT", root!), ("HOME", _folder), ("PATH", "/usr/bin:/bin"), ("MODELZOO_STATE", Path.Combine(_folder, "state")), ("MODELZOO_CACHE", Path.Combine(_folder, "cache")), ("MODELZOO_KEYS", "user"), ("MODELZOO_ADMIN_KEYS", "admin") })
            start.Environment[name] = value;
        using var server = Process.Start(start)!;
        try
        {
            var errors = server.StandardError.ReadToEndAsync();
            string? address = null;
            while (address is null && await server.StandardOutput.ReadLineAsync() is { } line)
            {
                if (line.StartsWith("listening on ", StringComparison.Ordinal)) address = line["listening on ".Length..].Replace("0.0.0.0", "127.0.0.1", StringComparison.Ordinal);
            }

            Assert.True(address is not null, address is null ? await errors : "");
            _ = server.StandardOutput.ReadToEndAsync();
            using var client = new HttpClient { BaseAddress = new(address!) };
            var ready = await client.GetFromJsonAsync<JsonElement>("/ready");
            Assert.True(ready.GetProperty("ready").GetBoolean(), ready.GetRawText());
            Assert.All(ready.GetProperty("plugins").EnumerateObject(), plugin => Assert.True(plugin.Value.GetString() == "ready", plugin.ToString()));
            Assert.Equal("not run", ready.GetProperty("models").GetProperty("diffusion-transformers/dit.digits").GetProperty("parity").GetString());
            await HealthCheckAsync(new Uri(address!).Port);

            Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/v1/models")).StatusCode);
            client.DefaultRequestHeaders.Authorization = new("Bearer", "user");
            Assert.Equal("PNG", await DrawAsync(client, steps: 2));

            var running = DrawAsync(client, steps: 60);
            await Task.Delay(300);
            await RunAsync("kill", "-TERM", $"{server.Id}");
            Assert.Equal("PNG", await running); // it is drained, not cut off
            await server.WaitForExitAsync();
            Assert.Equal(0, server.ExitCode);
        }
        finally
        {
            if (!server.HasExited) server.Kill();
        }
    }

    // What the picture's first bytes say it is.
    private static async Task<string> DrawAsync(HttpClient client, int steps)
    {
        using var answer = await client.PostAsJsonAsync("/v1/models/diffusion-transformers/dit.digits/generate", new { prompt = "7", options = new { steps } });
        var body = await answer.Content.ReadAsByteArrayAsync();
        Assert.True(answer.IsSuccessStatusCode, System.Text.Encoding.UTF8.GetString(body));
        return System.Text.Encoding.ASCII.GetString(body, 1, 3);
    }

    // The recipe's own health check, on the port of this server.
    private static Task HealthCheckAsync(int port)
    {
        var line = File.ReadAllLines(Repository.Path("deploy", "container", "Containerfile")).Single(line => line.StartsWith("HEALTHCHECK", StringComparison.Ordinal));
        var command = JsonSerializer.Deserialize<string[]>(line[line.IndexOf('[', StringComparison.Ordinal)..])!;
        return RunAsync(command[0], [.. command[1..].Select(part => part.Replace("/8080", $"/{port}", StringComparison.Ordinal))]);
    }
}
