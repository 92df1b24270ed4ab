using System.Diagnostics;
using System.Diagnostics.Metrics;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Scheduling;

/// <summary>Counts requests and measures their time, by model, verb and outcome, in the meter <c>ModelZoo</c>.</summary>
internal sealed class MeteringRunner(IModelRunner inner, ModelMeter meter) : IModelRunner
{
    public async Task<T> RunAsync<T>(ModelCall call, Func<Models.ModelLease, CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        var started = Stopwatch.GetTimestamp();
        var outcome = "ok";
        meter.Running.Add(1);
        try
        {
            return await inner.RunAsync(call, work, cancel).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            outcome = error is OperationCanceledException ? "cancelled" : error is ModelZooException known ? known.Code : "error";
            throw;
        }
        finally
        {
            meter.Running.Add(-1);
            // Names that do not exist are one series: clients can make up any number of them.
            meter.Seconds.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, new("model", outcome == ErrorCodes.ModelUnknown ? "unknown" : call.Model.Id.ToString()), new("verb", call.Verb), new("outcome", outcome));
        }
    }
}

/// <summary>The host's instruments.</summary>
internal sealed class ModelMeter : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string Name = "ModelZoo";

    private readonly Meter _meter = new(Name);

    public ModelMeter()
    {
        Running = _meter.CreateUpDownCounter<long>("modelzoo.requests.running", description: "Requests that wait or run.");
        Seconds = _meter.CreateHistogram<double>("modelzoo.request.duration", "s", "Time from request to result, waiting included.");
        BatchSize = _meter.CreateHistogram<long>("modelzoo.batch.size", description: "Requests that a run of a network with independent rows took together.");
    }

    public UpDownCounter<long> Running { get; }

    public Histogram<double> Seconds { get; }

    public Histogram<long> BatchSize { get; }

    public void Dispose() => _meter.Dispose();
}
