using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>Reads memory that no cache holds, on several threads at once and from large pages, as fast as this machine gives it: what reads as many bytes cannot take less time.</summary>
internal sealed unsafe partial class MemoryReader : IDisposable
{
    private const int HugePages = 14;
    private const nuint LargePage = 2 << 20;

    // Bytes that are asked for before they are read: found by trying; the processor alone asks for less, and reads a tenth slower.
    private const int Ahead = 16 << 10;

    // Threads take turns of this many bytes, as in a product's panels: two streams far from each other read a fifth slower.
    private const int Turn = 256 << 10;

    private readonly int _threads;
    private readonly int _turns;
    private readonly nint _block;

    /// <summary>A reader of memory of its own.</summary>
    /// <param name="threads">Threads that read.</param>
    /// <param name="bytes">What they read together, each time.</param>
    public MemoryReader(int threads, long bytes)
    {
        (_threads, _turns) = (threads, (int)(bytes / Turn));
        _block = (nint)NativeMemory.AlignedAlloc((nuint)(Bytes + Ahead), LargePage);
        if (OperatingSystem.IsLinux()) _ = Advise((void*)_block, (nuint)Bytes, HugePages);
        new Random(1).NextBytes(new Span<byte>((void*)_block, checked((int)Bytes)));   // pages that are equal may be one page to the machine below this one
    }

    /// <summary>Bytes of a reading.</summary>
    public long Bytes => (long)_turns * Turn;

    /// <summary>The sum of what was read so far. Who does not want it does not read: the compiler leaves the loads out, when it has seen the loop often enough.</summary>
    public double Total { get; private set; }

    /// <summary>Reads all of it that many times: seconds of each, from the moment that all threads are there to the last one's end.</summary>
    public double[] Seconds(int times)
    {
        using var start = new Barrier(_threads);
        var (begun, ended, sums) = (new long[times, _threads], new long[times, _threads], new double[_threads]);
        var threads = Enumerable.Range(0, _threads).Select(thread => new Thread(() =>
        {
            for (var time = 0; time < times; time++)
            {
                start.SignalAndWait();
                begun[time, thread] = Stopwatch.GetTimestamp();
                for (var turn = thread; turn < _turns; turn += _threads) sums[thread] += Sum((float*)(_block + (nint)turn * Turn), Turn / sizeof(float));
                ended[time, thread] = Stopwatch.GetTimestamp();
            }
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        Total += sums.Sum();
        var each = Enumerable.Range(0, _threads);
        return [.. Enumerable.Range(0, times).Select(time => Stopwatch.GetElapsedTime(each.Min(thread => begun[time, thread]), each.Max(thread => ended[time, thread])).TotalSeconds)];
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree((void*)_block);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum(float* data, long count)
    {
        Vector512<float> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
        var step = Vector512<float>.Count;
        for (float* at = data, end = data + count; at < end; at += 8 * step)
        {
            for (var line = at; line < at + 8 * step; line += step) Sse.Prefetch0(line + Ahead / sizeof(float));
            a += Vector512.Load(at); b += Vector512.Load(at + step); c += Vector512.Load(at + 2 * step); d += Vector512.Load(at + 3 * step);
            e += Vector512.Load(at + 4 * step); f += Vector512.Load(at + 5 * step); g += Vector512.Load(at + 6 * step); h += Vector512.Load(at + 7 * step);
        }

        return Vector512.Sum(a + b + c + d + e + f + g + h);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);
}
