using ModelZoo.Contracts;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Scheduling;

/// <summary>A request in a line.</summary>
internal sealed class Ticket(RequestTerms terms, long arrived)
{
    private readonly TaskCompletionSource _turn = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public RequestTerms Terms => terms;

    /// <summary>When it joined, as a timestamp of the line's clock.</summary>
    public long Arrived => arrived;

    /// <summary>Ends when it may run; fails when it was refused.</summary>
    public Task Turn => _turn.Task;

    private bool _left;

    /// <summary>True the first time; guarded by the lock of the line's owner.</summary>
    internal bool TryLeave() => !_left && (_left = true);

    internal void Admit() => _turn.SetResult();

    internal void Refuse(ModelZooException why) => _turn.SetException(why);
}

/// <summary>
/// Those who run on one model and those who wait for it. A place that gets free goes to the best level of priority, where each <see cref="QueueSettings.Ageing"/> of waiting lifts a request by one level, so that none starves; within
/// a level to the client that runs least here, then to the one that was served longest ago; and within a client in the order of arrival. A full line refuses the last request of the client that holds most of it, so that one
/// client cannot shut out the others. Its owner locks.
/// </summary>
internal sealed class WaitingLine(ModelId model, TimeProvider clock)
{
    private sealed class Client
    {
        public int Waiting;
        public int Running;
        public long Served;
    }

    private readonly List<Ticket> _waiting = []; // in order of arrival
    private readonly HashSet<Ticket> _running = [];
    private readonly Dictionary<string, Client> _clients = [];
    private long _served;

    public int Waiting => _waiting.Count;

    public int Running => _running.Count;

    public bool IsEmpty => _waiting.Count == 0 && _running.Count == 0;

    /// <summary>Puts a request in line; its turn may have come when this returns, or it, or another in its stead, may have been refused.</summary>
    public Ticket Join(RequestTerms terms, QueueSettings settings)
    {
        var ticket = new Ticket(terms, clock.GetTimestamp());
        if (!_clients.TryGetValue(terms.Client, out var client)) _clients.Add(terms.Client, client = new());
        _waiting.Add(ticket);
        client.Waiting++;
        Advance(settings);
        if (_waiting.Count <= settings.Limit) return ticket;

        // The newest of the worst level; of clients that hold equally much, the newcomer.
        var most = _clients.Values.Max(other => other.Waiting);
        var greedy = client.Waiting == most ? terms.Client : _clients.First(pair => pair.Value.Waiting == most).Key;
        var refused = _waiting.Where(other => other.Terms.Client == greedy).Reverse().MaxBy(other => Level(other, settings))!;
        Drop(refused);
        refused.Refuse(new("queue.full", $"{settings.Limit} requests wait for {model} already.") { Remedy = "Ask again later, or raise queue.limit in plugins.json." });
        return ticket;
    }

    /// <summary>Takes a request out, whether it waited, ran or was refused; others may get their turn.</summary>
    public void Leave(Ticket ticket, QueueSettings settings)
    {
        if (_running.Remove(ticket))
        {
            _clients[ticket.Terms.Client].Running--;
            Forget(ticket.Terms.Client);
        }
        else
        {
            Drop(ticket);
        }

        Advance(settings);
    }

    private void Advance(QueueSettings settings)
    {
        while (_running.Count < settings.Concurrency && _waiting.Count > 0)
        {
            var next = _waiting.Count == 1 ? _waiting[0] : _waiting.MinBy(ticket => (Level(ticket, settings), _clients[ticket.Terms.Client].Running, _clients[ticket.Terms.Client].Served))!;
            var client = _clients[next.Terms.Client];
            _waiting.Remove(next);
            _running.Add(next);
            client.Waiting--;
            client.Running++;
            client.Served = ++_served;
            next.Admit();
        }
    }

    private int Level(Ticket ticket, QueueSettings settings) => Math.Max(RequestTerms.First, ticket.Terms.Priority - (int)(clock.GetElapsedTime(ticket.Arrived) / settings.Ageing));

    private void Drop(Ticket ticket)
    {
        if (!_waiting.Remove(ticket)) return;
        _clients[ticket.Terms.Client].Waiting--;
        Forget(ticket.Terms.Client);
    }

    private void Forget(string client)
    {
        if (_clients[client] is { Waiting: 0, Running: 0 }) _clients.Remove(client);
    }
}
