using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.CatPruning;

/// <summary>Pictures as tokens: squares of places.</summary>
internal static class PrunedTokens
{
    /// <summary>All tokens of a picture.</summary>
    public static long[] All(int count) => [.. Enumerable.Range(0, count).Select(token => (long)token)];

    /// <summary>Gives tokens that were not computed what they had in the step before. output, before (B, C, H, W).</summary>
    public static void Keep(Tensor<float> output, Tensor<float> before, long[] tokens, int patch)
    {
        var columns = (int)output.Shape[3] / patch;
        for (var plane = 0; plane < output.Shape[0] * output.Shape[1]; plane++)
        {
            foreach (var token in tokens)
            {
                for (var y = 0; y < patch; y++)
                {
                    var start = (plane * (int)output.Shape[2] + (int)token / columns * patch + y) * (int)output.Shape[3] + (int)token % columns * patch;
                    before.Span.Slice(start, patch).CopyTo(output.Span[start..]);
                }
            }
        }
    }

    /// <summary>A prediction token by token, the channel fastest. x (C, H, W) -> (N, patch patch C).</summary>
    public static Tensor<float> Of(Tensor<float> x, int patch)
    {
        var (channels, columns) = ((int)x.Shape[0], (int)x.Shape[2] / patch);
        var tokens = Tensor.Zeros<float>(x.Shape[1] / patch * columns, (long)patch * patch * channels);
        for (var i = 0; i < tokens.Length; i++)
        {
            var (token, feature) = (i / (int)tokens.Shape[1], i % (int)tokens.Shape[1]);
            var (place, c) = (feature / channels, feature % channels);
            tokens.Span[i] = x[c, token / columns * patch + place / patch, token % columns * patch + place % patch];
        }

        return tokens;
    }
}
