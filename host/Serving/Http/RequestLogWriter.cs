using System.Threading.Channels;

namespace ModelZoo.Host.Serving.Http;

/// <summary>A request that ended.</summary>
internal readonly record struct RequestLine(string Id, string Method, string? Path, int Status, TimeSpan Elapsed);

/// <summary>Writes the lines of requests beside them, so that no request waits for the log. When more come than can be written, the requests write theirs themselves, and are slowed down by it: none is lost.</summary>
internal sealed class RequestLogWriter(ILogger<RequestLog> log) : BackgroundService
{
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
        await foreach (var line in _lines.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false)) Log(line);
    }

    private void Log(in RequestLine line) =>
        log.LogInformation("{RequestId} {Method} {Path} {Status} {Milliseconds:0.0} ms", line.Id, line.Method, line.Path, line.Status, line.Elapsed.TotalMilliseconds);
}
