using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>Tensors of a type that is only known at run time.</summary>
internal static class Tensors
{
    /// <summary>A tensor whose elements are not set yet.</summary>
    /// <exception cref="ModelZooException">Managed tensors do not hold this type.</exception>
    public static Tensor Allocate(ElementType type, ReadOnlySpan<long> shape) => type switch
    {
        ElementType.Float32 => Allocate<float>(shape),
        ElementType.Float64 => Allocate<double>(shape),
        ElementType.Float16 => Allocate<Half>(shape),
        ElementType.Int8 => Allocate<sbyte>(shape),
        ElementType.UInt8 => Allocate<byte>(shape),
        ElementType.Int16 => Allocate<short>(shape),
        ElementType.UInt16 => Allocate<ushort>(shape),
        ElementType.Int32 => Allocate<int>(shape),
        ElementType.UInt32 => Allocate<uint>(shape),
        ElementType.Int64 => Allocate<long>(shape),
        ElementType.UInt64 => Allocate<ulong>(shape),
        ElementType.Bool => Allocate<bool>(shape),
        _ => throw new ModelZooException(ErrorCodes.TensorType, "Tensors outside the engine do not hold this type; convert it in the graph.") { Found = type.ToString() },
    };

    private static Tensor<T> Allocate<T>(ReadOnlySpan<long> shape) where T : unmanaged => new(GC.AllocateUninitializedArray<T>(checked((int)Tensor.Count(shape))), shape);
}
