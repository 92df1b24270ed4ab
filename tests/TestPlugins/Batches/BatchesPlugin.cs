using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(Batches.BatchesPlugin))]

namespace Batches;

/// <summary>A model that observes examples together, as real ones do: each result depends on its neighbours in the batch, and on noise of its place. Metrics that add up in floating point tell any other order.</summary>
public sealed class BatchesPlugin : IModelPlugin
{
    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        new(new ModelCard { Id = "test/batches", Paper = "Together", Authors = ["Nobody"], Inputs = [Modality.Text], Outputs = [Modality.Items] }, (_, _) => ValueTask.FromResult<IModel>(new BatchesModel())),
    ];

    public IReadOnlyList<IMetric> Metrics { get; } = [new MeanMetric("score", "", null, "Mean of the scores.", o => o.Output is Items { Scores: { } scores } ? scores[0] : null), new Order()];

    // Horner's scheme over the scores: no two orders have the same figure.
    private sealed record Order : IMetric
    {
        public string Name => "order";
        public string Unit => "";
        public bool? HigherIsBetter => null;
        public string Description => "What depends on the order.";
        public IMetricAccumulator Start() => new Accumulator();

        private sealed class Accumulator : IMetricAccumulator
        {
            private double _sum;
            private int _count;

            public void Add(Observation observation)
            {
                _sum = _sum * 0.7 + ((Items)observation.Output!).Scores![0] + ((Text)observation.Reference!).Value.Length;
                _count++;
            }

            public MetricValue? Result() => new(_sum, _count, null);
        }
    }
}

public sealed record BatchesOptions : ModelOptions
{
    [Description("Examples at a time."), Range(1, 100)]
    public int BatchSize { get; init; } = 3;
}

public sealed class BatchesModel : IModel, IEvaluate
{
    public ModelFacts Facts => new();
    public Modality Evaluates => Modality.Text;
    public IReadOnlyList<string> DefaultMetrics => ["score", "order"];
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<BatchesOptions>();

    public int BatchSize(ModelOptions options) => options.Expect<BatchesOptions>().BatchSize;

    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var batch = new List<Example>();
        await foreach (var example in examples.WithCancellation(cancel)) batch.Add(example);
        if (batch.Count > BatchSize(options) || batch[0].Ordinal % BatchSize(options) != 0) throw new InvalidOperationException("The batch was cut anew.");
        if (batch.Exists(example => ((Text)example.Media).Value == "silence")) throw new MediaException(ErrorCodes.MediaMalformed, "Silence has no score.") { Where = "line 1" };
        foreach (var example in batch)
        {
            var noise = Math.Sin(example.Ordinal + 10.0 * seed);
            var neighbours = batch.Sum(other => 1.0 / (1 + ((Text)other.Media).Value.Length + other.Ordinal));
            yield return new(example.Id, example.Media, new Items([example.Id], [neighbours + noise])) { Group = "near", Label = example.Label };
            if (example.Ordinal % 4 == 1) yield return new(example.Id, example.Media, new Items([example.Id], [noise / 3])) { Group = "far" };
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
