using System.Buffers.Binary;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>
/// What the public clients of the Open Inference Protocol send, byte for byte as their sources write it (tritonclient 2.x for Python and C++, kserve's InferenceRESTClient), and answers read as those clients read them.
/// </summary>
public sealed class OpenInferenceClientsTests
{
    // A text as binary tensor data: its length in four bytes, then the text.
    private static readonly byte[] Abc = [3, 0, 0, 0, (byte)'a', (byte)'b', (byte)'c'];

    private static async Task<Answer> InferAsync(TestServer server, string json, byte[]? raw = null, string path = "v2/models/test/echo/infer", string? type = null, bool alwaysLength = false)
    {
        var head = Encoding.UTF8.GetBytes(json);
        using var content = new ByteArrayContent([.. head, .. raw ?? []]);
        if (type is not null) content.Headers.ContentType = new(type);
        if (raw is not null || alwaysLength) content.Headers.Add("Inference-Header-Content-Length", $"{head.Length}");
        using var answer = await server.Client.PostAsync(path, content);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        var length = answer.Headers.TryGetValues("Inference-Header-Content-Length", out var values) ? int.Parse(values.Single()) : (int?)null;
        return Answer.Read(await answer.Content.ReadAsByteArrayAsync(), length);
    }

    [Fact]
    public async Task TritonPython_Defaults_SendAndReadRawTensors()
    {
        await using var server = await TestServer.StartAsync();
        var answer = await InferAsync(server, """{"id":"r-1","inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":7}}],"parameters":{"binary_data_output":true}}""", Abc);
        Assert.Equal(("r-1", "test/echo"), (answer.Json.GetProperty("id").GetString(), answer.Json.GetProperty("model_name").GetString()));
        Assert.Equal([97, 98, 99], answer.Integers("ids"));
    }

    [Fact]
    public async Task TritonPython_OutputsOneByOne_ComeAsEachWasAskedFor()
    {
        await using var server = await TestServer.StartAsync();
        const string Request = """{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["abc"]}],"outputs":[{"name":"ids","parameters":{"binary_data":BINARY}}],"parameters":{"priority":1,"timeout":5000000,"shift":1}}""";
        var raw = await InferAsync(server, Request.Replace("BINARY", "true", StringComparison.Ordinal));
        Assert.Equal([98, 99, 100], raw.Integers("ids"));
        var plain = await InferAsync(server, Request.Replace("BINARY", "false", StringComparison.Ordinal));
        Assert.Equal([98, 99, 100], plain.Integers("ids"));
    }

    [Fact]
    public async Task TritonCpp_JsonAlone_StillSaysItsLength()
    {
        await using var server = await TestServer.StartAsync();
        var answer = await InferAsync(server, """{"id":"","parameters":{"binary_data_output":true},"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["abc"]}]}""", path: "v2/models/test/echo/versions/1/infer", type: "application/octet-stream", alwaysLength: true);
        Assert.Equal([97, 98, 99], answer.Integers("ids"));
    }

    [Fact]
    public async Task TritonPython_NumbersAndEmptyText_KeepTheirShapes()
    {
        await using var server = await TestServer.StartAsync();
        byte[] floats = [.. BitConverter.GetBytes(1.5f), .. BitConverter.GetBytes(-2f)];
        var answer = await InferAsync(server, """{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}],"parameters":{"binary_data_output":true,"call":"double"}}""", floats);
        Assert.Equal([.. BitConverter.GetBytes(3f), .. BitConverter.GetBytes(-4f)], answer.Raw["y"]);
        Assert.Equal("[1,2]", answer.Output("y").GetProperty("shape").GetRawText());
        var empty = await InferAsync(server, """{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":4}}],"parameters":{"binary_data_output":true}}""", [0, 0, 0, 0]);
        Assert.Equal(("[0]", 0), (empty.Output("ids").GetProperty("shape").GetRawText(), empty.Raw["ids"].Length));
    }

    [Fact]
    public async Task Kserve_RestClient_SendsTheModelsNameToo()
    {
        await using var server = await TestServer.StartAsync();
        Assert.True((await server.Client.GetFromJsonAsync<JsonElement>("v2/health/ready")).GetProperty("ready").GetBoolean());
        Assert.True((await server.Client.GetFromJsonAsync<JsonElement>("v2/health/live")).GetProperty("live").GetBoolean());
        var answer = await InferAsync(server, """{"id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "model_name": "test/echo", "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["abc"]}]}""", type: "application/json");
        Assert.Equal([97, 98, 99], answer.Integers("ids"));
        Assert.True((await server.Client.GetFromJsonAsync<JsonElement>("v2/models/test/echo/ready")).GetProperty("ready").GetBoolean());
        var raw = await InferAsync(server, """{"id":"1","model_name":"test/echo","inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":7}}],"outputs":[{"name":"ids","parameters":{"binary_data":true}}]}""", Abc, type: "application/octet-stream");
        Assert.Equal([97, 98, 99], raw.Integers("ids"));
    }

    [Theory]
    [InlineData("v2/models/test/echo/infer", """{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":8}}],"parameters":{"binary_data_output":true}}""", 400)]
    [InlineData("v2/models/test/none/infer", """{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":7}}]}""", 404)]
    [InlineData("v2/models/test/echo/infer", """{"inputs":[{"name":"text","shape":[1],"datatype":"BYTES","parameters":{"shared_memory_region":"x","shared_memory_byte_size":7}}]}""", 400)]
    public async Task Triton_Errors_AreTheFieldThatItsClientsRaise(string path, string json, int status)
    {
        await using var server = await TestServer.StartAsync();
        var head = Encoding.UTF8.GetBytes(json);
        using var content = new ByteArrayContent([.. head, .. Abc]) { Headers = { { "Inference-Header-Content-Length", $"{head.Length}" } } };
        using var answer = await server.Client.PostAsync(path, content);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.NotEmpty((await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetString()!);
    }

    /// <summary>An answer as tritonclient's InferResult reads it: the JSON, then the outputs with a <c>binary_data_size</c> one after the other.</summary>
    private sealed record Answer(JsonElement Json, IReadOnlyDictionary<string, byte[]> Raw)
    {
        public static Answer Read(byte[] body, int? length)
        {
            var json = JsonDocument.Parse(body.AsMemory(0, length ?? body.Length)).RootElement;
            var (raw, at) = (new Dictionary<string, byte[]>(), length ?? body.Length);
            foreach (var output in json.GetProperty("outputs").EnumerateArray())
            {
                if (!output.TryGetProperty("parameters", out var parameters) || !parameters.TryGetProperty("binary_data_size", out var size)) continue;
                raw[output.GetProperty("name").GetString()!] = body[at..(at += size.GetInt32())];
            }

            Assert.Equal(body.Length, at);
            return new(json, raw);
        }

        public JsonElement Output(string name) => Json.GetProperty("outputs").EnumerateArray().Single(output => output.GetProperty("name").GetString() == name);

        public int[] Integers(string name) => Raw.TryGetValue(name, out var bytes)
            ? [.. Enumerable.Range(0, bytes.Length / 4).Select(i => BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(4 * i)))]
            : [.. Output(name).GetProperty("data").EnumerateArray().Select(value => value.GetInt32())];
    }
}
