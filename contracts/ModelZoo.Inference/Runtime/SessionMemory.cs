namespace ModelZoo.Inference;

/// <summary>What the weights of a session take.</summary>
/// <param name="MappedBytes">Bytes of weights that are parts of mapped files; the system can drop and reread them.</param>
/// <param name="PrivateBytes">Bytes of weights in the process's own memory (converted, folded), shared with other sessions of the same checkpoint.</param>
public readonly record struct SessionMemory(long MappedBytes, long PrivateBytes)
{
    /// <summary>The weights of <paramref name="graph"/>, each block counted once.</summary>
    internal static SessionMemory Of(GraphDefinition graph)
    {
        var memory = default(SessionMemory);
        foreach (var data in graph.Initializers.Select(i => i.Data).DistinctBy(d => d.Address))
        {
            memory = data.IsMapped ? memory with { MappedBytes = memory.MappedBytes + data.ByteLength } : memory with { PrivateBytes = memory.PrivateBytes + data.ByteLength };
        }

        return memory;
    }
}
