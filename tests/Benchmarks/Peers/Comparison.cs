using System.Diagnostics;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Benchmarks.Peers;

/// <summary>Times both by turns in one process, so that whatever else the machine does falls on both alike.</summary>
internal static class Comparison
{
    // The engine's threads look for work some time after a run, and would be in the other's way.
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(20);

    public static void Run(IReadOnlyList<string> names, TextWriter output)
    {
        var threads = Environment.GetEnvironmentVariable("THREADS") is { } text ? int.Parse(text) : 0;
        using var runtime = new InferenceRuntime(new() { Threads = threads });
        output.WriteLine($"ONNX Runtime {runtime.Version}, {(threads == 0 ? Environment.ProcessorCount : threads)} threads; milliseconds, best and median of the runs");
        var peak = MachineLimits.Gigaflops(threads == 0 ? Environment.ProcessorCount : threads);
        output.WriteLine($"fused multiply-adds of this machine: {peak:0} GFLOP/s; 'at most' is how much faster than the peer a run at that speed would be; memory is the peak of a process that runs the network");
        output.WriteLine($"{"network",-24} {"ours",8} {"",8} {"peer",8} {"",8}  {"faster by",9} {"at most",9}  {"GFLOP/s",7} {"of peak",8}  {"MB ours",8} {"MB peer",8}");
        var ratios = new List<double>();
        foreach (var network in PeerNetworks.All.Where(network => names.Count == 0 || names.Contains(network.Name)))
        {
            using var pair = new PeerPair(runtime, network);
            var (ours, peer) = Measure(pair);
            ratios.Add(Median(peer) / Median(ours));
            var work = 2e-6 * Network.MultiplyAdds(network.Build);                                // operations a millisecond, in GFLOP/s
            var (speed, limit) = (work / Median(ours), Median(peer) / (work / peak));
            output.WriteLine($"{network.Name,-24} {ours.Min(),8:0.0} {Median(ours),8:0.0} {peer.Min(),8:0.0} {Median(peer),8:0.0}  {ratios[^1],8:0.00}x {limit,8:0.00}x  {speed,7:0} {speed / peak,8:0 %}  {Peak(network, "ours"),8:0} {Peak(network, "peer"),8:0}");
        }

        if (ratios.Count > 1) output.WriteLine($"median {Median(ratios):0.00}x");
    }

    /// <summary>Runs one side in this process and writes the most memory that it took, in bytes.</summary>
    public static void RunOnce(string name, string side, TextWriter output)
    {
        using var runtime = new InferenceRuntime();
        PeerPair.RunAlone(runtime, PeerNetworks.All.Single(network => network.Name == name), side == "ours");
        using var process = Process.GetCurrentProcess();
        output.WriteLine(process.PeakWorkingSet64);
    }

    private static double Peak(PeerNetwork network, string side)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(Comparison).Assembly.Location, "peak", network.Name, side]) { RedirectStandardOutput = true })!;
        return double.Parse(process.StandardOutput.ReadToEnd(), System.Globalization.CultureInfo.InvariantCulture) / 1e6;
    }

    private static (List<double> Ours, List<double> Peer) Measure(PeerPair pair)
    {
        for (var i = 0; i < 2; i++)
        {
            pair.RunOurs();
            pair.RunPeer();
        }

        var (ours, peer, clock) = (new List<double>(), new List<double>(), Stopwatch.StartNew());
        while (ours.Count < 5 || (clock.Elapsed.TotalSeconds < 12 && ours.Count < 40))
        {
            ours.Add(Time(pair.RunOurs));
            peer.Add(Time(pair.RunPeer));
        }

        return (ours, peer);
    }

    private static double Time(Action run)
    {
        Thread.Sleep(Rest);
        var start = Stopwatch.GetTimestamp();
        run();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    private static double Median(List<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
    }
}
