using ModelZoo.Contracts;
using ModelZoo.Host.Models;

namespace ModelZoo.Host.Scheduling;

/// <summary>What is asked of a model.</summary>
/// <param name="Model">The model.</param>
/// <param name="Verb">tokenize, detokenize, generate or evaluate.</param>
internal sealed record ModelCall(ModelRequest Model, string Verb);

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
        using var lease = await pool.AcquireAsync(call.Model, cancel).ConfigureAwait(false);
        return await work(lease, cancel).ConfigureAwait(false);
    }
}
