using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using ModelZoo.Host.Serving.OpenInference.Wire;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>Bodies that break the rules of their form, each with the status and the code that say so.</summary>
public sealed class MalformedBodiesTests
{
    private const string Tokenize = "/v1/models/test/echo/tokenize", Infer = "/v2/models/test/echo/infer", Json = "application/json", Form = "multipart/form-data; boundary=b";

    private static readonly string Deep = new('[', 100_000);

    public static TheoryData<string, string, string, int, string> Bodies => new()
    {
        // JSON
        { Tokenize, Json, "", 400, "request.malformed" },
        { Tokenize, Json, "nul", 400, "request.malformed" },
        { Tokenize, Json, """{"input":"a",}""", 400, "request.malformed" },
        { Tokenize, Json, """{"input":"a","input":"b"}""", 400, "request.malformed" },
        { Tokenize, Json, """{"input":"\ud800"}""", 400, "request.malformed" },
        { Tokenize, Json, """{"input":"a"} {"input":"b"}""", 400, "request.malformed" },
        { Tokenize, Json, """{"input":"a","seed":1e999}""", 400, "request.malformed" },
        { Tokenize, Json, """{"input":"a","options":[1]}""", 400, "request.malformed" },
        { Tokenize, Json, Deep, 400, "request.malformed" },
        { "/v1/models/test/echo/evaluate", Json, Deep, 400, "request.malformed" },
        { "/v1/completions", Json, Deep, 400, "request.malformed" },
        { Infer, Json, Deep, 400, "" },

        // base64
        { Tokenize, Json, """{"input":{"type":"audio/wav","data":"UklG="}}""", 422, "media.malformed" },
        { Tokenize, Json, """{"input":{"type":"audio/wav","data":"UklG\u0000UklG"}}""", 422, "media.malformed" },
        { Tokenize, Json, """{"input":{"type":"audio/wav","data":7}}""", 422, "media.malformed" },
        { Tokenize, Json, """{"input":{"type":"image/png","data":"iVBORw0KGgo="}}""", 422, "media.malformed" },
        { Tokenize, Json, """{"input":{"type":"application/vnd.safetensors","data":"//////////8="}}""", 422, "checkpoint.malformed" },
        { Tokenize, Json, """{"input":{"type":"no/type","data":""}}""", 422, "media.malformed" },

        // multipart
        { Tokenize, "multipart/form-data", "x", 400, "request.malformed" },
        { Tokenize, "multipart/form-data; boundary=", "x", 400, "request.malformed" },
        { Tokenize, Form, "", 422, "media.unsupported" },
        { Tokenize, Form, "--b\r\nContent-Disposition: form-data; name=\"input\"\r\n\r\nhi", 400, "request.malformed" },
        { Tokenize, Form, "--b\r\nContent-Disposition: form-data; name=\"input\"\r\nX: " + new string('x', 100_000) + "\r\n\r\nhi\r\n--b--\r\n", 400, "request.malformed" },
        { Tokenize, Form, "--b\r\nContent-Disposition: form-data; name=\"options\"\r\n\r\n{\r\n--b\r\nContent-Disposition: form-data; name=\"input\"\r\n\r\nhi\r\n--b--\r\n", 400, "request.malformed" },
        { Tokenize, Form, "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\nContent-Type: no/type\r\n\r\nhi\r\n--b--\r\n", 415, "request.media-type" },
        { Tokenize, "application/x-www-form-urlencoded", "input=%zz&seed=x", 422, "options.wrong-type" },

        // texts that are none
        { Tokenize, "text/plain", "\u00ff\u00fe", 422, "media.malformed" },
        { Tokenize, "application/vnd.safetensors", "\u0008\u0000", 422, "checkpoint.malformed" },
    };

    [Theory, MemberData(nameof(Bodies))]
    public async Task Body_Malformed_SaysSoWithItsStatus(string path, string type, string body, int status, string code)
    {
        await using var server = await TestServer.StartAsync();
        using var content = new ByteArrayContent(Encoding.Latin1.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var answer = await server.Client.PostAsync(path, content);
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(status, (int)answer.StatusCode);
        if (problem.TryGetProperty("code", out var found)) Assert.Equal(code, found.GetString());
        else Assert.NotEqual(JsonValueKind.Undefined, problem.GetProperty("error").ValueKind); // the protocols have their own forms
        using var next = await server.Client.PostAsJsonAsync(Tokenize, new { input = "abc" });
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
    }

    public static TheoryData<string, byte[]> Frames
    {
        get
        {
            var message = new ModelInferRequest { ModelName = "test/echo", Inputs = { new ModelInferRequest.Types.InferInputTensor { Name = "text", Datatype = "BYTES", Shape = { 1 } } }, RawInputContents = { ByteString.CopyFrom(3, 0, 0, 0, 97, 98, 99) } };
            static byte[] Frame(byte[] message, int length, byte flag = 0)
            {
                var frame = new byte[5 + message.Length];
                frame[0] = flag;
                BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), length);
                message.CopyTo(frame, 5);
                return frame;
            }

            var right = message.ToByteArray();
            var more = message.Clone();
            more.RawInputContents.Add(ByteString.CopyFrom(1));
            var cut = message.Clone();
            cut.RawInputContents[0] = ByteString.CopyFrom(9, 0, 0, 0, 97);
            var shape = message.Clone();
            shape.Inputs[0].Shape[0] = -5;
            return new()
            {
                { "nothing", [] }, { "half a head", [0, 0] }, { "a length beyond the body", Frame(right, right.Length + 7) }, { "a length before its end", Frame(right, 3) }, { "a compressed message", Frame(right, right.Length, 1) },
                { "half a message", Frame(right[..^4], right.Length - 4) }, { "a field of no type", Frame([0x0F, 0x01], 2) }, { "a length that goes round", Frame([0x2A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], 6) },
                { "more raw inputs than inputs", Frame(more.ToByteArray(), more.CalculateSize()) }, { "a text longer than its bytes", Frame(cut.ToByteArray(), cut.CalculateSize()) }, { "a shape below nothing", Frame(shape.ToByteArray(), shape.CalculateSize()) },
            };
        }
    }

    [Theory, MemberData(nameof(Frames))]
    public async Task Grpc_Malformed_IsInvalidArgument(string what, byte[] frame)
    {
        await using var server = await TestServer.StartAsync(settings => settings with { GrpcPort = 0 });
        using var client = new HttpClient { BaseAddress = new(server.Addresses.Single(other => other != server.Address)), DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var answer = await client.PostAsync("/inference.GRPCInferenceService/ModelInfer", new ByteArrayContent(frame) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } });
        await answer.Content.CopyToAsync(Stream.Null);
        Assert.True(answer.TrailingHeaders.GetValues("grpc-status").Single() == "3", $"{what}: {answer.TrailingHeaders}");
    }
}
