using System.Diagnostics;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>How runs of one network that several requests ask for at once are taken together.</summary>
public sealed record BatchSettings
{
    /// <summary>Most calls in one run; 1 takes each alone.</summary>
    public int Limit { get; init; } = 8;

    /// <summary>Longest time that a run waits for requests that were there a moment ago and are between two steps of their loops.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMilliseconds(2);

    /// <summary>Told the number of calls of each run, for meters.</summary>
    public Action<int>? Observe { get; init; }
}

/// <summary>
/// Takes runs of one network together whose rows do not see each other. Each request keeps its own loop, with its own seed and steps; only at the network they meet. A call that comes alone runs at once; calls that come while
/// another runs are the next batch, so that requests join and leave between steps, and none waits for a batch to fill.
/// </summary>
internal sealed class RowBatcher
{
    private sealed class Call(IReadOnlyDictionary<string, Tensor> inputs, CancellationToken cancel)
    {
        public IReadOnlyDictionary<string, Tensor> Inputs => inputs;
        public CancellationToken Cancel => cancel;
        public TaskCompletionSource<IReadOnlyDictionary<string, Tensor>> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public long Rows { get; } = inputs.Values.First().Shape[0];

        public bool Fits(Call other) => inputs.All(pair => other.Inputs.TryGetValue(pair.Key, out var tensor) && tensor.Type == pair.Value.Type && tensor.Shape[1..].SequenceEqual(pair.Value.Shape[1..]));
    }

    private readonly Session _session;
    private readonly BatchSettings _settings;
    private readonly object _gate = new(); // waited on, which System.Threading.Lock cannot
    private readonly List<Call> _waiting = [];
    private int _away; // requests that got a result and may be back with their next step in a moment
    private bool _isRunning;

    /// <summary>A batcher over a session whose inputs and outputs all have the same symbolic extent in front.</summary>
    /// <exception cref="GraphException">One has not.</exception>
    public RowBatcher(Session session, BatchSettings settings)
    {
        (_session, _settings) = (session, settings);
        var symbol = session.Inputs.Select(port => port.Shape.Count > 0 ? port.Shape[0].Symbol : null).FirstOrDefault();
        if (session.Inputs.Concat(session.Outputs).FirstOrDefault(port => symbol is null || port.Shape.Count == 0 || port.Shape[0].Symbol != symbol) is { } odd)
            throw new GraphException($"The network was declared to have independent rows, but '{odd.Name}' does not begin with their extent.") { Where = session.Name, Expected = symbol ?? "a symbolic first extent", Found = string.Join(", ", odd.Shape) };
    }

    /// <summary>Runs, perhaps with others.</summary>
    public Task<IReadOnlyDictionary<string, Tensor>> RunAsync(IReadOnlyDictionary<string, Tensor> inputs, CancellationToken cancel)
    {
        if (inputs.Count == 0 || inputs.Values.Any(tensor => tensor.Rank == 0 || tensor.Shape[0] != inputs.Values.First().Shape[0])) return Task.Run(() => _session.Run(inputs, null, cancel), cancel); // the session says what is wrong
        var call = new Call(inputs, cancel);
        lock (_gate)
        {
            _waiting.Add(call);
            if (_away > 0) _away--;
            if (_isRunning)
            {
                Monitor.Pulse(_gate);
                return Cancellable(call);
            }

            _isRunning = true;
        }

        _ = Task.Run(Work, CancellationToken.None);
        return Cancellable(call);
    }

    // A call that is given up while it waits leaves the line; one that runs with others is dropped when they are done.
    private Task<IReadOnlyDictionary<string, Tensor>> Cancellable(Call call)
    {
        if (!call.Cancel.CanBeCanceled) return call.Completion.Task;
        var registration = call.Cancel.UnsafeRegister(_ =>
        {
            lock (_gate)
            {
                if (_waiting.Remove(call)) call.Completion.TrySetCanceled(call.Cancel);
            }
        }, null);
        _ = call.Completion.Task.ContinueWith(static (_, state) => ((CancellationTokenRegistration)state!).Dispose(), registration, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return call.Completion.Task;
    }

    private void Work()
    {
        while (Next() is { } batch) Run(batch);
    }

    // The oldest call and those that fit to it. Requests between two steps come back within moments: a short wait keeps a crowd together. Who is not back by then has left.
    private List<Call>? Next()
    {
        lock (_gate)
        {
            for (var deadline = Stopwatch.GetTimestamp() + (long)(_settings.Patience.TotalSeconds * Stopwatch.Frequency); _away > 0 && _waiting.Count < _settings.Limit;)
            {
                var left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), deadline);
                if (left <= TimeSpan.Zero || !Monitor.Wait(_gate, left)) _away = 0;
            }

            if (_waiting.Count == 0)
            {
                _isRunning = false;
                return null;
            }

            var batch = _waiting.Where(_waiting[0].Fits).Take(_settings.Limit).ToList();
            _waiting.RemoveAll(batch.Contains);
            return batch;
        }
    }

    private void Run(List<Call> batch)
    {
        _settings.Observe?.Invoke(batch.Count);
        if (batch is [var alone])
        {
            RunAlone(alone);
            return;
        }

        try
        {
            using var everybodyLeft = new CancellationTokenSource();
            var present = batch.Count;
            var registrations = batch.ConvertAll(call => call.Cancel.UnsafeRegister(_ =>
            {
                if (Interlocked.Decrement(ref present) == 0) everybodyLeft.Cancel();
            }, null));
            try
            {
                var outputs = _session.Run(Gather(batch), null, everybodyLeft.Token);
                Expect(batch.Count);
                Scatter(batch, outputs);
            }
            finally
            {
                foreach (var registration in registrations) registration.Dispose();
            }
        }
#pragma warning disable CA1031 // one bad request must not fail the others: each is tried alone and gets its own error
        catch (Exception)
        {
            foreach (var call in batch) RunAlone(call);
        }
#pragma warning restore CA1031
    }

    // Before the results are out, since the next step may come at once.
    private void Expect(int requests)
    {
        lock (_gate) _away += requests;
    }

    private void RunAlone(Call call)
    {
        try
        {
            var outputs = _session.Run(call.Inputs, null, call.Cancel);
            Expect(1);
            call.Completion.TrySetResult(outputs);
        }
        catch (OperationCanceledException)
        {
            call.Completion.TrySetCanceled(call.Cancel);
        }
#pragma warning disable CA1031 // it belongs to the caller
        catch (Exception error)
        {
            call.Completion.TrySetException(error);
        }
#pragma warning restore CA1031
    }

    private static Dictionary<string, Tensor> Gather(List<Call> batch)
    {
        var rows = batch.Sum(call => call.Rows);
        return batch[0].Inputs.Keys.ToDictionary(name => name, name =>
        {
            var parts = batch.ConvertAll(call => call.Inputs[name]);
            long[] shape = [rows, .. parts[0].Shape[1..]];
            return parts[0].Type switch
            {
                ElementType.Float32 => Join<float>(parts, shape),
                ElementType.Int64 => Join<long>(parts, shape),
                ElementType.Int32 => Join<int>(parts, shape),
                ElementType.Float64 => Join<double>(parts, shape),
                ElementType.Float16 => Join<Half>(parts, shape),
                ElementType.Bool => Join<bool>(parts, shape),
                var type => throw new ModelZooException(ErrorCodes.TensorType, $"Rows of {type} are not taken together."), // each is run alone then
            };
        });
    }

    private static Tensor Join<T>(List<Tensor> parts, long[] shape) where T : unmanaged
    {
        var joined = Tensor.Zeros<T>(shape);
        var at = 0;
        foreach (var part in parts)
        {
            part.As<T>().Span.CopyTo(joined.Span[at..]);
            at += part.Length;
        }

        return joined;
    }

    private static void Scatter(List<Call> batch, IReadOnlyDictionary<string, Tensor> outputs)
    {
        var results = batch.ConvertAll(_ => new Dictionary<string, Tensor>());
        foreach (var (name, tensor) in outputs)
        {
            var at = 0L;
            for (var i = 0; i < batch.Count; at += batch[i++].Rows) results[i].Add(name, Rows(tensor, at, batch[i].Rows));
        }

        for (var i = 0; i < batch.Count; i++)
        {
            if (batch[i].Cancel.IsCancellationRequested) batch[i].Completion.TrySetCanceled(batch[i].Cancel);
            else batch[i].Completion.TrySetResult(results[i]);
        }
    }

    private static Tensor Rows(Tensor tensor, long first, long count)
    {
        long[] shape = [count, .. tensor.Shape[1..]];
        return tensor.Type switch
        {
            ElementType.Float32 => Cut<float>(tensor, first, shape),
            ElementType.Int64 => Cut<long>(tensor, first, shape),
            ElementType.Int32 => Cut<int>(tensor, first, shape),
            ElementType.Float64 => Cut<double>(tensor, first, shape),
            ElementType.Float16 => Cut<Half>(tensor, first, shape),
            ElementType.Bool => Cut<bool>(tensor, first, shape),
            var type => throw new ModelZooException(ErrorCodes.TensorType, $"Rows of {type} are not taken together."),
        };
    }

    private static Tensor<T> Cut<T>(Tensor tensor, long first, long[] shape) where T : unmanaged
    {
        var size = (int)Tensor.Count(shape);
        var row = shape[0] == 0 ? 0 : size / (int)shape[0];
        return Tensor.Create(tensor.As<T>().Span.Slice((int)first * row, size).ToArray(), shape);
    }
}
