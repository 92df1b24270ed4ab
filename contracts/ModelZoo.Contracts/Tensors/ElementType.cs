namespace ModelZoo.Contracts;

/// <summary>The type of a tensor's elements, little-endian in memory.</summary>
public enum ElementType
{
    /// <summary>32-bit IEEE 754 number.</summary>
    Float32,
    /// <summary>64-bit IEEE 754 number.</summary>
    Float64,
    /// <summary>16-bit IEEE 754 number.</summary>
    Float16,
    /// <summary>The upper half of a 32-bit number.</summary>
    BFloat16,
    /// <summary>8-bit float, 4 exponent bits, no infinity.</summary>
    Float8E4M3,
    /// <summary>8-bit float, 5 exponent bits.</summary>
    Float8E5M2,
    /// <summary>Signed 8-bit integer.</summary>
    Int8,
    /// <summary>Unsigned 8-bit integer.</summary>
    UInt8,
    /// <summary>Signed 16-bit integer.</summary>
    Int16,
    /// <summary>Unsigned 16-bit integer.</summary>
    UInt16,
    /// <summary>Signed 32-bit integer.</summary>
    Int32,
    /// <summary>Unsigned 32-bit integer.</summary>
    UInt32,
    /// <summary>Signed 64-bit integer.</summary>
    Int64,
    /// <summary>Unsigned 64-bit integer.</summary>
    UInt64,
    /// <summary>One byte, zero or one.</summary>
    Bool,
}

/// <summary>Facts about element types.</summary>
public static class ElementTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int Size(this ElementType type) => type switch
    {
        ElementType.Float64 or ElementType.Int64 or ElementType.UInt64 => 8,
        ElementType.Float32 or ElementType.Int32 or ElementType.UInt32 => 4,
        ElementType.Float16 or ElementType.BFloat16 or ElementType.Int16 or ElementType.UInt16 => 2,
        _ => 1,
    };

    /// <summary>True for the floating-point types.</summary>
    public static bool IsFloat(this ElementType type) => type <= ElementType.Float8E5M2;

    /// <summary>The element type that stores <typeparamref name="T"/>.</summary>
    /// <exception cref="ArgumentException">No element type stores it.</exception>
    public static ElementType Of<T>() where T : unmanaged =>
        typeof(T) == typeof(float) ? ElementType.Float32
        : typeof(T) == typeof(double) ? ElementType.Float64
        : typeof(T) == typeof(Half) ? ElementType.Float16
        : typeof(T) == typeof(sbyte) ? ElementType.Int8
        : typeof(T) == typeof(byte) ? ElementType.UInt8
        : typeof(T) == typeof(short) ? ElementType.Int16
        : typeof(T) == typeof(ushort) ? ElementType.UInt16
        : typeof(T) == typeof(int) ? ElementType.Int32
        : typeof(T) == typeof(uint) ? ElementType.UInt32
        : typeof(T) == typeof(long) ? ElementType.Int64
        : typeof(T) == typeof(ulong) ? ElementType.UInt64
        : typeof(T) == typeof(bool) ? ElementType.Bool
        : throw new ArgumentException($"No tensor holds elements of type {typeof(T).Name}.");
}
