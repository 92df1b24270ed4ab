using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion;

/// <summary>Conversions of ids.</summary>
internal static class Ids
{
    /// <summary>Codes of one sample (1, ..) as tokens (..).</summary>
    public static Tensor<int> ToTokens(this Tensor<long> codes) => Tensor.Create(Array.ConvertAll(codes.Span.ToArray(), id => checked((int)id)), codes.Shape[1..]);

    /// <summary>Tokens (N) or (Q, N) as codes of one sample.</summary>
    public static Tensor<long> ToCodes(this Tensor<int> tokens) => Tensor.Create(Array.ConvertAll(tokens.Span.ToArray(), id => (long)id), [1, .. tokens.Shape]);

    /// <summary>Ids (N, Q) as (1, Q, N), and (Q, N) as (1, N, Q).</summary>
    public static Tensor<long> Transposed(this Tensor<long> ids)
    {
        var (rows, columns) = ((int)ids.Shape[0], (int)ids.Shape[1]);
        var result = Tensor.Zeros<long>(1, columns, rows);
        for (var i = 0; i < result.Length; i++) result.Span[i] = ids.Span[i % rows * columns + i / rows];
        return result;
    }

    /// <summary>Rows of ids as a tensor (rows, columns).</summary>
    public static Tensor<long> ToTensor(this long[][] rows) => Tensor.Create(rows.SelectMany(row => row).ToArray(), rows.Length, rows[0].Length);

    /// <summary>A tensor (rows, columns) as rows.</summary>
    public static long[][] ToRows(this Tensor<long> ids) => [.. Enumerable.Range(0, (int)ids.Shape[0]).Select(row => ids.Slice(row).Span.ToArray())];

    /// <summary>Whole numbers, given as int64 or as decimals.</summary>
    public static int[] ToNumbers(this Tensor numbers) => numbers is Tensor<float> single
        ? Array.ConvertAll(single.Span.ToArray(), value => (int)value)
        : Array.ConvertAll(numbers.As<long>().Span.ToArray(), value => checked((int)value));
}
