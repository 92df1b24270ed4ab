using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>An array of cache lines that begins at the start of one and does not move.</summary>
/// <typeparam name="T">What fills a line of 64 bytes.</typeparam>
internal readonly struct CacheLines<T> where T : unmanaged
{
    /// <summary>Size of a line.</summary>
    public const int Size = 64;

    private readonly T[] _memory;
    private readonly int _misaligned;   // bytes before the first line

    /// <summary>Lines of zeros.</summary>
    public unsafe CacheLines(int count)
    {
        System.Diagnostics.Debug.Assert(sizeof(T) == Size);
        Count = count;
        _memory = GC.AllocateArray<T>(count + 1, pinned: true);
        _misaligned = (int)(-(long)Unsafe.AsPointer(ref _memory[0]) & (Size - 1));
    }

    /// <summary>How many there are.</summary>
    public int Count { get; }

    /// <summary>The line at an index, which is not checked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref T At(nint index) => ref Unsafe.AddByteOffset(ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_memory), index), _misaligned);

    /// <summary>Has a line fetched.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public unsafe void Prefetch(nint index)
    {
        if (Sse.IsSupported) Sse.Prefetch0(Unsafe.AsPointer(ref At(index)));
    }
}
