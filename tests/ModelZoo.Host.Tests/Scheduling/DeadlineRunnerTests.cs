using ModelZoo.Contracts;
using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Scheduling.Tests;

public sealed class DeadlineRunnerTests
{
    private readonly TestHost _host = new(manifest => manifest with { Queue = new() { Concurrency = 1 } });

    private static RequestTerms Within(TimeSpan time) => RequestTerms.None with { Deadline = new(time, TimeProvider.System.GetTimestamp()) };

    [Fact]
    public async Task Deadline_PassesWhileWaiting_NeverRuns()
    {
        await using var host = _host;
        await host.LoadAsync("Good");
        using var stop = new CancellationTokenSource();
        var busy = host.GenerateAsync("long", delay: 10_000, stop.Token);
        while (host.Pool.Residents.Count == 0) await Task.Delay(10);
        var error = await Assert.ThrowsAsync<ModelZooException>(() => host.Verbs.For(Within(TimeSpan.FromMilliseconds(100))).TokenizeAsync(TestHost.Echo, new Text("x"), [], default));
        Assert.Equal(("request.deadline", "it waited for its turn, and never ran"), (error.Code, error.Found));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => busy);
    }

    [Fact]
    public async Task Deadline_PassesWhileRunning_TakesNoStepMore()
    {
        await using var host = _host;
        await host.LoadAsync("Good");
        var steps = 0;
        var error = await Assert.ThrowsAsync<ModelZooException>(() => host.Verbs.For(Within(TimeSpan.FromMilliseconds(1500))).GenerateAsync(TestHost.Echo, new("x"), new() { ["delay"] = 1000 }, 1, _ => steps++, default));
        Assert.Equal(("request.deadline", "it ran, and was stopped"), (error.Code, error.Found));
        Assert.InRange(steps, 0, 1);
        Assert.Equal(0, Assert.Single(host.Pool.Residents).Users);
        Assert.NotEmpty(await host.GenerateAsync("next"));
    }

    [Fact]
    public async Task Deadline_PassedBefore_IsRefusedAtOnce()
    {
        await using var host = _host;
        var terms = RequestTerms.None with { Deadline = new(TimeSpan.FromSeconds(1), TimeProvider.System.GetTimestamp() - (5 * TimeProvider.System.TimestampFrequency)) };
        Assert.Equal("request.deadline", (await Assert.ThrowsAsync<ModelZooException>(() => host.Verbs.For(terms).InspectAsync(TestHost.Echo, (_, _) => Task.FromResult(0), default))).Code);
    }

    [Theory]
    [InlineData(null, 3.0, 3.0)]
    [InlineData(2.0, 3.0, 2.0)]
    [InlineData(4.0, 3.0, 3.0)]
    public void Under_TwoDeadlines_TheNearerCounts(double? header, double body, double expected)
    {
        var terms = new RequestTerms { Deadline = header is { } seconds ? new(TimeSpan.FromSeconds(seconds), 7) : null }.Under(2, TimeSpan.FromSeconds(body), new ManualClock());
        Assert.Equal((2, expected), (terms.Priority, terms.Deadline!.Timeout.TotalSeconds));
        Assert.True(header is null || terms.Deadline.Since == 7, "both count from the arrival");
    }
}
