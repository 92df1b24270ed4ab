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

    private static Task Until(Func<bool> condition) => Until(() => Task.FromResult(condition()));

    private static async Task Until(Func<Task<bool>> condition)
    {
        for (var i = 0; i < 600 && !await condition(); i++) await Task.Delay(50);
        Assert.True(await condition());
    }
}
