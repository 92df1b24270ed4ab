using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>
/// A read-only block of elements that stays at one address for as long as this object is reachable: a part of a memory-mapped file, or a pinned array.
/// Sessions point into it and keep it alive.
/// </summary>
public sealed unsafe class WeightData
{
    private readonly long[] _shape;
    private readonly object _owner;

    /// <summary>A block at <paramref name="address"/>, kept alive by <paramref name="owner"/>.</summary>
    public WeightData(ElementType type, ReadOnlySpan<long> shape, void* address, object owner)
    {
        Type = type;
        _shape = shape.ToArray();
        Address = (nint)address;
        _owner = owner;
    }

    /// <summary>Type of the elements.</summary>
    public ElementType Type { get; }

    /// <summary>Extents, outermost first.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    /// <summary>Address of the first byte.</summary>
    public nint Address { get; }

    /// <summary>Number of elements.</summary>
    public long Count => Tensor.Count(_shape);

    /// <summary>Number of bytes.</summary>
    public long ByteLength => Count * Type.Size();

    /// <summary>What keeps the block at its address.</summary>
    internal object Owner => _owner;

    /// <summary>True when this is part of a mapped file, which takes no memory of the process's own.</summary>
    public bool IsMapped => _owner is MappedFile;

    /// <summary>The elements. The caller keeps this object reachable while it uses the span.</summary>
    public ReadOnlySpan<T> Span<T>() where T : unmanaged =>
        sizeof(T) == Type.Size() ? new((void*)Address, checked((int)Count)) : throw new ArgumentException($"Elements of {Type} cannot be read as {typeof(T).Name}.");

    /// <summary>The same elements under another shape.</summary>
    public WeightData Reshape(params ReadOnlySpan<long> shape) =>
        Tensor.Count(shape) == Count ? new(Type, shape, (void*)Address, _owner) : throw new ArgumentException($"{this} has not the elements of [{string.Join(", ", shape.ToArray())}].");

    /// <summary>A run of rows of the first dimension: a view, nothing is copied.</summary>
    public WeightData Rows(long start, long count)
    {
        if (start < 0 || count < 0 || start + count > _shape[0]) throw new ArgumentOutOfRangeException(nameof(start), $"Rows {start}..{start + count} are outside {this}.");
        var row = Tensor.Count(_shape.AsSpan(1)) * Type.Size();
        long[] shape = [count, .. _shape[1..]];
        return new(Type, shape, (byte*)Address + start * row, _owner);
    }

    /// <summary>A new block that <paramref name="fill"/> writes once.</summary>
    public static WeightData Create<T>(ReadOnlySpan<long> shape, SpanAction<T> fill) where T : unmanaged
    {
        var data = GC.AllocateUninitializedArray<T>(checked((int)Tensor.Count(shape)), pinned: true);
        fill(data);
        return Pinned(data, shape);
    }

    /// <summary>A copy of <paramref name="values"/>.</summary>
    public static WeightData Copy<T>(ReadOnlySpan<T> values, params ReadOnlySpan<long> shape) where T : unmanaged
    {
        if (Tensor.Count(shape) != values.Length) throw new ArgumentException($"Shape [{string.Join(", ", shape.ToArray())}] needs {Tensor.Count(shape)} elements, not {values.Length}.");
        var data = GC.AllocateUninitializedArray<T>(values.Length, pinned: true);
        values.CopyTo(data);
        return Pinned(data, shape);
    }

    /// <summary>An array made with <c>pinned: true</c>.</summary>
    internal static WeightData Pinned<T>(T[] data, ReadOnlySpan<long> shape) where T : unmanaged =>
        new(ElementTypes.Of<T>(), shape, Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(data)), data);

    /// <summary>Drops the pages of a mapped file from memory; they are read again when they are wanted. Another kind of block stays.</summary>
    public void LeaveMemory()
    {
        if (IsMapped) Native.Pages.Drop((void*)Address, ByteLength);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Type}[{string.Join(", ", _shape)}]";
}

/// <summary>Writes the elements of a new block.</summary>
public delegate void SpanAction<T>(Span<T> elements);
