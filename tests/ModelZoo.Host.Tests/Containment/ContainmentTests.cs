using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Containment.Tests;

/// <summary>A plugin that does wrong again and again is named and put into quarantine; the host and the other plugins go on.</summary>
public sealed class ContainmentTests
{
    private static Task<string> AskAsync(TestHost host, string mode, string prompt = "x", string model = "test/misbehaves", CancellationToken cancel = default) => AskAsync(host, new JsonObject { ["mode"] = mode }, prompt, model, cancel);

    private static async Task<string> AskAsync(TestHost host, JsonObject options, string prompt, string model, CancellationToken cancel) =>
        (await host.Verbs.GenerateAsync(new(ModelId.Parse(model)), new(prompt), options, 0, static _ => { }, cancel)).Value.Expect<Text>().Value;

    private static async Task<(TestHost Host, PluginRecord Record)> StartAsync(TimeSpan? patience = null)
    {
        var host = new TestHost(manifest => manifest with { Quarantine = new() { Faults = 3, CancelPatience = TimeSpan.FromMilliseconds(300) } }, patience);
        await host.LoadAsync("Good");
        var (record, _) = await host.LoadAsync("Misbehaves");
        Assert.True(record.State == PluginState.Ready, record.Reason);
        return (host, record);
    }

    private static PluginRecord Now(TestHost host, PluginRecord record) => host.Catalog.Plugins.Single(other => other.Path == record.Path);

    private static async Task<PluginRecord> QuarantinedAsync(TestHost host, PluginRecord record, string because)
    {
        for (var i = 0; i < 600 && !Now(host, record).IsQuarantined; i++)
        {
            GC.Collect(); // tasks that nobody looks at are seen when they are collected
            GC.WaitForPendingFinalizers();
            await Task.Delay(20);
        }

        var now = Now(host, record);
        Assert.True(now.IsQuarantined, now.Reason);
        Assert.Equal(PluginState.Failed, now.State);
        Assert.Contains(because, now.Reason, StringComparison.Ordinal);
        Assert.Contains("modelzoo plugins release Misbehaves", now.Reason, StringComparison.Ordinal);
        // A model that is open is let go a moment later: until then it may still answer.
        ModelZooException? error = null;
        for (var i = 0; i < 100 && error is null; i++)
        {
            error = (ModelZooException?)await Record.ExceptionAsync(() => AskAsync(host, "nothing"));
            if (error is null) await Task.Delay(20);
        }

        Assert.NotNull(error);
        Assert.Contains("test/misbehaves does not serve. At: Misbehaves. It is in quarantine since", error.Message, StringComparison.Ordinal);
        Assert.Equal("1.0.0:a:7", await host.GenerateAsync("a"));
        return now;
    }

    [Fact]
    public async Task Request_ThrowsInARow_IsQuarantinedUntilReleased()
    {
        var (host, record) = await StartAsync();
        await using var _ = host;
        for (var i = 0; i < 3; i++)
        {
            var error = await Assert.ThrowsAsync<ModelZooException>(() => AskAsync(host, "throw"));
            Assert.Contains("test/misbehaves failed in generate: InvalidOperationException: it cannot be done", error.Message, StringComparison.Ordinal);
        }

        await QuarantinedAsync(host, record, "3 faults with no answer between them, the last: test/misbehaves failed in generate: InvalidOperationException: it cannot be done");
        var (again, _) = await host.Lifecycle.LoadAsync(record.Entry, record.Path);
        Assert.True(again.IsQuarantined, "the same files came back");
        Assert.Equal(PluginState.Ready, (await host.Lifecycle.ReleaseAsync(record.Path))!.State);
        Assert.Equal("nothing", await AskAsync(host, "nothing"));
    }

    [Fact]
    public async Task Request_AnswersBetweenFaults_IsNotQuarantined()
    {
        var (host, record) = await StartAsync();
        await using var _ = host;
        for (var i = 0; i < 10; i++)
        {
            await Assert.ThrowsAsync<ModelZooException>(() => AskAsync(host, i % 2 == 0 ? "throw" : "nothing", model: i % 2 == 0 ? "test/misbehaves" : "test/unknown"));
            Assert.Equal("nothing", await AskAsync(host, "nothing"));
        }

        Assert.Equal(PluginState.Ready, Now(host, record).State);
    }

    [Fact]
    public async Task Open_ThrowsEachTime_IsQuarantined()
    {
        var (host, record) = await StartAsync();
        await using var _ = host;
        for (var i = 0; i < 3; i++) await Assert.ThrowsAsync<ModelZooException>(() => host.Verbs.GenerateAsync(new(ModelId.Parse("test/unopenable"), $"{host.Folder}/{i}"), new("x"), [], 0, static _ => { }, default));
        await QuarantinedAsync(host, record, "test/unopenable failed while it was opened: InvalidOperationException: it does not open");
    }

    [Theory]
    [InlineData("pool")]
    [InlineData("thread")]
    public async Task Background_ThrowsWhereItWouldEndTheProcess_IsQuarantinedAtOnce(string mode)
    {
        var (host, record) = await StartAsync();
        await using var _ = host;
        Assert.Equal(mode, await AskAsync(host, mode));
        await QuarantinedAsync(host, record, "a thread of it would have ended the process: InvalidOperationException: nobody waits for this");
    }

    [Fact]
    public async Task Background_TasksThatNobodyLooksAtFail_IsQuarantined()
    {
        var (host, record) = await StartAsync();
        await using var _ = host;
        for (var i = 0; i < 3; i++) await AskAsync(host, "task");
        await QuarantinedAsync(host, record, "a task of it failed and nobody looked: InvalidOperationException: nobody looks at this");
    }

    [Fact]
    public async Task Request_GoesOnAfterItWasCancelled_LetsTheCallerGo()
    {
        var (host, record) = await StartAsync();
        await using var _ = host;
        using var stop = new CancellationTokenSource();
        var running = AskAsync(host, "spin", host.In("finish"), cancel: stop.Token);
        stop.CancelAfter(200);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Equal(1, Now(host, record).Loaded!.Leases);
        File.WriteAllText(host.In("finish"), "");
        Assert.True((await host.Lifecycle.RemoveAsync(record.Path))!.IsGone);
    }

    [Fact]
    public async Task Request_GoesOnWhereQuickCallsRun_GivesItsPlaceBackAndIsReported()
    {
        var host = new TestHost(manifest => manifest with { Queue = new() { Concurrency = 1, Limit = 10 }, Quarantine = new() { Faults = 3, CancelPatience = TimeSpan.FromMilliseconds(300) } }, clock: new ManualClock()); // by which every call is quick
        await using var _ = host;
        var (record, _) = await host.LoadAsync("Misbehaves");
        Task<bool> StaysAsync(string mode, string text, CancellationToken cancel = default) => Task.Factory.StartNew(() =>
        {
            var tokens = host.Verbs.TokenizeAsync(new(ModelId.Parse("test/misbehaves")), new Text(text), new JsonObject { ["mode"] = mode }, cancel).GetAwaiter().GetResult().Value;
            return tokens.Ids.Span[0] == Environment.CurrentManagedThreadId;
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        for (var i = 0; i < Paces.Enough; i++) Assert.False(await StaysAsync("nothing", "x"));
        Assert.True(await StaysAsync("nothing", "x"));

        using var stop = new CancellationTokenSource();
        var stuck = StaysAsync("spin", host.In("finish"), stop.Token);
        while (host.Pool.Residents.Single().Users == 0) await Task.Delay(1);
        stop.Cancel();
        await StaysAsync("nothing", "x").WaitAsync(TimeSpan.FromSeconds(30));
        Assert.False(stuck.IsCompleted);
        Assert.Equal(2, Now(host, record).Loaded!.Faults.Add(isRequest: true)); // the one before was that it went on
        File.WriteAllText(host.In("finish"), "");
        Assert.True(await stuck);
        await StaysAsync("nothing", "x").WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Remove_LeavesAFileOpen_IsNamedAndQuarantined()
    {
        if (!OperatingSystem.IsLinux()) return; // only there the system says which files are open
        var (host, record) = await StartAsync(patience: TimeSpan.FromSeconds(2));
        await using var _ = host;
        Directory.CreateDirectory(host.In("checkpoint"));
        File.WriteAllText(host.In("checkpoint", "weights.bin"), "0");
        var model = new Models.ModelRequest(ModelId.Parse("test/misbehaves"), host.In("checkpoint"));
        await host.Verbs.GenerateAsync(model, new(host.In("checkpoint", "weights.bin")), new JsonObject { ["mode"] = "leak" }, 0, static _ => { }, default);
        var outcome = await host.Lifecycle.RemoveAsync(record.Path);
        Assert.True(outcome!.IsGone);
        Assert.Equal($"it left {host.In("checkpoint", "weights.bin")} open", Assert.Single(outcome.Roots));
        var (again, _) = await host.Lifecycle.LoadAsync(record.Entry, record.Path);
        Assert.True(again.IsQuarantined);
        Assert.Contains("weights.bin open", again.Reason, StringComparison.Ordinal);
    }
}
