using System.Net.Http.Json;
using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Host.Loading.Tests;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>Clients that ask one autoregressive model at once: their steps are one run where they meet, and nobody can tell from the answer.</summary>
public sealed class StepsTogetherTests
{
    private const string Model = "image-generators/llamagen.tiny";

    [Fact]
    public async Task Generate_EightClientsAtOnce_ShareRunsAndGetWhatEachGetsAlone()
    {
        if (!BuiltPlugins.Are("ImageGenerators")) return;
        await using var server = await TestServer.StartAsync(manifest: new()
        {
            Plugins = [new(BuiltPlugins.Folder("ImageGenerators"), "test")],
            Models = new Dictionary<Contracts.ModelId, ModelEntry> { [Contracts.ModelId.Parse(Model)] = new() { Checkpoint = Repository.Path("tests", "parity", "image-generators", "llamagen", "c2i", "checkpoint") } },
            Queue = new() { Concurrency = 8, Limit = 100 },
        });
        async Task<string> AskAsync(int client)
        {
            using var ask = new HttpRequestMessage(HttpMethod.Post, $"/v1/models/{Model}/generate") { Content = JsonContent.Create(new { prompt = $"{client % 4}", seed = client, options = new { count = 1 + client % 2 } }), Headers = { Accept = { new("application/json") } } };
            using var answer = await server.Client.SendAsync(ask);
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
            return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("output").GetRawText();
        }

        var alone = new List<string>();
        for (var client = 0; client < 8; client++) alone.Add(await AskAsync(client));
        var (calls, runs) = await BatchesAsync(server.Client);
        Assert.Equal(runs, calls);
        for (var round = 0; round < 3; round++) Assert.Equal(alone, await Task.WhenAll(Enumerable.Range(0, 8).Select(client => Task.Run(() => AskAsync(client)))));
        var (laterCalls, laterRuns) = await BatchesAsync(server.Client);
        Assert.True(laterRuns - runs < laterCalls - calls, $"{laterCalls - calls} steps in {laterRuns - runs} runs");
    }

    private static async Task<(double Calls, double Runs)> BatchesAsync(HttpClient client)
    {
        var lines = (await client.GetStringAsync("/metrics")).Split('\n');
        double Of(string name) => lines.Where(line => line.StartsWith($"modelzoo_batch_size_{name}", StringComparison.Ordinal)).Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], System.Globalization.CultureInfo.InvariantCulture));
        return (Of("sum"), Of("count"));
    }
}
