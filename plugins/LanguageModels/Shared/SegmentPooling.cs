using ModelZoo.Contracts;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>From characters to groups and back (arXiv:2211.09761, section 3). A boundary closes a group: the character at it is the group's last.</summary>
internal static class SegmentPooling
{
    /// <summary>The mean of each closed group, behind the null group; rows with fewer groups end in zeros. hidden (B, T, D), boundaries (B, T) -> (B, S + 1, D).</summary>
    public static Tensor<float> Pool(Tensor<float> hidden, Tensor<bool> boundaries, ReadOnlySpan<float> nullGroup)
    {
        var (rows, length) = ((int)boundaries.Shape[0], (int)boundaries.Shape[1]);
        var groups = Enumerable.Range(0, rows).Max(row => boundaries.Slice(row).Span.Count(true)) + 1;
        var pooled = Tensor.Zeros<float>(rows, groups, hidden.Shape[2]);
        for (var row = 0; row < rows; row++)
        {
            nullGroup.CopyTo(pooled.Place(row, 0));
            for (var (t, start, group) = (0, 0, 1); t < length; t++)
            {
                if (!boundaries[row, t]) continue;
                var mean = pooled.Place(row, group++);
                for (var place = start; place <= t; place++) TensorPrimitives.Add(mean, hidden.Place(row, place), mean);
                TensorPrimitives.Divide(mean, t + 1 - start, mean);
                start = t + 1;
            }
        }

        return pooled;
    }

    /// <summary>For each character the group that was closed last, at it or before it; the null group before the first. groups (B, S + 1, D), boundaries (B, T) -> (B, T, D).</summary>
    public static Tensor<float> Upsample(Tensor<float> groups, Tensor<bool> boundaries)
    {
        var (rows, length) = ((int)boundaries.Shape[0], (int)boundaries.Shape[1]);
        var spread = Tensor.Zeros<float>(rows, length, groups.Shape[2]);
        for (var row = 0; row < rows; row++)
        {
            for (var (t, group) = (0, 0); t < length; t++)
            {
                if (boundaries[row, t]) group++;
                groups.Place(row, group).CopyTo(spread.Place(row, t));
            }
        }

        return spread;
    }

    /// <summary>The vector at a place. x (B, T, D) -> (D).</summary>
    public static Span<float> Place(this Tensor<float> x, int row, int place)
    {
        var (length, width) = ((int)x.Shape[1], (int)x.Shape[2]);
        return x.Span.Slice((row * length + place) * width, width);
    }
}
