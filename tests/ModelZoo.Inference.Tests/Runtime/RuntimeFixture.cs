using System.Collections.Concurrent;

namespace ModelZoo.Inference.Tests.Runtime;

/// <summary>One engine for a class of tests, and what it said.</summary>
public sealed class RuntimeFixture : IDisposable
{
    public RuntimeFixture() => Runtime = new(new() { Threads = 2, Spin = false, Log = Messages.Enqueue });

    public InferenceRuntime Runtime { get; }

    public ConcurrentQueue<EngineMessage> Messages { get; } = new();

    public void Dispose() => Runtime.Dispose();
}
