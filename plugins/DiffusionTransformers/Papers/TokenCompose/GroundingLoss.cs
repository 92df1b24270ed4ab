using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.TokenCompose;

/// <summary>How far words are looked for outside of their masks (section 3.2).</summary>
internal static class GroundingLoss
{
    /// <summary>A mask (H, W) at a smaller size, bilinear with antialiasing as torchvision resizes; 1 where anything of it is seen.</summary>
    public static bool[] Shrink(Tensor<float> mask, int side)
    {
        var (rows, columns) = (Supports((int)mask.Shape[0], side), Supports((int)mask.Shape[1], side));
        var result = new bool[side * side];
        for (var i = 0; i < result.Length; i++)
        {
            var ((top, down), (left, across)) = (rows[i / side], columns[i % side]);
            var sum = 0f;
            for (var y = 0; y < down.Length; y++)
            {
                for (var x = 0; x < across.Length; x++) sum += down[y] * across[x] * mask[top + y, left + x];
            }

            result[i] = sum > 0;
        }

        return result;
    }

    /// <summary>Both losses. maps (heads, H, W, tokens), for each word its tokens, for each word a mask (H W).</summary>
    public static (float Token, float Pixel) Compute(IReadOnlyList<Tensor<float>> maps, int[][] words, IReadOnlyList<bool[]> masks)
    {
        var (token, pixel) = (0.0, 0.0);
        for (var word = 0; word < words.Length; word++)
        {
            foreach (var map in maps) token += words[word].Average(index => Math.Pow(1 - MeanActivation(map, index, masks[word]), 2));
            pixel += CrossEntropy(maps, words[word], masks[word]);
        }

        return ((float)(token / words.Length), (float)(pixel / words.Length));
    }

    // The share of a token's attention that falls into the mask, over the heads.
    private static double MeanActivation(Tensor<float> map, int token, bool[] mask)
    {
        var (heads, places, tokens, mean) = ((int)map.Shape[0], mask.Length, (int)map.Shape[3], 0.0);
        for (var head = 0; head < heads; head++)
        {
            var (within, all) = (0.0, 0.0);
            for (var place = 0; place < places; place++)
            {
                var attention = map.Span[(head * places + place) * tokens + token];
                all += attention;
                if (mask[place]) within += attention;
            }

            mean += within / all / heads;
        }

        return mean;
    }

    // Maps averaged over heads, then over layers; a word's tokens are summed. Logarithms are kept above -100, as PyTorch does.
    private static double CrossEntropy(IReadOnlyList<Tensor<float>> maps, int[] tokens, bool[] mask)
    {
        var sum = 0.0;
        for (var place = 0; place < mask.Length; place++)
        {
            var p = maps.Average(map => Enumerable.Range(0, (int)map.Shape[0]).Average(head => tokens.Sum(token => (double)map.Span[(head * mask.Length + place) * (int)map.Shape[3] + token])));
            sum -= Math.Max(Math.Log(mask[place] ? p : 1 - p), -100);
        }

        return sum / mask.Length;
    }

    // For each output the first input and the weights of those that it sees: a triangle as wide as the scale, never narrower than an input.
    private static (int Start, float[] Weights)[] Supports(int from, int to)
    {
        var scale = from / (double)to;
        var reach = Math.Max(scale, 1);
        return [.. Enumerable.Range(0, to).Select(i =>
        {
            var centre = scale * (i + 0.5);
            var (start, end) = (Math.Max((int)(centre - reach + 0.5), 0), Math.Min((int)(centre + reach + 0.5), from));
            float[] weights = [.. Enumerable.Range(start, end - start).Select(j => (float)Math.Max(0, 1 - Math.Abs((j - centre + 0.5) / reach)))];
            var sum = weights.Sum();
            return (start, weights.Select(weight => weight / sum).ToArray());
        })];
    }
}
