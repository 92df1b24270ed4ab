namespace ModelZoo.Host.Shards;

/// <summary>Codes of what can be wrong with shards.</summary>
internal static class ShardErrors
{
    /// <summary>A file is no shard, or not a whole one.</summary>
    public const string Torn = "shard.torn";
    /// <summary>A shard is not there.</summary>
    public const string Missing = "shard.missing";
    /// <summary>A shard is there twice.</summary>
    public const string Double = "shard.double";
    /// <summary>A shard is of something else than the others.</summary>
    public const string Foreign = "shard.foreign";
    /// <summary>Shards overlap, or leave something out.</summary>
    public const string Broken = "shard.broken";
}
