// Simple and Controllable Music Generation (MusicGen). Copet et al. arXiv:2306.05284, section 2.2.
namespace ModelZoo.Networks.Sampling;

/// <summary>Codebook k is shifted by k frames, so that one step over time predicts all codebooks with what is coarser already known.</summary>
public static class DelayPattern
{
    /// <summary>Shifts (codebooks, frames) to (codebooks, frames + codebooks - 1), filled by a special id.</summary>
    public static int[,] Apply(int[,] codes, int fill)
    {
        var (books, frames) = (codes.GetLength(0), codes.GetLength(1));
        var result = new int[books, frames + books - 1];
        for (var k = 0; k < books; k++)
        {
            for (var t = 0; t < result.GetLength(1); t++) result[k, t] = t >= k && t - k < frames ? codes[k, t - k] : fill;
        }

        return result;
    }

    /// <summary>The inverse of <see cref="Apply"/>.</summary>
    public static int[,] Undo(int[,] delayed)
    {
        var (books, frames) = (delayed.GetLength(0), delayed.GetLength(1) - delayed.GetLength(0) + 1);
        var result = new int[books, frames];
        for (var k = 0; k < books; k++)
        {
            for (var t = 0; t < frames; t++) result[k, t] = delayed[k, t + k];
        }

        return result;
    }
}
