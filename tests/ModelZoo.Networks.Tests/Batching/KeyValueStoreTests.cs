using System.Collections.Concurrent;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Batching;

/// <summary>Requests that decode over one network at once.</summary>
public sealed class KeyValueStoreTests : IDisposable
{
    private const int Vocabulary = 61, Width = 32, Heads = 4, Layers = 2, Longest = 200;

    private readonly ConcurrentQueue<int> _sizes = new();
    private readonly List<Network> _networks = [];

    public void Dispose() => _networks.ForEach(network => network.Dispose());

    // A small causal transformer: ids (B, n) -> logits (B, n, K).
    private Network Build(int limit, long width = Width)
    {
        var weights = new TestWeights([("wte", Runtime.Numbers(1, Vocabulary, width)), ("wpe", Runtime.Numbers(2, Longest, width)),
            .. Enumerable.Range(0, Layers).SelectMany(i => new[] { ($"{i}.qkv", Runtime.Numbers(3 + 2 * i, width, 3 * width)), ($"{i}.out", Runtime.Numbers(4 + 2 * i, width, width)) })]);
        var network = Network.Build(new(Runtime.Engine, weights) { Batching = new() { Limit = limit, Patience = TimeSpan.FromSeconds(5), Observe = _sizes.Enqueue } }, "decoder", scope =>
        {
            var (g, rows, count) = (scope.Graph, Dim.Symbol("rows"), Dim.Symbol("count"));
            var cache = new KeyValueCache(g, rows, count, Heads, width / Heads);
            var x = scope.Weight("wte", Vocabulary, width).Gather(g.Input("ids", ElementType.Int64, [rows, count])) + scope.Weight("wpe", Longest, width).Gather(cache.Positions);
            for (var i = 0; i < Layers; i++)
            {
                var (q, k, v) = x.LayerNorm().MatMul(scope[i.ToString()].Weight("qkv", width, 3 * width)).Chunk3();
                x += cache.Attention(i, q, k, v, new() { Heads = Heads, Causal = true }).MatMul(scope[i.ToString()].Weight("out", width, width));
            }

            g.Output("logits", x.LayerNorm().MatMul(scope.Weight("wte", Vocabulary, width).Swap(0, 1)));
        });
        _networks.Add(network);
        return network;
    }

    /// <summary>A request: a prompt, as many tokens as it wants, greedy or drawn, guided (two rows) or not.</summary>
    private sealed record Request(int Seed, int Tokens, bool Draws, bool Guided)
    {
        public static Request Make(Random random, int seed) => new(seed, 1 + random.Next(90), random.Next(2) == 0, random.Next(3) == 0);

        public async Task<(List<long> Ids, List<float[]> Logits)> RunAsync(Network network, CancellationToken cancel = default, Func<int, Task>? between = null)
        {
            var random = new Random(Seed);
            var rows = Guided ? 2 : 1;
            long[] prompt = [.. Enumerable.Range(0, 1 + random.Next(20)).Select(_ => (long)random.Next(Vocabulary))];
            var next = Tensor.Create<long>([.. prompt, .. Guided ? prompt.Select(id => (id + 1) % Vocabulary) : []], rows, prompt.Length);
            var (ids, all) = (new List<long>(), new List<float[]>());
            using var state = network.Begin(rows);
            for (var step = 0; step < Tokens; step++)
            {
                if (between is not null) await between(step);
                var logits = (await state.StepAsync(cancel, ("ids", next)))["logits"];
                var last = logits.Slice(0).Slice((int)logits.Shape[1] - 1).Span.ToArray();
                if (Guided) last = [.. last.Zip(logits.Slice(1).Slice((int)logits.Shape[1] - 1).Span.ToArray(), (with, without) => without + 1.5f * (with - without))];
                all.Add([.. last]);
                var id = Draws ? Draw(last, random.NextDouble()) : Array.IndexOf(last, last.Max());
                ids.Add(id);
                next = Tensor.Create(Enumerable.Repeat((long)id, rows).ToArray(), rows, 1);
            }

            return (ids, all);
        }

        private static int Draw(float[] logits, double uniform)
        {
            var shares = logits.Select(value => Math.Exp(value - logits.Max())).ToArray();
            var sum = shares.Sum();
            for (var i = 0; i < shares.Length; i++)
            {
                if ((uniform -= shares[i] / sum) <= 0) return i;
            }

            return shares.Length - 1;
        }
    }

    [Theory]
    [InlineData(1, Width)]
    [InlineData(2, Width)]
    [InlineData(3, 24)]                                                                                                      // heads of 6, which the fused operator does not take
    public async Task Steps_RequestsThatComeAndGo_GiveWhatEachGivesAlone(int seed, long width)
    {
        var random = new Random(seed);
        var (alone, network) = (Build(1, width), Build(4, width));
        var requests = Enumerable.Range(0, 14).Select(i => Request.Make(random, 100 * seed + i)).ToList();
        var expected = new List<(List<long> Ids, List<float[]> Logits)>();
        foreach (var request in requests) expected.Add(await request.RunAsync(alone));
        _sizes.Clear();
        var results = await Task.WhenAll(requests.Select(async request =>
        {
            await Task.Delay(random.Next(10));
            return await request.RunAsync(network, between: async step => await Task.Delay(step % 7 == request.Seed % 7 ? 1 : 0));
        }));
        for (var i = 0; i < requests.Count; i++) AssertSame(expected[i], results[i]);
        Assert.Contains(_sizes, size => size > 2);
        Assert.All(_sizes, size => Assert.InRange(size, 1, 4));
        Assert.Equal(requests.Sum(request => request.Tokens), _sizes.Sum());
        Assert.Equal(0, network.CacheBytes);
    }

    [Fact]
    public async Task Steps_Crowd_StaysTogether()
    {
        var network = Build(8);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => new Request(i, 60, Draws: false, Guided: false).RunAsync(network)));
        Assert.True(_sizes.Count <= 120, $"{_sizes.Count} runs for 60 steps of 8"); // the prompts one by one, then 59 and a few
    }

    [Fact]
    public async Task Steps_SomeAreGivenUp_TheOthersGiveTheSame()
    {
        var (alone, network) = (Build(1), Build(8));
        var requests = Enumerable.Range(0, 8).Select(i => new Request(i, 40, Draws: i % 2 == 0, Guided: i % 3 == 0)).ToList();
        using var gone = new CancellationTokenSource();
        var runs = requests.Select((request, i) => request.RunAsync(network, i % 4 == 1 ? gone.Token : default, async step =>
        {
            if (i == 0 && step == 15) await gone.CancelAsync();
        })).ToList();
        for (var i = 0; i < runs.Count; i++)
        {
            if (i % 4 == 1) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => runs[i]);
            else AssertSame(await requests[i].RunAsync(alone), await runs[i]);
        }

        Assert.Equal(0, network.CacheBytes);
    }

    [Fact]
    public async Task Steps_BadInputOfOne_IsItsOwnErrorAndLeavesItsState()
    {
        var (alone, network) = (Build(1), Build(8));
        var good = Enumerable.Range(0, 4).Select(i => new Request(i, 30, Draws: false, Guided: false)).ToList();
        var runs = good.Select(request => request.RunAsync(network)).ToList();
        using var state = network.Begin(1);
        Task<NetworkOutputs> Step(long id) => state.StepAsync(default, ("ids", Tensor.Create([id], 1, 1)));
        var first = await Step(7);
        for (var i = 0; i < 5; i++) await Assert.ThrowsAsync<ModelZooException>(() => Step(Vocabulary + 5));                 // no such row of the table
        await Assert.ThrowsAsync<ModelZooException>(() => state.StepAsync(default, ("ids", Tensor.Zeros<long>(2, 1))));
        await Assert.ThrowsAsync<ModelZooException>(() => state.StepAsync(default, ("idx", Tensor.Zeros<long>(1, 1))));
        Assert.Equal(1, state.Length);
        var second = await Step(9);
        using var other = alone.Begin(1);
        Runtime.Near((await other.StepAsync(default, ("ids", Tensor.Create([7L], 1, 1))))["logits"], first["logits"]);
        Runtime.Near((await other.StepAsync(default, ("ids", Tensor.Create([9L], 1, 1))))["logits"], second["logits"]);
        for (var i = 0; i < good.Count; i++) AssertSame(await good[i].RunAsync(alone), await runs[i]);
    }

    [Fact]
    public async Task Begin_MoreThanABatch_GetAShelfOfTheirOwn()
    {
        var (alone, network) = (Build(1), Build(2));
        var requests = Enumerable.Range(0, 5).Select(i => new Request(i, 20, Draws: true, Guided: i == 2)).ToList();
        var runs = await Task.WhenAll(requests.Select(request => request.RunAsync(network)));
        for (var i = 0; i < runs.Length; i++) AssertSame(await requests[i].RunAsync(alone), runs[i]);
    }

    [Fact]
    public void Begin_NetworkWithoutCache_IsRefused()
    {
        using var network = Network.Build(new(Runtime.Engine, new TestWeights()), "plain", scope => scope.Graph.Output("y", scope.Graph.Input("x", [Dim.Symbol("b"), 2]) * 2));
        Assert.Throws<InvalidOperationException>(() => network.Begin(1));
    }

    private static void AssertSame((List<long> Ids, List<float[]> Logits) expected, (List<long> Ids, List<float[]> Logits) actual)
    {
        for (var step = 0; step < expected.Logits.Count; step++) Runtime.Near(Tensor.Create(expected.Logits[step], Vocabulary), Tensor.Create(actual.Logits[step], Vocabulary));
        Assert.Equal(expected.Ids, actual.Ids);
    }
}
