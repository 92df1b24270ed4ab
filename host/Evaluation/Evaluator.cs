using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Media;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Evaluation;

/// <summary>Runs a model over a data set and feeds what comes out to metrics, each group of observations on its own.</summary>
internal sealed class Evaluator(ModelVerbs verbs, PluginCatalog catalog, MediaFiles media)
{
    /// <summary>The same for one request with its own terms.</summary>
    public Evaluator For(RequestTerms terms) => new(verbs.For(terms), catalog, media);

    /// <summary>Evaluates.</summary>
    /// <param name="request">The model.</param>
    /// <param name="data">Folder or file of the data set.</param>
    /// <param name="metrics">Names of metrics; null for the model's own.</param>
    /// <param name="limit">Most examples to use; null for all.</param>
    /// <param name="options">Options of the model.</param>
    /// <param name="seed">Seed of whatever is drawn.</param>
    /// <param name="progress">Examples done, and examples in all where that is known.</param>
    /// <param name="cancel">Stops within one example.</param>
    public async Task<EvaluationReport> EvaluateAsync(
        ModelRequest request, string data, IReadOnlyList<string>? metrics, int? limit, JsonObject options, ulong seed, Action<int, int?> progress, CancellationToken cancel)
    {
        var (takes, defaults, own) = await verbs.InspectAsync(request, static (lease, _) =>
        {
            var evaluator = lease.Model.Get<IEvaluate>();
            return Task.FromResult((evaluator.Evaluates, evaluator.DefaultMetrics, lease.Resident.Plugin));
        }, cancel).ConfigureAwait(false);
        var chosen = (metrics ?? defaults).Select(name => Metric(name, own)).ToList();
        var reader = Reader(data, takes);
        var total = reader.Count(data) is { } count ? Math.Min(count, limit ?? int.MaxValue) : limit;

        var groups = new OrderedDictionary<string, List<IMetricAccumulator>>();
        var digest = new DataDigest();
        var examples = Count(reader.ReadAsync(data, media, cancel), limit, digest, done => progress(done, total), cancel);
        var result = await verbs.ObserveAsync(request, examples, options, seed, observation =>
        {
            if (!groups.TryGetValue(observation.Group, out var accumulators)) groups.Add(observation.Group, accumulators = [.. chosen.Select(metric => metric.Start())]);
            foreach (var accumulator in accumulators) accumulator.Add(observation);
        }, cancel).ConfigureAwait(false);
        if (digest.Examples == 0) throw new ModelZooException(ErrorCodes.DatasetInvalid, "The data set has no examples.") { Where = data };

        var measured = chosen.Select((metric, i) => new MeasuredMetric(metric, groups.Select(group => (group.Key, Value: group.Value[i].Result())).Where(pair => pair.Value is not null).ToDictionary(pair => pair.Key, pair => pair.Value!))).ToList();
        return new(result.Model, new(data, reader.Name, digest.Examples, digest.ToString()), seed, options, [.. groups.Keys], measured, result.Provenance, result.Elapsed);
    }

    // Of several plugins that bring a metric of that name, the model's own knows best what its observations hold.
    private IMetric Metric(string name, LoadedPlugin own)
    {
        var known = catalog.Ready.OrderBy(plugin => plugin == own).SelectMany(plugin => plugin.Plugin.Metrics).ToList();
        return known.LastOrDefault(metric => metric.Name == name) ?? throw new ModelZooException(ErrorCodes.MetricUnknown, $"There is no metric '{name}'.")
        {
            Expected = known.Count == 0 ? "none is loaded" : string.Join(", ", known.Select(metric => metric.Name).Distinct().Order()),
            Remedy = Names.Nearest(name, known.Select(metric => metric.Name)) is { } nearest ? $"Did you mean '{nearest}'?"
                : "Metrics come with plugins, those of pictures, sound, text, tokens and rankings with Components: add it to the manifest's \"plugins\" or give it with --plugin; or name others with --metrics.",
        };
    }

    private IDatasetReader Reader(string data, Modality takes)
    {
        if (!File.Exists(data) && !Directory.Exists(data)) throw new ModelZooException(ErrorCodes.DatasetInvalid, "There is no such data set.") { Where = data };
        var readers = catalog.Ready.SelectMany(plugin => plugin.Plugin.DatasetReaders).Concat(MediaFolder.All).ToList();
        return readers.FirstOrDefault(reader => reader.Gives == takes && reader.CanRead(data)) ?? throw new ModelZooException(ErrorCodes.DatasetInvalid, $"Nothing here reads this as a data set of {takes.ToString().ToLowerInvariant()}.")
        { Where = data, Expected = string.Join(", ", readers.Where(reader => reader.Gives == takes).Select(reader => reader.Name)) };
    }

    private static async IAsyncEnumerable<Example> Count(IAsyncEnumerable<Example> examples, int? limit, DataDigest digest, Action<int> progress, [EnumeratorCancellation] CancellationToken cancel)
    {
        if (limit == 0) yield break;
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            digest.Add(example);
            yield return example;
            progress(digest.Examples);
            if (digest.Examples == limit) yield break;
        }
    }
}
