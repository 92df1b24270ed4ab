using System.ComponentModel.DataAnnotations;
using System.Numerics;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Quantizers;

// Language Model Beats Diffusion: Tokenizer is Key to Visual Generation. Yu et al. arXiv:2310.05737, section 3.1 (LFQ).
// Image and Video Tokenization with Binary Spherical Quantization. Zhao, Xiong, Krähenbühl. arXiv:2406.07548 (BSQ). Layout of lucidrains/vector-quantize-pytorch: LFQ.

/// <summary>The settings of <c>LFQ</c> that matter once it is trained.</summary>
public sealed record LookupFreeConfig
{
    /// <summary>Width of the input; null is that of the codes.</summary>
    public long? Dim { get; init; }
    /// <summary>Number of codes, a power of two; null is 2^dim.</summary>
    public long? CodebookSize { get; init; }
    /// <summary>Groups of channels with an id each.</summary>
    [Range(1, 1024)] public int NumCodebooks { get; init; } = 1;
    /// <summary>Whether ids have an axis for the groups; null is when there are several.</summary>
    public bool? KeepNumCodebooksDim { get; init; }
    /// <summary>Magnitude of a code's channels.</summary>
    public double CodebookScale { get; init; } = 1;
    /// <summary>Whether the input is projected; null is when the widths differ.</summary>
    public bool? HasProjections { get; init; }
    /// <summary>Whether the projections have biases.</summary>
    public bool ProjectionHasBias { get; init; } = true;
    /// <summary>Inputs x become c tanh(x / c); null leaves them.</summary>
    public double? SoftClampInputValue { get; init; }
    /// <summary>Whether the projection in is by cosine.</summary>
    public bool CosineSimProjectIn { get; init; }
    /// <summary>Factor of that; null is <see cref="CodebookScale"/>.</summary>
    public double? CosineSimProjectInScale { get; init; }
    /// <summary>Whether inputs are (B, D, ..); null is for pictures and videos.</summary>
    public bool? ChannelFirst { get; init; }
    /// <summary>Whether inputs and codes are unit vectors (BSQ).</summary>
    public bool Spherical { get; init; }
    /// <summary>Whether channels are rotated before, and back after.</summary>
    public bool OrthogonalRotation { get; init; }

    /// <summary>Channels of a code.</summary>
    public int Bits => CodebookSize is { } size ? BitOperations.Log2((ulong)size) : (int)(Dim ?? 1);

    /// <summary>Channels of all groups.</summary>
    public long CodeWidth => (long)Bits * NumCodebooks;

    /// <summary>Whether the input is projected.</summary>
    public bool Projects => HasProjections ?? (Dim ?? CodeWidth) != CodeWidth;

    /// <summary>Whether ids have an axis for the groups.</summary>
    public bool HasCodebookAxis => KeepNumCodebooksDim ?? NumCodebooks > 1;
}

/// <summary>Lookup-free quantization: each channel is a bit, set where it is positive, the first being the most significant. Spherical: codes are corners of a cube scaled onto the unit sphere.</summary>
public static class LookupFreeQuantizer
{
    /// <summary>Quantizes. x (B, N, D), or (B, D, ..) for pictures, videos and channels first.</summary>
    public static Quantization Quantize(Scope lfq, Value x, LookupFreeConfig config)
    {
        var (g, first) = (x.Graph, config.ChannelFirst ?? x.Rank >= 4);
        var rows = x.ToSequence(first);
        var projected = ProjectIn(lfq, rows, config);
        var h = config.SoftClampInputValue is { } clamp ? (projected / clamp).Tanh() * clamp : projected;
        h = h.Reshape(rows.Shape[0], rows.Shape[1], config.NumCodebooks, config.Bits);                                           // (B, N, C, bits)
        if (config.OrthogonalRotation) h = h.MatMul(lfq.Weight("orthogonal_rot", config.Bits, config.Bits));
        var set = h.Greater(g.Scalar(ElementType.Float32, 0));
        var ids = (set.Cast(ElementType.Int64) * Powers(g, config.Bits)).Sum(-1);                                                 // (B, N, C)
        if (!config.HasCodebookAxis) ids = ids.Squeeze(-1);
        return new(projected, ids.IdsFromSequence(x.Shape, first), ProjectOut(lfq, Codes(set, config), config).FromSequence(x.Shape, first));
    }

    /// <summary>What ids stand for, in the input's layout. ids (B, ..), or (B, .., C) with an axis for the groups.</summary>
    public static Value Decode(Scope lfq, Value ids, LookupFreeConfig config, bool project = true)
    {
        var first = config.ChannelFirst ?? ids.Rank >= 3 + (config.HasCodebookAxis ? 1 : 0);
        if (!config.HasCodebookAxis) ids = ids.Unsqueeze(-1);
        var set = (ids.Unsqueeze(-1) / Powers(ids.Graph, config.Bits)).Modulo(2).Cast(ElementType.Bool);                          // (B, .., C, bits)
        var y = ProjectOut(lfq, Codes(set, config), config, project);
        return first ? y.ChannelsFirst() : y;
    }

    // Plus or minus the scale; on the sphere, divided by the norm.
    private static Value Codes(Value set, LookupFreeConfig config)
    {
        var size = config.Spherical ? config.CodebookScale / Math.Sqrt(config.Bits) : config.CodebookScale;
        return set.Where(set.Graph.Scalar(ElementType.Float32, size), set.Graph.Scalar(ElementType.Float32, -size));
    }

    private static Value ProjectIn(Scope lfq, Value x, LookupFreeConfig config)
    {
        if (!config.Projects) return x;
        if (!config.CosineSimProjectIn) return lfq["project_in"].Linear(x, config.CodeWidth, config.ProjectionHasBias);
        return x.L2Normalize().MatMul(lfq["project_in"].Weight("weight", x.Shape[-1].Size, config.CodeWidth).L2Normalize(0)) * (config.CosineSimProjectInScale ?? config.CodebookScale);
    }

    private static Value ProjectOut(Scope lfq, Value codes, LookupFreeConfig config, bool project = true)
    {
        if (config.OrthogonalRotation) codes = codes.MatMul(lfq.Weight("orthogonal_rot", config.Bits, config.Bits).Swap(0, 1));
        var merged = codes.Flatten(-2);
        return config.Projects && project ? lfq["project_out"].Linear(merged, config.Dim ?? config.CodeWidth, config.ProjectionHasBias) : merged;
    }

    private static Value Powers(Graph graph, int bits) => graph.Constant<long>([.. Enumerable.Range(0, bits).Select(bit => 1L << (bits - 1 - bit))], bits);
}
