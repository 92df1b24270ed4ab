using ModelZoo.Contracts;
using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Loading.Tests;

public sealed class PluginLifecycleTests
{
    [Fact]
    public async Task Load_NewVersion_TakesRequestsAndTheOldContextDies()
    {
        await using var host = new TestHost();
        await host.LoadAsync("Good", "1.0.0");
        Assert.Equal("1.0.0:a:7", await host.GenerateAsync("a"));
        var (record, departure) = await host.LoadAsync("Good", "2.0.0");
        Assert.Equal(PluginState.Ready, record.State);
        Assert.Equal("2.0.0:a:7", await host.GenerateAsync("a"));
        var outcome = await departure!;
        Assert.True(outcome.IsGone, string.Join("; ", outcome.Roots));
    }

    [Fact]
    public async Task Load_WhileRequestsRun_TheyEndOnTheOldVersion()
    {
        await using var host = new TestHost();
        await host.LoadAsync("Good", "1.0.0");
        var running = host.GenerateAsync("a", delay: 60);
        await Task.Delay(100);
        var (_, departure) = await host.LoadAsync("Good", "2.0.0");
        Assert.False(departure!.IsCompleted && !running.IsCompleted);
        Assert.Equal("2.0.0:b:7", await host.GenerateAsync("b"));
        Assert.Equal("1.0.0:a:7", await running);
        Assert.True((await departure).IsGone);
    }

    [Fact]
    public async Task Load_NewVersionFails_TheOldGoesOnAndSaysWhy()
    {
        await using var host = new TestHost();
        var (good, _) = await host.LoadAsync("Good");
        File.WriteAllText(good.Path, "half a copy");
        var (record, departure) = await host.Lifecycle.LoadAsync(good.Entry, good.Path);
        Assert.Equal((PluginState.Ready, null), (record.State, departure));
        Assert.Contains("this one goes on", record.Reason, StringComparison.Ordinal);
        Assert.Contains("not a .NET assembly", record.Reason, StringComparison.Ordinal);
        Assert.Equal("1.0.0:a:7", await host.GenerateAsync("a"));
    }

    [Fact]
    public async Task Remove_MidRequest_LosesNoRequestAndUnloads()
    {
        await using var host = new TestHost();
        var (record, _) = await host.LoadAsync("Good");
        var running = host.GenerateAsync("a", delay: 60);
        await Task.Delay(100);
        var removal = host.Lifecycle.RemoveAsync(record.Path);
        Assert.Equal(PluginState.Draining, Assert.Single(host.Catalog.Plugins).State);
        Assert.Equal(ErrorCodes.ModelUnknown, (await Assert.ThrowsAsync<ModelZooException>(() => host.GenerateAsync("b"))).Code);
        Assert.Equal("1.0.0:a:7", await running);
        Assert.True((await removal)!.IsGone);
        Assert.Equal(PluginState.Unloaded, Assert.Single(host.Catalog.Plugins).State);
    }

    [Fact]
    public async Task Remove_PluginThatLeaks_NamesTheStaticEvent()
    {
        await using var host = new TestHost(patience: TimeSpan.FromSeconds(0.5));
        var (record, _) = await host.LoadAsync("Leaks");
        var outcome = await host.Lifecycle.RemoveAsync(record.Path);
        Assert.False(outcome!.IsGone);
        Assert.Contains("Leaks.Plugin.AtTheEnd is a handler of the static event", Assert.Single(outcome.Roots), StringComparison.Ordinal);
        Assert.Contains("AtTheEnd", Assert.Single(host.Catalog.Plugins).Reason, StringComparison.Ordinal);
    }
}
