using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Media;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;

namespace ModelZoo.Host.Demo;

/// <summary>A neural codec on recordings: the original, and the reconstruction at every setting that the model's evaluation has, with the tokens in between and the figures.</summary>
/// <param name="verbs">Runs the model.</param>
/// <param name="media">Reads the recordings.</param>
/// <param name="catalog">Has the metrics.</param>
/// <param name="model">The model.</param>
/// <param name="recordings">Folder of recordings, below the manifest's folder.</param>
internal sealed class CodecDemo(ModelVerbs verbs, MediaFiles media, PluginCatalog catalog, string model, string recordings) : IDemoStep
{
    // Recordings that get players; the figures are over all.
    private const int Played = 3;

    public string Title => $"A neural codec on real recordings: {model}";

    public async Task<DemoSection> RunAsync(DemoContext context, CancellationToken cancel)
    {
        var folder = Path.Combine(context.Root, recordings);
        var files = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.wav").Order(StringComparer.Ordinal).ToList() : [];
        if (files.Count == 0) throw new ModelZooException(ErrorCodes.DatasetInvalid, "The recordings of the demonstration are not there.") { Where = folder };
        var request = new ModelRequest(ModelId.Parse(model));
        var names = await verbs.InspectAsync(request, static (lease, _) => Task.FromResult(lease.Model.Get<IEvaluate>().DefaultMetrics), cancel).ConfigureAwait(false);
        var metrics = names.Select(name => catalog.Ready.SelectMany(plugin => plugin.Plugin.Metrics).LastOrDefault(metric => metric.Name == name)).OfType<IMetric>().ToList();

        var all = new OrderedDictionary<string, List<IMetricAccumulator>>();
        var players = new StringBuilder();
        var (seconds, elapsed) = (0.0, TimeSpan.Zero);
        for (var i = 0; i < files.Count; i++)
        {
            var original = (await media.ReadAsync(files[i], cancel).ConfigureAwait(false)).Expect<Audio>();
            var rows = new List<IReadOnlyList<string>> { new[] { "", "sound", "tokens" }.Concat(metrics.Select(Head)).ToList() };
            rows.Add(["original", Html.Player(original), $"{original.SampleRate} Hz, {Html.Number(original.Seconds, "0.00")} s", .. metrics.Select(_ => "")]);
            var result = await verbs.ObserveAsync(request, new[] { (Example[])[new(Path.GetFileName(files[i]), original)] }.ToAsyncEnumerable(), [], 0, batch =>
            {
                foreach (var observation in batch.Observations) Show(observation);
                return ValueTask.CompletedTask;
            }, cancel).ConfigureAwait(false);
            void Show(Observation observation)
            {
                if (!all.TryGetValue(observation.Group, out var totals)) all.Add(observation.Group, totals = [.. metrics.Select(metric => metric.Start())]);
                var own = metrics.Select(metric => metric.Start()).ToList();
                foreach (var accumulator in totals.Concat(own)) accumulator.Add(observation);
                rows.Add([Html.Text(observation.Group), observation.Output is Audio sound ? Html.Player(sound) : "", observation.Tokens is { } tokens ? Html.TokenMap(tokens) + $"{string.Join(" x ", tokens.Ids.Shape.ToArray())}" : "", .. own.Select(Figure)]);
            }

            (seconds, elapsed) = (seconds + original.Seconds * (rows.Count - 2), elapsed + result.Elapsed);
            if (i < Played) players.Append($"<h3>{Html.Text(Path.GetFileName(files[i]))}</h3>").Append(Html.Table(rows));
            context.Say($"{Path.GetFileName(files[i])}: {rows.Count - 2} reconstructions");
        }

        var summary = all.Select(group => (IReadOnlyList<string>)[Html.Text(group.Key), .. group.Value.Select(Figure)]).Prepend([$"mean over {files.Count} recordings", .. metrics.Select(Head)]);
        var speed = $"{files.Count} recordings at {all.Count} settings: {Html.Number(seconds, "0.0")} s of sound encoded and decoded in {Html.Number(elapsed.TotalSeconds, "0.0")} s ({Html.Number(seconds / elapsed.TotalSeconds, "0")} times real time)";
        return new(Title, speed, $"<p>{Html.Text(speed)}. None of these recordings was seen in training.</p>{Html.Table(summary)}{players}<p class=\"note\">Recordings: see samples/NOTICE.md.</p>");
    }

    private static string Head(IMetric metric) => Html.Text(metric.Unit.Length == 0 ? metric.Name : $"{metric.Name} ({metric.Unit})");

    private static string Figure(IMetricAccumulator accumulator) => accumulator.Result() is { } value ? Html.Number(value.Value) : "-";
}
