using ModelZoo.Host.Tests;
using Microsoft.Extensions.Hosting;

namespace ModelZoo.Host.Loading.Tests;

public sealed class PluginWatcherTests
{
    private static PluginWatcher Watcher(TestHost host) => host.Get<IEnumerable<IHostedService>>().OfType<PluginWatcher>().Single();

    [Fact]
    public async Task Watch_DllAppearsChangesAndGoes_IsServedReplacedAndTakenOut()
    {
        await using var host = new TestHost();
        Directory.CreateDirectory(host.In("watch"));
        var watcher = Watcher(host);
        await watcher.StartAsync(default);

        File.Copy(TestPlugins.Build("Good", host.In("built"), "1.0.0"), host.In("watch", "Good.dll"));
        await Until(() => host.Catalog.Ready.Any());
        Assert.Equal("1.0.0:a:7", await host.GenerateAsync("a"));

        File.Copy(TestPlugins.Build("Good", host.In("built"), "2.0.0"), host.In("watch", "Good.dll"), overwrite: true);
        await Until(async () => await host.GenerateAsync("a") == "2.0.0:a:7");

        File.Delete(host.In("watch", "Good.dll"));
        await Until(() => host.Catalog.Plugins.All(record => record.State == PluginState.Unloaded));
        await watcher.StopAsync(default);
    }

    [Fact]
    public async Task Look_CopyUnderWay_IsWaitedOut()
    {
        await using var host = new TestHost();
        Directory.CreateDirectory(host.In("watch"));
        var watcher = Watcher(host);
        var bytes = File.ReadAllBytes(TestPlugins.Build("Good", host.In("built")));
        using (var copy = new FileStream(host.In("watch", "Good.dll"), FileMode.Create, FileAccess.Write, FileShare.ReadWrite))
        {
            for (var part = 0; part < 4; part++)
            {
                copy.Write(bytes, part * bytes.Length / 4, (part + 1) * bytes.Length / 4 - part * bytes.Length / 4);
                copy.Flush();
                File.SetLastWriteTimeUtc(host.In("watch", "Good.dll"), DateTime.UtcNow.AddSeconds(part));
                await watcher.LookAsync(default);
                Assert.Empty(host.Catalog.Plugins);
            }
        }

        await watcher.LookAsync(default);
        await watcher.LookAsync(default);
        Assert.Equal(PluginState.Ready, Assert.Single(host.Catalog.Plugins).State);
    }

    [Fact]
    public async Task Look_OnePluginHangs_TheOthersAreTaken()
    {
        await using var host = new TestHost();
        var watcher = Watcher(host);
        TestPlugins.Build("Hangs", host.In("watch"));
        TestPlugins.Build("Good", host.In("watch"));
        _ = watcher.LookAsync(default);
        var all = watcher.LookAsync(default);
        await Until(() => host.Catalog.Ready.Any());
        Assert.False(all.IsCompleted, "the hanging one is waited for beside the others");
        Assert.Equal("1.0.0:a:7", await host.GenerateAsync("a"));
    }

    [Fact]
    public async Task Look_GoneAndBackWhileItDrains_TheNewOneServesAndStays()
    {
        await using var host = new TestHost();
        var watcher = Watcher(host);
        TestPlugins.Build("Good", host.In("watch"), "1.0.0");
        for (var i = 0; i < 2; i++) await watcher.LookAsync(default);
        var running = host.GenerateAsync("a", delay: 100);
        await Until(() => host.Pool.Residents.Any(model => model.Users > 0));

        File.Delete(host.In("watch", "Good.dll"));
        await watcher.LookAsync(default);
        TestPlugins.Build("Good", host.In("watch"), "2.0.0");
        for (var i = 0; i < 2; i++) await watcher.LookAsync(default);
        Assert.Equal("2.0.0:b:7", await host.GenerateAsync("b"));
        Assert.Equal("1.0.0:a:7", await running);
        await Until(() => host.Catalog.Plugins.All(record => record.State == PluginState.Ready));
        Assert.Equal("2.0.0:c:7", await host.GenerateAsync("c"));
    }

    [Fact]
    public async Task Look_ReleasedFromQuarantineByAnotherProcess_IsLoadedAgain()
    {
        await using var host = new TestHost(manifest => manifest with { Quarantine = new() { Faults = 1 } });
        var watcher = Watcher(host);
        var path = TestPlugins.Build("Misbehaves", host.In("watch"));
        for (var i = 0; i < 2; i++) await watcher.LookAsync(default);
        var bad = new Models.ModelRequest(Contracts.ModelId.Parse("test/misbehaves"));
        await Assert.ThrowsAsync<Contracts.ModelZooException>(() => host.Verbs.GenerateAsync(bad, new("x"), new() { ["mode"] = "throw" }, 0, static _ => { }, default));
        await watcher.LookAsync(default);
        Assert.True(Assert.Single(host.Catalog.Plugins).IsQuarantined);
        Hosting.Zoo.Quarantine(TimeProvider.System).Forgive(path);
        await watcher.LookAsync(default);
        Assert.Equal(PluginState.Ready, Assert.Single(host.Catalog.Plugins).State);
    }

    private static Task Until(Func<bool> condition) => Until(() => Task.FromResult(condition()));

    private static async Task Until(Func<Task<bool>> condition)
    {
        for (var i = 0; i < 600 && !await condition(); i++) await Task.Delay(50);
        Assert.True(await condition());
    }
}
