using ModelZoo.Contracts;
using ModelZoo.Host.Models;

namespace ModelZoo.Host.Scheduling;

/// <summary>What is asked of a model.</summary>
/// <param name="Model">The model.</param>
/// <param name="Verb">tokenize, detokenize, generate or evaluate.</param>
internal sealed record ModelCall(ModelRequest Model, string Verb)
{
    /// <summary>The verb of those who only look at a model.</summary>
    public const string Look = "info";

    /// <summary>Whose it is, how urgent, and until when.</summary>
    public RequestTerms Terms { get; init; } = RequestTerms.None;

    /// <summary>Gives the call's place in the queue to another before it has ended; null when it has none.</summary>
    public Action? GiveBack { get; init; }
}

/// <summary>Runs work on a leased model. Everything that is true of every verb (queueing, metering, cancellation, containment) is a decorator of this.</summary>
internal interface IModelRunner
{
    /// <summary>Runs <paramref name="work"/> with the model open.</summary>
    /// <exception cref="ModelZooException">The model cannot be had, or the work failed.</exception>
    Task<T> RunAsync<T>(ModelCall call, Func<ModelLease, CancellationToken, Task<T>> work, CancellationToken cancel);
}

/// <summary>The innermost runner: leases the model.</summary>
internal sealed class ModelRunner(ModelPool pool) : IModelRunner
{
    public async Task<T> RunAsync<T>(ModelCall call, Func<ModelLease, CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        using var lease = await LeaseAsync(call, cancel).ConfigureAwait(false);
        using var run = ModelMeter.Spans.StartActivity("run");
        run?.SetTag("modelzoo.device", lease.Resident.Source.Device);
        return await work(lease, cancel).ConfigureAwait(false);
    }

    private async Task<ModelLease> LeaseAsync(ModelCall call, CancellationToken cancel)
    {
        using var span = ModelMeter.Spans.StartActivity("load");
        return await pool.AcquireAsync(call.Model, cancel).ConfigureAwait(false);
    }
}
