using ModelZoo.Contracts;

namespace ModelZoo.Host.Scheduling;

/// <summary>Ends a request at the deadline that its client set: one that waits never runs, and one that runs is cancelled within a step.</summary>
internal sealed class DeadlineRunner(IModelRunner inner, TimeProvider clock) : IModelRunner
{
    public async Task<T> RunAsync<T>(ModelCall call, Func<Models.ModelLease, CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        if (call.Terms.Deadline is not { } deadline) return await inner.RunAsync(call, work, cancel).ConfigureAwait(false);
        var left = deadline.Left(clock);
        if (left <= TimeSpan.Zero) throw Passed(call, deadline, ran: false);

        using var timer = new CancellationTokenSource(left, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, timer.Token);
        var ran = false;
        try
        {
            return await inner.RunAsync(call, (lease, stop) =>
            {
                stop.ThrowIfCancellationRequested();
                ran = true;
                return work(lease, stop);
            }, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (timer.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw Passed(call, deadline, ran);
        }
    }

    private static ModelZooException Passed(ModelCall call, Deadline deadline, bool ran) => new("request.deadline", $"{call.Model.Id} did not {call.Verb} within the {deadline.Timeout.TotalSeconds:0.###} s that the request gave it.")
    {
        Found = ran ? "it ran, and was stopped" : "it waited for its turn, and never ran", Remedy = "Give it more time, or ask when the server is less busy.",
    };
}
