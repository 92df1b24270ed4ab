using System.Collections.Concurrent;
using ModelZoo.Host.Models;

namespace ModelZoo.Host.Scheduling;

/// <summary>Which calls have answered so quickly of late that a thread of their own costs more than they do.</summary>
internal sealed class Paces
{
    /// <summary>So many quick answers in a row make a call quick.</summary>
    public const int Enough = 16;

    /// <summary>The longest time of a quick answer.</summary>
    public static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(1);

    private readonly ConcurrentDictionary<(ModelRequest Model, string Verb), int> _inARow = new(); // of models that answered: clients can make up any number of other names

    /// <summary>True for a single-shot call, without a deadline to keep, on a model that has answered such calls quickly.</summary>
    public bool IsQuick(ModelCall call) => call is { Verb: "tokenize" or "detokenize", Terms.Deadline: null } && _inARow.TryGetValue((call.Model, call.Verb), out var count) && count >= Enough;

    /// <summary>Takes note of an answer.</summary>
    public void Answered(ModelCall call, TimeSpan time)
    {
        if (time > Quick) Forget(call);
        else if (!IsQuick(call)) _inARow.AddOrUpdate((call.Model, call.Verb), 1, static (_, count) => Math.Min(count + 1, Enough));
    }

    /// <summary>Takes note of a call that was slow.</summary>
    public void Forget(ModelCall call) => _inARow.TryRemove((call.Model, call.Verb), out _);
}
