using System.Text.Json.Nodes;

namespace ModelZoo.Host.Shards;

/// <summary>Neighbouring items of a whole and what came out of them: a line of a shard's file.</summary>
/// <param name="First">The first one's place in the whole.</param>
/// <param name="Items">SHA-256 of each item.</param>
/// <param name="Results">What came out.</param>
internal sealed record ShardPart(int First, IReadOnlyList<string> Items, JsonObject Results);
