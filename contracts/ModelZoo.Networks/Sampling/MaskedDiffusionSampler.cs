// Large Language Diffusion Models (LLaDA). Nie et al. arXiv:2502.09992. Ancestral: Simple and Effective Masked Diffusion Language Models. Sahoo et al. arXiv:2406.07524.
namespace ModelZoo.Networks.Sampling;

/// <summary>Which filled positions are kept at a step.</summary>
public enum Remasking
{
    /// <summary>The most confident.</summary>
    LowConfidence,
    /// <summary>Random ones.</summary>
    Random,
    /// <summary>Each with the probability that the diffusion gives it.</summary>
    Ancestral,
}

/// <summary>The model: logits (positions, vocabulary) of all positions, given the sequence with masks.</summary>
public delegate ValueTask<float[]> MaskedModel(int[] tokens, CancellationToken cancel);

/// <summary>Fills masked positions step by step, block after block; a filled position stays.</summary>
/// <param name="MaskToken">The id that stands for a masked position.</param>
/// <param name="Vocabulary">Number of ids.</param>
/// <param name="Steps">Model calls in all, divided evenly among blocks.</param>
public sealed record MaskedDiffusionSampler(int MaskToken, int Vocabulary, int Steps)
{
    /// <summary>Positions of a block; 0 for one block.</summary>
    public int BlockLength { get; init; }

    /// <summary>0 chooses the most probable token.</summary>
    public double Temperature { get; init; }

    /// <summary>Which positions are kept.</summary>
    public Remasking Remasking { get; init; }

    /// <summary>Fills every masked position of a sequence.</summary>
    /// <param name="sequence">Prompt and masks.</param>
    /// <param name="start">Where generation begins; blocks are counted from here.</param>
    public async ValueTask<int[]> FillAsync(int[] sequence, int start, MaskedModel model, ulong seed, int sample = 0, CancellationToken cancel = default)
    {
        var tokens = (int[])sequence.Clone();
        var block = BlockLength > 0 ? BlockLength : Math.Max(1, tokens.Length - start);
        var blocks = (tokens.Length - start + block - 1) / block;
        var stepsPerBlock = Math.Max(1, Steps / Math.Max(1, blocks));
        for (var b = 0; b < blocks; b++)
        {
            var (from, to) = (start + b * block, Math.Min(start + (b + 1) * block, tokens.Length));
            var quota = Quota(tokens.AsSpan(from, to - from).Count(MaskToken), stepsPerBlock);
            for (var step = 0; step < stepsPerBlock; step++)
            {
                cancel.ThrowIfCancellationRequested();
                var masked = Enumerable.Range(from, to - from).Where(i => tokens[i] == MaskToken).ToArray();
                if (masked.Length == 0) break;
                var logits = await model(tokens, cancel).ConfigureAwait(false);
                var generator = Philox.Of(seed, sample, draw: 1 + b * stepsPerBlock + step);
                var filled = masked.Select(i => Fill(logits, i, generator)).ToArray();
                foreach (var i in Kept(filled, quota[step], stepsPerBlock - step)) tokens[masked[i]] = filled[i].Id;
            }
        }

        return tokens;
    }

    /// <summary>How many positions each step fills: evenly, the first steps one more where it does not divide.</summary>
    public static int[] Quota(int masked, int steps) => [.. Enumerable.Range(0, steps).Select(i => masked / steps + (i < masked % steps ? 1 : 0))];

    private (int Id, double Confidence, double Uniform) Fill(float[] logits, int position, Philox generator)
    {
        var row = logits.AsSpan(position * Vocabulary, Vocabulary);
        var id = Temperature == 0 ? LogitProcessing.ArgMax(row) : Categorical.Draw(row, (float)Temperature, generator.Uniform(2 * (ulong)position)).Id;
        return (id, LogitProcessing.Probabilities(row)[id], generator.Uniform(2 * (ulong)position + 1));
    }

    private IEnumerable<int> Kept((int Id, double Confidence, double Uniform)[] filled, int quota, int stepsLeft) => Remasking switch
    {
        Remasking.LowConfidence => Enumerable.Range(0, filled.Length).OrderByDescending(i => filled[i].Confidence).Take(quota),
        Remasking.Random => Enumerable.Range(0, filled.Length).OrderBy(i => filled[i].Uniform).Take(quota),

        // From time t to t - 1/T a linear schedule unmasks each position with probability (1/T) / t.
        _ => Enumerable.Range(0, filled.Length).Where(i => filled[i].Uniform < 1.0 / stepsLeft),
    };
}
