using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Text;

/// <summary>Putting together what several encoders say of a text.</summary>
internal static class Columns
{
    /// <summary>Features side by side: (.., A) and (.., B) -> (.., A + B).</summary>
    public static Tensor<float> Join(Tensor<float> a, Tensor<float> b)
    {
        var (left, right) = ((int)a.Shape[^1], (int)b.Shape[^1]);
        var result = Tensor.Zeros<float>([.. a.Shape[..^1], left + right]);
        for (var row = 0; row < a.Length / left; row++)
        {
            a.Span.Slice(row * left, left).CopyTo(result.Span[(row * (left + right))..]);
            b.Span.Slice(row * right, right).CopyTo(result.Span[(row * (left + right) + left)..]);
        }

        return result;
    }

    /// <summary>Features with zeros behind, of a width.</summary>
    public static Tensor<float> Wide(Tensor<float> x, long width) => width > x.Shape[^1] ? Join(x, Tensor.Zeros<float>([.. x.Shape[..^1], width - x.Shape[^1]])) : x;

    /// <summary>Tokens after tokens: (1, M, D) and (1, N, D) -> (1, M + N, D).</summary>
    public static Tensor<float> Behind(Tensor<float> a, Tensor<float> b) => Tensor.Create<float>([.. a.Span, .. b.Span], 1, a.Shape[1] + b.Shape[1], a.Shape[2]);
}
