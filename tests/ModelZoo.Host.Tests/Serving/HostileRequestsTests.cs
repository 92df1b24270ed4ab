using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>Clients that are broken or mean: each gets its status, and the server goes on.</summary>
public sealed class HostileRequestsTests
{
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

    /// <summary>Options that name files reach no further than data sets do, whatever protocol says them.</summary>
    [Theory]
    [InlineData("own.txt", 200)]
    [InlineData("../secret.txt", 400)]
    [InlineData("/etc/hostname", 400)]
    [InlineData("away/secret.txt", 400)]
    [InlineData("none.txt", 422)]
    public async Task Option_NamesAFile_IsConfinedToTheDataFolder(string suffix, int expected)
    {
        await using var server = await TestServer.StartAsync();
        File.WriteAllText(Path.Combine(server.Folder, "data", "own.txt"), "!");
        File.WriteAllText(Path.Combine(server.Folder, "secret.txt"), "secret");
        Directory.CreateSymbolicLink(Path.Combine(server.Folder, "data", "away"), server.Folder);
        var parameters = new { verb = "generate", suffix };
        foreach (var (path, body) in new (string, object)[]
        {
            ("/v1/models/test/echo/generate", new { prompt = "x", options = new { suffix } }),
            ("/v2/models/test/echo/infer", new { parameters, inputs = new[] { new { name = "prompt", datatype = "BYTES", shape = new[] { 1 }, data = new[] { "x" } } } }),
        })
        {
            using var answer = await server.Client.PostAsJsonAsync(path, body);
            var text = await answer.Content.ReadAsStringAsync();
            Assert.Equal(expected == 200 ? 200 : path.StartsWith("/v2", StringComparison.Ordinal) ? 400 : expected, (int)answer.StatusCode);
            Assert.Equal(expected == 200, text.Contains("x!:", StringComparison.Ordinal));
            Assert.DoesNotContain("xsecret", text, StringComparison.Ordinal);
        }

        Assert.Contains("\"format\":\"path\"", await server.Client.GetStringAsync("/v1/models/test/echo"), StringComparison.Ordinal);
    }

    /// <summary>A hundred bytes that claim 64 million pixels get no room for them, in whatever form they come.</summary>
    [Fact]
    public async Task Picture_ClaimsFarMoreThanItHolds_IsRefusedBeforeRoomIsMade()
    {
        await using var server = await TestServer.StartAsync();
        using var png = new MemoryStream();
        Media.PngWriter.Write(png, new Image(Tensor.Create(new float[64 * 64], 1, 64, 64)));
        var bytes = png.ToArray();
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(16), 8192);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(20), 8192);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(29), Crc(bytes.AsSpan(12, 17)));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<MediaException>(() => Media.PngReader.Read(bytes, "a picture"));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        using var bare = await server.Client.PostAsync("/v1/models/test/echo/tokenize", new ByteArrayContent(bytes) { Headers = { ContentType = new("image/png") } });
        Assert.Equal(422, (int)bare.StatusCode);
        Assert.Contains("media.malformed", await bare.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var (status, _) = await server.PostAsync("/v1/models/test/echo/tokenize", new { input = new { type = "image/png", data = bytes } });
        Assert.Equal(422, status);

        static uint Crc(ReadOnlySpan<byte> bytes)
        {
            var crc = ~0u;
            foreach (var value in bytes)
            {
                crc ^= value;
                for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? 0xEDB88320u ^ (crc >> 1) : crc >> 1;
            }

            return ~crc;
        }
    }

    /// <summary>Browsers ask first whether another site may; no answer allows it.</summary>
    [Fact]
    public async Task Preflight_OfAnotherSite_IsNotAllowed()
    {
        await using var server = await TestServer.StartAsync();
        using var request = new HttpRequestMessage(HttpMethod.Options, "/v1/models/test/echo/tokenize") { Headers = { { "Origin", "http://elsewhere.example" }, { "Access-Control-Request-Method", "POST" } } };
        using var answer = await server.Client.SendAsync(request);
        Assert.Equal(403, (int)answer.StatusCode);
        Assert.DoesNotContain(answer.Headers, header => header.Key.StartsWith("Access-Control", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Compressed_Body_IsRefusedUnread()
    {
        await using var server = await TestServer.StartAsync();
        using var answer = await server.Client.PostAsync("/v1/models/test/echo/tokenize", new ByteArrayContent([0x1F, 0x8B]) { Headers = { ContentType = new("text/plain"), ContentEncoding = { "gzip" } } });
        Assert.Equal(415, (int)answer.StatusCode);
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
}
