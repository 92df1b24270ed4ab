namespace ModelZoo.Inference.Kernels;

/// <summary>
/// Steps that follow one another, each of the same pieces, computed by however many threads come to <see cref="Help"/>. A step is done when its pieces are, whoever computed them: nobody waits for a thread that has not come. A thread begins
/// each step with its own share of the pieces, and turns round from step to step, so that what it read last, which its cache still holds, is what it reads first; then it takes what others have left.
/// </summary>
/// <param name="steps">Number of steps.</param>
/// <param name="pieces">Number of pieces of each.</param>
/// <param name="threads">Number of shares.</param>
/// <param name="compute">Computes a piece of a step.</param>
internal sealed class StepTeam(int steps, int pieces, int threads, Action<int, int> compute)
{
    // Looks at whether the others are done before the processor is left to somebody else: some tens of microseconds, longer than a piece takes.
    private const int Patience = 2000;

    // Numbers that share a line of the cache.
    private const int Line = 8;

    // The step that each piece waits for, on lines of their own; and pieces done, over all steps.
    private readonly long[] _waiting = new long[pieces * Line];
    private long _done;
    private volatile bool _broken;

    /// <summary>Takes part until all steps are done.</summary>
    /// <param name="share">Which share to begin with.</param>
    public void Help(int share)
    {
        try
        {
            var (first, end) = ((int)((long)pieces * share / threads), (int)((long)pieces * (share + 1) / threads));
            for (long step; (step = Volatile.Read(ref _done) / pieces) < steps && !_broken;)
            {
                var taken = 0;
                for (var i = 0; i < pieces; i++)
                {
                    var piece = i < end - first ? (step % 2 == 0 ? first + i : end - 1 - i) : (end + i - (end - first)) % pieces;
                    if (Volatile.Read(ref _waiting[piece * Line]) != step || Interlocked.CompareExchange(ref _waiting[piece * Line], step + 1, step) != step) continue;
                    compute((int)step, piece);
                    taken++;
                }

                Interlocked.Add(ref _done, taken);
                for (var looks = 0; Volatile.Read(ref _done) < (step + 1) * pieces && !_broken; looks++)
                {
                    if (looks < Patience) Thread.SpinWait(1);
                    else Thread.Yield();
                }
            }
        }
        catch
        {
            _broken = true;
            throw;
        }
    }
}
