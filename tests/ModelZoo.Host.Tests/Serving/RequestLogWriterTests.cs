using Microsoft.Extensions.Logging;
using ModelZoo.Host.Media;
using ModelZoo.Host.Serving.Http;

namespace ModelZoo.Host.Serving.Tests;

public sealed class RequestLogWriterTests
{
    private sealed class Lines(Action? slow = null) : ILogger<RequestLog>
    {
        public List<string> All { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            slow?.Invoke();
            lock (All) All.Add(formatter(state, exception));
        }
    }

    private static RequestLine Line(int i) => new($"r{i}", "GET", "/live", 200, TimeSpan.FromMilliseconds(1.5));

    [Fact]
    public async Task Lines_WrittenBeforeTheStop_AreAllThere()
    {
        var lines = new Lines();
        using var writer = new RequestLogWriter(lines);
        await writer.StartAsync(default);
        for (var i = 0; i < 1000; i++) writer.Write(Line(i));
        await writer.StopAsync(default);
        writer.Write(Line(1000)); // a request that outlived the writer
        Assert.Equal(Enumerable.Range(0, 1001).Select(i => $"r{i} GET /live 200 1.5 ms"), lines.All);
    }

    [Fact]
    public async Task Lines_MoreThanCanBeWritten_AreWrittenByTheRequests()
    {
        using var held = new ManualResetEventSlim();
        var test = Environment.CurrentManagedThreadId;
        var lines = new Lines(() =>
        {
            if (Environment.CurrentManagedThreadId != test) held.Wait();
        });
        using var writer = new RequestLogWriter(lines);
        await Task.Run(() => writer.StartAsync(default));
        test = Environment.CurrentManagedThreadId;
        for (var i = 0; i < 10_000; i++) writer.Write(Line(i));
        Assert.InRange(lines.All.Count, 5000, 10_000); // what the backlog does not hold
        held.Set();
        await writer.StopAsync(default);
        Assert.Equal(10_000, lines.All.Distinct().Count());
    }

    [Fact]
    public void PooledBytes_Growing_KeepsWhatWasWritten()
    {
        var random = new Random(3);
        using var bytes = new PooledBytes(capacity: 1);
        var expected = new List<byte>();
        for (var i = 0; i < 200; i++)
        {
            var part = new byte[random.Next(2000)];
            random.NextBytes(part);
            part.CopyTo(bytes.GetSpan(part.Length));
            bytes.Advance(part.Length);
            expected.AddRange(part);
        }

        Assert.Equal(expected, bytes.Written.ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => bytes.Advance(int.MaxValue));
        Assert.Throws<ArgumentOutOfRangeException>(() => bytes.Advance(-1));
    }
}
