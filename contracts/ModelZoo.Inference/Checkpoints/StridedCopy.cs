using ModelZoo.Contracts;

namespace ModelZoo.Inference;

/// <summary>Dense copies of tensors that are views with strides.</summary>
internal static unsafe class StridedCopy
{
    /// <summary>Strides of a row-major tensor, in elements.</summary>
    public static long[] Dense(ReadOnlySpan<long> shape)
    {
        var strides = new long[shape.Length];
        var stride = 1L;
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= shape[i];
        }

        return strides;
    }

    /// <summary>True when elements of that shape and those strides lie one after the other.</summary>
    public static bool IsDense(ReadOnlySpan<long> shape, ReadOnlySpan<long> strides)
    {
        var stride = 1L;
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            if (shape[i] != 1 && strides[i] != stride) return shape.Contains(0);
            stride *= shape[i];
        }

        return true;
    }

    /// <summary>Copies a view that starts at the first element of <paramref name="first"/>. The caller has checked that it stays within its storage.</summary>
    public static WeightData Make(WeightData first, long[] shape, long[] strides)
    {
        var size = first.Type.Size();
        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)(Tensor.Count(shape) * size)), pinned: true);
        fixed (byte* target = bytes)
        {
            var write = target;
            if (bytes.Length > 0) Copy((byte*)first.Address, ref write, shape, strides, size);
            GC.KeepAlive(first);
            return new(first.Type, shape, target, bytes);
        }
    }

    private static void Copy(byte* source, ref byte* target, ReadOnlySpan<long> shape, ReadOnlySpan<long> strides, int size)
    {
        if (shape.IsEmpty || IsDense(shape, strides))
        {
            var bytes = Tensor.Count(shape) * size;
            Buffer.MemoryCopy(source, target, bytes, bytes);
            target += bytes;
            return;
        }

        for (var i = 0L; i < shape[0]; i++) Copy(source + i * strides[0] * size, ref target, shape[1..], strides[1..], size);
    }
}
