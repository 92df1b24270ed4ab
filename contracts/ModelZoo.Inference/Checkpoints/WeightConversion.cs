using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>Stored weights in the type that a network computes in.</summary>
public static class WeightConversion
{
    /// <summary>The same numbers as float32; <paramref name="data"/> itself when it is that already.</summary>
    /// <exception cref="CheckpointException">The type has no conversion.</exception>
    public static WeightData ToFloat32(WeightData data) => data.Type switch
    {
        ElementType.Float32 => data,
        ElementType.Float16 => WeightData.Create<float>(data.Shape, target => TensorPrimitives.ConvertToSingle(data.Span<Half>(), target)),
        ElementType.BFloat16 => WeightData.Create<float>(data.Shape, target => WidenBFloat16(data.Span<ushort>(), MemoryMarshal.Cast<float, uint>(target))),
        ElementType.Float64 => WeightData.Create<float>(data.Shape, target => TensorPrimitives.ConvertTruncating(data.Span<double>(), target)),
        ElementType.Int64 => WeightData.Create<float>(data.Shape, target => TensorPrimitives.ConvertTruncating(data.Span<long>(), target)),
        ElementType.Int32 => WeightData.Create<float>(data.Shape, target => TensorPrimitives.ConvertTruncating(data.Span<int>(), target)),
        _ => throw new CheckpointException(ErrorCodes.CheckpointMalformed, $"Weights of type {data.Type} cannot be used as float32."),
    };

    // bfloat16 is the upper half of a float.
    private static void WidenBFloat16(ReadOnlySpan<ushort> source, Span<uint> target)
    {
        TensorPrimitives.ConvertTruncating(source, target);
        TensorPrimitives.ShiftLeft<uint>(target, 16, target);
    }
}
