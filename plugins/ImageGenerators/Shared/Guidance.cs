using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Classifier-free guidance (arXiv:2207.12598) over a batch whose first half has the conditions and whose second half has none, in the two ways that authors write it.</summary>
internal static class Guidance
{
    /// <summary>c + (c - u) scale: 0 for none. both (2 B, ..) -> (B, ..).</summary>
    public static Tensor<float> FromConditional(Tensor<float> both, float scale) => Apply(both, (c, u) => c + (c - u) * scale);

    /// <summary>u + (c - u) scale: 1 for none. both (2 B, ..) -> (B, ..).</summary>
    public static Tensor<float> FromUnconditional(Tensor<float> both, float scale) => Apply(both, (c, u) => u + (c - u) * scale);

    private static Tensor<float> Apply(Tensor<float> both, Func<float, float, float> rule)
    {
        var half = both.Length / 2;
        var result = Tensor.Zeros<float>([both.Shape[0] / 2, .. both.Shape[1..]]);
        for (var i = 0; i < half; i++) result.Span[i] = rule(both.Span[i], both.Span[half + i]);
        return result;
    }
}

/// <summary>How a scale of guidance changes over the steps, in float32 as the authors compute it.</summary>
internal static class GuidanceCourse
{
    /// <summary>(g - 1) (1 - cos(share^power pi)) / 2 + 1: from one at the start to g at the end.</summary>
    public static float PowerCosine(double scale, double share, double power) => (float)(scale - 1) * ((1 - MathF.Cos(MathF.Pow((float)share, (float)power) * MathF.PI)) / 2) + 1;
}
