using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Metrics;
using ModelZoo.Plugins.TextTokenizers.Papers;

[assembly: ModelPlugin(typeof(TextTokenizersPlugin))]

namespace ModelZoo.Plugins.TextTokenizers;

/// <summary>Tokenizers of text: every published format, and the family's papers.</summary>
public sealed class TextTokenizersPlugin : IModelPlugin
{
    /// <inheritdoc/>
    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        .. FormatsTable.Architectures,
        .. PapersTable.Architectures,
    ];

    /// <inheritdoc/>
    public IReadOnlyList<IMetric> Metrics { get; } = [.. IntrinsicMetrics.All, ExactByteVerbs.BitsPerByte, .. CadVerbs.Metrics];

    /// <inheritdoc/>
    public IReadOnlyList<IDatasetReader> DatasetReaders { get; } = [new LinesOfText(), new CadPrograms()];
}
