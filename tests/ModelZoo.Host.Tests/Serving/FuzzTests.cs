using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Google.Protobuf;
using ModelZoo.Host.Serving.OpenInference.Wire;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>Requests of every route with bytes changed, cut, doubled and put in: the real server gives each a status below 500, lives, and grows no further. The environment variable MODELZOO_FUZZ has their number.</summary>
public sealed class FuzzTests : IDisposable
{
    private const long Growth = 96L << 20;

    private static readonly int Requests = int.TryParse(Environment.GetEnvironmentVariable("MODELZOO_FUZZ"), out var count) ? count : 4000;

    private static readonly (string Path, string Type, string Body)[] Seeds =
    [
        ("/v1/models/test/echo/tokenize", "application/json", """{"input":"abc","options":{"shift":2}}"""),
        ("/v1/models/test/echo/tokenize?shift=1", "text/plain", "hello"),
        ("/v1/models/test/echo/tokenize", "application/json", """{"input":{"type":"audio/wav","data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="}}"""),
        ("/v1/models/test/echo/tokenize", "application/json", """{"input":{"type":"image/png","data":"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="}}"""),
        ("/v1/models/test/echo/tokenize", "application/json", """{"input":{"type":"application/vnd.safetensors","data":"QAAAAAAAAAB7ImEiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzFdLCJkYXRhX29mZnNldHMiOlswLDRdfX0gICAgICAgIAAAgD8="}}"""),
        ("/v1/models/test/echo/tokenize", "application/json", """{"input":{"type":"model/obj","data":"diAwIDAgMAp2IDEgMCAwCnYgMCAxIDAKZiAxIDIgMwo="}}"""),
        ("/v1/models/test%2Fecho/detokenize", "application/json", """{"input":{"format":"modelzoo.tokens/1","model":"test/echo","layout":"flat","vocabulary_sizes":[65545],"vocabulary_digest":"units","source_length":0,"shape":[2],"ids":[97,98]}}"""),
        ("/v1/models/test/echo/generate", "application/json", """{"prompt":"hi","seed":7}"""),
        ("/v1/models/test/story/generate", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nhi\r\n--b\r\nContent-Disposition: form-data; name=\"options\"\r\n\r\n{\"delay\":0}\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--b--\r\n"),
        ("/v1/models/test/picture/generate", "application/x-www-form-urlencoded", "prompt=a%20dot&seed=3"),
        ("/v1/models/test/echo/evaluate", "application/json", """{"data":"none","limit":1,"options":{"shift":1}}"""),
        ("/v2/models/test/echo/infer", "application/json", """{"id":"1","inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["abc"]}]}"""),
        ("/v2/models/test/echo/infer", "application/json", """{"parameters":{"call":"double"},"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[1.5,2]]}],"outputs":[{"name":"y","parameters":{"binary_data":true}}]}"""),
        ("/v2/repository/index", "application/json", """{"ready":true}"""),
        ("/v1/chat/completions", "application/json", """{"model":"test/story","temperature":0.5,"messages":[{"role":"system","content":"x"},{"role":"user","content":[{"type":"text","text":"hi"}]}]}"""),
        ("/v1/completions", "application/json", """{"model":"test/story","prompt":"hi","seed":3,"stream":true,"stream_options":{"include_usage":true}}"""),
        ("/v1/images/generations", "application/json", """{"model":"test/picture","prompt":"hi","n":2,"response_format":"b64_json"}"""),
        ("/v1/audio/speech", "application/json", """{"model":"test/tone","input":"hi","voice":"x","response_format":"wav"}"""),
        ("/v1/embeddings", "application/json", """{"model":"test/vector","input":["a","b"],"encoding_format":"base64"}"""),
        ("/v1/figure", "application/x-npy", "\u0093NUMPY"),
        ("/v1/models", "application/json", ""),
        ("/v1/jobs/20260101T000000-aaaaaaaa", "application/json", ""),
    ];

    private static readonly string[] Methods = ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"];

    private static readonly (string Name, string[] Values)[] Headers =
    [
        ("Inference-Header-Content-Length", ["-1", "0", "7", "99999999999", "x"]), ("Accept", ["text/event-stream", "application/json", "*/*;q=0", ";;", "application/vnd.safetensors"]), ("X-Request-Id", ["a", "a b", "{}"]),
        ("Content-Encoding", ["gzip", "x"]), ("Authorization", ["Bearer", "Bearer x", "Basic eDp5"]), ("Origin", ["null", "http://127.0.0.1"]), ("Expect", ["100-continue"]), ("Range", ["bytes=0-0"]),
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("fuzz-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Mutations_OfEveryRoute_GetAStatusBelow500AndTheServerGoesOn()
    {
        await using var server = (await RealServer.StartAsync(_folder))!;
        var warm = Requests / 2; // by then every path was taken many times
        await SendAsync(server, 0, warm);
        server.Process.Refresh();
        var before = server.Process.WorkingSet64;
        await SendAsync(server, warm, Requests);
        server.Process.Refresh();
        Assert.False(server.Process.HasExited);
        Assert.True(server.Process.WorkingSet64 - before < Growth, $"{before >> 20} MB became {server.Process.WorkingSet64 >> 20} MB");
        Assert.Contains("modelzoo_requests_running 0\n", await server.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
        Assert.Equal("1.0.0:a:0", await (await server.Client.PostAsync("/v1/models/test/echo/generate?prompt=a", null)).Content.ReadAsStringAsync());
    }

    private static Task SendAsync(RealServer server, int first, int end) => Parallel.ForEachAsync(Enumerable.Range(first, end - first), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, cancel) =>
    {
        var random = new Random(i);
        if (random.Next(12) == 0)
        {
            Assert.NotEmpty(await GrpcAsync(server, random, cancel));
            return;
        }

        using var request = Request(random);
        var status = await StatusAsync(server, request, cancel);
        Assert.True(status is >= 200 and < 500, $"request {i}: {status} for {request.Method} {request.RequestUri}\n{request.Headers}{request.Content?.Headers}\n{Encoding.UTF8.GetString(await request.Content!.ReadAsByteArrayAsync(cancel))}");
    });

    private static HttpRequestMessage Request(Random random)
    {
        var (path, type, body) = Seeds[random.Next(Seeds.Length)];
        if (random.Next(8) == 0) path = Encoding.Latin1.GetString(Mutate(Encoding.Latin1.GetBytes(path), random));
        var request = new HttpRequestMessage(random.Next(16) == 0 ? new(Methods[random.Next(Methods.Length)]) : HttpMethod.Post, new Uri("/" + Uri.EscapeDataString(path).Replace("%2F", "/", StringComparison.Ordinal).Replace("%3F", "?", StringComparison.Ordinal).Replace("%3D", "=", StringComparison.Ordinal).TrimStart('/'), UriKind.Relative))
        {
            Content = new ByteArrayContent(Mutate(Encoding.Latin1.GetBytes(body), random)),
        };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", random.Next(16) == 0 ? Encoding.ASCII.GetString(Mutate(Encoding.ASCII.GetBytes(type), random)).ReplaceLineEndings("") : type);
        if (random.Next(4) == 0)
        {
            var (name, values) = Headers[random.Next(Headers.Length)];
            if (!request.Headers.TryAddWithoutValidation(name, values[random.Next(values.Length)])) request.Content.Headers.TryAddWithoutValidation(name, values[random.Next(values.Length)]);
        }

        return request;
    }

    private static async Task<int> StatusAsync(RealServer server, HttpRequestMessage request, CancellationToken cancel)
    {
        try
        {
            using var answer = await server.Client.SendAsync(request, cancel);
            await answer.Content.CopyToAsync(Stream.Null, cancel);
            return (int)answer.StatusCode;
        }
        catch (HttpRequestException error) when (error.InnerException is FormatException or IOException)
        {
            return 400; // the client itself would not send it, or was cut off while it did
        }
    }

    private static async Task<string> GrpcAsync(RealServer server, Random random, CancellationToken cancel)
    {
        var message = Mutate(new ModelInferRequest
        {
            ModelName = "test/echo", Id = "1", Inputs = { new ModelInferRequest.Types.InferInputTensor { Name = "text", Datatype = "BYTES", Shape = { 1 }, Contents = new() { BytesContents = { ByteString.CopyFromUtf8("abc") } } } }, Parameters = { ["shift"] = new() { Int64Param = 1 } },
        }.ToByteArray(), random);
        var frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        using var content = new ByteArrayContent(random.Next(8) == 0 ? Mutate(frame, random) : frame) { Headers = { ContentType = new MediaTypeHeaderValue("application/grpc") } };
        using var answer = await server.Grpc.PostAsync($"/inference.GRPCInferenceService/{(random.Next(4) == 0 ? "ModelMetadata" : "ModelInfer")}", content, cancel);
        await answer.Content.CopyToAsync(Stream.Null, cancel);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return answer.TrailingHeaders.GetValues("grpc-status").Single();
    }

    private static byte[] Mutate(byte[] bytes, Random random)
    {
        for (var n = random.Next(4); n > 0 && bytes.Length > 0; n--)
        {
            var at = random.Next(bytes.Length);
            switch (random.Next(6))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes = bytes[..at]; break;
                case 2: bytes = [.. bytes[..at], .. bytes[random.Next(bytes.Length)..]]; break;
                case 3: bytes = [.. bytes[..at], .. Encoding.UTF8.GetBytes(new[] { "[", "{\"a\":", "null", "-1", "1e999", "\"\\ud800\"", "99999999999999999999", "%00", "../" }[random.Next(9)]), .. bytes[at..]]; break;
                case 4: bytes = [.. bytes[..at], .. bytes]; break;
                default: bytes = [.. bytes[..at], .. Enumerable.Repeat((byte)'[', 200), .. bytes[at..]]; break;
            }
        }

        return bytes;
    }
}
