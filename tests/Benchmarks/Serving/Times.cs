using System.Diagnostics;
using System.Globalization;

namespace ModelZoo.Benchmarks.Serving;

/// <summary>Times of calls, in microseconds.</summary>
internal sealed class Times(string name)
{
    private readonly List<double> _times = [];

    /// <summary>Calls and takes the time.</summary>
    public async Task AddAsync(Func<Task> call)
    {
        var started = Stopwatch.GetTimestamp();
        await call();
        Add(Stopwatch.GetElapsedTime(started));
    }

    public void Add(TimeSpan time) => _times.Add(time.TotalMicroseconds);

    public double At(double share)
    {
        _times.Sort();
        return _times[(int)Math.Min(_times.Count - 1, share * _times.Count)];
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{name}: p10 {At(0.1):0} µs, p50 {At(0.5):0} µs, p95 {At(0.95):0} µs, p99 {At(0.99):0} µs, p99.9 {At(0.999):0} µs, max {At(1):0} µs");
}
