using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using ModelZoo.Inference.Native;

namespace ModelZoo.Inference.Kernels;

/// <summary>
/// The weight of a linear map in the order in which tiles read it: panels of 32 columns, in each the steps of the depth one after another; columns that are missing in the last panel are zero. It is packed when it is first wanted, on
/// the engine's threads, and then the weight it came from is let go.
/// </summary>
/// <param name="weight">32-bit floats, (columns, depth) or, transposed, (depth, columns).</param>
/// <param name="transposed">Whether the depth comes first.</param>
internal sealed unsafe class PackedMatrix(WeightData weight, bool transposed) : IDisposable
{
    private const uint LargePage = 2 << 20;

    private readonly Lock _packing = new();
    private WeightData? _weight = weight;
    private float* _panels;

    /// <summary>Columns of the product.</summary>
    public int Columns { get; } = checked((int)weight.Shape[transposed ? 1 : 0]);

    /// <summary>Steps that each element sums over.</summary>
    public int Depth { get; } = checked((int)weight.Shape[transposed ? 0 : 1]);

    /// <summary>Number of panels.</summary>
    public int Panels => (Columns + Tile.Columns - 1) / Tile.Columns;

    /// <summary>The first step of a panel, once <see cref="Ready"/> was called.</summary>
    public float* Panel(int index) => _panels + (nint)index * Depth * Tile.Columns;

    /// <summary>Packs the weight if that was not done.</summary>
    public void Ready(KernelContext context)
    {
        if (Volatile.Read(ref _weight) is null) return;
        lock (_packing)
        {
            if (_weight is not { } weight) return;
            var bytes = (nuint)Panels * (nuint)Depth * Tile.Columns * sizeof(float);
            var alignment = bytes < LargePage ? 64u : LargePage;
            _panels = (float*)NativeMemory.AlignedAlloc(bytes, alignment);
            if (alignment == LargePage) Pages.PreferLarge(_panels, bytes);
            context.For(Panels, panel => Pack((float*)weight.Address, panel));
            weight.LeaveMemory();
            Volatile.Write(ref _weight, null);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(_panels);
        _panels = null;
    }

    private void Pack(float* source, int index)
    {
        var target = Panel(index);
        var first = index * Tile.Columns;
        var count = Math.Min(Tile.Columns, Columns - first);
        if (count < Tile.Columns) new Span<float>(target, Depth * Tile.Columns).Clear();
        if (transposed)
        {
            for (nint step = 0; step < Depth; step++) new Span<float>(source + step * Columns + first, count).CopyTo(new(target + step * Tile.Columns, count));
            return;
        }

        // Eight columns at a time, a number of each: their lines stay in the cache for the steps that follow.
        source += (nint)first * Depth;
        var lanes = Vector256.Create(0, 1, 2, 3, 4, 5, 6, 7) * Depth;
        var whole = Depth <= int.MaxValue / 8 ? count / 8 * 8 : 0;
        for (nint step = 0; step < Depth; step++)
        {
            var to = target + step * Tile.Columns;
            for (nint column = 0; column < whole; column += 8) Avx2.GatherVector256(source + column * Depth + step, lanes, sizeof(float)).Store(to + column);
            for (nint column = whole; column < count; column++) to[column] = source[column * Depth + step];
        }
    }
}
