using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using ModelZoo.Contracts;
using ModelZoo.Host.Containment;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Loading.Tests;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Tests;

/// <summary>The host's services over a folder of test plugins.</summary>
internal sealed class TestHost : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    public TestHost(Func<HostManifest, HostManifest>? manifest = null, TimeSpan? patience = null, string? tables = null, TimeProvider? clock = null)
    {
        var services = new ServiceCollection().AddLogging();
        Zoo.AddZoo(services, new() { ShadowCopy = true });
        services.AddSingleton((manifest ?? (static m => m))(new HostManifest { Watch = [In("watch")], Queue = new() { Concurrency = 8, Limit = 1000 } }));
        services.AddSingleton(new PluginLoadSettings(In("cache"), ShadowCopy: true) { UnloadPatience = patience ?? TimeSpan.FromSeconds(30), Tables = tables });
        if (clock is not null) services.AddSingleton(clock);
        _services = services.BuildServiceProvider();
        Get<BackgroundFaults>();
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("host-").FullName;

    public PluginCatalog Catalog => Get<PluginCatalog>();
    public PluginLifecycle Lifecycle => Get<PluginLifecycle>();
    public ModelPool Pool => Get<ModelPool>();
    public ModelVerbs Verbs => Get<ModelVerbs>();

    public static ModelRequest Echo { get; } = new(ModelId.Parse("test/echo"));

    public T Get<T>() where T : notnull => _services.GetRequiredService<T>();

    public string In(params string[] parts) => Path.Combine([Folder, .. parts]);

    /// <summary>Builds and loads a test plugin.</summary>
    public async Task<(PluginRecord Record, Task<UnloadOutcome>? Departure)> LoadAsync(string name, string version = "1.0.0")
    {
        var path = TestPlugins.Build(name, In("plugins", name), version);
        return await Lifecycle.LoadAsync(new(path, "test"), path);
    }

    /// <summary>What the echo model generates.</summary>
    public async Task<string> GenerateAsync(string prompt, int delay = 0, CancellationToken cancel = default) =>
        (await Verbs.GenerateAsync(Echo, new(prompt), new JsonObject { ["delay"] = delay }, 7, static _ => { }, cancel)).Value.Expect<Text>().Value;

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    [ModuleInitializer]
    internal static void RememberNothing()
    {
        // Once a process: the unload law loads this assembly a second time.
        if (Environment.GetEnvironmentVariable("MODELZOO_STATE") is null) Environment.SetEnvironmentVariable("MODELZOO_STATE", Directory.CreateTempSubdirectory("state-").FullName);
    }
}
