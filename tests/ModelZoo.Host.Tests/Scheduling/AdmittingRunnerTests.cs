using ModelZoo.Contracts;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Models;

namespace ModelZoo.Host.Scheduling.Tests;

public sealed class AdmittingRunnerTests
{
    private sealed class Direct : IModelRunner
    {
        public Task<T> RunAsync<T>(ModelCall call, Func<ModelLease, CancellationToken, Task<T>> work, CancellationToken cancel) => work(Lease, cancel);
    }

    private static ModelLease Lease { get; } = new(null!, new(new(ModelId.Parse("test/a")), new(null!, null!, new() { Id = ModelId.Parse("test/a"), Device = "cpu", Services = null! }, null), null!, null!), null!);

    private readonly ModelCall _call = new(new(ModelId.Parse("test/a")), "tokenize");

    private static IModelRunner Runner(int limit, TimeSpan deadline) =>
        new AdmittingRunner(new Direct(), new LiveManifest(new HostManifest { Queue = new() { Concurrency = 1, Limit = limit, Deadline = deadline } }), new ModelMeter(), TimeProvider.System);

    [Fact]
    public async Task Run_BeyondConcurrency_WaitsItsTurn()
    {
        var runner = Runner(10, TimeSpan.FromMinutes(1));
        var (running, most) = (0, 0);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => runner.RunAsync(_call, async (_, _) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref running));
            await Task.Delay(5, CancellationToken.None);
            Interlocked.Decrement(ref running);
            return 0;
        }, default))));
        Assert.Equal(1, most);
    }

    [Fact]
    public async Task Run_QueueFullOrDeadlinePast_IsRefusedWithItsCode()
    {
        var runner = Runner(1, TimeSpan.FromMilliseconds(50));
        var gate = new TaskCompletionSource<int>();
        var first = runner.RunAsync(_call, (_, _) => gate.Task, default);
        var second = runner.RunAsync(_call, (_, _) => gate.Task, default);
        Assert.Equal("queue.full", (await Assert.ThrowsAsync<ModelZooException>(() => runner.RunAsync(_call, (_, _) => gate.Task, default))).Code);
        Assert.Equal("queue.deadline", (await Assert.ThrowsAsync<ModelZooException>(() => second)).Code);
        gate.SetResult(5);
        Assert.Equal(5, await first);
        Assert.Equal(7, await runner.RunAsync(_call, (_, _) => Task.FromResult(7), default));
    }

    [Fact]
    public async Task Metrics_WhileRequestsRunAndWait_SayHowMany()
    {
        var meter = new ModelMeter();
        using var metrics = new Serving.PrometheusText(meter);
        var runner = new AdmittingRunner(new Direct(), new LiveManifest(new HostManifest { Queue = new() { Concurrency = 1, Limit = 10 } }), meter, TimeProvider.System);
        var gate = new TaskCompletionSource<int>();
        var all = Enumerable.Range(0, 4).Select(_ => runner.RunAsync(_call, (_, _) => gate.Task, default)).ToList();
        Assert.Contains("modelzoo_queue_length{model=\"test/a\",state=\"running\"} 1\n", metrics.Write(), StringComparison.Ordinal);
        Assert.Contains("modelzoo_queue_length{model=\"test/a\",state=\"waiting\"} 3\n", metrics.Write(), StringComparison.Ordinal);
        gate.SetResult(0);
        await Task.WhenAll(all);
        Assert.DoesNotContain("modelzoo_queue_length{", metrics.Write(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_CancelledWhileWaiting_GivesItsPlaceBack()
    {
        var runner = Runner(1, TimeSpan.FromMinutes(1));
        var gate = new TaskCompletionSource<int>();
        var first = runner.RunAsync(_call, (_, _) => gate.Task, default);
        using var stop = new CancellationTokenSource();
        var second = runner.RunAsync(_call, (_, _) => gate.Task, stop.Token);
        stop.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        var third = runner.RunAsync(_call, (_, _) => Task.FromResult(3), default);
        gate.SetResult(1);
        Assert.Equal((1, 3), (await first, await third));
    }
}
