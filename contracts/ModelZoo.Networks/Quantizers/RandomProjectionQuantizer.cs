using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.Quantizers;

// Self-supervised Learning with Random-projection Quantizer for Speech Recognition. Chiu, Qin, Zhang, Yu, Wu. arXiv:2202.01855. Layout of lucidrains/vector-quantize-pytorch: RandomProjectionQuantizer.

/// <summary>The settings of <c>RandomProjectionQuantizer</c>.</summary>
public sealed record RandomProjectionConfig
{
    /// <summary>Width of the input.</summary>
    [Range(1, 65536)] public long Dim { get; init; } = 1;
    /// <summary>Number of codes.</summary>
    [Range(1, 1 << 24)] public long CodebookSize { get; init; } = 1;
    /// <summary>Width of a code.</summary>
    [Range(1, 65536)] public long CodebookDim { get; init; } = 1;
    /// <summary>Number of projections with a codebook each.</summary>
    [Range(1, 1024)] public int NumCodebooks { get; init; } = 1;
    /// <summary>Whether inputs are brought to zero mean and unit variance.</summary>
    public bool Norm { get; init; } = true;
}

/// <summary>Random projections, never trained, and the nearest code of each by angle.</summary>
public static class RandomProjectionQuantizer
{
    /// <summary>Ids. x (B, N, D) -> (B, N), or (B, N, codebooks) when there are several.</summary>
    public static Value Quantize(Scope rpq, Value x, RandomProjectionConfig config)
    {
        var (books, width) = (config.NumCodebooks, config.CodebookDim);
        var rows = config.Norm ? x.LayerNorm() : x;
        var projected = rows.Unsqueeze(1).MatMul(rpq.Weight("rand_projs", books, config.Dim, width));                            // (B, books, N, D')

        // Some versions of the library give every codebook the width of all, and a projection to it.
        return VectorQuantizer.Quantize(rpq["vq"], projected.MergeHeads(), new()
        { Dim = width * books, CodebookDim = rpq["vq"].Has("project_in.weight") ? width * books : width, Heads = books, SeparateCodebookPerHead = true, CodebookSize = config.CodebookSize, UseCosineSim = true }).Codes;
    }
}
