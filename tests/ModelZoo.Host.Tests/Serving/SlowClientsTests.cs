using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>Clients that send a byte now and then, to hold what others need (slow-loris).</summary>
public sealed class SlowClientsTests
{
    private const int Connections = 20;

    public static TheoryData<string, string> Drips => new()
    {
        { "headers", "POST /v1/models/test/echo/tokenize HTTP/1.1\r\nHost: localhost\r\nX-Slow: " },
        { "nothing", "" },
        { "a body of known length", "POST /v1/models/test/echo/tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n" },
        { "a form", "POST /v1/models/test/echo/tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"x\"; filename=\"x.txt\"\r\n\r\n" },
        { "JSON of unknown length", "POST /v2/models/test/echo/infer HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" },
    };

    [Theory, MemberData(nameof(Drips))]
    public async Task Connections_ThatDrip_AreCutOffAndOthersAreServed(string what, string begin)
    {
        await using var server = await TestServer.StartAsync(settings => settings with
        {
            HeaderTime = TimeSpan.FromSeconds(2), IdleTime = TimeSpan.FromSeconds(2), DataRate = new MinDataRate(bytesPerSecond: 1000, gracePeriod: TimeSpan.FromSeconds(2)), ConnectionLimit = Connections + 4,
        });
        var drip = what switch { "nothing" => [], "JSON of unknown length" => Encoding.ASCII.GetBytes("1\r\n[\r\n"), _ => "a"u8.ToArray() };
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var slow = Enumerable.Range(0, Connections).Select(_ => DripAsync(new(server.Address), Encoding.ASCII.GetBytes(begin), drip, stop.Token)).ToList();
        while (slow.Exists(connection => !connection.IsCompleted))
        {
            using var answer = await server.Client.PostAsJsonAsync("/v1/models/test/echo/tokenize", new { input = "abc" }, stop.Token);
            Assert.True(answer.IsSuccessStatusCode);
            await Task.Delay(200, stop.Token);
        }

        await Task.WhenAll(slow);
        Assert.Contains("modelzoo_requests_running 0\n", await server.Client.GetStringAsync("/metrics", stop.Token), StringComparison.Ordinal);
    }

    // Ends when the server closes the connection.
    private static async Task DripAsync(Uri address, byte[] begin, byte[] drip, CancellationToken cancel)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(address.Host, address.Port, cancel);
        await socket.SendAsync(begin, cancel);
        var closed = ClosedAsync(socket, cancel);
        try
        {
            while (await Task.WhenAny(closed, Task.Delay(100, cancel)) != closed) await socket.SendAsync(drip, cancel);
        }
        catch (SocketException)
        {
            // closed while it sent
        }

        await closed;
        cancel.ThrowIfCancellationRequested();
    }

    private static async Task ClosedAsync(Socket socket, CancellationToken cancel)
    {
        var buffer = new byte[4096];
        try
        {
            while (await socket.ReceiveAsync(buffer, cancel) > 0)
            {
                // what it answers does not matter
            }
        }
        catch (SocketException)
        {
            // reset is closed as well
        }
    }
}
