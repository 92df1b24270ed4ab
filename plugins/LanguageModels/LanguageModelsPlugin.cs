using ModelZoo.Contracts;
using ModelZoo.Plugins.LanguageModels;

[assembly: ModelPlugin(typeof(LanguageModelsPlugin))]

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Language models.</summary>
public sealed class LanguageModelsPlugin : IModelPlugin
{
    /// <inheritdoc/>
    public IReadOnlyList<ModelArchitecture> Architectures =>
    [
        BltModel.Architecture,
        HatModel.Architecture,
        HNetModel.Architecture,
        HuginnModel.Architecture,
        LearnYourTokensModel.Architecture,
        MagnetModel.Architecture,
        MrT5Model.Architecture,
        ToucanModel.Architecture,
    ];

    /// <inheritdoc/>
    public IReadOnlyList<IMetric> Metrics => [ByteMetrics.BitsPerByte, ByteMetrics.BytesPerPiece, ByteMetrics.PiecesPerText, ByteMetrics.DeletionRate, ByteMetrics.ByteAccuracy, WordMetrics.NextWordAccuracy];
}
