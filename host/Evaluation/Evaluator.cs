using System.Runtime.CompilerServices;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Media;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Shards;

namespace ModelZoo.Host.Evaluation;

/// <summary>Runs a model over a data set, or over a share of it, and measures what comes out.</summary>
internal sealed class Evaluator(ModelVerbs verbs, PluginCatalog catalog, MediaFiles media)
{
    /// <summary>The same for one request with its own terms.</summary>
    public Evaluator For(RequestTerms terms) => new(verbs.For(terms), catalog, media);

    /// <summary>Evaluates.</summary>
    /// <param name="request">What is evaluated, and on what.</param>
    /// <param name="progress">Examples done, and examples in all where that is known.</param>
    /// <param name="cancel">Stops within one batch.</param>
    public async Task<EvaluationReport> EvaluateAsync(EvaluationRequest request, Action<int, int?> progress, CancellationToken cancel)
    {
        var plan = await PlanAsync(request, cancel).ConfigureAwait(false);
        using var measurement = Measure(plan);
        await ObserveAsync(request, plan, Shard.Whole, batch =>
        {
            measurement.Add(batch);
            return ValueTask.CompletedTask;
        }, progress, cancel).ConfigureAwait(false);
        return measurement.Report();
    }

    /// <summary>Settles what can be settled before the first example: the model is opened, data set and metrics are found.</summary>
    public async Task<EvaluationPlan> PlanAsync(EvaluationRequest request, CancellationToken cancel)
    {
        var model = await verbs.DescribeAsync<IEvaluate, (Modality Takes, IReadOnlyList<string> Metrics, int BatchSize)>(request.Model, "evaluate", request.Options, evaluator => evaluator.EvaluateOptions,
            static (evaluator, bound) => (evaluator.Evaluates, evaluator.DefaultMetrics, Math.Max(1, evaluator.BatchSize(bound))), cancel).ConfigureAwait(false);
        var reader = Reader(request.Data, model.Value.Takes);
        var plan = new EvaluationPlan(request.Data, reader.Name, model.Value.BatchSize, request.Metrics ?? model.Value.Metrics, new()
        {
            Verb = "evaluate", Model = model.Model.ToString(), Checkpoint = request.Model.Checkpoint, Device = model.Provenance.Device, Options = JsonSerializer.SerializeToElement(request.Options), Seed = request.Seed,
            Provenance = model.Provenance, Evaluation = new(Path.GetFullPath(request.Data), request.Limit, request.Metrics),
        });
        Measure(plan).Dispose(); // unknown metrics are refused now, not after the last example
        return plan;
    }

    /// <summary>The metrics of a plan, with nothing measured yet.</summary>
    /// <exception cref="ModelZooException">There is no metric of that name.</exception>
    public Measurement Measure(EvaluationPlan plan) => new(plan, [.. plan.Metrics.Select(name => Metric(name, plan.Run.Provenance.Plugin))]);

    /// <summary>Observes a shard's share of the data set, batch by batch in order.</summary>
    /// <returns>Examples of the whole data set that are used.</returns>
    public async Task<int> ObserveAsync(EvaluationRequest request, EvaluationPlan plan, Shard shard, Func<ObservedBatch, ValueTask> observe, Action<int, int?> progress, CancellationToken cancel)
    {
        var examples = 0;
        await verbs.ObserveAsync(request.Model, ReadAsync(request, plan, shard, (done, of) => progress(examples = done, of), cancel).Chunk(plan.BatchSize), request.Options, request.Seed, observe, cancel).ConfigureAwait(false);
        return examples;
    }

    /// <summary>A shard's share of the examples, each with its place in the whole.</summary>
    public async IAsyncEnumerable<Example> ReadAsync(EvaluationRequest request, EvaluationPlan plan, Shard shard, Action<int, int?> progress, [EnumeratorCancellation] CancellationToken cancel)
    {
        var reader = Readers.First(reader => reader.Name == plan.Layout);
        var total = reader.Count(request.Data) is { } count ? Math.Min(count, request.Limit ?? int.MaxValue) : request.Limit;
        var ordinal = 0;
        await foreach (var example in reader.ReadAsync(request.Data, media, place => shard.Has(place, plan.BatchSize), cancel).ConfigureAwait(false))
        {
            if (example is not null) yield return example with { Ordinal = ordinal };
            progress(++ordinal, total);
            if (ordinal == request.Limit) yield break;
        }
    }

    private IReadOnlyList<IDatasetReader> Readers => [.. catalog.Ready.SelectMany(plugin => plugin.Plugin.DatasetReaders), .. MediaFolder.All];

    // Of several plugins that bring a metric of that name, the model's own knows best what its observations hold.
    private IMetric Metric(string name, string own)
    {
        var known = catalog.Ready.OrderBy(plugin => plugin.Name == own).SelectMany(plugin => plugin.Plugin.Metrics).ToList();
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
        return Readers.FirstOrDefault(reader => reader.Gives == takes && reader.CanRead(data)) ?? throw new ModelZooException(ErrorCodes.DatasetInvalid, $"Nothing here reads this as a data set of {takes.ToString().ToLowerInvariant()}.")
        { Where = data, Expected = string.Join(", ", Readers.Where(reader => reader.Gives == takes).Select(reader => reader.Name)) };
    }
}
