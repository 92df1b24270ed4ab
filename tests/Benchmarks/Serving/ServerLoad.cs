using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;

namespace ModelZoo.Benchmarks.Serving;

/// <summary>
/// Many small requests to a real <c>modelzoo serve</c> over the loopback: throughput and tail at 64 at once, the memory of the server before and after, and what the way through HTTP, queue and JSON costs one request alone,
/// beside a route that runs no model.
/// </summary>
internal static class ServerLoad
{
    public static async Task RunAsync(string model, string checkpoint, int requests, TextWriter output)
    {
        var folder = Directory.CreateTempSubdirectory("load-").FullName;
        var root = Root();
        var manifest = Path.Combine(folder, "plugins.json");
        await File.WriteAllTextAsync(manifest, $$"""{ "plugins": ["{{root}}/artifacts/plugins/TextTokenizers"], "models": { "{{model}}": { "checkpoint": "{{Path.GetFullPath(checkpoint)}}" } } }""");
        using var server = Process.Start(new ProcessStartInfo(Path.Combine(root, "artifacts/bin/ModelZoo.Host/release/modelzoo"), ["serve", "--port", "0", "--manifest", manifest]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        try
        {
            var first = await server.StandardOutput.ReadLineAsync();
            var address = first?.Split(' ')[^1] ?? throw new InvalidOperationException("The server did not start.");
            _ = server.StandardOutput.ReadToEndAsync();
            _ = server.StandardError.ReadToEndAsync();
            using var client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 64 }) { BaseAddress = new(address) };
            var text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("The quick brown fox jumps over the lazy dog. ", 23))[..1000]);
            var path = $"/v1/models/{model}/tokenize";
            for (var i = 0; i < 2000; i++) await PostAsync(client, path, text);

            var (health, alone) = (new List<double>(), new List<double>());
            for (var i = 0; i < 3000; i++)
            {
                health.Add(await TimeAsync(async () => (await client.GetAsync("/live")).Dispose()));
                alone.Add(await TimeAsync(() => PostAsync(client, path, text)));
            }

            Report(output, "GET /live, one at a time", health);
            Report(output, "tokenize 1 kB, one at a time", alone);
            server.Refresh();
            var before = server.WorkingSet64;
            var many = new double[requests];
            var started = Stopwatch.GetTimestamp();
            await Parallel.ForEachAsync(Enumerable.Range(0, requests), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (i, _) => many[i] = await TimeAsync(() => PostAsync(client, path, text)));
            var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            server.Refresh();
            Report(output, $"tokenize 1 kB, 64 at once, {requests} requests, {(requests / seconds).ToString("0", CultureInfo.InvariantCulture)} a second", [.. many]);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"memory of the server: {before >> 20} MB before, {server.WorkingSet64 >> 20} MB after; no request failed"));
            foreach (var line in (await client.GetStringAsync("/metrics")).Split('\n').Where(line => line.StartsWith("modelzoo_request_duration_seconds_sum", StringComparison.Ordinal) || line.StartsWith("modelzoo_request_duration_seconds_count", StringComparison.Ordinal))) output.WriteLine(line);
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task PostAsync(HttpClient client, string path, byte[] text)
    {
        using var content = new ByteArrayContent(text) { Headers = { ContentType = new MediaTypeHeaderValue("text/plain") } };
        using var answer = await client.PostAsync(path, content);
        answer.EnsureSuccessStatusCode();
        await answer.Content.CopyToAsync(Stream.Null);
    }

    private static async Task<double> TimeAsync(Func<Task> work)
    {
        var started = Stopwatch.GetTimestamp();
        await work();
        return Stopwatch.GetElapsedTime(started).TotalMicroseconds;
    }

    private static void Report(TextWriter output, string name, List<double> times)
    {
        times.Sort();
        string At(double share) => times[(int)Math.Min(times.Count - 1, share * times.Count)].ToString("0", CultureInfo.InvariantCulture);
        output.WriteLine($"{name}: p50 {At(0.5)} µs, p99 {At(0.99)} µs, p99.9 {At(0.999)} µs, max {At(1)} µs");
    }

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "ModelZoo.sln"))) folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("Run it from the repository's build.");
        return folder;
    }
}
