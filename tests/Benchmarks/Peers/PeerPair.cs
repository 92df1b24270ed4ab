using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>Our session and the peer's, with the same inputs by position.</summary>
internal sealed class PeerPair : IDisposable
{
    private readonly Network _ours;
    private readonly Session _peer;
    private readonly Dictionary<string, Tensor> _ourInputs, _peerInputs;

    public PeerPair(InferenceRuntime runtime, PeerNetwork network)
    {
        _ours = Ours(runtime, network);
        _peer = runtime.CreateSession(PeerFile(network));
        _ourInputs = _ours.Session.Inputs.ToDictionary(port => port.Name, Make);
        _peerInputs = _peer.Inputs.Zip(_ours.Session.Inputs).ToDictionary(pair => pair.First.Name, pair => _ourInputs[pair.Second.Name]);
    }

    public void RunOurs() => _ours.Session.Run(_ourInputs);

    public void RunPeer() => _peer.Run(_peerInputs);

    public void Dispose()
    {
        _ours.Dispose();
        _peer.Dispose();
    }

    /// <summary>Makes one of the two alone and runs it, so that the process's memory is that one's.</summary>
    public static void RunAlone(InferenceRuntime runtime, PeerNetwork network, bool ours)
    {
        using var built = ours ? Ours(runtime, network) : null;
        using var peer = ours ? null : runtime.CreateSession(PeerFile(network));
        var session = built?.Session ?? peer!;
        var inputs = session.Inputs.ToDictionary(port => port.Name, Make);
        for (var i = 0; i < 2; i++) session.Run(inputs);
    }

    // From a mapped file, as the peer's weights are.
    private static Network Ours(InferenceRuntime runtime, PeerNetwork network)
    {
        using var checkpoint = RandomWeights.File(network.Name, network.Build);
        return Network.Build(new(runtime, checkpoint), network.Name, network.Build);
    }

    private static Tensor Make(GraphPort port)
    {
        long[] shape = [.. port.Shape.Select(dim => dim.Size)];
        var count = Tensor.Count(shape);
        if (port.Type == ElementType.Int64) return Tensor.Create([.. Enumerable.Range(0, (int)count).Select(i => (long)(i % 900))], shape);
        var values = new float[count];
        RandomWeights.Fill(new(1), values);
        return Tensor.Create(Array.ConvertAll(values, value => value * 50), shape);
    }

    // The graph and random weights beside it, made once in the temporary folder.
    private static string PeerFile(PeerNetwork network)
    {
        var folder = RandomWeights.Folder;
        var (graph, weights) = (Path.Combine(folder, network.Name + ".onnx"), Path.Combine(folder, network.Name + ".weights"));
        if (!File.Exists(graph)) File.Copy(Path.Combine(Shared(), "perf", network.Name + ".onnx"), graph);
        if (File.Exists(weights) && new FileInfo(weights).Length == network.WeightBytes) return graph;
        var (block, random) = (new float[1 << 20], new Random(1));
        using var stream = File.Create(weights);
        for (var left = network.WeightBytes; left > 0;)
        {
            RandomWeights.Fill(random, block);
            var bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(block.AsSpan());
            stream.Write(bytes[..(int)Math.Min(left, bytes.Length)]);
            left -= Math.Min(left, bytes.Length);
        }

        return graph;
    }

    private static string Shared()
    {
        for (var folder = new DirectoryInfo(Environment.CurrentDirectory); folder is not null; folder = folder.Parent)
        {
            if (Directory.Exists(Path.Combine(folder.FullName, "shared", "perf"))) return Path.Combine(folder.FullName, "shared");
        }

        throw new DirectoryNotFoundException("There is no folder shared/perf above the current one.");
    }
}
