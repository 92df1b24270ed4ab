using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>The published formats.</summary>
internal static class FormatsTable
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        TokenizerJsonModel.Architecture,
        TiktokenModel.Architecture,
        Clip.ClipModel.Architecture,
        SentencePiece.SentencePieceModel.Architecture,
    ];
}
