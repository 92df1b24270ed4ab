using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.Quantizers;

// Addressing Representation Collapse in Vector Quantized Models with One Linear Layer. Zhu et al. arXiv:2411.02038. Layout of lucidrains/vector-quantize-pytorch: SimVQ.

/// <summary>The settings of <c>SimVQ</c> that matter once it is trained.</summary>
public sealed record SimVectorQuantizerConfig
{
    /// <summary>Width of the input.</summary>
    [Range(1, 65536)] public long Dim { get; init; } = 1;
    /// <summary>Number of codes.</summary>
    [Range(1, 1 << 24)] public long CodebookSize { get; init; } = 1;
    /// <summary>Whether inputs are (B, D, ..).</summary>
    public bool ChannelFirst { get; init; }
    /// <summary>Width of the frozen codebook; null is the input's.</summary>
    public long? FrozenCodebookDim { get; init; }
}

/// <summary>Vector quantization whose codebook is a learned linear map of a frozen random one.</summary>
public static class SimVectorQuantizer
{
    /// <summary>Quantizes. x (B, .., D), or (B, D, ..) with channels first.</summary>
    public static Quantization Quantize(Scope vq, Value x, SimVectorQuantizerConfig config)
    {
        var (rows, table) = (x.ToSequence(config.ChannelFirst), Table(vq, config));
        var ids = Codebook.Nearest(rows, table);
        return new(rows, ids.IdsFromSequence(x.Shape, config.ChannelFirst), table.Gather(ids).FromSequence(x.Shape, config.ChannelFirst));
    }

    /// <summary>What ids (B, ..) stand for, in the input's layout.</summary>
    public static Value Decode(Scope vq, Value ids, SimVectorQuantizerConfig config)
    {
        var y = Table(vq, config).Gather(ids);
        return config.ChannelFirst ? y.ChannelsFirst() : y;
    }

    private static Value Table(Scope vq, SimVectorQuantizerConfig config) =>
        vq["code_transform"].Linear(vq.Weight("frozen_codebook", config.CodebookSize, config.FrozenCodebookDim ?? config.Dim), config.Dim, bias: false);
}
