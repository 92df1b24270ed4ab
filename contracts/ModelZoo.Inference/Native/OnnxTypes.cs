using ModelZoo.Contracts;

namespace ModelZoo.Inference.Native;

/// <summary>Element types in ONNX's numbering.</summary>
internal static class OnnxTypes
{
    /// <summary>The ONNX number of an element type.</summary>
    public static OnnxType ToOnnx(this ElementType type) => type switch
    {
        ElementType.Float32 => OnnxType.Float,
        ElementType.Float64 => OnnxType.Double,
        ElementType.Float16 => OnnxType.Float16,
        ElementType.BFloat16 => OnnxType.BFloat16,
        ElementType.Float8E4M3 => OnnxType.Float8E4M3,
        ElementType.Float8E5M2 => OnnxType.Float8E5M2,
        ElementType.Int8 => OnnxType.Int8,
        ElementType.UInt8 => OnnxType.UInt8,
        ElementType.Int16 => OnnxType.Int16,
        ElementType.UInt16 => OnnxType.UInt16,
        ElementType.Int32 => OnnxType.Int32,
        ElementType.UInt32 => OnnxType.UInt32,
        ElementType.Int64 => OnnxType.Int64,
        ElementType.UInt64 => OnnxType.UInt64,
        ElementType.Bool => OnnxType.Bool,
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    /// <summary>The element type of an ONNX number.</summary>
    /// <exception cref="ModelZooException">Tensors here hold no such elements.</exception>
    public static ElementType ToElement(this OnnxType type) => type switch
    {
        OnnxType.Float => ElementType.Float32,
        OnnxType.Double => ElementType.Float64,
        OnnxType.Float16 => ElementType.Float16,
        OnnxType.BFloat16 => ElementType.BFloat16,
        OnnxType.Float8E4M3 => ElementType.Float8E4M3,
        OnnxType.Float8E5M2 => ElementType.Float8E5M2,
        OnnxType.Int8 => ElementType.Int8,
        OnnxType.UInt8 => ElementType.UInt8,
        OnnxType.Int16 => ElementType.Int16,
        OnnxType.UInt16 => ElementType.UInt16,
        OnnxType.Int32 => ElementType.Int32,
        OnnxType.UInt32 => ElementType.UInt32,
        OnnxType.Int64 => ElementType.Int64,
        OnnxType.UInt64 => ElementType.UInt64,
        OnnxType.Bool => ElementType.Bool,
        _ => throw new ModelZooException(ErrorCodes.TensorType, "Tensors of this element type are not supported.") { Found = $"ONNX type {type}" },
    };
}
