using System.Diagnostics;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>From a checkpoint of one gigabyte on disk to a session, and the memory that it takes before its first run.</summary>
internal static class SessionCreation
{
    private const int Layers = 64;
    private const long Width = 2048;                                                              // 64 x 2048 x 2048 floats

    public static void Run(TextWriter output)
    {
        RandomWeights.File("one-gigabyte", Build).Dispose();
        using var runtime = new InferenceRuntime();
        for (var round = 0; round < 5; round++)
        {
            var before = PrivateMegabytes();
            var clock = Stopwatch.StartNew();
            using var checkpoint = RandomWeights.File("one-gigabyte", Build);
            using var network = Network.Build(new(runtime, checkpoint) { Session = new() { Prepack = false } }, "one gigabyte", Build);
            var elapsed = clock.Elapsed.TotalMilliseconds;
            output.WriteLine($"session in {elapsed:0.0} ms, {PrivateMegabytes() - before:0.0} MB of private memory; {network.Session.Memory}");
        }
    }

    // What no file stands behind, as Linux counts it.
    private static double PrivateMegabytes() => File.ReadLines("/proc/self/status").Where(line => line.StartsWith("RssAnon:", StringComparison.Ordinal)).Sum(line => double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1])) / 1000;

    private static void Build(Scope scope)
    {
        var h = scope.Graph.Input("x", [Dim.Symbol("batch"), Width]);
        for (var i = 0; i < Layers; i++) h = scope["layers"][i].Linear(h, Width, bias: false);
        scope.Graph.Output("y", h);
    }
}
