using System.Diagnostics;
using ModelZoo.Contracts;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>GPT-2 decoding greedily with its cache. In turns with its steps the same bytes are only read, the weights and the keys and values so far: memory that is shared with other machines gives more in one second than in the next.</summary>
internal static class Decoding
{
    private const int Prompt = 32, Rounds = 12, Steps = 8;

    // The engine's threads look for work some time after a step, and would be in the way.
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(30);

    public static async Task RunAsync(TextWriter output)
    {
        using var decoder = new Gpt2Decoder(limit: 1);
        using var state = decoder.Begin();
        var weights = decoder.Weights.Tensors.Where(tensor => tensor.Name != "wpe.weight").Sum(tensor => 4 * tensor.Shape.Aggregate(1L, (count, extent) => count * extent));
        var cache = 2L * sizeof(float) * Gpt2Network.Layers * Gpt2Network.Width * (Prompt + Rounds * Steps / 2);  // halfway
        var threads = Environment.ProcessorCount;
        using var memory = new MemoryReader(threads, weights + cache);
        var next = await Gpt2Decoder.StepAsync(state, Tensor.Create(Enumerable.Range(0, Prompt).Select(i => (long)i).ToArray(), 1, Prompt));
        List<double> steps = [], reads = [], shares = [];
        for (var round = 0; round < Rounds; round++)
        {
            var ours = new double[Steps];
            for (var i = 0; i < Steps; i++)
            {
                var start = Stopwatch.GetTimestamp();
                next = await Gpt2Decoder.StepAsync(state, next);
                ours[i] = Stopwatch.GetElapsedTime(start).TotalSeconds;
            }

            await Task.Delay(Rest);
            var read = memory.Seconds(Steps);
            steps.AddRange(ours);
            reads.AddRange(read);
            shares.Add(Median(read) / Median(ours));
        }

        static double Median(IReadOnlyCollection<double> values) => values.Order().ElementAt(values.Count / 2);
        output.WriteLine($"gpt2, 1 sequence: best {1 / steps.Min():0.0} tokens/s, median {1 / Median(steps):0.0}, {Median(shares):0 %} of what memory allows ({shares.Min():0 %} to {shares.Max():0 %} in {Rounds} rounds)");
        output.WriteLine($"a token reads {weights / 1e6:0} MB of weights and {cache / 1e6:0.0} MB of keys and values; memory gives {(weights + cache) / Median(reads) / 1e9:0.0} GB/s to {threads} threads: best {1 / reads.Min():0.0} a second, median {1 / Median(reads):0.0}");
    }
}
