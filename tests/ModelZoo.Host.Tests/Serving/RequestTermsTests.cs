using System.Net.Http.Json;
using System.Text.Json;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>Priority and deadline of one request, as each protocol says them.</summary>
public sealed class RequestTermsTests
{
    private static readonly object Slow = new { prompt = "x", options = new { delay = 5_000 } };

    private static async Task<(int Status, string Body)> SendAsync(TestServer server, string path, object body, params (string Name, string Value)[] headers)
    {
        using var ask = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        foreach (var (name, value) in headers) ask.Headers.Add(name, value);
        using var answer = await server.Client.SendAsync(ask);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    private static object Infer(object parameters) => new { parameters, inputs = new[] { new { name = "prompt", shape = new[] { 1 }, datatype = "BYTES", data = new[] { "x" } } } };

    [Fact]
    public async Task Deadline_OfEachProtocol_Is504InItsForm()
    {
        await using var server = await TestServer.StartAsync();
        await SendAsync(server, "/v1/models/test/echo/generate", new { prompt = "warm" });
        var (status, body) = await SendAsync(server, "/v1/models/test/echo/generate", Slow, ("Request-Timeout", "0.3"));
        Assert.Equal((504, "request.deadline"), (status, JsonDocument.Parse(body).RootElement.GetProperty("code").GetString()));

        (status, body) = await SendAsync(server, "/v2/models/test/echo/infer", Infer(new { timeout = 300_000, delay = 5_000 }));
        Assert.Equal(504, status);
        Assert.Contains("within the 0.3 s", JsonDocument.Parse(body).RootElement.GetProperty("error").GetString());

        (status, body) = await SendAsync(server, "/v1/completions", new { model = "test/echo", prompt = "x", delay = 5_000 }, ("Request-Timeout", "0.3"));
        Assert.Equal((504, "request.deadline"), (status, JsonDocument.Parse(body).RootElement.GetProperty("error").GetProperty("code").GetString()));

        (_, body) = await SendAsync(server, "/v1/models/test/echo/generate", Slow, ("Request-Timeout", "0.3"), ("Accept", "text/event-stream"));
        Assert.Contains("event: error", body);
        Assert.Contains("request.deadline", body);
    }

    [Fact]
    public async Task Deadline_Kept_ChangesNothing()
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal((200, "1.0.0:x:0"), await SendAsync(server, "/v1/models/test/echo/generate", new { prompt = "x" }, ("Request-Timeout", "60"), ("Request-Priority", "1")));
        Assert.Equal(200, (await SendAsync(server, "/v2/models/test/echo/infer", Infer(new { timeout = 60_000_000, priority = 2 }))).Status);
        Assert.Equal(200, (await SendAsync(server, "/v1/completions", new { model = "test/echo", prompt = "x", service_tier = "flex", delay = 30 })).Status);
    }

    [Fact]
    public async Task Priority_OfEachProtocol_DecidesWhoIsNext()
    {
        await using var server = await TestServer.StartAsync(queue: new QueueSettings { Concurrency = 1, Ageing = TimeSpan.FromHours(1) });
        await SendAsync(server, "/v1/models/test/echo/generate", new { prompt = "warm" });
        var order = new List<string>();
        async Task Ask(string name, Task<(int, string)> request)
        {
            Assert.Equal(200, (await request).Item1);
            lock (order) order.Add(name);
        }

        var busy = Ask("first", SendAsync(server, "/v1/models/test/echo/generate", new { prompt = "x", options = new { delay = 300 } }));
        await Task.Delay(300);
        var slow = new { prompt = "x", options = new { delay = 30 } }; // answers that come together may be read in any order
        List<Task> waiting = [Ask("flex", SendAsync(server, "/v1/completions", new { model = "test/echo", prompt = "x", service_tier = "flex" }))];
        await Task.Delay(100);
        waiting.Add(Ask("usual", SendAsync(server, "/v1/models/test/echo/generate", slow)));
        await Task.Delay(100);
        waiting.Add(Ask("header", SendAsync(server, "/v1/models/test/echo/generate", slow, ("Request-Priority", "2"))));
        await Task.Delay(100);
        waiting.Add(Ask("parameter", SendAsync(server, "/v2/models/test/echo/infer", Infer(new { priority = 1, verb = "generate", delay = 30 }))));
        await Task.WhenAll([busy, .. waiting]);
        Assert.Equal("first", order[0]);
        Assert.True(order.IndexOf("usual") > order.IndexOf("header") && order.IndexOf("flex") > order.IndexOf("usual") && order.IndexOf("flex") > order.IndexOf("parameter"), string.Join(", ", order));
    }

    [Theory]
    [InlineData("Request-Timeout", "soon")]
    [InlineData("Request-Timeout", "0")]
    [InlineData("Request-Timeout", "-1")]
    [InlineData("Request-Priority", "10")]
    [InlineData("Request-Priority", "high")]
    [InlineData("grpc-timeout", "5")]
    [InlineData("grpc-timeout", "123456789S")]
    public async Task Header_Malformed_Is400(string name, string value)
    {
        await using var server = await TestServer.StartAsync();
        var (status, body) = await SendAsync(server, "/v1/models/test/echo/generate", new { prompt = "x" }, (name, value));
        Assert.Equal((400, "request.malformed"), (status, JsonDocument.Parse(body).RootElement.GetProperty("code").GetString()));
    }

    [Theory]
    [InlineData("""{"priority":77}""")]
    [InlineData("""{"timeout":-5}""")]
    [InlineData("""{"timeout":"soon"}""")]
    public async Task Parameter_Malformed_Is400(string parameters)
    {
        await using var server = await TestServer.StartAsync();
        Assert.Equal(400, (await SendAsync(server, "/v2/models/test/echo/infer", Infer(JsonDocument.Parse(parameters).RootElement))).Status);
    }
}
