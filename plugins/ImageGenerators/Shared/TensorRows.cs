using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Rearrangements of tensors between runs.</summary>
internal static class TensorRows
{
    /// <summary>The batch twice: (B, ..) -> (2 B, ..).</summary>
    public static Tensor<T> Doubled<T>(this Tensor<T> batch) where T : unmanaged => Tensor.Create<T>([.. batch.Span, .. batch.Span], [2 * batch.Shape[0], .. batch.Shape[1..]]);

    /// <summary>A tensor (rows, columns) as rows.</summary>
    public static long[][] ToRows(this Tensor<long> ids) => [.. Enumerable.Range(0, (int)ids.Shape[0]).Select(row => ids.Slice(row).Span.ToArray())];

    /// <summary>An argument of whole numbers or decimals, as decimals.</summary>
    public static Tensor<float> Floats(this CallArguments arguments, string name) =>
        arguments.Tensor(name) is Tensor<long> whole ? Tensor.Create(Array.ConvertAll(whole.Span.ToArray(), value => (float)value), whole.Shape) : arguments.Tensor<float>(name);
}
