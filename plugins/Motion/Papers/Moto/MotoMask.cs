using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion;

/// <summary>Who may look at whom in Moto-GPT, before causality; and rows of a batch repeated.</summary>
internal static class MotoMask
{
    /// <summary>
    /// The mask (B, 1, N, N): nobody looks at action queries; conditions do not look at the steps where both motion and actions are predicted; action queries look at the motion unless it is hidden from them.
    /// </summary>
    /// <param name="words">1 for words, 0 for padding (B, W).</param>
    /// <param name="conditions">Tokens before the steps.</param>
    /// <param name="motions">Steps whose motion is there (B, T).</param>
    /// <param name="probability">Share of motions that are hidden from actions: 0 or 1.</param>
    /// <param name="config">The model.</param>
    /// <exception cref="ModelZooException">The share is neither 0 nor 1.</exception>
    public static Tensor<long> Of(Tensor<long> words, int conditions, Tensor<long> motions, double probability, MotoGptConfig config)
    {
        if (probability is not (0 or 1) && config is { LatentMotionPred: true, ActPred: true })
            throw new ModelZooException(ErrorCodes.VerbUnsupported, "Motions are hidden at random only in training.") { Where = "mask_latent_motion_probability", Expected = "0 or 1", Found = $"{probability}" };
        var both = config is { LatentMotionPred: true, ActPred: true };
        var (batch, each, motion) = ((int)words.Shape[0], config.StepTokens, config.LatentMotionPred ? 1 + config.PerLatentMotionLen : 0);
        var length = conditions + config.SequenceLength * each;
        var mask = Tensor.Zeros<long>(batch, 1, length, length);
        for (var b = 0; b < batch; b++)
        {
            for (var query = 0; query < length; query++)
            {
                var row = mask.Slice(b).Slice(0).Slice(query).Span;
                row[..conditions].Fill(1);
                words.Slice(b).Span.CopyTo(row);
                if (both && query < conditions) continue;
                var acts = both && (query - conditions) % each >= motion;
                for (var step = 0; step < config.SequenceLength; step++)
                    row.Slice(conditions + step * each, motion).Fill(acts && probability == 1 ? 0 : motions[b, step]);
            }
        }

        return mask;
    }

    /// <summary>Ids of one step (B, T, L) -> (B, L).</summary>
    public static Tensor<long> Step(Tensor<long> ids, int step)
    {
        var result = Tensor.Zeros<long>(ids.Shape[0], ids.Shape[2]);
        for (var row = 0; row < ids.Shape[0]; row++) ids.Slice(row).Slice(step).Span.CopyTo(result.Slice(row).Span);
        return result;
    }

    /// <summary>Each row several times in place.</summary>
    public static Tensor<T> Repeat<T>(Tensor<T> rows, int times) where T : unmanaged
    {
        var result = Tensor.Zeros<T>([rows.Shape[0] * times, .. rows.Shape[1..]]);
        for (var i = 0; i < result.Shape[0]; i++) rows.Slice(i / times).Span.CopyTo(result.Slice(i).Span);
        return result;
    }
}
