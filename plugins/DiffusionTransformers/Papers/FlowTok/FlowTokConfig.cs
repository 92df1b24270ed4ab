// FlowTok: Flowing Seamlessly Across Text and Image Tokens. Ju He, Qihang Yu, Qihao Liu, Liang-Chieh Chen. arXiv:2503.10772. The authors' code could not be read; github.com/Ahyg/FlowTok is a changed copy of it.
// Layout (by specification): model.safetensors with tokenizer., text_projector., dit. and text_decoder., and config.json, with CLIP's text_encoder and tokenizer in folders beside it. Deviations: none from the specification, which was written without the code. That copy differs, so that weights of such code are not
// read: pictures have rotary positions of rows and columns and neither class token nor learned positions, blocks have gated MLPs, pixels pass a last convolution, texts are encoded by post-norm layers, and the indicator is added to the time's embedding.
using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Plugins.DiffusionTransformers.FlowTok;

/// <summary>Keys of FlowTok's config.json.</summary>
public sealed record FlowTokConfig
{
    /// <summary>Height of a picture.</summary>
    [Range(1, 8192)] public int ImageHeight { get; init; } = 256;
    /// <summary>Width of a picture.</summary>
    [Range(1, 8192)] public int ImageWidth { get; init; } = 256;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 256)] public int PatchSize { get; init; } = 16;
    /// <summary>Tokens of a picture, and of a text.</summary>
    [Range(1, 65536)] public int NumTokens { get; init; } = 77;
    /// <summary>Channels of a token.</summary>
    [Range(1, 4096)] public int TokenDim { get; init; } = 16;
    /// <summary>Width of the image tokenizer.</summary>
    [Range(1, 65536)] public int TokWidth { get; init; } = 1024;
    /// <summary>Heads of the image tokenizer.</summary>
    [Range(1, 1024)] public int TokHeads { get; init; } = 16;
    /// <summary>Blocks of its encoder and of its decoder.</summary>
    [Range(0, 1024)] public int TokDepth { get; init; } = 24;
    /// <summary>Width of the text features.</summary>
    [Range(1, 65536)] public int TextDim { get; init; } = 768;
    /// <summary>Positions of a text.</summary>
    [Range(1, 65536)] public int TextLength { get; init; } = 77;
    /// <summary>Width of the text projector and the text decoder.</summary>
    [Range(1, 65536)] public int ProjectorWidth { get; init; } = 768;
    /// <summary>Their heads.</summary>
    [Range(1, 1024)] public int ProjectorHeads { get; init; } = 12;
    /// <summary>Blocks of the text projector.</summary>
    [Range(0, 1024)] public int ProjectorDepth { get; init; } = 6;
    /// <summary>Width of the DiT.</summary>
    [Range(1, 65536)] public int Width { get; init; } = 1152;
    /// <summary>Its heads.</summary>
    [Range(1, 1024)] public int Heads { get; init; } = 16;
    /// <summary>Its blocks.</summary>
    [Range(0, 1024)] public int Depth { get; init; } = 28;
    /// <summary>Blocks of the text decoder.</summary>
    [Range(0, 1024)] public int TextDecoderDepth { get; init; } = 6;
    /// <summary>Words that a caption is made of.</summary>
    [Range(1, 10_000_000)] public int VocabSize { get; init; } = 49408;

    internal int Rows => ImageHeight / PatchSize;

    internal int Columns => ImageWidth / PatchSize;

    internal int Patches => Rows * Columns;
}
