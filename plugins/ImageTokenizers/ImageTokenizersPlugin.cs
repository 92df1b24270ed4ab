using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(ModelZoo.Plugins.ImageTokenizers.ImageTokenizersPlugin))]

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Pictures to tokens and back.</summary>
public sealed class ImageTokenizersPlugin : IModelPlugin
{
    /// <inheritdoc/>
    public IReadOnlyList<ModelArchitecture> Architectures =>
    [
        TiTokModel.Architecture, VqganModel.Architecture, VqModelModel.Architecture, AutoencoderKlModel.Architecture, LdmKlModel.Architecture, VaVaeModel.Architecture,
        LlamaGenVqModel.Architecture, IbqModel.Architecture, VarVqvaeModel.Architecture, OneDPieceModel.Architecture, TaTiTokModel.Architecture, MaskBitModel.Architecture,
        OpenMagvit2Model.Architecture, WeTokModel.Architecture, DcAeModel.Architecture, TexTokModel.Architecture, LDeTokModel.Architecture, ImageFolderModel.Architecture,
        RobustTokModel.Architecture, FlexTokModel.Architecture, FqGanModel.Architecture, AlitModel.Architecture, SemanticistModel.Architecture, UniTokModel.Architecture,
        GigaTokModel.Architecture, ReTokModel.Architecture, AutoencoderTinyModel.Architecture, MingTokModel.Architecture, UniWeTokModel.Architecture, TokenFlowModel.Architecture,
        DualTokenModel.Architecture, UniFlowModel.Architecture, InstellaModel.Architecture, CatAdaptiveModel.Architecture, DArModel.Architecture, SeedModel.Architecture,
        HitaModel.Architecture, TokenBridgeModel.Architecture, SelftokModel.Architecture, DigitModel.Architecture, BpeImageTokenizerModel.Architecture, EpsilonVaeModel.Architecture,
        LaytonModel.Architecture, EttModel.Architecture, IllumePlusModel.Architecture,
    ];
}
