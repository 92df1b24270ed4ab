using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ModelZoo.Benchmarks.Serving;

/// <summary>What answers cost before a line of ours runs, each in a process of its own: a thread that answers bytes with bytes over TCP (the machine's loopback and two wake-ups), and Kestrel with one handler that reads a body and writes an answer.</summary>
internal sealed class BareServer : IDisposable
{
    private readonly Process _process;

    private BareServer(Process process, Uri address) => (_process, Address) = (process, address);

    public Uri Address { get; }

    /// <summary>Starts this program as a bare server.</summary>
    /// <param name="kind"><c>echo</c> or <c>kestrel</c>.</param>
    /// <param name="answer">Bytes of the body of each answer.</param>
    public static async Task<BareServer> StartAsync(string kind, int answer)
    {
        var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["bare", kind, answer.ToString(System.Globalization.CultureInfo.InvariantCulture)]) { RedirectStandardOutput = true })!;
        return new(process, new(await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The bare server did not start.")));
    }

    /// <summary>Serves until it is killed.</summary>
    public static Task RunAsync(string kind, int answer, TextWriter output) => kind == "echo" ? Task.Factory.StartNew(() => Echo(answer, output), TaskCreationOptions.LongRunning) : KestrelAsync(answer, output);

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    // An answer of HTTP, so that the client does the same work.
    private static byte[] Answer(int length) => [.. Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"), .. Body(length)];

    private static byte[] Body(int length) => [.. Enumerable.Repeat((byte)' ', length)];

    // One connection; a request is what one read brings.
    private static void Echo(int answer, TextWriter output)
    {
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        output.WriteLine($"http://{listener.LocalEndPoint}");
        using var socket = listener.Accept();
        socket.NoDelay = true;
        var (bytes, buffer) = (Answer(answer), new byte[1 << 16]);
        while (socket.Receive(buffer) > 0) socket.Send(bytes);
    }

    private static async Task KestrelAsync(int answer, TextWriter output)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        await using var app = builder.Build();
        var (bytes, length) = (Body(answer), answer);
        app.Run(async context =>
        {
            var buffer = new byte[1 << 16];
            while (await context.Request.Body.ReadAsync(buffer) > 0)
            {
            }

            context.Response.ContentLength = length;
            await context.Response.BodyWriter.WriteAsync(bytes);
        });
        await app.StartAsync();
        output.WriteLine(app.Urls.Single());
        await Task.Delay(Timeout.Infinite);
    }
}
