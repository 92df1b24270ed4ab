using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using Google.Protobuf;
using ModelZoo.Host.Loading.Tests;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Serving.OpenInference.Wire;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>Clients that reset their connection at each stage of a request, in each protocol: the one place on the model is free again within a step, and nothing of the request stays.</summary>
public sealed class ClientResetTests
{
    // A story that takes hours, a word every 20 ms.
    private const string Options = "\"max_tokens\":100000,\"delay\":20";
    private const string Own = $$"""{"prompt":"a b c","options":{ {{Options}} } }""";
    private const string Chat = $$"""{"model":"test/story","messages":[{"role":"user","content":"a b c"}],{{Options}}""";

    public static TheoryData<string, string, string> Requests => new()
    {
        { "/v1/models/test/story/generate", "application/json", Own },
        { "/v1/models/test/story/generate", "text/event-stream", Own },
        { "/v1/chat/completions", "application/json", Chat + "}" },
        { "/v1/chat/completions", "application/json", Chat + ",\"stream\":true}" },
        { "/v1/completions", "application/json", $$"""{"model":"test/story","prompt":"a b c","stream":true,{{Options}} }""" },
        { "/v2/models/test/story/infer", "application/json", $$"""{"parameters":{ {{Options}} },"inputs":[{"name":"prompt","shape":[1],"datatype":"BYTES","data":["a b c"]}]}""" },
    };

    private static Task<TestServer> StartAsync()
    {
        var folder = Directory.CreateTempSubdirectory("server-").FullName;
        return TestServer.StartAsync(settings => settings with { GrpcPort = 0 }, folder: folder, manifest: new HostManifest
        {
            Plugins = [new(TestPlugins.Build("Studio", Path.Combine(folder, "plugins")), "test")], Queue = new() { Concurrency = 1, Limit = 4, Deadline = TimeSpan.FromSeconds(60) },
        });
    }

    private static byte[] Request(string path, string accept, string body) => Encoding.UTF8.GetBytes($"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: {accept}\r\nContent-Length: {body.Length}\r\n\r\n{body}");

    private static async Task<Socket> SendAsync(TestServer server, byte[] bytes)
    {
        var (socket, address) = (new Socket(SocketType.Stream, ProtocolType.Tcp), new Uri(server.Address));
        await socket.ConnectAsync(address.Host, address.Port);
        await socket.SendAsync(bytes);
        return socket;
    }

    private static void Reset(Socket socket)
    {
        socket.LingerState = new(true, 0);
        socket.Dispose();
    }

    private static async Task RunningAsync(TestServer server, int count)
    {
        for (var tries = 0; ; tries++)
        {
            var metrics = await server.Client.GetStringAsync("/metrics");
            if (metrics.Contains($"modelzoo_requests_running {count}\n", StringComparison.Ordinal)) return;
            Assert.True(tries < 300, metrics);
            await Task.Delay(20);
        }
    }

    // With one place on the model, an answer says that it is free.
    private static async Task AssertFreeAsync(TestServer server)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        using var answer = await server.Client.PostAsJsonAsync("/v1/models/test/story/generate", new { prompt = "a b c" }, limit.Token);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await RunningAsync(server, 0);
    }

    [Theory, MemberData(nameof(Requests))]
    public async Task Running_Reset_FreesTheModel(string path, string accept, string body)
    {
        await using var server = await StartAsync();
        var socket = await SendAsync(server, Request(path, accept, body));
        await RunningAsync(server, 1);
        Reset(socket);
        await AssertFreeAsync(server);
    }

    [Theory, MemberData(nameof(Requests))]
    public async Task Streaming_ResetAfterAFewWords_FreesTheModel(string path, string accept, string body)
    {
        if (accept != "text/event-stream" && !body.Contains("\"stream\":true", StringComparison.Ordinal)) return; // it answers at once
        await using var server = await StartAsync();
        var socket = await SendAsync(server, Request(path, accept, body));
        var (buffer, text) = (new byte[4096], "");
        while (text.Split("data: ").Length < 4) text += Encoding.UTF8.GetString(buffer, 0, await socket.ReceiveAsync(buffer));
        Reset(socket);
        await AssertFreeAsync(server);
    }

    [Theory, MemberData(nameof(Requests))]
    public async Task Queued_Reset_LeavesTheLine(string path, string accept, string body)
    {
        await using var server = await StartAsync();
        var first = await SendAsync(server, Request("/v1/models/test/story/generate", "application/json", Own));
        await RunningAsync(server, 1);
        var second = await SendAsync(server, Request(path, accept, body));
        await RunningAsync(server, 2);
        Reset(second);
        await RunningAsync(server, 1);
        Reset(first);
        await AssertFreeAsync(server);
    }

    [Theory, MemberData(nameof(Requests))]
    public async Task Upload_ResetInTheMiddle_IsForgotten(string path, string accept, string body)
    {
        await using var server = await StartAsync();
        var request = Request(path, accept, body);
        foreach (var share in new[] { 3, 30, 70, 98 }) Reset(await SendAsync(server, request[..(request.Length * share / 100)]));
        await AssertFreeAsync(server);
    }

    [Fact]
    public async Task Grpc_StreamOrConnectionReset_FreesTheModel()
    {
        await using var server = await StartAsync();
        var address = new Uri(server.Addresses.Single(other => other != server.Address));
        var message = new ModelInferRequest
        {
            ModelName = "test/story", Inputs = { new ModelInferRequest.Types.InferInputTensor { Name = "prompt", Datatype = "BYTES", Shape = { 1 }, Contents = new() { BytesContents = { ByteString.CopyFromUtf8("a b c") } } } },
            Parameters = { ["max_tokens"] = new() { Int64Param = 100_000 }, ["delay"] = new() { Int64Param = 20 } },
        }.ToByteArray();
        byte[] frame = [0, 0, 0, (byte)(message.Length >> 8), (byte)message.Length, .. message];
        foreach (var whole in new[] { false, true })
        {
            Socket? socket = null;
            using var client = new HttpClient(new SocketsHttpHandler
            {
                ConnectCallback = async (context, cancel) =>
                {
                    socket = new(SocketType.Stream, ProtocolType.Tcp);
                    await socket.ConnectAsync(context.DnsEndPoint, cancel);
                    return new NetworkStream(socket, ownsSocket: true);
                },
            }) { BaseAddress = address, DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
            using var gone = new CancellationTokenSource();
            var call = client.PostAsync("/inference.GRPCInferenceService/ModelInfer", new ByteArrayContent(frame) { Headers = { ContentType = new("application/grpc") } }, gone.Token);
            await RunningAsync(server, 1);
            if (whole) Reset(socket!);
            else await gone.CancelAsync();
            await Assert.ThrowsAnyAsync<Exception>(() => call);
            await AssertFreeAsync(server);
        }
    }
}
