using System.Diagnostics;
using ModelZoo.Contracts;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>GPT-2 decoding greedily with its cache, beside how often a second memory gives what a token needs: the weights, and the keys and values so far.</summary>
internal static class Decoding
{
    private const int Prompt = 32, Steps = 96;

    public static async Task RunAsync(TextWriter output)
    {
        using var decoder = new Gpt2Decoder(limit: 1);
        using var state = decoder.Begin();
        var bytes = decoder.Weights.Tensors.Where(tensor => tensor.Name != "wpe.weight").Sum(tensor => 4 * tensor.Shape.Aggregate(1L, (count, extent) => count * extent));
        var next = await Gpt2Decoder.StepAsync(state, Tensor.Create(Enumerable.Range(0, Prompt).Select(i => (long)i).ToArray(), 1, Prompt));
        List<double> steps = [];
        for (var i = 0; i < Steps; i++)
        {
            var start = Stopwatch.GetTimestamp();
            next = await Gpt2Decoder.StepAsync(state, next);
            steps.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        var (threads, median) = (Environment.ProcessorCount, 1 / steps.Order().ElementAt(Steps / 2));
        var cache = 2L * sizeof(float) * Gpt2Network.Layers * Gpt2Network.Width * (Prompt + Steps / 2);  // halfway
        var speed = MachineLimits.ReadGigabytes(threads);
        var limit = speed * 1e9 / (bytes + cache);
        output.WriteLine($"gpt2, 1 sequence: best {1 / steps.Min():0.0} tokens/s, median {median:0.0}, {median / limit:0 %} of what memory allows");
        output.WriteLine($"a token reads {bytes / 1e6:0} MB of weights and {cache / 1e6:0.0} MB of keys and values; memory gives {speed:0.0} GB/s to {threads} threads: {limit:0.0} a second");
    }
}
