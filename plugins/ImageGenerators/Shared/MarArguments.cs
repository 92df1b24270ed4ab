using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>What the constructors of MAR and of its descendants have in common: two stacks of blocks, over the latents of an autoencoder.</summary>
public abstract record MarArguments
{
    /// <summary>Width of the encoder.</summary>
    [Range(1, 65536)] public int EncoderEmbedDim { get; init; } = 1024;
    /// <summary>Blocks of the encoder.</summary>
    [Range(1, 1024)] public int EncoderDepth { get; init; } = 16;
    /// <summary>Heads of the encoder.</summary>
    [Range(1, 1024)] public int EncoderNumHeads { get; init; } = 16;
    /// <summary>Width of the decoder.</summary>
    [Range(1, 65536)] public int DecoderEmbedDim { get; init; } = 1024;
    /// <summary>Blocks of the decoder.</summary>
    [Range(1, 1024)] public int DecoderDepth { get; init; } = 16;
    /// <summary>Heads of the decoder.</summary>
    [Range(1, 1024)] public int DecoderNumHeads { get; init; } = 16;
    /// <summary>Width inside the feed-forward networks, in the authors' units of the width.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int VaeEmbedDim { get; init; } = 16;
    /// <summary>Number of classes; the id after them is no class.</summary>
    [Range(1, 1 << 24)] public int ClassNum { get; init; } = 1000;
}
