using ModelZoo.Contracts;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Scheduling.Tests;

/// <summary>Whose turn it is: the line's laws, on chosen and on drawn arrivals.</summary>
public sealed class WaitingLineTests
{
    private readonly ManualClock _clock = new();
    private readonly WaitingLine _line;
    private QueueSettings _settings = new() { Concurrency = 1, Limit = 1000, Ageing = TimeSpan.FromSeconds(5) };

    public WaitingLineTests() => _line = new(ModelId.Parse("test/a"), _clock);

    private Ticket Join(string client = "a", int priority = RequestTerms.Usual) => _line.Join(new() { Client = client, Priority = priority }, _settings);

    private static bool Runs(Ticket ticket) => ticket.Turn.IsCompletedSuccessfully;

    // The one that runs leaves, and the next is given back.
    private Ticket Next(ref Ticket running, IEnumerable<Ticket> waiting)
    {
        _line.Leave(running, _settings);
        return running = waiting.Single(ticket => Runs(ticket) && ticket != _left);
    }

    private Ticket? _left;

    private List<Ticket> Order(Ticket running, List<Ticket> waiting)
    {
        var order = new List<Ticket>();
        while (waiting.Count > 0)
        {
            _left = running;
            order.Add(Next(ref running, waiting));
            waiting.Remove(running);
        }

        _line.Leave(running, _settings);
        return order;
    }

    [Fact]
    public void Join_HigherPriority_IsServedEarlier_AndEqualsInOrderOfArrival()
    {
        var running = Join();
        List<Ticket> waiting = [Join(priority: 9), Join(priority: 5), Join(priority: 1), Join(priority: 5), Join(priority: 1)];
        Assert.Equal([waiting[2], waiting[4], waiting[1], waiting[3], waiting[0]], Order(running, [.. waiting]));
        Assert.True(_line.IsEmpty);
    }

    [Fact]
    public void Join_OneClientWithAThousand_AnotherIsNext()
    {
        var running = Join("greedy");
        var many = Enumerable.Range(0, 999).Select(_ => Join("greedy")).ToList();
        var one = Join("modest");
        _line.Leave(running, _settings);
        Assert.True(Runs(one));
        Assert.DoesNotContain(many, Runs);
    }

    [Fact]
    public void Join_TwoClientsWithMany_SharePlacesEvenly()
    {
        _settings = _settings with { Concurrency = 4 };
        var all = Enumerable.Range(0, 40).Select(_ => Join("a")).Concat(Enumerable.Range(0, 40).Select(_ => Join("b"))).ToList();
        var running = all.Where(Runs).ToList();
        var served = new List<string>();
        while (served.Count < 40)
        {
            var first = running[0];
            running.RemoveAt(0);
            _line.Leave(first, _settings);
            var next = all.Single(ticket => Runs(ticket) && !running.Contains(ticket) && !_done.Contains(ticket) && ticket != first);
            _done.Add(first);
            running.Add(next);
            served.Add(next.Terms.Client);
        }

        Assert.Equal(2, running.Count(ticket => ticket.Terms.Client == "a"));
        Assert.InRange(served.Count(client => client == "b"), 20, 22);
    }

    private readonly HashSet<Ticket> _done = [];

    [Fact]
    public void Wait_LowestPriorityUnderAStreamOfTheHighest_IsServedOnceItAged()
    {
        var running = Join("rude", priority: 1);
        var patient = Join("modest", priority: 9);
        var steps = 0;
        for (; !Runs(patient); steps++)
        {
            var next = Join("rude", priority: 1);
            _clock.Advance(TimeSpan.FromSeconds(1));
            _line.Leave(running, _settings);
            running = next;
        }

        Assert.Equal(40, steps); // eight levels of five seconds each
    }

    [Fact]
    public void Join_FullLine_RefusesTheLastOfWhoeverHoldsMost()
    {
        _settings = _settings with { Limit = 3 };
        var running = Join("greedy");
        List<Ticket> waiting = [Join("greedy", 1), Join("greedy", 9), Join("greedy", 5)];
        var more = Join("greedy");
        Assert.Equal(("queue.full", false), (Refusal(waiting[1])?.Code, more.Turn.IsCompleted)); // its own least urgent one
        var modest = Join("modest");
        Assert.Equal(("queue.full", false), (Refusal(more)?.Code, modest.Turn.IsCompleted));
        Assert.Equal("queue.full", Refusal(Join("modest", 9))?.Code is { } code ? code : Refusal(waiting[2])?.Code);
        Assert.Equal(3, _line.Waiting);
        _line.Leave(running, _settings);
    }

    private static ModelZooException? Refusal(Ticket ticket) => ticket.Turn.Exception?.InnerException as ModelZooException;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void AnyArrivals_NeverMoreThanMayRunOrWait_AndEveryoneIsServedRefusedOrLeaves(int seed)
    {
        var random = new Random(seed);
        var all = new List<Ticket>();
        var here = new List<Ticket>();
        for (var i = 0; i < 5000; i++)
        {
            _settings = _settings with { Concurrency = 1 + (i / 500 % 4), Limit = 20 }; // a reload changes them in between
            if (random.Next(2) == 0)
            {
                var ticket = Join($"c{random.Next(5)}", random.Next(1, 10));
                all.Add(ticket);
                here.Add(ticket);
            }
            else if (here.Count > 0)
            {
                var ticket = here[random.Next(here.Count)];
                here.Remove(ticket);
                _line.Leave(ticket, _settings); // whether it runs, waits or was refused
            }

            _clock.Advance(TimeSpan.FromSeconds(random.NextDouble()));
            Assert.True(_line.Waiting <= _settings.Limit);
            Assert.Equal(here.Count(Runs), _line.Running);
            Assert.Equal(here.Count(ticket => !ticket.Turn.IsCompleted), _line.Waiting);
            Assert.True(_line.Waiting == 0 || _line.Running >= _settings.Concurrency, "a place is free while somebody waits");
        }

        foreach (var ticket in here) _line.Leave(ticket, _settings);
        Assert.True(_line.IsEmpty);
    }
}
