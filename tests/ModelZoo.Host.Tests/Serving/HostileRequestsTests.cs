using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;

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
