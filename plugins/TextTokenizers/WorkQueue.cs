namespace ModelZoo.Plugins.TextTokenizers;

/// <summary>Hands out the items of a batch to several threads: a share of what is left each time, so that threads seldom meet, and one by one at last, so that all end together.</summary>
/// <param name="count">Number of items.</param>
/// <param name="workers">Number of threads.</param>
internal sealed class WorkQueue(int count, int workers)
{
    private const int Shares = 8;   // of what is left, for each thread
    private const int LargestShare = 64;

    private int _next;

    /// <summary>Takes the next items; false when there are none.</summary>
    public bool TryTake(out int start, out int end)
    {
        do
        {
            start = Volatile.Read(ref _next);
            end = start + Math.Clamp((count - start) / (Shares * workers), 1, LargestShare);
            if (start >= count) return false;
        }
        while (Interlocked.CompareExchange(ref _next, end, start) != start);
        return true;
    }
}
