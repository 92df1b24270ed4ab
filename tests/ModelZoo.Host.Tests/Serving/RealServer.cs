using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ModelZoo.Host.Loading.Tests;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>The real <c>modelzoo serve</c> as a process of its own with the plugins <c>Good</c> and <c>Studio</c>: it can be killed, and started again over the same folder.</summary>
internal sealed class RealServer : IAsyncDisposable
{
    private readonly Process _process;

    private RealServer(Process process, string address, string grpc)
    {
        _process = process;
        Client = new() { BaseAddress = new(address) };
        Grpc = new() { BaseAddress = new(grpc), DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
    }

    public HttpClient Client { get; }

    public HttpClient Grpc { get; }

    public Process Process => _process;

    /// <summary>Starts it; null when it ended instead.</summary>
    /// <param name="folder">Where state, data and plugin are.</param>
    /// <param name="before">Words before the command, which runs it.</param>
    public static async Task<RealServer?> StartAsync(string folder, params string[] before)
    {
        Directory.CreateDirectory(Path.Combine(folder, "data"));
        var manifest = Path.Combine(folder, "plugins.json");
        if (!File.Exists(manifest)) await File.WriteAllTextAsync(manifest, JsonSerializer.Serialize(new { plugins = new[] { "Good", "Studio" }.Select(name => TestPlugins.Build(name, Path.Combine(folder, "plugins", name))) }));
        string[] command = [.. before, "dotnet", Path.Combine(AppContext.BaseDirectory, "modelzoo.dll"), "serve", "--port", "0", "--grpc-port", "0", "--manifest", manifest, "--data", Path.Combine(folder, "data")];
        var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, Environment = { ["MODELZOO_STATE"] = Path.Combine(folder, "state") } })!;
        _ = process.StandardError.ReadToEndAsync();
        var addresses = new List<string>();
        while (addresses.Count < 2 && await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("listening on ", StringComparison.Ordinal)) addresses.Add(line["listening on ".Length..]);
        }

        if (addresses is [var http, var grpc])
        {
            _ = process.StandardOutput.ReadToEndAsync();
            return new(process, http, grpc);
        }

        await process.WaitForExitAsync();
        process.Dispose();
        return null;
    }

    /// <summary>Submits an evaluation of the data folder.</summary>
    public async Task<(int Status, JsonElement Job)> SubmitAsync(int delay)
    {
        using var answer = await Client.PostAsJsonAsync("/v1/models/test/story/evaluate", new { data = ".", options = new { delay } });
        return ((int)answer.StatusCode, await answer.Content.ReadFromJsonAsync<JsonElement>());
    }

    /// <summary>A job when something is true of it.</summary>
    public async Task<JsonElement> JobAsync(string id, Func<JsonElement, bool> when)
    {
        for (var tries = 0; ; tries++)
        {
            var job = await Client.GetFromJsonAsync<JsonElement>($"/v1/jobs/{id}");
            if (when(job)) return job;
            Assert.True(tries < 400, job.GetRawText());
            await Task.Delay(50);
        }
    }

    /// <summary>Ends it as <c>kill -9</c> does.</summary>
    public async Task KillAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Grpc.Dispose();
        if (!_process.HasExited) await KillAsync();
        _process.Dispose();
    }
}
