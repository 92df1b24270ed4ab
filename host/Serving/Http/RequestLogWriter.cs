using System.Threading.Channels;

namespace ModelZoo.Host.Serving.Http;

/// <summary>A request that ended.</summary>
internal readonly record struct RequestLine(string Id, string Method, string? Path, int Status, TimeSpan Elapsed);

/// <summary>
/// Writes the lines of requests beside them, so that no request waits for the log. It looks for lines every <see cref="Interval"/> and is not woken for each: a thread that formats a line while the answer travels takes a core from the
/// next request. When more come than can be written, the requests write theirs themselves, and are slowed down by it: none is lost.
/// </summary>
internal sealed partial class RequestLogWriter(ILogger<RequestLog> log) : BackgroundService
{
    /// <summary>The longest time that a line waits to be written.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private const int Backlog = 4096;

    private readonly Channel<RequestLine> _lines = Channel.CreateBounded<RequestLine>(new BoundedChannelOptions(Backlog) { SingleReader = true });

    /// <summary>Has a line written.</summary>
    public void Write(in RequestLine line)
    {
        if (log.IsEnabled(LogLevel.Information) && !_lines.Writer.TryWrite(line)) Log(line);
    }

    /// <summary>Writes what is left.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _lines.Writer.TryComplete();
        await (ExecuteTask ?? Task.CompletedTask).WaitAsync(cancellationToken).ConfigureAwait(false);
        await base.StopAsync(cancellationToken).ConfigureAwait(false);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!_lines.Reader.Completion.IsCompleted)
        {
            while (_lines.Reader.TryRead(out var line)) Log(line);
            await Task.WhenAny(_lines.Reader.Completion, Task.Delay(Interval, CancellationToken.None)).ConfigureAwait(false);
        }
    }

    private void Log(in RequestLine line) => LogRequest(line.Id, line.Method, line.Path, line.Status, line.Elapsed.TotalMilliseconds);

    [LoggerMessage(LogLevel.Information, "{RequestId} {Method} {Path} {Status} {Milliseconds:0.0} ms", SkipEnabledCheck = true)]
    private partial void LogRequest(string requestId, string method, string? path, int status, double milliseconds);
}
