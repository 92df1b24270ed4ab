using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Loading.Tests;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>A server on a free port of the loopback with the plugin <c>Good</c>, whose model is <c>test/echo</c>.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TestServer(WebApplication app, string folder)
    {
        (_app, Folder) = (app, folder);
        Client = new() { BaseAddress = new(Address) };
    }

    public string Folder { get; }

    public HttpClient Client { get; }

    public IReadOnlyCollection<string> Addresses => [.. _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses];

    public string Address => Addresses.First();

    public IServiceProvider Services => _app.Services;

    /// <summary>Starts one.</summary>
    /// <param name="settings">Changes to how it listens.</param>
    /// <param name="queue">How requests wait.</param>
    /// <param name="folder">Where its files are; without it a new one.</param>
    /// <param name="manifest">What it serves.</param>
    /// <param name="manifestFile">The manifest as a file that can change, instead.</param>
    public static async Task<TestServer> StartAsync(Func<ServerSettings, ServerSettings>? settings = null, QueueSettings? queue = null, string? folder = null, HostManifest? manifest = null, string? manifestFile = null)
    {
        folder ??= Directory.CreateTempSubdirectory("server-").FullName;
        Directory.CreateDirectory(Path.Combine(folder, "data"));
        manifest ??= new HostManifest { Plugins = [new(TestPlugins.Build("Good", Path.Combine(folder, "plugins")), "test")], Queue = queue ?? new() { Concurrency = 8, Limit = 1000 } };
        var changed = (settings ?? (static s => s))(new ServerSettings { Port = 0, DataFolder = Path.Combine(folder, "data"), JobFolder = Path.Combine(folder, "jobs"), DrainTime = TimeSpan.FromSeconds(10) });
        var app = await Server.StartAsync(new() { Manifest = manifestFile }, changed, services =>
        {
            if (manifestFile is null) services.AddSingleton(manifest);
            services.AddSingleton(new PluginLoadSettings(Path.Combine(folder, "cache"), ShadowCopy: true)).AddLogging(logging => logging.ClearProviders());
        }, CancellationToken.None);
        return new(app, folder);
    }

    /// <summary>Sends JSON and reads JSON.</summary>
    public async Task<(int Status, JsonElement Json)> PostAsync(string path, object body)
    {
        using var answer = await Client.PostAsJsonAsync(path, body);
        return ((int)answer.StatusCode, await answer.Content.ReadFromJsonAsync<JsonElement>());
    }

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}
