using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Host.Replay;

namespace ModelZoo.Host.Shards;

/// <summary>What stands at the head of a shard's file.</summary>
/// <param name="Shard">Which share it is.</param>
/// <param name="Plan">All that its results depend on; shards of one whole have equal plans.</param>
internal sealed record ShardHeader(Shard Shard, JsonObject Plan)
{
    /// <summary>How a shard's lines are written.</summary>
    public static JsonSerializerOptions Json { get; } = new(RunRecord.Json) { WriteIndented = false };

    /// <summary>The head of a share of what <paramref name="plan"/> says.</summary>
    public static ShardHeader Of<TPlan>(Shard shard, TPlan plan) => new(shard, JsonSerializer.SerializeToNode(plan, Json)!.AsObject());

    /// <summary>What is done: evaluate or generate.</summary>
    public string Verb => (string)Plan["run"]!["verb"]!;

    /// <summary>The plan as it was given to <see cref="Of"/>.</summary>
    public TPlan Read<TPlan>() => Plan.Deserialize<TPlan>(Json)!;

    /// <summary>The values of the plan that are others there, besides the machine: any of a cluster may take a shard.</summary>
    public IEnumerable<JsonDifference> Differences(ShardHeader other) => JsonDifferences.Between(Plan, other.Plan).Where(difference => difference.Path != "run/provenance/machine");
}
