using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Samplers that run to their end and report on the way, as streams.</summary>
internal static class StepsOf
{
    /// <summary>Runs on the thread pool; gives what is reported, in order, and fails as the run does. A reader that leaves stops the run at its next report.</summary>
    /// <param name="run">The run; it reports a step and its state.</param>
    /// <param name="cancel">Stops the run.</param>
    public static async IAsyncEnumerable<(int Step, T State)> RunAsync<T>(Action<Action<int, T>> run, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var reports = Channel.CreateUnbounded<(int, T)>(new() { SingleReader = true, SingleWriter = true });
        var running = Task.Run(() => Complete(reports.Writer, () => run((step, state) =>
        {
            stop.Token.ThrowIfCancellationRequested();
            reports.Writer.TryWrite((step, state));
        })), CancellationToken.None);
        try
        {
            await foreach (var report in reports.Reader.ReadAllAsync(cancel).ConfigureAwait(false))
            {
                // What was reported before a cancellation is not read after it.
                cancel.ThrowIfCancellationRequested();
                yield return report;
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await running.ConfigureAwait(false);
        }
    }

    private static void Complete<T>(ChannelWriter<T> reports, Action run)
    {
        try
        {
            run();
            reports.Complete();
        }
        catch (Exception error)
        {
            reports.Complete(error);
        }
    }
}
