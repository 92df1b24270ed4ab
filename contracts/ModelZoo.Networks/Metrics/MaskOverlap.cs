namespace ModelZoo.Networks.Metrics;

/// <summary>Overlap of two binary masks; not zero is inside.</summary>
/// <param name="Intersection">Pixels in both.</param>
/// <param name="Union">Pixels in either.</param>
public readonly record struct MaskOverlap(long Intersection, long Union)
{
    /// <summary>Of masks of equal size.</summary>
    public static MaskOverlap Of(ReadOnlySpan<long> predicted, ReadOnlySpan<long> truth)
    {
        var (both, either) = (0L, 0L);
        for (var i = 0; i < truth.Length; i++)
        {
            if (predicted[i] != 0 && truth[i] != 0) both++;
            if (predicted[i] != 0 || truth[i] != 0) either++;
        }

        return new(both, either);
    }

    /// <summary>Intersection over union; 1 where both are empty.</summary>
    public double Iou => Union == 0 ? 1 : (double)Intersection / Union;

    /// <summary>Twice the intersection over the sum of both; 1 where both are empty.</summary>
    public double Dice => Union == 0 ? 1 : 2.0 * Intersection / (Union + Intersection);
}
