using System.Diagnostics;
using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>
/// Calls of one network in the order in which they came. One run at a time takes the oldest and those that fit to it. Each request keeps its own loop; only at the network they meet. A call that comes alone runs at once; calls that come while another
/// runs are the next batch, so that requests join and leave between steps, and none waits for a batch to fill.
/// </summary>
/// <typeparam name="TCall">What waits.</typeparam>
internal sealed class CallLine<TCall> where TCall : BatchCall
{
    private readonly BatchSettings _settings;
    private readonly Func<TCall, TCall, bool> _fits;
    private readonly Func<IReadOnlyList<TCall>, CancellationToken, IReadOnlyList<IReadOnlyDictionary<string, Tensor>>> _run;
    private readonly Lock _gate = new();
    private readonly List<TCall> _waiting = [];
    private readonly List<object> _away = []; // requests that loop, got a result, and will be back with their next step in a moment
    private readonly List<object> _seen = []; // requests that got their first result: nobody waits for them, since they may not loop
    private TimeSpan _lastRun;
    private long _ended;
    private int _runs;
    private bool _isRunning, _isPatient;

    /// <summary>A line.</summary>
    /// <param name="settings">How many run together, and how long they wait for each other.</param>
    /// <param name="fits">Whether two calls may be in one run.</param>
    /// <param name="run">Runs calls that fit together; gives the outputs of each, in order.</param>
    public CallLine(BatchSettings settings, Func<TCall, TCall, bool> fits, Func<IReadOnlyList<TCall>, CancellationToken, IReadOnlyList<IReadOnlyDictionary<string, Tensor>>> run) => (_settings, _fits, _run) = (settings, fits, run);

    /// <summary>Runs, perhaps with others. The last to come back of a crowd that is between two steps runs for all, on its own thread.</summary>
    public Task<IReadOnlyDictionary<string, Tensor>> RunAsync(TCall call)
    {
        if (call.Cancel.IsCancellationRequested) return Task.FromCanceled<IReadOnlyDictionary<string, Tensor>>(call.Cancel);
        var result = Cancellable(call);
        bool runs, isLast;
        lock (_gate)
        {
            _waiting.Add(call);
            call.Loops |= _seen.Remove(call.Request) || _away.Remove(call.Request); // in this order: requests without a token of their own are alike, and each must be known to loop in the end
            isLast = call.Loops && _waiting.Count > 1;
            runs = MayRun();
        }

        if (runs && isLast) RunBatch();
        else if (runs) _ = Task.Run(RunBatch, CancellationToken.None);
        return result;
    }

    /// <summary>A request that may have got a result will not be back.</summary>
    public void Leave(object request)
    {
        bool runs;
        lock (_gate)
        {
            _away.Remove(request);
            runs = MayRun();
        }

        if (runs) _ = Task.Run(RunBatch, CancellationToken.None);
    }

    // A call that is given up while it waits leaves the line; one that runs with others is dropped when they are done.
    private Task<IReadOnlyDictionary<string, Tensor>> Cancellable(TCall call)
    {
        if (!call.Cancel.CanBeCanceled) return call.Completion.Task;
        var registration = call.Cancel.UnsafeRegister(_ =>
        {
            bool waited;
            lock (_gate) waited = _waiting.Remove(call);
            if (waited) call.Completion.TrySetCanceled(call.Cancel);
        }, null);
        _ = call.Completion.Task.ContinueWith(static (_, state) => ((CancellationTokenRegistration)state!).Dispose(), registration, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return call.Completion.Task;
    }

    private TimeSpan Patience => _lastRun / 2 > _settings.Patience ? _lastRun / 2 : _settings.Patience;

    // Under the gate. Requests between two steps come back within moments: a short wait keeps a crowd together.
    private bool MayRun()
    {
        if (_isRunning || _waiting.Count == 0) return false;
        if (Stopwatch.GetElapsedTime(_ended) > Patience) _away.Clear();
        if (_away.Count == 0 || _waiting.Count >= _settings.Limit) return _isRunning = true;
        if (!_isPatient) _ = WaitAsync(Patience, _runs);
        _isPatient = true;
        return false;
    }

    // Who is not back by then has left.
    private async Task WaitAsync(TimeSpan patience, int runs)
    {
        await Task.Delay(patience).ConfigureAwait(false);
        lock (_gate)
        {
            if (runs != _runs || _isRunning) return;
            _away.Clear();
            _isPatient = false;
            if (!MayRun()) return;
        }

        RunBatch();
    }

    private void RunBatch()
    {
        List<TCall> batch;
        lock (_gate)
        {
            batch = [.. _waiting.Where(call => call == _waiting[0] || _fits(_waiting[0], call)).Take(_settings.Limit)];
            _waiting.RemoveAll(batch.Contains);
        }

        var finished = Run(batch);
        bool runs;
        lock (_gate)
        {
            (_isRunning, _isPatient) = (false, false);
            _runs++;
            _ended = Stopwatch.GetTimestamp();
            foreach (var (call, _) in finished) (call.Loops ? _away : _seen).Add(call.Request); // before the results are out, since the next step may come at once
            if (_seen.Count > 2 * _settings.Limit) _seen.RemoveRange(0, _seen.Count - 2 * _settings.Limit);
            runs = MayRun();
        }

        if (runs) _ = Task.Run(RunBatch, CancellationToken.None);
        foreach (var (call, outputs) in finished) call.Completion.TrySetResult(outputs);
    }

    // Gives those that succeeded; the others know already.
    private List<(TCall Call, IReadOnlyDictionary<string, Tensor> Outputs)> Run(List<TCall> batch)
    {
        if (batch.Count == 0) return []; // given up meanwhile
        _settings.Observe?.Invoke(batch.Count);
        using var everybodyLeft = new CancellationTokenSource();
        var present = batch.Count;
        var registrations = batch.ConvertAll(call => call.Cancel.UnsafeRegister(_ =>
        {
            if (Interlocked.Decrement(ref present) == 0) everybodyLeft.Cancel();
        }, null));
        var began = Stopwatch.GetTimestamp();
        try
        {
            var outputs = _run(batch, everybodyLeft.Token);
            _lastRun = Stopwatch.GetElapsedTime(began);
            foreach (var call in batch.Where(call => call.Cancel.IsCancellationRequested)) call.Completion.TrySetCanceled(call.Cancel);
            return [.. batch.Zip(outputs).Where(pair => !pair.First.Cancel.IsCancellationRequested)];
        }
        catch (OperationCanceledException) when (everybodyLeft.IsCancellationRequested)
        {
            foreach (var call in batch) call.Completion.TrySetCanceled(call.Cancel);
            return [];
        }
#pragma warning disable CA1031 // it belongs to the callers
        catch (Exception error)
        {
            if (batch is [var alone])
            {
                alone.Completion.TrySetException(error);
                return [];
            }
        }
#pragma warning restore CA1031
        finally
        {
            foreach (var registration in registrations) registration.Dispose();
        }

        // One bad request must not fail the others: each is tried alone and gets its own error.
        return [.. batch.SelectMany(call => Run([call]))];
    }
}
