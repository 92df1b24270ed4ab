using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(ModelZoo.Plugins.ImageGenerators.ImageGeneratorsPlugin))]

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Classes and words to pictures, over the tokens and latents of image tokenizers.</summary>
public sealed class ImageGeneratorsPlugin : IModelPlugin
{
    /// <inheritdoc/>
    public IReadOnlyList<ModelArchitecture> Architectures =>
    [
        DArModel.Architecture,
        DeTokMarModel.Architecture,
        EnatModel.Architecture,
        FqGanFarModel.Architecture,
        GigaTokArModel.Architecture,
        HiMarModel.Architecture,
        ImageFolderVarModel.Architecture,
        InstellaArModel.Architecture,
        InstellaDiffusionModel.Architecture,
        LatentLmModel.Architecture,
        LlamaGenModel.Architecture,
        MarModel.Architecture,
        MaskBitModel.Architecture,
        MaskGenKlModel.Architecture,
        MaskGenVqModel.Architecture,
        OpenMagvit2Model.Architecture,
        RarModel.Architecture,
        SemanticistArModel.Architecture,
        TamingTransformerModel.Architecture,
        TctsModel.Architecture,
        TiTokMaskGitModel.Architecture,
        TokenShuffleModel.Architecture,
        VarModel.Architecture,
        XarModel.Architecture,
    ];
}
