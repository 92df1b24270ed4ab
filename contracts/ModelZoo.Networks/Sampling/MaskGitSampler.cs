// MaskGIT: Masked Generative Image Transformer. Chang et al. arXiv:2202.04200; guidance and schedules as in MaskBit (arXiv:2409.16211, markweberdev/maskbit).
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling;

/// <summary>How guidance grows over the steps.</summary>
public enum GuidanceAnnealing
{
    /// <summary>The same at every step.</summary>
    None,
    /// <summary>From zero, in proportion to the steps.</summary>
    Linear,
    /// <summary>From zero, by a cosine of a power of the steps' share.</summary>
    Cosine,
}

/// <summary>Options of masked sampling.</summary>
public sealed record MaskGitOptions
{
    /// <summary>Number of steps.</summary>
    public int Steps { get; init; } = 12;
    /// <summary>Classifier-free guidance; 0 for none.</summary>
    public double GuidanceScale { get; init; }
    /// <summary>How guidance grows.</summary>
    public GuidanceAnnealing GuidanceAnnealing { get; init; }
    /// <summary>Power of the cosine annealing.</summary>
    public double ScalePow { get; init; } = 4;
    /// <summary><c>root</c>, <c>square</c>, <c>cosine</c>, <c>arccos</c> or <c>linear</c>.</summary>
    public string MaskSchedule { get; init; } = "arccos";
    /// <summary>Temperature of the softmax.</summary>
    public double SoftmaxTemperature { get; init; } = 1;
    /// <summary>Weight of the noise on confidences at the start; it falls to zero.</summary>
    public double RandomizeTemperature { get; init; } = 4.5;
    /// <summary>Let the softmax temperature fall from 1.3 to 0.5.</summary>
    public bool UseSamplingAnnealing { get; init; }
}

/// <summary>The model: logits (positions, vocabulary) of each masked or known position.</summary>
/// <param name="step">The step, from 0.</param>
/// <param name="tokens">(samples, positions); <see cref="MaskGitSampler.MaskToken"/> where masked.</param>
/// <param name="conditional">Takes the logits (samples, positions, vocabulary).</param>
/// <param name="unconditional">Takes those without condition; empty without guidance.</param>
public delegate void MaskGitModel(int step, ReadOnlySpan<int> tokens, Span<float> conditional, Span<float> unconditional);

/// <summary>Random numbers of masked sampling, one for each sample and position.</summary>
public interface IMaskGitDraws
{
    /// <summary>Uniform numbers in (0, 1) that choose tokens.</summary>
    void Uniforms(int step, Span<float> destination);

    /// <summary>Gumbel numbers that disturb confidences.</summary>
    void Gumbels(int step, Span<float> destination);
}

/// <summary>Fills all masked positions at each step, keeps the most confident, masks the rest again.</summary>
/// <param name="Samples">Samples in the batch.</param>
/// <param name="Positions">Tokens of a sample, splits of a token counted separately.</param>
/// <param name="Vocabulary">Ids that a position can take.</param>
/// <param name="MaskToken">The id that stands for a masked position.</param>
public sealed record MaskGitSampler(int Samples, int Positions, int Vocabulary, int MaskToken)
{
    /// <summary>Share of positions that stay masked.</summary>
    /// <exception cref="OptionsException">There is no such schedule.</exception>
    public static float MaskingRatio(float progress, string schedule) => Math.Clamp(schedule switch
    {
        "root" => 1 - MathF.Sqrt(progress),
        "square" => 1 - progress * progress,
        "cosine" => MathF.Cos(progress * MathF.PI * 0.5f),
        "arccos" => MathF.Acos(progress) / (MathF.PI * 0.5f),
        "linear" => 1 - progress,
        _ => throw new OptionsException(ErrorCodes.OptionRange, "No such mask schedule.") { Where = "mask_schedule_strategy", Expected = "root, square, cosine, arccos, linear", Found = schedule },
    }, 1e-6f, 1);

    /// <summary>Runs all steps and gives the tokens (samples, positions) of the last.</summary>
    /// <param name="observe">Sees the tokens that went into each step and those that came out.</param>
    public int[] Sample(MaskGitModel model, IMaskGitDraws draws, MaskGitOptions options, Action<int, int[], int[]>? observe = null)
    {
        var count = Samples * Positions;
        var tokens = new int[count];
        Array.Fill(tokens, MaskToken);
        var (conditional, unconditional) = (new float[count * Vocabulary], options.GuidanceScale != 0 ? new float[count * Vocabulary] : []);
        var (uniforms, gumbels, confidences) = (new float[count], new float[count], new float[count]);
        var filled = new int[count];
        for (var step = 0; step < options.Steps; step++)
        {
            var progress = (double)(step + 1) / options.Steps;
            model(step, tokens, conditional, unconditional);
            if (options.GuidanceScale != 0) Guide(conditional, unconditional, (float)Scale(options, step));
            draws.Uniforms(step, uniforms);
            draws.Gumbels(step, gumbels);
            var temperature = (float)(options.UseSamplingAnnealing ? 0.5 + 0.8 * (1 - progress) : options.SoftmaxTemperature);
            for (var i = 0; i < count; i++)
            {
                if (tokens[i] != MaskToken)
                {
                    (filled[i], confidences[i]) = (tokens[i], float.PositiveInfinity);
                    continue;
                }

                var probabilities = conditional.AsSpan(i * Vocabulary, Vocabulary);
                Softmax(probabilities, temperature);
                filled[i] = Draw(probabilities, uniforms[i]);
                confidences[i] = MathF.Log(probabilities[filled[i]]) + gumbels[i] * (float)(options.RandomizeTemperature * (1 - progress));
            }

            observe?.Invoke(step, [.. tokens], [.. filled]);
            var masked = tokens.AsSpan(0, Positions).Count(MaskToken);
            var wanted = (int)MathF.Floor(MaskingRatio((float)progress, options.MaskSchedule) * Positions);
            Mask(filled, confidences, Math.Min(Math.Max(wanted, 1), masked - 1), tokens);
        }

        return filled;
    }

    private static double Scale(MaskGitOptions options, int step)
    {
        var share = (double)step / options.Steps;
        return options.GuidanceScale * options.GuidanceAnnealing switch
        {
            GuidanceAnnealing.Linear => share,
            GuidanceAnnealing.Cosine => (1 - MathF.Cos(MathF.Pow((float)share, (float)options.ScalePow) * MathF.PI)) / 2,
            _ => 1,
        };
    }

    // Rounded as PyTorch rounds: under strong guidance many confidences are one less a few last bits, and those that tie are masked together.
    private static void Softmax(Span<float> values, float temperature)
    {
        var max = float.NegativeInfinity;
        foreach (ref var value in values) max = Math.Max(max, value /= temperature);
        foreach (ref var value in values) value = MathF.Exp(value - max);
        var scale = 1 / Sum(values);
        foreach (ref var value in values) value *= scale;
    }

    // In eight lanes, which are then added by halves; fewer values one by one.
    private static float Sum(ReadOnlySpan<float> values)
    {
        Span<float> lanes = stackalloc float[8];
        lanes.Clear();
        var width = values.Length < lanes.Length ? 1 : lanes.Length;
        for (var i = 0; i < values.Length; i++) lanes[i % width] += values[i];
        for (var half = width / 2; half > 0; half /= 2)
        {
            for (var i = 0; i < half; i++) lanes[i] += lanes[half + i];
        }

        return lanes[0];
    }

    // The first id whose cumulative probability exceeds a uniform number; the last that there is where rounding leaves them all below.
    private static int Draw(ReadOnlySpan<float> probabilities, float uniform)
    {
        var cumulative = 0.0;
        for (var id = 0; id < probabilities.Length; id++)
        {
            cumulative += probabilities[id];
            if ((float)cumulative > uniform) return id;
        }

        return probabilities.LastIndexOfAnyExcept(0f);
    }

    private static void Guide(Span<float> conditional, ReadOnlySpan<float> unconditional, float scale)
    {
        for (var i = 0; i < conditional.Length; i++) conditional[i] += scale * (conditional[i] - unconditional[i]);
    }

    // All positions up to the n-th smallest confidence of each sample are masked; n = 0 stands for all of them, as indexing from the end does in the authors' code.
    private void Mask(int[] filled, float[] confidences, int number, int[] tokens)
    {
        var sorted = new float[Positions];
        for (var sample = 0; sample < Samples; sample++)
        {
            var row = confidences.AsSpan(sample * Positions, Positions);
            row.CopyTo(sorted);
            Array.Sort(sorted);
            var threshold = sorted[number > 0 ? number - 1 : Positions - 1];
            for (var i = 0; i < Positions; i++) tokens[sample * Positions + i] = row[i] <= threshold ? MaskToken : filled[sample * Positions + i];
        }
    }
}
