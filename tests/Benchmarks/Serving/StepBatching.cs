using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace ModelZoo.Benchmarks.Serving;

/// <summary>Steps a second of a model that loops, for requests one after the other and eight at once, in turn on the same cores. Requests at once run their steps together where they meet.</summary>
internal static class StepBatching
{
    private const int AtOnce = 8, Steps = 50, Rounds = 5;

    public static async Task RunAsync(string family, string model, string checkpoint, string options, TextWriter output)
    {
        await using var server = await ServedProcess.StartAsync(family, model, checkpoint, concurrency: AtOnce);
        using var client = new HttpClient { BaseAddress = server.Address };
        var clients = new List<RawConnection>();
        for (var i = 0; i < AtOnce; i++) clients.Add(await RawConnection.OpenAsync(server.Address));
        byte[] Request(int seed) => RawConnection.Request("POST", $"/v1/models/{model}/generate", "application/json", "application/json", Encoding.UTF8.GetBytes($$"""{"prompt":"7","seed":{{seed}},"options":{"steps":{{Steps}}{{(options.Length == 0 ? "" : "," + options)}} } }"""));
        async Task RunAsync(RawConnection connection, int seed)
        {
            if (await connection.SendAsync(Request(seed)) is not 200 and var status) throw new InvalidOperationException($"The server answered {status}.");
        }

        async Task<double> RateAsync(Func<Task> work)
        {
            var started = Stopwatch.GetTimestamp();
            await work();
            return AtOnce * Steps / Stopwatch.GetElapsedTime(started).TotalSeconds;
        }

        async Task OneByOneAsync()
        {
            for (var i = 0; i < AtOnce; i++) await RunAsync(clients[i], i);
        }

        Task TogetherAsync() => Task.WhenAll(clients.Select((connection, i) => RunAsync(connection, i)));
        await OneByOneAsync();
        await TogetherAsync();
        var (alone, together) = (new List<double>(), new List<double>());
        var (requests, runs) = (0.0, 0.0);
        for (var round = 0; round < Rounds; round++)
        {
            alone.Add(await RateAsync(OneByOneAsync));
            var before = await BatchesAsync(client);
            together.Add(await RateAsync(TogetherAsync));
            var after = await BatchesAsync(client);
            (requests, runs) = (requests + after.Sum - before.Sum, runs + after.Count - before.Count);
        }

        alone.Sort();
        together.Sort();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{model}, {Steps} steps a request, medians of {Rounds} rounds in turn: one by one {alone[Rounds / 2]:0} steps/s, {AtOnce} at once {together[Rounds / 2]:0} steps/s, {together[Rounds / 2] / alone[Rounds / 2]:0.00}x; {Environment.ProcessorCount} cores, {requests / runs:0.0} requests a run of the network"));
        foreach (var connection in clients) connection.Dispose();
        if (!model.StartsWith("diffusion-transformers/dit.", StringComparison.Ordinal)) return;
        var ceiling = await StepCeiling.MeasureAsync(model, checkpoint, AtOnce);
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"the network alone, {AtOnce} requests in one run over one in each: {ceiling:0.00}x, the most that batching can give here"));
    }

    // Requests that runs of networks took together, and runs.
    private static async Task<(double Sum, double Count)> BatchesAsync(HttpClient client)
    {
        var lines = (await client.GetStringAsync("/metrics")).Split('\n');
        double Of(string name) => lines.Where(line => line.StartsWith($"modelzoo_batch_size_{name}", StringComparison.Ordinal)).Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
        return (Of("sum"), Of("count"));
    }
}
