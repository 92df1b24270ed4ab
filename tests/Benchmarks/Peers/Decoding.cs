using System.Diagnostics;
using System.Numerics.Tensors;
using Tensor = ModelZoo.Contracts.Tensor;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>GPT-2 decoding greedily with its cache, beside how fast the machine can read its weights at all.</summary>
internal static class Decoding
{
    public static async Task RunAsync(TextWriter output)
    {
        using var decoder = new Gpt2Decoder(limit: 1);
        using var state = decoder.Begin();
        var bytes = decoder.Weights.Tensors.Where(tensor => tensor.Name != "wpe.weight").Sum(tensor => 4 * tensor.Shape.Aggregate(1L, (count, extent) => count * extent));
        var copies = decoder.Weights.Tensors.Select(tensor => decoder.Weights.Find(tensor.Name)!).ToArray();
        var next = await Gpt2Decoder.StepAsync(state, Tensor.Create(Enumerable.Range(0, 32).Select(i => (long)i).ToArray(), 1, 32));
        List<double> steps = [], reads = [];
        for (var i = 0; i < 48; i++)
        {
            var start = Stopwatch.GetTimestamp();
            next = await Gpt2Decoder.StepAsync(state, next);
            steps.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            start = Stopwatch.GetTimestamp();
            Parallel.ForEach(copies, data => TensorPrimitives.Sum(data.Span<float>()));
            reads.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        output.WriteLine($"gpt2, 1 sequence, {bytes / 1e6:0} MB of weights a token: best {1000 / steps.Min():0.0} tokens/s, median {1000 / steps.Order().ElementAt(24):0.0}; " +
            $"reading the weights alone: best {1000 / reads.Min():0.0} a second ({bytes / reads.Min() / 1e6:0.0} GB/s), median {1000 / reads.Order().ElementAt(24):0.0}; cache {decoder.CacheBytes / 1e6:0.0} MB");
    }
}
