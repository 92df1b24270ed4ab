using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>States at the beginning: normal numbers within three deviations, drawn for each position by itself, so that a text that grows has the states of the whole.</summary>
internal static class HuginnState
{
    // Share of normal numbers below three deviations under the mean.
    private const double Tail = 0.0013498980316300933;

    /// <summary>States (1, N, D) of positions from <paramref name="first"/> on.</summary>
    /// <param name="config">Width and deviation.</param>
    /// <param name="first">The first position.</param>
    /// <param name="count">N.</param>
    /// <param name="scale">Factor on the deviation; 0 gives zeros.</param>
    /// <param name="seed">The same seed gives the same states.</param>
    public static Tensor<float> Draw(HuginnConfig config, int first, int count, double scale, ulong seed)
    {
        var states = Tensor.Zeros<float>(1, count, config.NEmbd);
        if (scale == 0) return states;
        var numbers = new double[config.NEmbd];
        for (var i = 0; i < count; i++)
        {
            // Draw 0 chooses tokens.
            Philox.Of(seed, 0, draw: 1 + first + i).FillUniform(numbers);
            for (var j = 0; j < numbers.Length; j++) numbers[j] = Tail + numbers[j] * (1 - 2 * Tail);
            NormalDistribution.Inverse(numbers);
            var row = states.Span.Slice(i * config.NEmbd, config.NEmbd);
            for (var j = 0; j < numbers.Length; j++) row[j] = (float)(numbers[j] * scale * config.StateDeviation) * config.EmbedScale;
        }

        return states;
    }
}
