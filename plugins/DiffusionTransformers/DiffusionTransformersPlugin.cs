using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers;
using ModelZoo.Plugins.DiffusionTransformers.CatPruning;
using ModelZoo.Plugins.DiffusionTransformers.Clear;
using ModelZoo.Plugins.DiffusionTransformers.CoCoIns;
using ModelZoo.Plugins.DiffusionTransformers.ConceptSteerers;
using ModelZoo.Plugins.DiffusionTransformers.DatEncoder;
using ModelZoo.Plugins.DiffusionTransformers.DeltaDiT;
using ModelZoo.Plugins.DiffusionTransformers.DiscriminativeTokens;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.DiT4SR;
using ModelZoo.Plugins.DiffusionTransformers.DiTMoE;
using ModelZoo.Plugins.DiffusionTransformers.DyDiT;
using ModelZoo.Plugins.DiffusionTransformers.FlexDiT;
using ModelZoo.Plugins.DiffusionTransformers.FlowTok;
using ModelZoo.Plugins.DiffusionTransformers.Flux;
using ModelZoo.Plugins.DiffusionTransformers.Haste;
using ModelZoo.Plugins.DiffusionTransformers.InContextLora;
using ModelZoo.Plugins.DiffusionTransformers.InterpretDiffusion;
using ModelZoo.Plugins.DiffusionTransformers.Kaleido;
using ModelZoo.Plugins.DiffusionTransformers.LatexBlend;
using ModelZoo.Plugins.DiffusionTransformers.LayerTracer;
using ModelZoo.Plugins.DiffusionTransformers.LiDiT;
using ModelZoo.Plugins.DiffusionTransformers.LightningDiT;
using ModelZoo.Plugins.DiffusionTransformers.PixArt;
using ModelZoo.Plugins.DiffusionTransformers.ProMoE;
using ModelZoo.Plugins.DiffusionTransformers.PtDiT;
using ModelZoo.Plugins.DiffusionTransformers.Rae;
using ModelZoo.Plugins.DiffusionTransformers.Rin;
using ModelZoo.Plugins.DiffusionTransformers.Sana;
using ModelZoo.Plugins.DiffusionTransformers.SD3;
using ModelZoo.Plugins.DiffusionTransformers.SemanticBinding;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.SiT;
using ModelZoo.Plugins.DiffusionTransformers.Svg2;
using ModelZoo.Plugins.DiffusionTransformers.TokenCompose;
using ModelZoo.Plugins.DiffusionTransformers.TokenMerging;
using ModelZoo.Plugins.DiffusionTransformers.TokenVerse;
using ModelZoo.Plugins.DiffusionTransformers.UDiT;
using ModelZoo.Plugins.DiffusionTransformers.UNet;
using ModelZoo.Plugins.DiffusionTransformers.ZipIR;

[assembly: ModelPlugin(typeof(DiffusionTransformersPlugin))]

namespace ModelZoo.Plugins.DiffusionTransformers;

/// <summary>Diffusion and flow models on transformers, and the networks that they came from.</summary>
public sealed class DiffusionTransformersPlugin : IModelPlugin
{
    /// <inheritdoc/>
    public IReadOnlyList<ModelArchitecture> Architectures =>
    [
        DiTModel.Architecture, SiTModel.Architecture, LightningDiTModel.Architecture, PixArtModel.Alpha, PixArtModel.Sigma, SanaModel.Architecture,
        UDiTModel.Architecture, DiTMoEModel.Architecture, SD3Model.Architecture, FluxModel.Architecture,
        FlexDiTModel.Architecture, DyDiTModel.Architecture, HasteModel.Architecture, ProMoEModel.Architecture,
        UNetModel.Architecture, RaeModel.Architecture, RinModel.Architecture, DiT4SRModel.Architecture, ClearModel.Architecture, InContextLoraModel.Architecture, TokenVerseModel.Architecture, DeltaDiTModel.Architecture,
        ConceptSteerersModel.Architecture, CoCoInsModel.Architecture, LiDiTModel.Architecture, FlowTokModel.Architecture, KaleidoModel.Architecture, ZipIRModel.Architecture,
        TokenMergingModel.Architecture, DatEncoderModel.Architecture, InterpretDiffusionModel.Architecture, LatexBlendModel.Architecture, TokenComposeModel.Architecture, Svg2Model.Architecture, LayerTracerModel.Architecture, PtDiTModel.Architecture, CatPruningModel.Architecture, DiscriminativeTokensModel.Architecture,
        SemanticBindingModel.Architecture,
    ];

    /// <inheritdoc/>
    public IReadOnlyList<IMetric> Metrics => [PixelSetMetric.ClassAgreement, PixelSetMetric.Fid];

    /// <inheritdoc/>
    public IReadOnlyList<IDatasetReader> DatasetReaders => [new PixelTableReader()];
}
