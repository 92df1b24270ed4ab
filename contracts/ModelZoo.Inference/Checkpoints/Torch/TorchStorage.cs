using ModelZoo.Contracts;

namespace ModelZoo.Inference.Torch;

/// <summary>Type of a PyTorch storage: elements, and how many of them make one number (2 for complex ones).</summary>
internal readonly record struct TorchType(ElementType Element, int Parts = 1)
{
    private static readonly Dictionary<string, TorchType> ByName = new()
    {
        ["float32"] = new(ElementType.Float32), ["float"] = new(ElementType.Float32), ["FloatStorage"] = new(ElementType.Float32),
        ["float64"] = new(ElementType.Float64), ["double"] = new(ElementType.Float64), ["DoubleStorage"] = new(ElementType.Float64),
        ["float16"] = new(ElementType.Float16), ["half"] = new(ElementType.Float16), ["HalfStorage"] = new(ElementType.Float16),
        ["bfloat16"] = new(ElementType.BFloat16), ["BFloat16Storage"] = new(ElementType.BFloat16),
        ["float8_e4m3fn"] = new(ElementType.Float8E4M3), ["float8_e5m2"] = new(ElementType.Float8E5M2),
        ["int64"] = new(ElementType.Int64), ["long"] = new(ElementType.Int64), ["LongStorage"] = new(ElementType.Int64),
        ["int32"] = new(ElementType.Int32), ["int"] = new(ElementType.Int32), ["IntStorage"] = new(ElementType.Int32),
        ["int16"] = new(ElementType.Int16), ["short"] = new(ElementType.Int16), ["ShortStorage"] = new(ElementType.Int16),
        ["int8"] = new(ElementType.Int8), ["CharStorage"] = new(ElementType.Int8),
        ["uint8"] = new(ElementType.UInt8), ["ByteStorage"] = new(ElementType.UInt8),
        ["uint16"] = new(ElementType.UInt16), ["uint32"] = new(ElementType.UInt32), ["uint64"] = new(ElementType.UInt64),
        ["bool"] = new(ElementType.Bool), ["BoolStorage"] = new(ElementType.Bool),
        ["complex64"] = new(ElementType.Float32, 2), ["cfloat"] = new(ElementType.Float32, 2), ["ComplexFloatStorage"] = new(ElementType.Float32, 2),
        ["complex128"] = new(ElementType.Float64, 2), ["cdouble"] = new(ElementType.Float64, 2), ["ComplexDoubleStorage"] = new(ElementType.Float64, 2),
        ["UntypedStorage"] = new(ElementType.UInt8),
    };

    /// <summary>Bytes of one number.</summary>
    public int Size => Element.Size() * Parts;

    /// <summary>The type of a name in module <c>torch</c>: a dtype or a storage class.</summary>
    public static bool TryGet(string name, out TorchType type) => ByName.TryGetValue(name, out type);
}

/// <summary>The elements that tensors share. In the legacy format they follow the pickle, so the bytes are set later.</summary>
internal sealed class TorchStorage(TorchType type, long count)
{
    public TorchType Type => type;

    /// <summary>Number of elements.</summary>
    public long Count => count;

    /// <summary>The bytes; null until they are known.</summary>
    public ByteBlock? Bytes { get; set; }
}
