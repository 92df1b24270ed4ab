using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace ModelZoo.Inference.Kernels;

/// <summary>Memory that a kernel's calls work in: blocks that one call has at a time and the next takes over, as many as there are threads at once.</summary>
internal sealed unsafe class ScratchPool : IDisposable
{
    private const nuint Alignment = 64;

    private readonly ConcurrentBag<Block> _free = [];

    /// <summary>A block of at least <paramref name="count"/> numbers, not cleared, on a line of the cache; disposing gives it back.</summary>
    public Lease Rent(long count)
    {
        if (!_free.TryTake(out var block)) block = default;
        if (block.Count >= count) return new(this, block);
        NativeMemory.AlignedFree((void*)block.Address);
        return new(this, new((nint)NativeMemory.AlignedAlloc(checked((nuint)count * sizeof(float)), Alignment), count));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        while (_free.TryTake(out var block)) NativeMemory.AlignedFree((void*)block.Address);
    }

    /// <summary>A block in use.</summary>
    public readonly struct Lease(ScratchPool pool, Block block) : IDisposable
    {
        /// <summary>Its first number.</summary>
        public float* Data => (float*)block.Address;

        /// <inheritdoc/>
        public void Dispose() => pool._free.Add(block);
    }

    /// <summary>A block and its size.</summary>
    public readonly record struct Block(nint Address, long Count);
}
