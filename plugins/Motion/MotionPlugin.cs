using ModelZoo.Contracts;
using ModelZoo.Plugins.Motion;

[assembly: ModelPlugin(typeof(MotionPlugin))]

namespace ModelZoo.Plugins.Motion;

/// <summary>Human motion: tokenizers and text-to-motion generators.</summary>
public sealed class MotionPlugin : IModelPlugin
{
    /// <inheritdoc/>
    public IReadOnlyList<ModelArchitecture> Architectures => [MmmModel.Architecture, T2mGptModel.Architecture, UpperBodyModel.Architecture, MoMaskModel.Architecture, BammModel.Architecture, LmrModel.Architecture, LcbModel.Architecture, M2dmModel.Architecture, MotoModel.Architecture];

    /// <inheritdoc/>
    public IReadOnlyList<IMetric> Metrics => [LocalMpjpe.Metric, .. EmbeddingMetric.All];

    /// <inheritdoc/>
    public IReadOnlyList<IDatasetReader> DatasetReaders => [new HumanMl3dReader()];
}
