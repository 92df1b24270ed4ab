using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>Classifier-free guidance (Ho and Salimans, arXiv:2207.12598) on a batch whose first half is conditional and whose second half is not.</summary>
internal static class Guidance
{
    /// <summary>
    /// unconditional + scale (conditional - unconditional), in both halves, for the first <paramref name="channels"/> channels; the others stay each half's own. output (2B, C, ..), changed in place.
    /// The published code of DiT and of what descends from it guides three channels.
    /// </summary>
    public static Tensor<float> Apply(Tensor<float> output, double scale, int channels)
    {
        var (half, all) = ((int)output.Shape[0] / 2, (int)output.Shape[1]);
        var inner = output.Length / (2 * half * all);
        var (guided, factor) = (Math.Min(channels, all) * inner, (float)scale);
        for (var b = 0; b < half; b++)
        {
            var with = output.Span.Slice(b * all * inner, guided);
            var without = output.Span.Slice((half + b) * all * inner, guided);
            for (var i = 0; i < guided; i++) with[i] = without[i] = without[i] + factor * (with[i] - without[i]);
        }

        return output;
    }

    /// <summary>The conditional values in both halves, for the first <paramref name="channels"/> channels: guidance outside its interval. output (2B, C, ..), changed in place.</summary>
    public static Tensor<float> Skip(Tensor<float> output, int channels)
    {
        var (half, all) = ((int)output.Shape[0] / 2, (int)output.Shape[1]);
        var inner = output.Length / (2 * half * all);
        var guided = Math.Min(channels, all) * inner;
        for (var b = 0; b < half; b++) output.Span.Slice(b * all * inner, guided).CopyTo(output.Span.Slice((half + b) * all * inner, guided));
        return output;
    }

    /// <summary>unconditional + scale (conditional - unconditional), all channels. output (2B, C, ..) -> (B, C, ..).</summary>
    public static Tensor<float> Combine(Tensor<float> output, double scale) => Batch.FirstHalf(Apply(output, scale, int.MaxValue));
}
