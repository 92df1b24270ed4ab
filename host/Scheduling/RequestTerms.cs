using ModelZoo.Host.Hosting;

namespace ModelZoo.Host.Scheduling;

/// <summary>What a request asks of the queue, and what it may reach, whatever protocol said it.</summary>
internal sealed record RequestTerms
{
    /// <summary>The level that is served first.</summary>
    public const int First = 1;

    /// <summary>The level of requests that name none.</summary>
    public const int Usual = 5;

    /// <summary>The level that is served last.</summary>
    public const int Last = 9;

    /// <summary>The terms of a request that sets none.</summary>
    public static RequestTerms None { get; } = new();

    /// <summary>Whose request it is; clients share a model evenly.</summary>
    public string Client { get; init; } = "";

    /// <summary>From <see cref="First"/> to <see cref="Last"/>, as Triton counts: a lower number is served earlier.</summary>
    public int Priority { get; init; } = Usual;

    /// <summary>When the answer is of no use any more; null for never.</summary>
    public Deadline? Deadline { get; init; }

    /// <summary>The folder that the request's options may name files in; null for everywhere, as on the command line.</summary>
    public DataFolder? Data { get; init; }

    /// <summary>These terms under what the body of the same request says: its priority counts, and of two deadlines the nearer.</summary>
    public RequestTerms Under(int? priority, TimeSpan? timeout, TimeProvider clock)
    {
        var deadline = timeout is { } time ? new Deadline(time, Deadline?.Since ?? clock.GetTimestamp()) : Deadline;
        return this with { Priority = priority ?? Priority, Deadline = Deadline is { } own && deadline!.Timeout > own.Timeout ? own : deadline };
    }
}

/// <summary>A time by which a request must be answered.</summary>
/// <param name="Timeout">The whole time that it has.</param>
/// <param name="Since">When it came, as a timestamp of the clock.</param>
internal sealed record Deadline(TimeSpan Timeout, long Since)
{
    /// <summary>The deadline of a request that came at some time by the calendar, perhaps to another process.</summary>
    public static Deadline After(TimeSpan timeout, DateTimeOffset came, TimeProvider clock) => new(timeout, clock.GetTimestamp() - (long)((clock.GetUtcNow() - came).TotalSeconds * clock.TimestampFrequency));

    /// <summary>What is left of it; not positive when it has passed.</summary>
    public TimeSpan Left(TimeProvider clock) => Timeout - clock.GetElapsedTime(Since);
}
