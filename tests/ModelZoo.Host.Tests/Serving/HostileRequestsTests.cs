using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>Clients that are broken or mean: each gets its status, and the server goes on.</summary>
public sealed class HostileRequestsTests
{
    private static readonly (string Path, string Type, string Body)[] Seeds =
    [
        ("/v1/models/test/echo/tokenize", "application/json", """{"input":"abc","options":{"shift":2}}"""),
        ("/v1/models/test/echo/tokenize", "application/json", """{"input":{"type":"audio/wav","data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="}}"""),
        ("/v1/models/test/echo/tokenize", "application/json", """{"input":{"type":"image/png","data":"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="}}"""),
        ("/v1/models/test/echo/detokenize", "application/json", """{"input":{"format":"modelzoo.tokens/1","model":"test/echo","layout":"flat","vocabulary_sizes":[65545],"vocabulary_digest":"units","source_length":0,"shape":[2],"ids":[97,98]}}"""),
        ("/v1/models/test/echo/generate", "application/json", """{"prompt":"hi","seed":7}"""),
        ("/v1/models/test/echo/generate", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nhi\r\n--b\r\nContent-Disposition: form-data; name=\"options\"\r\n\r\n{\"delay\":0}\r\n--b--\r\n"),
        ("/v1/models/test/echo/evaluate", "application/json", """{"data":"none","limit":1}"""),
        ("/v2/models/test/echo/infer", "application/json", """{"id":"1","inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["abc"]}]}"""),
        ("/v1/chat/completions", "application/json", """{"model":"test/echo","messages":[{"role":"user","content":"hi"}]}"""),
        ("/v1/completions", "application/json", """{"model":"test/echo","prompt":"hi","seed":3}"""),
    ];

    [Fact]
    public async Task Mutations_OfEveryRoute_GetAStatusBelow500AndTheServerGoesOn()
    {
        await using var server = await TestServer.StartAsync(settings => settings with { BodyLimit = 1 << 16 });
        var random = new Random(23);
        for (var i = 0; i < 5000; i++)
        {
            var (path, type, body) = Seeds[random.Next(Seeds.Length)];
            using var content = new ByteArrayContent(Mutate(Encoding.UTF8.GetBytes(body), random));
            content.Headers.TryAddWithoutValidation("Content-Type", type);
            if (random.Next(8) == 0) content.Headers.TryAddWithoutValidation("Inference-Header-Content-Length", $"{random.Next(-2, 200)}");
            using var answer = await server.Client.PostAsync(path, content);
            Assert.True((int)answer.StatusCode < 500, $"{(int)answer.StatusCode} for {path}: {Encoding.UTF8.GetString(await content.ReadAsByteArrayAsync())}\n{await answer.Content.ReadAsStringAsync()}");
        }

        var (status, _) = await server.PostAsync("/v1/models/test/echo/tokenize", new { input = "abc" });
        Assert.Equal(200, status);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: localhost\r\nX: ", false)]
    [InlineData("POST /v1/models/test/echo/tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\nabc", true)]
    [InlineData("POST /v1/models/test/echo/tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\nabc", true)]
    [InlineData("\0\0\0\0", true)]
    public async Task Connection_CutInTheMiddle_LeavesNothingBehind(string sent, bool reset)
    {
        await using var server = await TestServer.StartAsync();
        var address = new Uri(server.Address);
        for (var i = 0; i < 20; i++)
        {
            using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await client.ConnectAsync(address.Host, address.Port);
            await client.SendAsync(Encoding.Latin1.GetBytes(sent));
            if (reset) client.LingerState = new(true, 0);
        }

        using var answer = await server.Client.PostAsJsonAsync("/v1/models/test/echo/tokenize", new { input = "abc" });
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Contains("modelzoo_requests_running 0\n", await server.Client.GetStringAsync("/metrics"));
    }

    [Fact]
    public async Task Requests_ManyAtOnce_AllAnswerAndNothingStays()
    {
        await using var server = await TestServer.StartAsync();
        await server.PostAsync("/v1/models/test/echo/tokenize", new { input = "warm" });
        await Parallel.ForEachAsync(Enumerable.Range(0, 3000), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (i, stop) =>
        {
            using var answer = await server.Client.PostAsJsonAsync("/v1/models/test/echo/tokenize", new { input = $"text {i}" }, stop);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        });
        Assert.Contains("modelzoo_request_duration_seconds_count{model=\"test/echo\",verb=\"tokenize\",outcome=\"ok\"} 3001\n", await server.Client.GetStringAsync("/metrics"));
        Assert.Contains("modelzoo_requests_running 0\n", await server.Client.GetStringAsync("/metrics"));
    }

    [Fact]
    public async Task Job_DiskFull_IsRefusedAndTheServerGoesOn()
    {
        // A file where the folder should be fails as a full disk does, on every system.
        await using var server = await TestServer.StartAsync(settings =>
        {
            File.WriteAllText(settings.JobFolder, "");
            return settings;
        });
        File.WriteAllText(Path.Combine(server.Folder, "data", "a.txt"), "text");
        using var answer = await server.Client.PostAsJsonAsync("/v1/models/test/echo/evaluate", new { data = "." });
        Assert.Equal(507, (int)answer.StatusCode);
        using var list = await server.Client.GetAsync("/v1/jobs");
        Assert.Equal(HttpStatusCode.OK, list.StatusCode);
    }

    private static byte[] Mutate(byte[] bytes, Random random)
    {
        for (var n = random.Next(4); n > 0 && bytes.Length > 0; n--)
        {
            var at = random.Next(bytes.Length);
            switch (random.Next(5))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes = bytes[..at]; break;
                case 2: bytes = [.. bytes[..at], .. bytes[random.Next(bytes.Length)..]]; break;
                case 3: bytes = [.. bytes[..at], .. Encoding.UTF8.GetBytes(new[] { "[", "{\"a\":", "null", "-1", "1e999", "\"\\ud800\"", "99999999999999999999" }[random.Next(7)]), .. bytes[at..]]; break;
                default: bytes = [.. bytes[..at], .. Enumerable.Repeat((byte)'[', 200), .. bytes[at..]]; break;
            }
        }

        return bytes;
    }
}
