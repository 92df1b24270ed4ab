using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
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

    /// <summary>Reading of memory that no cache holds, on that many threads, in GB/s: the best of several tries.</summary>
    public static double ReadGigabytes(int threads)
    {
        const long bytes = 512L << 20;                                                            // a thread; caches are smaller by far
        var blocks = Enumerable.Range(0, threads).Select(_ => (nint)NativeMemory.AlignedAlloc((nuint)bytes, 4096)).ToArray();
        foreach (var block in blocks) new Span<byte>((void*)block, (int)bytes).Fill(1);
        var best = Best(threads, thread => Sum((float*)blocks[thread], bytes / sizeof(float)));
        foreach (var block in blocks) NativeMemory.AlignedFree((void*)block);
        return bytes * threads / best / 1e9;
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum(float* data, long count)
    {
        Vector512<float> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
        var step = Vector512<float>.Count;
        var end = data + count / (8 * step) * 8 * step;
        for (var at = data; at < end; at += 8 * step)
        {
            a += Vector512.Load(at); b += Vector512.Load(at + step); c += Vector512.Load(at + 2 * step); d += Vector512.Load(at + 3 * step);
            e += Vector512.Load(at + 4 * step); f += Vector512.Load(at + 5 * step); g += Vector512.Load(at + 6 * step); h += Vector512.Load(at + 7 * step);
        }

        return Vector512.Sum(a + b + c + d + e + f + g + h);
    }
}
