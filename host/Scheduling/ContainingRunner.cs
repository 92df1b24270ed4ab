using ModelZoo.Contracts;

namespace ModelZoo.Host.Scheduling;

/// <summary>Turns what a plugin throws into an error that names the plugin; cancellation and the host's own errors pass.</summary>
internal sealed class ContainingRunner(IModelRunner inner) : IModelRunner
{
    public async Task<T> RunAsync<T>(ModelCall call, Func<Models.ModelLease, CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        try
        {
            return await inner.RunAsync(call, work, cancel).ConfigureAwait(false);
        }
        catch (Exception error) when (error is not ModelZooException && !(error is OperationCanceledException && cancel.IsCancellationRequested))
        {
            // Only text of the plugin's exception is kept: the exception itself would hold its load context.
            throw new ModelZooException(ErrorCodes.PluginFailed, $"{call.Model.Id} failed in {call.Verb}: {error.GetType().Name}: {error.Message}")
            { Where = Place(error), Remedy = "This is a fault of the plugin; tell its author." };
        }
    }

    private static string? Place(Exception error) => error.StackTrace?.Split('\n').Select(line => line.Trim()).FirstOrDefault(line => !line.Contains("System.", StringComparison.Ordinal));
}
