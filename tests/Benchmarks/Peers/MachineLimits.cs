using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>What this machine can do at most, measured: nothing that runs on it is faster.</summary>
internal static unsafe class MachineLimits
{
    private const int Repeats = 7;

    // Enough independent sums that each waits for nothing but its own unit.
    private const int Chains = 16;

    /// <summary>Fused multiply-adds of 32-bit floats on that many threads, in GFLOP/s (two operations each): the best of several tries.</summary>
    public static double Gigaflops(int threads)
    {
        const long rounds = 20_000_000;
        var best = Best(threads, _ => MultiplyAdd(rounds));
        return 2.0 * Vector512<float>.Count * Chains * rounds * threads / best / 1e9;
    }

    // Seconds of the fastest try, from the moment that all threads are there to the last one's end.
    private static double Best(int threads, Func<int, float> work)
    {
        var best = double.MaxValue;
        for (var i = 0; i < Repeats; i++)
        {
            using var start = new Barrier(threads + 1);
            var workers = Enumerable.Range(0, threads).Select(thread => new Thread(() =>
            {
                start.SignalAndWait();
                GC.KeepAlive(work(thread));
            })).ToArray();
            foreach (var worker in workers) worker.Start();
            start.SignalAndWait();
            var clock = Stopwatch.GetTimestamp();
            foreach (var worker in workers) worker.Join();
            best = Math.Min(best, Stopwatch.GetElapsedTime(clock).TotalSeconds);
        }

        return best;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float MultiplyAdd(long rounds)
    {
        var (x, y) = (Vector512.Create(0.999f), Vector512.Create(1e-3f));
        Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = y, j = y, k = y, l = y, m = y, n = y, o = y, p = y;
        for (var round = 0L; round < rounds; round++)
        {
            a = Vector512.FusedMultiplyAdd(a, x, y); b = Vector512.FusedMultiplyAdd(b, x, y); c = Vector512.FusedMultiplyAdd(c, x, y); d = Vector512.FusedMultiplyAdd(d, x, y);
            e = Vector512.FusedMultiplyAdd(e, x, y); f = Vector512.FusedMultiplyAdd(f, x, y); g = Vector512.FusedMultiplyAdd(g, x, y); h = Vector512.FusedMultiplyAdd(h, x, y);
            i = Vector512.FusedMultiplyAdd(i, x, y); j = Vector512.FusedMultiplyAdd(j, x, y); k = Vector512.FusedMultiplyAdd(k, x, y); l = Vector512.FusedMultiplyAdd(l, x, y);
            m = Vector512.FusedMultiplyAdd(m, x, y); n = Vector512.FusedMultiplyAdd(n, x, y); o = Vector512.FusedMultiplyAdd(o, x, y); p = Vector512.FusedMultiplyAdd(p, x, y);
        }

        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p);
    }
}
