using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion;

/// <summary>One run of MoMask's decoding, over a batch.</summary>
internal sealed record MoMaskRun
{
    /// <summary>Number of codes; the ids of the mask and of padding follow.</summary>
    public required int Codes { get; init; }
    /// <summary>Tokens of each row.</summary>
    public required int[] Lengths { get; init; }
    /// <summary>Number of steps.</summary>
    public required int Steps { get; init; }
    /// <summary>How ids are chosen.</summary>
    public required LayerSampling Sampling { get; init; }
    /// <summary>Tokens to edit; null to make all.</summary>
    public long[][]? Tokens { get; init; }
    /// <summary>Places to make anew, when tokens are edited; null remakes a few of all places at each step.</summary>
    public bool[][]? EditMask { get; init; }
}

/// <summary>
/// MoMask's iterative decoding: all ids are predicted at once, those with the smallest probability are masked again, by a cosine schedule. Counts are float32, rounded half to even; equals go by place.
/// </summary>
internal static class MoMaskSampler
{
    private const float Kept = 1e5f;
    // Without an edit mask, this share of the tokens is made anew at each step.
    private const float FreeShare = 0.16f;

    /// <summary>Runs; <paramref name="logits"/> takes ids (B, N) and gives scores (B, codes, N). Each step gives the ids that entered and those after it; the last ones have -1 beyond the lengths.</summary>
    public static async IAsyncEnumerable<(long[][] Inputs, long[][] Outputs)> RunAsync(MoMaskRun run, Func<Tensor<long>, Task<Tensor<float>>> logits)
    {
        var (mask, pad) = ((long)run.Codes, (long)run.Codes + 1);
        var slots = run.Tokens?[0].Length ?? run.Lengths.Max();
        var free = run.Tokens is not null && run.EditMask is null;
        var editable = run.Lengths.Select((length, row) => Enumerable.Range(0, slots).Select(i => i < length && (run.EditMask?[row][i] ?? true)).ToArray()).ToArray();
        var ids = editable.Select((places, row) => places.Select((edit, i) =>
            run.Tokens is null ? i < run.Lengths[row] ? mask : pad
            : free ? i < run.Lengths[row] ? run.Tokens[row][i] : pad
            : edit ? mask : run.Tokens[row][i]).ToArray()).ToArray();
        var scores = editable.Select(places => places.Select(edit => edit ? 0 : Kept).ToArray()).ToArray();
        for (var step = 0; step < run.Steps; step++)
        {
            var share = free ? FreeShare : MathF.Cos(Time(step, run.Steps) * MathF.PI * 0.5f);
            var masked = new bool[ids.Length][];
            for (var row = 0; row < ids.Length; row++)
            {
                var count = Math.Max(1, (int)MathF.Round(share * editable[row].Count(edit => edit)));
                masked[row] = new bool[slots];
                foreach (var i in Enumerable.Range(0, slots).OrderBy(i => scores[row][i]).Take(count)) (masked[row][i], ids[row][i]) = (true, mask);
            }

            var inputs = ids.Select(row => row.ToArray()).ToArray();
            var (chosen, probabilities) = run.Sampling.Choose(await logits(inputs.ToTensor()).ConfigureAwait(false));
            for (var place = 0; place < chosen.Length; place++)
            {
                var (row, i) = (place / slots, place % slots);
                if (masked[row][i]) ids[row][i] = chosen[place];
                scores[row][i] = (free ? editable : masked)[row][i] ? probabilities[place] : Kept;
            }

            yield return (inputs, [.. ids.Select((own, row) => own.Select((id, i) => i < run.Lengths[row] ? id : -1).ToArray())]);
        }
    }

    // torch.linspace(0, 1, steps): counted from the nearer end.
    private static float Time(int step, int steps)
    {
        if (steps == 1) return 0;
        var size = 1f / (steps - 1);
        return step < steps / 2 ? step * size : 1 - size * (steps - 1 - step);
    }
}
