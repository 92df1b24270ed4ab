using System.Diagnostics;
using System.Globalization;
using ModelZoo.Benchmarks.Peers;
using Tensor = ModelZoo.Contracts.Tensor;

namespace ModelZoo.Benchmarks.Serving;

/// <summary>Tokens a second of GPT-2 for requests one after the other and at once, in turn on the same cores; and the most that batching can give here: so many sequences in one request.</summary>
internal static class DecodeBatching
{
    private const int Prompt = 16, Tokens = 64, Rounds = 3;

    public static async Task RunAsync(IReadOnlyList<int> crowds, TextWriter output)
    {
        using var decoder = new Gpt2Decoder(limit: crowds.Max());
        foreach (var requests in crowds)
        {
            var (alone, together, ceiling) = (new List<double>(), new List<double>(), new List<double>());
            for (var round = -1; round < Rounds; round++)
            {
                var rates = new[] { await OneByOneAsync(decoder, requests), await TogetherAsync(decoder, requests), await InOneAsync(decoder, requests) };
                if (round < 0) continue;
                alone.Add(rates[0]);
                together.Add(rates[1]);
                ceiling.Add(rates[2]);
            }

            double Median(List<double> values) => values.Order().ElementAt(Rounds / 2);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"gpt2, {Prompt} + {Tokens} tokens a request, medians of {Rounds} rounds in turn, {Environment.ProcessorCount} cores, c={requests}: one by one {Median(alone):0.0} tokens/s, at once {Median(together):0.0}, {Median(together) / Median(alone):0.00}x; one request with {requests} sequences {Median(ceiling):0.0}, {Median(ceiling) / Median(alone):0.00}x"));
        }
    }

    private static async Task<double> OneByOneAsync(Gpt2Decoder decoder, int requests)
    {
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < requests; i++) await RequestAsync(decoder, 1, i);
        return requests * Tokens / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    // Requests begin a step apart, so that their lengths differ.
    private static async Task<double> TogetherAsync(Gpt2Decoder decoder, int requests)
    {
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, requests).Select(i => Task.Run(() => RequestAsync(decoder, 1, i))));
        return requests * Tokens / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static async Task<double> InOneAsync(Gpt2Decoder decoder, int requests)
    {
        var started = Stopwatch.GetTimestamp();
        await RequestAsync(decoder, requests, 0);
        return requests * Tokens / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static async Task RequestAsync(Gpt2Decoder decoder, int rows, int seed)
    {
        using var state = decoder.Begin(rows);
        var next = Tensor.Create(Enumerable.Range(0, rows * (Prompt + seed % 5)).Select(i => (long)(i * 7 + seed)).ToArray(), rows, Prompt + seed % 5);
        for (var i = 0; i < Tokens; i++) next = await Gpt2Decoder.StepAsync(state, next);
    }
}
