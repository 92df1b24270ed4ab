using ModelZoo.Inference;
using ModelZoo.Networks;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.Speech;

/// <summary>
/// Vector quantization in a narrow space (Yu et al., ViT-VQGAN, arXiv:2110.04627): a projection in, the codebook row nearest by cosine, and a projection out. The row that is used is not normalised.
/// <c>in_proj</c>, <c>out_proj</c> are pointwise convolutions or linear maps; <c>codebook.weight</c> (K, d).
/// </summary>
internal static class FactorizedQuantizer
{
    /// <summary>The projection into the narrow space. z (B, D, T) -> (B, d, T).</summary>
    public static Value Project(Scope quantizer, Value z, long width) => Pointwise(quantizer["in_proj"], z, width);

    /// <summary>Nearest codes. projected (B, d, T) -> (B, T) int64.</summary>
    public static Value Nearest(Scope quantizer, Value projected, long size, string codebook = "codebook")
    {
        // Equal lengths after normalisation: the nearest row has the largest product, and the length of the query does not matter.
        var (scope, width) = (quantizer[codebook], projected.Shape[1].Size);
        var rows = scope.Data("weight", size, width);
        var unit = scope.Derive("unit_rows", [size, width], target => Normalize(rows, target, (int)width));
        return scope.Linear(projected.Swap(1, 2).L2Normalize(), unit, null).ArgMax(-1);
    }

    /// <summary>Codes to the wide space. codes (B, T) -> (B, D, T).</summary>
    public static Value Lookup(Scope quantizer, Value codes, long size, long width, long outputs, string codebook = "codebook") =>
        Pointwise(quantizer["out_proj"], quantizer[codebook].Embedding(codes, size, width).Swap(1, 2), outputs);

    // A pointwise convolution, or a linear map where the weight has no kernel dimension.
    private static Value Pointwise(Scope scope, Value x, long outputs)
    {
        if (scope.Has("weight") || scope.ShapeOf("weight_v").Count == 3) return scope.FoldedConv(x, outputs, kernel: 1);
        return scope.Linear(x.Swap(1, 2), scope.WeightNorm(outputs, x.Shape[1].Size), scope.Weight("bias", outputs)).Swap(1, 2);
    }

    private static void Normalize(WeightData rows, Span<float> target, int width)
    {
        var source = rows.Span<float>();
        for (var start = 0; start < target.Length; start += width)
        {
            var row = source.Slice(start, width);
            TensorPrimitives.Divide(row, Math.Max(TensorPrimitives.Norm(row), 1e-12f), target.Slice(start, width));
        }
    }
}
