using System.Text.Json;
using ModelZoo.Host.Evaluation;

namespace ModelZoo.Host.Shards;

/// <summary>Evaluates shares of a data set in processes of their own, and merges what they observed: the report is the one of a single process, to the last bit.</summary>
internal sealed class EvaluationShards(Evaluator evaluator)
{
    /// <summary>Observes a share and writes the observations; a file that holds them already is left as it is.</summary>
    /// <returns>Whether there was anything to do.</returns>
    public async Task<bool> ObserveAsync(EvaluationRequest request, Shard shard, string path, Action<int, int?> progress, CancellationToken cancel)
    {
        var plan = await evaluator.PlanAsync(request, cancel).ConfigureAwait(false);
        var header = ShardHeader.Of(shard, plan);
        if (await ShardFile.HoldsAsync(path, header, evaluator.ReadAsync(request, plan, shard, static (_, _) => { }, cancel).Select(ExampleDigest.Of), cancel).ConfigureAwait(false)) return false;
        await ShardFile.WriteAsync(path, header, add => evaluator.ObserveAsync(request, plan, shard, batch => add(new(batch.First, batch.Examples, ObservationJson.Write(batch.Observations))), progress, cancel), cancel).ConfigureAwait(false);
        return true;
    }

    /// <summary>The report of the whole: the observations of all shards go through the metrics in the order of the data set.</summary>
    public async Task<EvaluationReport> MergeAsync(ShardSet shards, CancellationToken cancel)
    {
        var plan = shards.Header.Read<EvaluationPlan>();
        plan = plan with { Run = plan.Run with { Provenance = plan.Run.Provenance with { Machine = shards.Machines } } };
        using var measurement = evaluator.Measure(plan);
        await foreach (var part in shards.ReadAsync(cancel).ConfigureAwait(false))
            measurement.Add(new(part.First, part.Items, ObservationJson.Read(JsonSerializer.SerializeToElement(part.Results))));
        return measurement.Report();
    }
}
