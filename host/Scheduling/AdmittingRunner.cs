using System.Diagnostics.Metrics;
using ModelZoo.Contracts;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Scheduling;

/// <summary>Lets so many requests run on one model at a time, and so many wait, so long: see <see cref="WaitingLine"/> for whose turn it is.</summary>
internal sealed class AdmittingRunner : IModelRunner
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ModelId, WaitingLine> _lines = []; // each is there while somebody is in it: clients can make up any number of names
    private readonly IModelRunner _inner;
    private readonly LiveManifest _manifest;
    private readonly ModelMeter _meter;
    private readonly TimeProvider _clock;

    public AdmittingRunner(IModelRunner inner, LiveManifest manifest, ModelMeter meter, TimeProvider clock)
    {
        (_inner, _manifest, _meter, _clock) = (inner, manifest, meter, clock);
        meter.ObserveQueues(Lengths);
    }

    public async Task<T> RunAsync<T>(ModelCall call, Func<Models.ModelLease, CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        if (call.Verb == ModelCall.Look) return await _inner.RunAsync(call, work, cancel).ConfigureAwait(false); // else a request that looks before it asks would wait twice
        var ticket = Join(call);
        try
        {
            using (ModelMeter.Spans.StartActivity("queue"))
            {
                if (!ticket.Turn.IsCompletedSuccessfully) await WaitAsync(ticket, call, cancel).ConfigureAwait(false);
            }

            var waited = _clock.GetElapsedTime(ticket.Arrived);
            return await _inner.RunAsync(call with { GiveBack = () => Leave(call, ticket) }, (lease, stop) =>
            {
                _meter.Waited(lease.Resident.Id, call.Verb, waited);
                return work(lease, stop);
            }, cancel).ConfigureAwait(false);
        }
        finally
        {
            Leave(call, ticket);
        }
    }

    private List<Measurement<int>> Lengths()
    {
        lock (_lock)
        {
            return [.. _lines.SelectMany(line => new Measurement<int>[] { new(line.Value.Running, new("model", line.Key.ToString()), new("state", "running")), new(line.Value.Waiting, new("model", line.Key.ToString()), new("state", "waiting")) })];
        }
    }

    private Ticket Join(ModelCall call)
    {
        lock (_lock)
        {
            if (!_lines.TryGetValue(call.Model.Id, out var line)) _lines.Add(call.Model.Id, line = new(call.Model.Id, _clock));
            return line.Join(call.Terms, _manifest.Queue);
        }
    }

    private void Leave(ModelCall call, Ticket ticket)
    {
        lock (_lock)
        {
            if (!ticket.TryLeave()) return;
            var line = _lines[call.Model.Id];
            line.Leave(ticket, _manifest.Queue);
            if (line.IsEmpty) _lines.Remove(call.Model.Id);
        }
    }

    private async Task WaitAsync(Ticket ticket, ModelCall call, CancellationToken cancel)
    {
        var longest = _manifest.Queue.Deadline;
        using var deadline = new CancellationTokenSource(longest, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, deadline.Token);
        try
        {
            await ticket.Turn.WaitAsync(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new ModelZooException("queue.deadline", $"{call.Model.Id} was busy for {longest.TotalSeconds:0.#} s.") { Remedy = "Ask again later, or raise queue.deadlineSeconds in plugins.json." };
        }
    }
}
