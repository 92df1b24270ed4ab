using System.Buffers;
using System.Runtime.InteropServices;

namespace ModelZoo.Contracts;

/// <summary>
/// A dense, row-major block of numbers in managed memory. It is what crosses between host and plugins; engines have their own.
/// Instances are not synchronised: who holds one may read it, who made it may write it.
/// </summary>
public abstract class Tensor
{
    private readonly long[] _shape;

    private protected Tensor(ElementType type, ReadOnlySpan<long> shape)
    {
        Type = type;
        _shape = shape.ToArray();
    }

    /// <summary>Type of the elements.</summary>
    public ElementType Type { get; }

    /// <summary>Extent of each dimension, outermost first; empty for a scalar.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    /// <summary>Number of dimensions.</summary>
    public int Rank => _shape.Length;

    /// <summary>Number of elements.</summary>
    public int Length => checked((int)Count(_shape));

    /// <summary>The elements as raw little-endian bytes.</summary>
    public abstract ReadOnlySpan<byte> Bytes { get; }

    /// <summary>Holds the elements at one address until the handle is disposed, for engines that read or write them in place.</summary>
    public abstract MemoryHandle Pin();

    /// <summary>This tensor as one of <typeparamref name="T"/>.</summary>
    /// <exception cref="ModelZooException">The elements are of another type.</exception>
    public Tensor<T> As<T>() where T : unmanaged =>
        this as Tensor<T> ?? throw new ModelZooException(ErrorCodes.TensorType, "The tensor has elements of another type.")
        { Expected = ElementTypes.Of<T>().ToString(), Found = ToString() };

    /// <summary>Decimal numbers in single precision: these, or those of double precision rounded; null where the elements are anything else.</summary>
    public Tensor<float>? ToSingle() => this switch
    {
        Tensor<float> single => single,
        Tensor<double> wide => Create(Array.ConvertAll(wide.Span.ToArray(), value => (float)value), wide.Shape),
        _ => null,
    };

    /// <summary>The same elements under another shape; memory is shared.</summary>
    public abstract Tensor Reshape(params ReadOnlySpan<long> shape);

    /// <summary>A tensor over <paramref name="data"/>, which is not copied.</summary>
    public static Tensor<T> Create<T>(T[] data, params ReadOnlySpan<long> shape) where T : unmanaged => new(data, shape);

    /// <summary>A tensor of zeros.</summary>
    public static Tensor<T> Zeros<T>(params ReadOnlySpan<long> shape) where T : unmanaged => new(new T[checked((int)Count(shape))], shape);

    /// <summary>A tensor without dimensions.</summary>
    public static Tensor<T> Scalar<T>(T value) where T : unmanaged => new(new[] { value }, []);

    /// <summary>Product of the extents, checked against overflow.</summary>
    public static long Count(ReadOnlySpan<long> shape)
    {
        var count = 1L;
        foreach (var extent in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(extent);
            count = checked(count * extent);
        }

        return count;
    }

    /// <summary>Type and shape, as in <c>Float32[2, 3]</c>.</summary>
    public override string ToString() => $"{Type}[{string.Join(", ", _shape)}]";
}

/// <summary>A tensor whose elements are <typeparamref name="T"/>.</summary>
/// <typeparam name="T">The element, one of those that <see cref="ElementTypes.Of{T}"/> knows.</typeparam>
public sealed class Tensor<T> : Tensor where T : unmanaged
{
    private readonly Memory<T> _data;

    /// <summary>Wraps <paramref name="data"/>, which is not copied.</summary>
    /// <exception cref="ArgumentException">The shape needs another number of elements.</exception>
    public Tensor(Memory<T> data, ReadOnlySpan<long> shape) : base(ElementTypes.Of<T>(), shape)
    {
        if (Count(shape) != data.Length)
            throw new ArgumentException($"Shape [{string.Join(", ", shape.ToArray())}] needs {Count(shape)} elements, not {data.Length}.", nameof(shape));
        _data = data;
    }

    /// <summary>The elements, row-major.</summary>
    public Span<T> Span => _data.Span;

    /// <summary>The elements, row-major, as memory that can be kept across awaits.</summary>
    public Memory<T> Memory => _data;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Bytes => MemoryMarshal.AsBytes(_data.Span);

    /// <inheritdoc/>
    public override MemoryHandle Pin() => _data.Pin();

    /// <inheritdoc/>
    public override Tensor<T> Reshape(params ReadOnlySpan<long> shape) => new(_data, shape);

    /// <summary>The element at a multi-dimensional position.</summary>
    public ref T this[params ReadOnlySpan<long> index]
    {
        get
        {
            var flat = 0L;
            for (var i = 0; i < Rank; i++)
            {
                if ((ulong)index[i] >= (ulong)Shape[i]) throw new ArgumentOutOfRangeException(nameof(index), $"Index {index[i]} is outside dimension {i} of {this}.");
                flat = flat * Shape[i] + index[i];
            }

            return ref _data.Span[(int)flat];
        }
    }

    /// <summary>The part at <paramref name="index"/> along the first dimension; memory is shared.</summary>
    public Tensor<T> Slice(int index)
    {
        var size = (int)Count(Shape[1..]);
        return new(_data.Slice(index * size, size), Shape[1..]);
    }
}
