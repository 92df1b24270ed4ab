using System.Globalization;
using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Which tokens a time of the diffusion sees: those up to an index that grows with the noise (section 3.2), piecewise linear, or by a logit-normal distribution.</summary>
internal sealed class SelftokTimes(SelftokParams config)
{
    // Below it the authors' single precision knows only zero.
    private const double SmallestShare = 1.0 / (1 << 26);

    private readonly int[] _stages = [0, .. Numbers(config.Stages)], _tokens = Numbers(config.KPerStage);

    /// <summary>Index of the last token that a time in 0..1 sees; 1 is noise.</summary>
    public int LastVisible(float time) => Math.Clamp(config.Stages is null ? ByDistribution(time) : ByStages((long)(time * 1000f)), 0, config.K - 1);

    // The authors' arithmetic is in single precision.
    private int ByStages(long time)
    {
        var (index, before) = (0, 0);
        for (var stage = 0; stage < _tokens.Length && time >= _stages[stage]; stage++)
        {
            index = (int)((float)((double)_tokens[stage] / (_stages[stage + 1] - _stages[stage])) * (time - _stages[stage])) + before;
            before += _tokens[stage];
        }

        return index;
    }

    // ceil(K cdf(logit t)): the first n whose quantile n / K is not below.
    private int ByDistribution(float time)
    {
        var t = Math.Clamp(config.T2K * time, 0, 1);
        var place = (Math.Log(t / (1 - t)) - (config.KM ?? 0)) / (config.KS ?? 1);
        var index = 0;
        while (index < config.K && place > NormalDistribution.Inverse(index == 0 ? SmallestShare : (double)index / config.K)) index++;
        return index;
    }

    private static int[] Numbers(string? list)
    {
        try
        {
            return [.. (list ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(text => int.Parse(text, CultureInfo.InvariantCulture))];
        }
        catch (FormatException error)
        {
            throw new CheckpointException(ErrorCodes.ConfigInvalid, "Stages are whole numbers with commas between.", error) { Where = "tokenizer.params", Found = list };
        }
    }
}
