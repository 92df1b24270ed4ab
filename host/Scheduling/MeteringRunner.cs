using System.Diagnostics;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Scheduling;

/// <summary>Counts requests and measures their time, by model, verb and outcome; a span goes around each.</summary>
internal sealed class MeteringRunner(IModelRunner inner, ModelMeter meter) : IModelRunner
{
    public async Task<T> RunAsync<T>(ModelCall call, Func<Models.ModelLease, CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        using var span = ModelMeter.Spans.StartActivity(call.Verb);
        span?.SetTag("modelzoo.model", call.Model.Id.ToString()).SetTag("modelzoo.verb", call.Verb).SetTag("modelzoo.priority", call.Terms.Priority);
        var started = Stopwatch.GetTimestamp();
        var outcome = "ok";
        meter.Began();
        try
        {
            return await inner.RunAsync(call, work, cancel).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            outcome = error is OperationCanceledException ? "cancelled" : error is ModelZooException known ? known.Code : "error";
            span?.SetStatus(ActivityStatusCode.Error, outcome);
            throw;
        }
        finally
        {
            span?.SetTag("modelzoo.outcome", outcome);
            meter.Ended(outcome == ErrorCodes.ModelUnknown ? "unknown" : call.Model.Id.ToString(), call.Verb, outcome, Stopwatch.GetElapsedTime(started));
        }
    }
}
