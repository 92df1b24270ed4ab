using System.Buffers.Text;
using System.Net.Sockets;
using System.Text;

namespace ModelZoo.Benchmarks.Serving;

/// <summary>A kept-alive HTTP/1.1 connection that does no more than it must: it writes bytes that were made before, and reads an answer to its end. What a client's library costs is not the server's.</summary>
internal sealed class RawConnection : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _buffer = new byte[1 << 20];

    /// <summary>Connects.</summary>
    public static async Task<RawConnection> OpenAsync(Uri address)
    {
        var connection = new RawConnection();
        await connection._socket.ConnectAsync(address.Host, address.Port);
        return connection;
    }

    /// <summary>Connects for <see cref="Send"/>: a socket that was ever used asynchronously waits for another thread even in calls that block.</summary>
    public static RawConnection Open(Uri address)
    {
        var connection = new RawConnection();
        connection._socket.Connect(address.Host, address.Port);
        return connection;
    }

    /// <summary>The bytes of a request.</summary>
    public static byte[] Request(string method, string path, string accept, string type, ReadOnlySpan<byte> body) =>
        [.. Encoding.ASCII.GetBytes($"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n{(body.Length == 0 ? "" : $"Content-Type: {type}\r\nContent-Length: {body.Length}\r\n")}\r\n"), .. body];

    /// <summary>Sends a request and reads its answer.</summary>
    /// <returns>The status.</returns>
    public async Task<int> SendAsync(byte[] request)
    {
        await _socket.SendAsync(request);
        var (read, length) = (0, -1);
        while (length < 0 || read < length) Received(await _socket.ReceiveAsync(_buffer.AsMemory(read)), ref read, ref length);
        return Status();
    }

    /// <summary>The same on this thread alone, which the system wakes itself: no other thread of the client has to run before it.</summary>
    public int Send(byte[] request)
    {
        _socket.Send(request);
        var (read, length) = (0, -1);
        while (length < 0 || read < length) Received(_socket.Receive(_buffer.AsSpan(read)), ref read, ref length);
        return Status();
    }

    private void Received(int count, ref int read, ref int length)
    {
        if (count == 0) throw new IOException("The server closed the connection.");
        read += count;
        if (length < 0) length = Length(_buffer.AsSpan(0, read));
    }

    private int Status() => Utf8Parser.TryParse(_buffer.AsSpan(9), out int status, out _) ? status : throw new IOException("This is no answer of HTTP.");

    public void Dispose() => _socket.Dispose();

    // Of the whole answer; -1 while it is not known.
    private static int Length(ReadOnlySpan<byte> answer)
    {
        var end = answer.IndexOf("\r\n\r\n"u8);
        if (end < 0) return -1;
        var head = answer[..end];
        var at = head.IndexOf("Content-Length: "u8);
        if (at >= 0) return Utf8Parser.TryParse(head[(at + 16)..], out int length, out _) ? end + 4 + length : throw new IOException("This is no length.");
        return answer.EndsWith("\r\n0\r\n\r\n"u8) ? answer.Length : -1; // in chunks
    }
}
