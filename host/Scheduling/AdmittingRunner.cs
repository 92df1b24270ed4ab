using ModelZoo.Contracts;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Scheduling;

/// <summary>Lets so many requests run on one model at a time, and so many wait, so long.</summary>
internal sealed class AdmittingRunner(IModelRunner inner, HostManifest manifest, TimeProvider clock) : IModelRunner
{
    private readonly QueueSettings _settings = manifest.Queue ?? new();
    private readonly Lock _lock = new();
    private readonly Dictionary<ModelId, Gate> _gates = [];

    // A gate is there while somebody uses it: clients can make up any number of names.
    private sealed class Gate(int concurrency)
    {
        public readonly SemaphoreSlim Free = new(concurrency);
        public int Users;
        public int Waiting;
    }

    public async Task<T> RunAsync<T>(ModelCall call, Func<Models.ModelLease, CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        var gate = Enter(call.Model.Id);
        try
        {
            if (!gate.Free.Wait(0, CancellationToken.None)) await WaitAsync(gate, call, cancel).ConfigureAwait(false);
            try
            {
                return await inner.RunAsync(call, work, cancel).ConfigureAwait(false);
            }
            finally
            {
                gate.Free.Release();
            }
        }
        finally
        {
            Exit(call.Model.Id, gate);
        }
    }

    private Gate Enter(ModelId id)
    {
        lock (_lock)
        {
            if (!_gates.TryGetValue(id, out var gate)) _gates.Add(id, gate = new(_settings.Concurrency));
            gate.Users++;
            return gate;
        }
    }

    private void Exit(ModelId id, Gate gate)
    {
        lock (_lock)
        {
            if (--gate.Users == 0) _gates.Remove(id);
        }
    }

    private async Task WaitAsync(Gate gate, ModelCall call, CancellationToken cancel)
    {
        if (Interlocked.Increment(ref gate.Waiting) > _settings.Limit)
        {
            Interlocked.Decrement(ref gate.Waiting);
            throw new ModelZooException("queue.full", $"{_settings.Limit} requests wait for {call.Model.Id} already.") { Remedy = "Ask again later, or raise queue.limit in plugins.json." };
        }

        using var deadline = new CancellationTokenSource(_settings.Deadline, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, deadline.Token);
        try
        {
            await gate.Free.WaitAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new ModelZooException("queue.deadline", $"{call.Model.Id} was busy for {_settings.Deadline.TotalSeconds:0.#} s.") { Remedy = "Ask again later, or raise queue.deadlineSeconds in plugins.json." };
        }
        finally
        {
            Interlocked.Decrement(ref gate.Waiting);
        }
    }
}
