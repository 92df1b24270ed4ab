using ModelZoo.Contracts;

namespace ModelZoo.Host.Loading;

/// <summary>Stands for a plugin whose table is remembered: it says what the plugin brings, and wakes it when a model is opened, a metric measured or a data set read.</summary>
/// <param name="table">What is remembered.</param>
/// <param name="wakeAsync">Loads the plugin, within the time that a plugin may take.</param>
/// <param name="wake">Loads the plugin on this thread.</param>
internal sealed class SleepingPlugin(PluginTable table, Func<CancellationToken, Task<IModelPlugin>> wakeAsync, Func<IModelPlugin> wake) : IModelPlugin
{
    /// <inheritdoc/>
    public IReadOnlyList<ModelArchitecture> Architectures { get; } = [.. table.Cards.Select(card => new ModelArchitecture(card, async (source, cancel) =>
    {
        var plugin = await wakeAsync(cancel).ConfigureAwait(false);
        var architecture = plugin.Architectures.FirstOrDefault(architecture => architecture.Card.Id == card.Id)
            ?? throw new ModelZooException(ErrorCodes.ModelUnknown, $"The plugin of {card.Id} does not have it any more.") { Where = table.File.Folder, Remedy = "Its files changed; `modelzoo list` shows what it brings now." };
        return await architecture.Open(source, cancel).ConfigureAwait(false);
    }))];

    /// <inheritdoc/>
    public IReadOnlyList<IMetric> Metrics { get; } = [.. table.Metrics.Select(row => new Metric(row, wake))];

    /// <inheritdoc/>
    public IReadOnlyList<IDatasetReader> DatasetReaders { get; } = [.. table.Readers.Select(row => new Reader(row, wake))];

    private sealed class Metric(MetricRow row, Func<IModelPlugin> wake) : IMetric
    {
        public string Name => row.Name;
        public string Unit => row.Unit;
        public bool? HigherIsBetter => row.HigherIsBetter;
        public string Description => row.Description;
        public IMetricAccumulator Start() => wake().Metrics.First(metric => metric.Name == row.Name).Start();
    }

    private sealed class Reader(ReaderRow row, Func<IModelPlugin> wake) : IDatasetReader
    {
        private IDatasetReader Awake => wake().DatasetReaders.First(reader => reader.Name == row.Name);

        public string Name => row.Name;
        public Modality Gives => row.Gives;
        public bool CanRead(string path) => Awake.CanRead(path);
        public int? Count(string path) => Awake.Count(path);
        public IAsyncEnumerable<Example> ReadAsync(string path, IMediaReader media, CancellationToken cancel = default) => Awake.ReadAsync(path, media, cancel);
    }
}
