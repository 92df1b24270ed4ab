using ModelZoo.Contracts;
using ModelZoo.Plugins.Recommenders;

[assembly: ModelPlugin(typeof(RecommendersPlugin))]

namespace ModelZoo.Plugins.Recommenders;

/// <summary>Generative recommenders and the item tokenizers they need.</summary>
public sealed class RecommendersPlugin : IModelPlugin
{
    /// <inheritdoc/>
    public IReadOnlyList<ModelArchitecture> Architectures => [LetterModel.Architecture, LetterTigerModel.Architecture, LetterLcRecModel.Architecture, SetRecT5Model.Architecture, SetRecQwenModel.Architecture, UniGRecModel.Architecture, RecGptModel.Architecture];

    /// <inheritdoc/>
    public IReadOnlyList<IDatasetReader> DatasetReaders => [new InteractionReader(), new HistoryReader()];
}
