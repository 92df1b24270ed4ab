using BenchmarkDotNet.Attributes;
using ModelZoo.Inference;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>Each network of shared/perf as built here, beside the graph that PyTorch exports.</summary>
[InProcess, MinIterationCount(5), MaxIterationCount(12), WarmupCount(1)]
public class PeerBenchmarks
{
    private InferenceRuntime? _runtime;
    private PeerPair? _pair;

    [ParamsSource(nameof(Names))]
    public string Network { get; set; } = "";

    public static IEnumerable<string> Names => PeerNetworks.All.Select(network => network.Name);

    [GlobalSetup]
    public void Open()
    {
        _runtime = new();
        _pair = new(_runtime, PeerNetworks.All.First(network => network.Name == Network));
    }

    [Benchmark(Baseline = true)]
    public void Peer() => _pair!.RunPeer();

    [Benchmark]
    public void Ours() => _pair!.RunOurs();

    [GlobalCleanup]
    public void Close()
    {
        _pair!.Dispose();
        _runtime!.Dispose();
    }
}
