using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>What a collector of OpenTelemetry gets.</summary>
public sealed class TelemetryTests
{
    /// <summary>Takes what is sent by OTLP over HTTP.</summary>
    private sealed class Collector(WebApplication app) : IAsyncDisposable
    {
        private readonly ConcurrentQueue<(string Path, string Body)> _received = new();

        public string Address => app.Urls.First();

        public static async Task<Collector> StartAsync()
        {
            var builder = WebApplication.CreateEmptyBuilder(new());
            builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
            var collector = new Collector(builder.Build());
            collector.Listen();
            await collector.StartServerAsync();
            return collector;
        }

        /// <summary>Everything that came to a path, names and texts legible as protobuf keeps them.</summary>
        public string Received(string path) => string.Concat(_received.Where(message => message.Path == path).Select(message => message.Body));

        public ValueTask DisposeAsync() => app.DisposeAsync();

        private Task StartServerAsync() => app.StartAsync();

        private void Listen() => app.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            _received.Enqueue(($"{context.Request.Path} {context.Request.ContentType}", Encoding.Latin1.GetString(body.ToArray())));
            context.Response.ContentType = "application/x-protobuf";
        });
    }

    [Fact]
    public async Task Otlp_AfterRequests_MetricsAndSpansArrive()
    {
        await using var collector = await Collector.StartAsync();
        await using (var server = await TestServer.StartAsync(settings => settings with { Otlp = collector.Address }))
        {
            await server.PostAsync("/v1/models/test/echo/tokenize", new { input = "abc" });
            using var ask = new HttpRequestMessage(HttpMethod.Post, "/v1/models/test/echo/generate") { Content = new StringContent("hi"), Headers = { { "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" } } };
            using var answer = await server.Client.SendAsync(ask);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            await server.StopAsync(); // sends what is left
        }

        var metrics = collector.Received("/v1/metrics application/x-protobuf");
        string[] names = ["modelzoo.request.duration", "modelzoo.queue.duration", "modelzoo.load.duration", "modelzoo.requests.running", "modelzoo.steps", "modelzoo.tokens", "modelzoo.model.bytes", "test/echo", "private"];
        Assert.All(names, name => Assert.Contains(name, metrics));
        var spans = collector.Received("/v1/traces application/x-protobuf");
        string[] parts = ["POST /v1/models/{family}/{name}/tokenize", "http.response.status_code", "modelzoo.request_id", "modelzoo.priority", "queue", "load", "run", "modelzoo.device"];
        Assert.All(parts, part => Assert.Contains(part, spans));
        Assert.Contains(Encoding.Latin1.GetString(Convert.FromHexString("0af7651916cd43dd8448eb211c80319c")), spans); // the client's trace goes on
    }

    [Fact]
    public async Task Otlp_NobodyListensThere_ServesAllTheSame()
    {
        await using var server = await TestServer.StartAsync(settings => settings with { Otlp = "http://127.0.0.1:9" });
        Assert.Equal(200, (await server.PostAsync("/v1/models/test/echo/tokenize", new { input = "abc" })).Status);
    }

    [Fact]
    public async Task Otlp_NoAddress_IsRefusedAtTheStart() =>
        Assert.Equal("--otlp", (await Assert.ThrowsAsync<OptionsException>(() => TestServer.StartAsync(settings => settings with { Otlp = "collector" }))).Where);
}
