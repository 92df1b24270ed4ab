using System.Diagnostics;
using System.Numerics.Tensors;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using Tensor = ModelZoo.Contracts.Tensor;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>GPT-2 decoding greedily with its cache on the device, beside how fast the machine can read its weights at all.</summary>
internal static class Decoding
{
    public static void Run(TextWriter output)
    {
        var weights = new RandomWeights(Build);
        using var runtime = new InferenceRuntime();
        using var network = Network.Build(new(runtime, weights), "gpt2", Build);
        using var run = network.Session.Bind();
        using var state = new KeyValueState(network.Session, run, batch: 1, capacity: 512);
        var bytes = weights.Tensors.Where(tensor => tensor.Name != "wpe.weight").Sum(tensor => 4 * tensor.Shape.Aggregate(1L, (count, extent) => count * extent));
        var copies = weights.Tensors.Select(tensor => weights.Find(tensor.Name)!).ToArray();
        var next = Step(run, state, [.. Enumerable.Range(0, 32).Select(i => (long)i)]);
        List<double> steps = [], reads = [];
        for (var i = 0; i < 48; i++)
        {
            var start = Stopwatch.GetTimestamp();
            next = Step(run, state, [next]);
            steps.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            start = Stopwatch.GetTimestamp();
            Parallel.ForEach(copies, data => TensorPrimitives.Sum(data.Span<float>()));
            reads.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        output.WriteLine($"gpt2, 1 sequence, {bytes / 1e6:0} MB of weights a token: best {1000 / steps.Min():0.0} tokens/s, median {1000 / steps.Order().ElementAt(24):0.0}; " +
            $"reading the weights alone: best {1000 / reads.Min():0.0} a second ({bytes / reads.Min() / 1e6:0.0} GB/s), median {1000 / reads.Order().ElementAt(24):0.0}; cache {state.Bytes / 1e6:0.0} MB");
    }

    private static long Step(BoundRun run, KeyValueState state, long[] ids)
    {
        run.Bind("ids", Tensor.Create(ids, 1, ids.Length));
        run.Bind("positions", Tensor.Create([.. Enumerable.Range((int)state.Length, ids.Length).Select(i => (long)i)], ids.Length));
        run.BindOutput("next");
        state.Step(ids.Length);
        using var next = run.Take("next");
        return next.ToTensor().As<long>().Span[0];
    }

    private static void Build(Scope scope)
    {
        var (g, length) = (scope.Graph, Dim.Symbol("length"));
        var cache = new KeyValueCache(g, 1, Gpt2Network.Heads, Gpt2Network.Width / Gpt2Network.Heads);
        var positions = scope["wpe"].Weight("weight", 1024, Gpt2Network.Width).Gather(g.Input("positions", ElementType.Int64, [length]));
        var h = Gpt2Network.Build(scope, g.Input("ids", ElementType.Int64, [1, length]), positions, (layer, q, k, v) => cache.Attention(layer, q, k, v, new() { Heads = Gpt2Network.Heads, Causal = true }));
        g.Output("next", Gpt2Network.Logits(scope, h.At(1, length - 1)).ArgMax(-1));
    }
}
