using ModelZoo.Contracts;

namespace ModelZoo.Host.Loading;

/// <summary>What a plugin said of itself when it was last loaded: enough to list it and to find its models, without its code.</summary>
/// <param name="File">Where its files are.</param>
/// <param name="Inspection">What its metadata said.</param>
/// <param name="Cards">Its architectures.</param>
/// <param name="Metrics">Its metrics.</param>
/// <param name="Readers">Its data set readers.</param>
internal sealed record PluginTable(PluginFile File, PluginInspection Inspection, EquatableList<ModelCard> Cards, EquatableList<MetricRow> Metrics, EquatableList<ReaderRow> Readers)
{
    /// <summary>The table of a plugin that is loaded.</summary>
    public static PluginTable Of(PluginFile file, PluginInspection inspection, IModelPlugin plugin) => new(file, inspection,
        [.. plugin.Architectures.Select(architecture => architecture.Card)],
        [.. plugin.Metrics.Select(metric => new MetricRow(metric.Name, metric.Unit, metric.HigherIsBetter, metric.Description))],
        [.. plugin.DatasetReaders.Select(reader => new ReaderRow(reader.Name, reader.Gives))]);
}

/// <summary>What a metric says of itself.</summary>
internal sealed record MetricRow(string Name, string Unit, bool? HigherIsBetter, string Description);

/// <summary>What a data set reader says of itself.</summary>
internal sealed record ReaderRow(string Name, Modality Gives);
