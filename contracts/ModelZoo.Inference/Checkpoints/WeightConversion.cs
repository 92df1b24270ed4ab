using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ModelZoo.Contracts;
using Tensor = ModelZoo.Contracts.Tensor;

namespace ModelZoo.Inference;

/// <summary>Weights in another element type, converted at memory speed: vectorised, and on all cores when there are many.</summary>
public static unsafe class WeightConversion
{
    private const int Chunk = 1 << 16;

    /// <summary>The same numbers as 32-bit floats; <paramref name="data"/> itself when it is so already. Exact for the narrower floats and 8- and 16-bit integers.</summary>
    public static WeightData ToFloat32(WeightData data) => data.Type switch
    {
        ElementType.Float32 => data,
        ElementType.Float16 => Convert<Half, float>(data, TensorPrimitives.ConvertToSingle),
        ElementType.BFloat16 => Convert<ushort, float>(data, WidenBFloat16),
        ElementType.Float8E4M3 => Convert<byte, float>(data, (from, to) => Look(from, to, E4M3)),
        ElementType.Float8E5M2 => Convert<byte, float>(data, (from, to) => Look(from, to, E5M2)),
        ElementType.Float64 => Convert<double, float>(data, TensorPrimitives.ConvertTruncating),
        ElementType.Int8 => Convert<sbyte, float>(data, TensorPrimitives.ConvertTruncating),
        ElementType.UInt8 or ElementType.Bool => Convert<byte, float>(data, TensorPrimitives.ConvertTruncating),
        ElementType.Int16 => Convert<short, float>(data, TensorPrimitives.ConvertTruncating),
        ElementType.UInt16 => Convert<ushort, float>(data, TensorPrimitives.ConvertTruncating),
        ElementType.Int32 => Convert<int, float>(data, TensorPrimitives.ConvertTruncating),
        ElementType.UInt32 => Convert<uint, float>(data, TensorPrimitives.ConvertTruncating),
        ElementType.Int64 => Convert<long, float>(data, TensorPrimitives.ConvertTruncating),
        ElementType.UInt64 => Convert<ulong, float>(data, TensorPrimitives.ConvertTruncating),
        _ => throw new ArgumentOutOfRangeException(nameof(data)),
    };

    /// <summary>The numbers rounded to 16-bit floats, to nearest, ties to even; beyond 65504 they become infinite.</summary>
    public static WeightData ToFloat16(WeightData data) =>
        data.Type == ElementType.Float16 ? data : Convert<float, Half>(ToFloat32(data), TensorPrimitives.ConvertToHalf);

    /// <summary>Integers as 64-bit integers.</summary>
    /// <exception cref="ModelZooException">They are not integers.</exception>
    public static WeightData ToInt64(WeightData data) => data.Type switch
    {
        ElementType.Int64 => data,
        ElementType.Int8 => Convert<sbyte, long>(data, TensorPrimitives.ConvertTruncating),
        ElementType.UInt8 or ElementType.Bool => Convert<byte, long>(data, TensorPrimitives.ConvertTruncating),
        ElementType.Int16 => Convert<short, long>(data, TensorPrimitives.ConvertTruncating),
        ElementType.UInt16 => Convert<ushort, long>(data, TensorPrimitives.ConvertTruncating),
        ElementType.Int32 => Convert<int, long>(data, TensorPrimitives.ConvertTruncating),
        ElementType.UInt32 => Convert<uint, long>(data, TensorPrimitives.ConvertTruncating),
        _ => throw new ModelZooException(ErrorCodes.TensorType, "Integers are needed.") { Expected = "an integer type that fits 64 bits", Found = data.ToString() },
    };

    /// <summary>A managed copy, for use outside the engine; narrow floats become 32-bit ones.</summary>
    public static Tensor ToTensor(WeightData data)
    {
        if (data.Type is ElementType.BFloat16 or ElementType.Float8E4M3 or ElementType.Float8E5M2) data = ToFloat32(data);
        var tensor = Tensors.Allocate(data.Type, data.Shape);
        using var pin = tensor.Pin();
        Buffer.MemoryCopy((void*)data.Address, pin.Pointer, data.ByteLength, data.ByteLength);
        GC.KeepAlive(data);
        return tensor;
    }

    private delegate void Converter<TFrom, TTo>(ReadOnlySpan<TFrom> from, Span<TTo> to);

    private static WeightData Convert<TFrom, TTo>(WeightData data, Converter<TFrom, TTo> convert) where TFrom : unmanaged where TTo : unmanaged
    {
        var count = checked((int)data.Count);
        var result = GC.AllocateUninitializedArray<TTo>(count, pinned: true);
        void Part(int start)
        {
            var length = Math.Min(Chunk, count - start);
            convert(new((TFrom*)data.Address + start, length), result.AsSpan(start, length));
        }

        if (count <= 16 * Chunk)
        {
            for (var start = 0; start < count; start += Chunk) Part(start);
        }
        else
        {
            Parallel.For(0, (count + Chunk - 1) / Chunk, i => Part(i * Chunk));
        }

        GC.KeepAlive(data);
        return new(ElementTypes.Of<TTo>(), data.Shape, Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(result)), result);
    }

    // A bfloat16 is the upper half of a float.
    private static void WidenBFloat16(ReadOnlySpan<ushort> from, Span<float> to)
    {
        var bits = MemoryMarshal.Cast<float, uint>(to);
        TensorPrimitives.ConvertTruncating(from, bits);
        TensorPrimitives.ShiftLeft<uint>(bits, 16, bits);
    }

    private static void Look(ReadOnlySpan<byte> from, Span<float> to, float[] table)
    {
        for (var i = 0; i < from.Length; i++) to[i] = table[from[i]];
    }

    private static readonly float[] E4M3 = Table(exponentBits: 4, bias: 7, infinities: false);
    private static readonly float[] E5M2 = Table(exponentBits: 5, bias: 15, infinities: true);

    // All 256 values of an 8-bit float. E4M3 ("fn") has no infinity, and one NaN of each sign: all bits set.
    private static float[] Table(int exponentBits, int bias, bool infinities)
    {
        var mantissaBits = 7 - exponentBits;
        var table = new float[256];
        for (var code = 0; code < 256; code++)
        {
            var exponent = (code >> mantissaBits) & ((1 << exponentBits) - 1);
            var mantissa = code & ((1 << mantissaBits) - 1);
            var fraction = (float)mantissa / (1 << mantissaBits);
            var top = exponent == (1 << exponentBits) - 1;
            var value = infinities && top ? (mantissa == 0 ? float.PositiveInfinity : float.NaN)
                : !infinities && top && mantissa == (1 << mantissaBits) - 1 ? float.NaN
                : exponent == 0 ? MathF.ScaleB(fraction, 1 - bias)
                : MathF.ScaleB(1 + fraction, exponent - bias);
            table[code] = code < 128 ? value : -value;
        }

        return table;
    }
}
