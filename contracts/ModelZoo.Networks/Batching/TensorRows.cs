using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>Rows of tensors, put together and taken apart.</summary>
internal static class TensorRows
{
    /// <summary>A tensor of zeros.</summary>
    /// <exception cref="ModelZooException">Rows of that type are not taken together.</exception>
    public static Tensor Zeros(ElementType type, params ReadOnlySpan<long> shape) => type switch
    {
        ElementType.Float32 => Tensor.Zeros<float>(shape),
        ElementType.Int64 => Tensor.Zeros<long>(shape),
        ElementType.Int32 => Tensor.Zeros<int>(shape),
        ElementType.Float64 => Tensor.Zeros<double>(shape),
        ElementType.Float16 => Tensor.Zeros<Half>(shape),
        ElementType.Bool => Tensor.Zeros<bool>(shape),
        _ => throw new ModelZooException(ErrorCodes.TensorType, $"Rows of {type} are not taken together."),
    };

    /// <summary>Zeros with as many rows as asked for, and type and inner extents of another.</summary>
    /// <exception cref="ModelZooException">Rows of that type are not taken together.</exception>
    public static Tensor Like(Tensor row, long rows) => Zeros(row.Type, [rows, .. row.Shape[1..]]);

    /// <summary>Copies all rows of a tensor into another, from row <paramref name="first"/> on.</summary>
    public static void Put(Tensor rows, Tensor target, long first)
    {
        switch (rows)
        {
            case Tensor<float> of: Put(of, target, first); break;
            case Tensor<long> of: Put(of, target, first); break;
            case Tensor<int> of: Put(of, target, first); break;
            case Tensor<double> of: Put(of, target, first); break;
            case Tensor<Half> of: Put(of, target, first); break;
            case Tensor<bool> of: Put(of, target, first); break;
        }
    }

    /// <summary>A copy of some rows.</summary>
    public static Tensor Take(Tensor tensor, long first, long count)
    {
        var rows = Like(tensor, count);
        switch (tensor)
        {
            case Tensor<float> of: Take(of, rows, first); break;
            case Tensor<long> of: Take(of, rows, first); break;
            case Tensor<int> of: Take(of, rows, first); break;
            case Tensor<double> of: Take(of, rows, first); break;
            case Tensor<Half> of: Take(of, rows, first); break;
            case Tensor<bool> of: Take(of, rows, first); break;
        }

        return rows;
    }

    private static void Put<T>(Tensor<T> rows, Tensor target, long first) where T : unmanaged => rows.Span.CopyTo(target.As<T>().Span[(int)(first * Tensor.Count(rows.Shape[1..]))..]);

    private static void Take<T>(Tensor<T> tensor, Tensor rows, long first) where T : unmanaged => tensor.Span.Slice((int)(first * Tensor.Count(tensor.Shape[1..])), rows.Length).CopyTo(rows.As<T>().Span);
}
