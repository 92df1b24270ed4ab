using System.Diagnostics;
using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers;

namespace ModelZoo.Benchmarks.Serving;

/// <summary>The most that batching can give on this machine: how long a DiT's network takes for the rows of one guided request, and of so many at once, with nothing around it.</summary>
internal static class StepCeiling
{
    private const int Rows = 2, Calls = 200; // a guided request has the class and no class

    public static async Task<double> MeasureAsync(string model, string checkpoint, int requests)
    {
        var id = ModelId.Parse(model);
        var architecture = new DiffusionTransformersPlugin().Architectures.Single(candidate => candidate.Card.Id == id.WithoutTag.ToString());
        await using var opened = await architecture.Open(new() { Id = id, Folder = Path.GetFullPath(checkpoint), Services = HostServices.Instance }, CancellationToken.None);
        using var config = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(checkpoint, "config.json")));
        var (size, channels) = (config.RootElement.GetProperty("input_size").GetInt64(), config.RootElement.GetProperty("in_channels").GetInt64());
        CallArguments Arguments(int rows) => new CallArguments().With("x", Tensor.Zeros<float>(rows, channels, size, size)).With("t", Tensor.Zeros<long>(rows)).With("y", Tensor.Zeros<long>(rows));
        var calls = opened.Get<IReferenceCalls>();
        var (one, all) = (new List<double>(), new List<double>());
        for (var i = -Calls / 4; i < Calls; i++) // in turn, so that both see the same machine
        {
            foreach (var (times, rows) in new[] { (one, Rows), (all, Rows * requests) })
            {
                var started = Stopwatch.GetTimestamp();
                await calls.CallAsync("forward", Arguments(rows));
                if (i >= 0) times.Add(Stopwatch.GetElapsedTime(started).TotalMicroseconds);
            }
        }

        one.Sort();
        all.Sort();
        return requests * one[Calls / 2] / all[Calls / 2];
    }
}
