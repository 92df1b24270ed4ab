using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Serving.OpenInference;
using ModelZoo.Host.Serving.OpenInference.Wire;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>The Open Inference Protocol as its clients speak it.</summary>
public sealed class OpenInferenceTests
{
    private static object Request(string text, object? parameters = null) => new { id = "a1", parameters = parameters ?? new { }, inputs = new[] { new { name = "text", shape = new[] { 1 }, datatype = "BYTES", data = new[] { text } } } };

    [Theory]
    [InlineData("/v2", "name")]
    [InlineData("/v2/", "version")]
    [InlineData("/v2/health/live", "live")]
    [InlineData("/v2/health/ready", "ready")]
    [InlineData("/v2/models/test/echo", "inputs")]
    [InlineData("/v2/models/test%2Fecho", "outputs")]
    [InlineData("/v2/models/test/echo/versions/1", "platform")]
    public async Task Get_Metadata_HasItsField(string path, string field)
    {
        await using var server = await TestServer.StartAsync();
        Assert.True((await server.Client.GetFromJsonAsync<JsonElement>(path)).TryGetProperty(field, out _));
    }

    [Fact]
    public async Task Infer_Json_TokenizesAndIdsComeBack()
    {
        await using var server = await TestServer.StartAsync();
        var (status, answer) = await server.PostAsync("/v2/models/test/echo/infer", Request("añ", new { shift = 1 }));
        Assert.Equal((200, "a1", "test/echo"), (status, answer.GetProperty("id").GetString(), answer.GetProperty("model_name").GetString()));
        var ids = answer.GetProperty("outputs")[0];
        Assert.Equal(("INT32", "[98,242]"), (ids.GetProperty("datatype").GetString(), ids.GetProperty("data").GetRawText()));

        var (_, back) = await server.PostAsync("/v2/models/test/echo/infer", new
        {
            parameters = new { shift = 1 },
            inputs = new[] { new { name = "ids", shape = new[] { 2 }, datatype = "INT32", data = new[] { 98, 242 }, parameters = new { token_space = ids.GetProperty("parameters").GetProperty("token_space").GetString() } } },
        });
        Assert.Equal("añ", back.GetProperty("outputs")[0].GetProperty("data")[0].GetString());
    }

    [Fact]
    public async Task Infer_BinaryTensors_GoAndComeBehindTheJson()
    {
        await using var server = await TestServer.StartAsync();
        var raw = new byte[] { 3, 0, 0, 0, (byte)'a', (byte)'b', (byte)'c' };
        var json = Encoding.UTF8.GetBytes($$$"""{"parameters":{"binary_data_output":true},"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":{{{raw.Length}}}}}]}""");
        using var body = new ByteArrayContent([.. json, .. raw]) { Headers = { { "Inference-Header-Content-Length", $"{json.Length}" } } };
        using var answer = await server.Client.PostAsync("/v2/models/test/echo/infer", body);
        var bytes = await answer.Content.ReadAsByteArrayAsync();
        var length = int.Parse(answer.Headers.GetValues("Inference-Header-Content-Length").Single());
        var head = JsonDocument.Parse(bytes.AsMemory(0, length)).RootElement;
        Assert.Equal(12, head.GetProperty("outputs")[0].GetProperty("parameters").GetProperty("binary_data_size").GetInt32());
        Assert.Equal([97, 98, 99], Enumerable.Range(0, 3).Select(i => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(length + 4 * i))));
    }

    [Fact]
    public async Task Infer_PromptAndSeed_Generates()
    {
        await using var server = await TestServer.StartAsync();
        var (_, answer) = await server.PostAsync("/v2/models/test/echo/infer", new { parameters = new { seed = 9 }, inputs = new[] { new { name = "prompt", shape = new[] { 1 }, datatype = "BYTES", data = new[] { "hi" } } } });
        Assert.Equal("1.0.0:hi:9", answer.GetProperty("outputs")[0].GetProperty("data")[0].GetString());
    }

    [Fact]
    public async Task Infer_AuthorsCall_RunsOnRawTensors()
    {
        await using var server = await TestServer.StartAsync();
        var (_, answer) = await server.PostAsync("/v2/models/test/echo/infer", new { parameters = new { call = "double" }, inputs = new[] { new { name = "x", shape = new[] { 1, 2 }, datatype = "FP32", data = new[] { new[] { 1.5, 2 } } } } });
        Assert.Equal(("[1,2]", "[3,4]"), (answer.GetProperty("outputs")[0].GetProperty("shape").GetRawText(), answer.GetProperty("outputs")[0].GetProperty("data").GetRawText()));
    }

    [Fact]
    public async Task Repository_IndexLoadUnload_AsTritonHasThem()
    {
        await using var server = await TestServer.StartAsync();
        using var load = await server.Client.PostAsJsonAsync("/v2/repository/models/test/echo/load", new { });
        using var unload = await server.Client.PostAsJsonAsync("/v2/repository/models/test/echo/unload", new { });
        var (status, index) = await server.PostAsync("/v2/repository/index", new { });
        Assert.Equal((200, 200, 200, JsonValueKind.Array), ((int)load.StatusCode, (int)unload.StatusCode, status, index.ValueKind));
    }

    [Theory]
    [InlineData("/v2/models/test/eco/infer", """{"inputs":[]}""", 404)]
    [InlineData("/v2/models/test/echo/versions/2/infer", """{"inputs":[]}""", 404)]
    [InlineData("/v2/models/test/echo/infer", "{", 400)]
    [InlineData("/v2/models/test/echo/infer", "{}", 400)]
    [InlineData("/v2/models/test/echo/infer", """{"inputs":[{"name":"text","shape":[2],"datatype":"BYTES","data":["a"]}]}""", 400)]
    [InlineData("/v2/models/test/echo/infer", """{"inputs":[{"name":"text","shape":[-1],"datatype":"BYTES","data":["a"]}]}""", 400)]
    [InlineData("/v2/models/test/echo/infer", """{"inputs":[{"name":"text","shape":[9223372036854775807,9],"datatype":"BYTES","data":["a"]}]}""", 400)]
    [InlineData("/v2/models/test/echo/infer", """{"inputs":[{"name":"text","shape":[1],"datatype":"FP99","data":[1]}]}""", 400)]
    [InlineData("/v2/models/test/echo/infer", """{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":99}}]}""", 400)]
    [InlineData("/v2/models/test/echo/infer", """{"inputs":[{"name":"text","shape":[1],"datatype":"FP16","data":[1]}]}""", 400)]
    [InlineData("/v2/models/test/echo/infer", """{"inputs":[{"name":"ids","shape":[1],"datatype":"INT32","data":[1]}]}""", 400)]
    [InlineData("/v2/models/test/echo/infer", """{"parameters":{"verb":"sing"},"inputs":[]}""", 400)]
    [InlineData("/v2/models/test/echo/infer", """{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"shared_memory_region":"r","shared_memory_byte_size":4}}]}""", 400)]
    [InlineData("/v2/models/test/echo/infer", """{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["a"]}],"outputs":[{"name":"ids","parameters":{"classification":3}}]}""", 400)]
    [InlineData("/v2/models/echo/infer", """{"inputs":[]}""", 404)]
    [InlineData("/v2/systemsharedmemory/region/r/register", "{}", 404)]
    [InlineData("/v2/repository/models/test/echo/load", """{"parameters":{"config":"{}"}}""", 400)]
    [InlineData("/v2/repository/models/test/echo/load", """{"parameters":{"file:1/model.onnx":"AAAA"}}""", 400)]
    public async Task Infer_Malformed_IsAnErrorInTheProtocolsForm(string path, string body, int status)
    {
        await using var server = await TestServer.StartAsync();
        using var answer = await server.Client.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.NotEmpty((await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetString()!);
    }

    /// <summary>KServe's services, and most of its clients, take no slash in a model's name.</summary>
    [Theory]
    [InlineData("test/echo.one")]
    [InlineData("test%2Fecho.one")]
    [InlineData("test--echo.one")]
    [InlineData("codec")]
    public async Task Model_ByEachOfItsNames_AnswersUnderThatName(string name)
    {
        var folder = Directory.CreateTempSubdirectory("server-").FullName;
        await using var server = await TestServer.StartAsync(settings => settings with { GrpcPort = 0 }, folder: folder, manifest: new()
        {
            Plugins = [new(Loading.Tests.TestPlugins.Build("Good", Path.Combine(folder, "plugins")), "test")], Models = new Dictionary<Contracts.ModelId, ModelEntry> { [Contracts.ModelId.Parse("test/echo.one")] = new() { Name = "codec" } },
        });
        var (status, answer) = await server.PostAsync($"/v2/models/{name}/infer", new { inputs = new[] { new { name = "text", shape = new[] { 1 }, datatype = "BYTES", data = new[] { "abc" } } } });
        Assert.Equal((200, Uri.UnescapeDataString(name)), (status, answer.GetProperty("model_name").GetString()));
        Assert.Equal("[97,98,99]", answer.GetProperty("outputs")[0].GetProperty("data").GetRawText());
        Assert.Equal(200, (int)(await server.Client.GetAsync($"/v2/models/{name}/versions/1/ready")).StatusCode);
        (status, answer) = await server.PostAsync($"/v1/models/{name}/tokenize", new { input = "abc" });
        Assert.Equal((200, "test/echo.one"), (status, answer.GetProperty("model").GetString()));
        (status, answer) = await server.PostAsync("/v1/completions", new { model = Uri.UnescapeDataString(name), prompt = "abc" });
        Assert.Equal((200, Uri.UnescapeDataString(name)), (status, answer.GetProperty("model").GetString()));
        Assert.Equal("0", (await CallAsync(server, "ModelMetadata", new ModelMetadataRequest { Name = Uri.UnescapeDataString(name) }.ToByteArray())).Status);
    }

    private static async Task<(string Status, byte[] Message)> CallAsync(TestServer server, string name, byte[] message, string? timeout = null)
    {
        var address = server.Addresses.Single(other => other != server.Address);
        using var client = new HttpClient { BaseAddress = new(address), DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        var frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        if (timeout is not null) client.DefaultRequestHeaders.Add("grpc-timeout", timeout);
        using var answer = await client.PostAsync($"/inference.GRPCInferenceService/{name}", new ByteArrayContent(frame) { Headers = { ContentType = new("application/grpc") } });
        var bytes = await answer.Content.ReadAsByteArrayAsync();
        return (answer.TrailingHeaders.GetValues("grpc-status").Single(), bytes.Length > 5 ? bytes[5..] : []);
    }

    [Fact]
    public async Task Grpc_RawAndTypedContents_GiveTheSameTokens()
    {
        await using var server = await TestServer.StartAsync(settings => settings with { GrpcPort = 0 });
        Assert.True(ServerLiveResponse.Parser.ParseFrom((await CallAsync(server, "ServerLive", [])).Message).Live);
        var tensor = new ModelInferRequest.Types.InferInputTensor { Name = "text", Datatype = "BYTES", Shape = { 1 } };
        var raw = new ModelInferRequest { ModelName = "test/echo", Inputs = { tensor.Clone() }, RawInputContents = { ByteString.CopyFrom(3, 0, 0, 0, 97, 98, 99) }, Parameters = { ["shift"] = new() { Int64Param = 1 } } };
        tensor.Contents = new() { BytesContents = { ByteString.CopyFromUtf8("abc") } };
        var typed = new ModelInferRequest { ModelName = "test/echo", Inputs = { tensor }, Parameters = { ["shift"] = new() { StringParam = "1" } } };
        var answers = new List<ModelInferResponse>();
        foreach (var request in new[] { raw, typed }) answers.Add(ModelInferResponse.Parser.ParseFrom((await CallAsync(server, "ModelInfer", request.ToByteArray())).Message));
        Assert.Equal(answers[0], answers[1]);
        Assert.Equal([98, 0, 0, 0, 99, 0, 0, 0, 100, 0, 0, 0], answers[0].RawOutputContents[0].ToByteArray());
        Assert.Equal("test/echo", ModelMetadataResponse.Parser.ParseFrom((await CallAsync(server, "ModelMetadata", new ModelMetadataRequest { Name = "test/echo" }.ToByteArray())).Message).Name);
    }

    [Theory]
    [InlineData("300m", null)]
    [InlineData(null, 300_000)]
    public async Task Grpc_DeadlineOfHeaderOrParameter_IsDeadlineExceeded(string? header, int? microseconds)
    {
        await using var server = await TestServer.StartAsync(settings => settings with { GrpcPort = 0 });
        var request = new ModelInferRequest
        {
            ModelName = "test/echo", Parameters = { ["delay"] = new() { Int64Param = 5_000 } },
            Inputs = { new ModelInferRequest.Types.InferInputTensor { Name = "prompt", Datatype = "BYTES", Shape = { 1 }, Contents = new() { BytesContents = { ByteString.CopyFromUtf8("x") } } } },
        };
        if (microseconds is { } time) request.Parameters["timeout"] = new() { Int64Param = time };
        Assert.Equal("4", (await CallAsync(server, "ModelInfer", request.ToByteArray(), header)).Status);
    }

    [Fact]
    public async Task Grpc_BadRequests_AreStatusesAndTheServerLives()
    {
        await using var server = await TestServer.StartAsync(settings => settings with { GrpcPort = 0 });
        Assert.Equal("5", (await CallAsync(server, "ModelInfer", new ModelInferRequest { ModelName = "test/none" }.ToByteArray())).Status);
        Assert.Equal("3", (await CallAsync(server, "ModelInfer", [0xFF, 0xFF, 0xFF])).Status);
        Assert.Equal("3", (await CallAsync(server, "ModelInfer", new ModelInferRequest { ModelName = "test/echo", Inputs = { new ModelInferRequest.Types.InferInputTensor { Name = "text", Datatype = "BYTES", Shape = { 1 } } } }.ToByteArray())).Status);
        var random = new Random(7);
        for (var i = 0; i < 300; i++)
        {
            var bytes = new byte[random.Next(40)];
            random.NextBytes(bytes);
            await CallAsync(server, "ModelInfer", bytes);
        }

        Assert.Equal("0", (await CallAsync(server, "ServerReady", [])).Status);
    }

    [Fact]
    public void Tensor_AnyBytes_NeverCrash()
    {
        var random = new Random(11);
        string[] types = ["BYTES", "FP32", "INT64", "BOOL", "FP16"];
        for (var i = 0; i < 20_000; i++)
        {
            var data = new byte[random.Next(24)];
            random.NextBytes(data);
            if (data.Length > 4 && random.Next(2) == 0) data.AsSpan(1, 3).Clear();
            var tensor = new InferTensor("x", types[random.Next(types.Length)], [random.Next(-1, 4), random.Next(1, 3)], data);
            var error = Record.Exception(() => _ = tensor.Datatype == "BYTES" ? (object)tensor.ToTexts() : tensor.ToTensor());
            Assert.True(error is null or Contracts.ModelZooException, error?.ToString());
        }
    }
}
