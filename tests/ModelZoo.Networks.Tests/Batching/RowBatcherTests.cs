using System.Collections.Concurrent;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Batching;

/// <summary>Runs of several requests on one network with independent rows.</summary>
public sealed class RowBatcherTests : IDisposable
{
    private readonly ConcurrentQueue<int> _sizes = new();
    private Network? _network;

    public void Dispose() => _network?.Dispose();

    // y = softmax(x W) over the last axis of (batch, n, 8): no row sees another, and the extent in the middle may differ.
    private Network Build(int limit = 8, int milliseconds = 200)
    {
        var weights = new TestWeights(("w", Runtime.Numbers(1, 8, 8)));
        return _network = Network.Build(new(Runtime.Engine, weights) { Batching = new() { Limit = limit, Patience = TimeSpan.FromMilliseconds(milliseconds), Observe = _sizes.Enqueue } }, "rows", scope =>
        {
            var x = scope.Graph.Input("x", [Dim.Symbol("batch"), Dim.Symbol("n"), 8]);
            scope.Graph.Output("y", x.MatMul(scope.Weight("w", 8, 8)).Softmax());
        }, independentRows: true);
    }

    private static Tensor<float> Alone(Network network, Tensor<float> x) => network.Run(default, ("x", x))["y"];

    [Fact]
    public async Task Run_LoopsThatJoinAndLeave_GiveWhatEachGivesAlone()
    {
        var network = Build();
        var inputs = Enumerable.Range(0, 12).Select(i => Runtime.Numbers(i, 1 + i % 3, 4 + i % 2, 8)).ToList();
        var expected = inputs.ConvertAll(x =>
        {
            for (var step = 0; step < 3 + x.Shape[0]; step++) x = Alone(network, x);
            return x;
        });
        var results = await Task.WhenAll(inputs.Select(async x =>
        {
            var steps = 3 + x.Shape[0];
            for (var step = 0; step < steps; step++) x = (await network.RunAsync(default, ("x", x)))["y"];
            return x;
        }));
        for (var i = 0; i < inputs.Count; i++) Runtime.Near(expected[i], results[i]);
        Assert.Contains(_sizes, size => size > 1);
        Assert.Equal(inputs.Sum(x => 3 + (int)x.Shape[0]), _sizes.Sum());
    }

    [Fact]
    public async Task Run_Crowd_StaysTogetherFromStepToStep()
    {
        const int Steps = 2000;
        var network = Build(limit: 8);
        // Who begins is not waited for: all have begun before they loop, or a busy machine might let some loop to the end before others come.
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var beginning = 8;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            using var request = new CancellationTokenSource();   // requests are known by their tokens
            var x = (await network.RunAsync(request.Token, ("x", Runtime.Numbers(i, 1, 4, 8))))["y"];
            if (Interlocked.Decrement(ref beginning) == 0) begun.SetResult();
            await begun.Task;
            for (var step = 1; step < Steps; step++) x = (await network.RunAsync(request.Token, ("x", x)))["y"];
        }));
        // From then on they are one crowd. One by one it would be 8 runs a step.
        Assert.True(_sizes.Count <= 2 * Steps, $"{_sizes.Count} runs for {Steps} steps of 8");
        Assert.All(_sizes, size => Assert.InRange(size, 1, 8));
    }

    [Fact]
    public async Task Run_BadRequestAmongGoodOnes_AloneGetsTheError()
    {
        var network = Build();
        var runs = Enumerable.Range(0, 6).Select(i => network.RunAsync(default, ("x", i == 3 ? Tensor.Zeros<long>(1, 4, 8) : Runtime.Numbers(i, 1, 4, 8)))).ToList();
        await Assert.ThrowsAsync<ModelZooException>(() => runs[3]);
        foreach (var run in runs.Where((_, i) => i != 3)) Assert.Equal(32, (await run)["y"].Length);
    }

    [Fact]
    public async Task Run_Cancelled_LeavesTheOthersAlone()
    {
        var network = Build();
        using var gone = new CancellationTokenSource();
        var runs = Enumerable.Range(0, 8).Select(i => network.RunAsync(i % 2 == 0 ? gone.Token : default, ("x", Runtime.Numbers(i, 1, 64, 8)))).ToList();
        await gone.CancelAsync();
        for (var i = 1; i < 8; i += 2) Runtime.Near(Alone(network, Runtime.Numbers(i, 1, 64, 8)), (await runs[i])["y"]);
        for (var i = 0; i < 8; i += 2) await Task.WhenAny(runs[i]); // ended, one way or the other
        Assert.Equal(1L, (await network.RunAsync(default, ("x", Runtime.Numbers(9, 1, 4, 8))))["y"].Shape[0]);
    }

    [Fact]
    public async Task Run_Alone_WaitsForNobody()
    {
        var network = Build(milliseconds: 5000);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        for (var i = 0; i < 5; i++) await network.RunAsync(default, ("x", Runtime.Numbers(i, 1, 4, 8)));
        Assert.True(watch.ElapsedMilliseconds < 5000);
        Assert.All(_sizes, size => Assert.Equal(1, size));
    }

    [Fact]
    public void Build_InputWithoutTheRows_IsRefused()
    {
        var error = Assert.Throws<GraphException>(() => Network.Build(new(Runtime.Engine, new TestWeights()), "odd", scope =>
        {
            var x = scope.Graph.Input("x", [Dim.Symbol("batch"), 8]);
            scope.Graph.Output("y", x * scope.Graph.Input("scale", [8]));
        }, independentRows: true));
        Assert.Contains("'scale'", error.Message);
    }
}
