using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Loading.Tests;

/// <summary>Measures the memory of the whole process, so nothing else runs beside it.</summary>
[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;

[Collection("alone")]
public sealed class PluginReplacementTests
{
    [Fact]
    public async Task Load_HundredTimesUnderLoad_NoRequestFailsAndMemoryStaysFlat()
    {
        await using var host = new TestHost();
        string[] versions = ["1.0.0", "2.0.0"];
        var built = versions.ToDictionary(version => version, version => TestPlugins.Build("Good", host.In("built", version), version));
        var path = host.In("plugins", "Good.dll");
        Directory.CreateDirectory(host.In("plugins"));

        using var stop = new CancellationTokenSource();
        File.Copy(built[versions[0]], path);
        await host.Lifecycle.LoadAsync(new(path, "test"), path);
        var clients = Enumerable.Range(0, 3).Select(client => Task.Run(async () =>
        {
            var served = 0;
            for (; !stop.IsCancellationRequested; served++) Assert.EndsWith($":{client}:7", await host.GenerateAsync($"{client}", delay: 1), StringComparison.Ordinal);
            return served;
        })).ToList();

        var memory = 0L;
        for (var cycle = 1; cycle <= 100; cycle++)
        {
            File.Copy(built[versions[cycle % 2]], path, overwrite: true);
            var (record, departure) = await host.Lifecycle.LoadAsync(new(path, "test"), path);
            Assert.True(record.State == PluginState.Ready && record.Reason is null, record.Reason);
            var outcome = await departure!;
            Assert.True(outcome.IsGone, $"cycle {cycle}: {string.Join("; ", outcome.Roots)}");
            if (cycle == 20) memory = GC.GetTotalMemory(forceFullCollection: true);
        }

        stop.Cancel();
        Assert.All(await Task.WhenAll(clients), served => Assert.True(served > 0));
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true), 0, memory + (4 << 20));
    }
}
