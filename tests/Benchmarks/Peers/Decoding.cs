using System.Diagnostics;
using ModelZoo.Contracts;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>GPT-2 decoding greedily with its cache. After each step the same bytes are only read, the weights and the keys and values so far: memory shared with other machines gives more in one second than in the next, so that the two are measured in turn.</summary>
internal static class Decoding
{
    private const int Prompt = 32, Steps = 96;

    public static async Task RunAsync(TextWriter output)
    {
        using var decoder = new Gpt2Decoder(limit: 1);
        using var state = decoder.Begin();
        var weights = decoder.Weights.Tensors.Where(tensor => tensor.Name != "wpe.weight").Sum(tensor => 4 * tensor.Shape.Aggregate(1L, (count, extent) => count * extent));
        var cache = 2L * sizeof(float) * Gpt2Network.Layers * Gpt2Network.Width * (Prompt + Steps / 2);  // halfway
        var threads = Environment.ProcessorCount;
        using var memory = new MemoryReader(threads, weights + cache);
        var next = await Gpt2Decoder.StepAsync(state, Tensor.Create(Enumerable.Range(0, Prompt).Select(i => (long)i).ToArray(), 1, Prompt));
        List<(double Step, double Read)> seconds = [];
        for (var i = 0; i < Steps; i++)
        {
            var start = Stopwatch.GetTimestamp();
            next = await Gpt2Decoder.StepAsync(state, next);
            seconds.Add((Stopwatch.GetElapsedTime(start).TotalSeconds, memory.Seconds()));
        }

        static double Median(IEnumerable<double> values) => values.Order().ElementAt(Steps / 2);
        var (step, read) = (Median(seconds.Select(pair => pair.Step)), Median(seconds.Select(pair => pair.Read)));
        output.WriteLine($"gpt2, 1 sequence: best {1 / seconds.Min(pair => pair.Step):0.0} tokens/s, median {1 / step:0.0}, {Median(seconds.Select(pair => pair.Read / pair.Step)):0 %} of what memory allows");
        output.WriteLine($"a token reads {weights / 1e6:0} MB of weights and {cache / 1e6:0.0} MB of keys and values; memory gives {(weights + cache) / read / 1e9:0.0} GB/s to {threads} threads: best {1 / seconds.Min(pair => pair.Read):0.0} a second, median {1 / read:0.0}");
    }
}
