using System.Text.Json.Nodes;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Loading.Tests;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Models;
using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Scheduling.Tests;

/// <summary>A cancelled request, on real plugins and published layouts, down to the engine.</summary>
public sealed class CancellationTests
{
    private static async Task<TestHost?> StartAsync(string plugin, string model, string sample)
    {
        if (!BuiltPlugins.Are(plugin)) return null;
        var path = BuiltPlugins.Folder(plugin);
        var host = new TestHost(manifest => manifest with { Models = new Dictionary<ModelId, ModelEntry> { [ModelId.Parse(model)] = new() { Checkpoint = Repository.Path("samples", sample) } } });
        var (record, _) = await host.Lifecycle.LoadAsync(new(path, "test"), path);
        Assert.True(record.State == PluginState.Ready, record.Reason);
        return host;
    }

    /// <summary>One run of the engine takes the whole sound. What stops it in the middle is the engine's terminate flag: its own message is the cause of the cancellation.</summary>
    [Fact]
    public async Task Tokenize_CancelledInTheMiddleOfARun_IsStoppedByTheEngine()
    {
        if (await StartAsync("Speech", "speech/encodec.8khz", "encodec-8khz") is not { } host) return;
        await using var _ = host;
        var request = new ModelRequest(ModelId.Parse("speech/encodec.8khz"));
        Audio Sound(int seconds) => new(Tensor.Create(Enumerable.Range(0, seconds * 8000).Select(i => MathF.Sin(i * 0.3f) * 0.5f).ToArray(), 1, seconds * 8000), 8000);
        await host.Verbs.TokenizeAsync(request, Sound(1), [], default);
        var whole = Sound(120);

        // Where in a request the engine runs is the machine's to say: every part of its time is tried.
        var watch = System.Diagnostics.Stopwatch.StartNew();
        await host.Verbs.TokenizeAsync(request, whole, [], default);
        var time = watch.Elapsed;
        string? cause = null;
        for (var attempt = 0; attempt < 200 && cause is null; attempt++)
        {
            using var stop = new CancellationTokenSource(time * (0.05 + attempt % 19 * 0.05));
            var error = await Record.ExceptionAsync(() => host.Verbs.TokenizeAsync(request, whole, [], stop.Token));
            if (error is null) continue;
            Assert.IsAssignableFrom<OperationCanceledException>(error);
            cause = error.InnerException?.Message;
        }

        Assert.Contains("terminate", cause, StringComparison.Ordinal);
        Assert.Equal(0, Assert.Single(host.Pool.Residents).Users);
        Assert.NotEmpty((await host.Verbs.TokenizeAsync(request, Sound(1), [], default)).Value.Ids.Span.ToArray());
    }

    [Fact]
    public async Task Generate_Cancelled_TakesNoStepMore()
    {
        if (await StartAsync("DiffusionTransformers", "diffusion-transformers/dit.digits", "dit-digits") is not { } host) return;
        await using var _ = host;
        using var stop = new CancellationTokenSource();
        var steps = new List<int>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => host.Verbs.GenerateAsync(new(ModelId.Parse("diffusion-transformers/dit.digits")), new("7"), new JsonObject { ["steps"] = 250 }, 1, step =>
        {
            steps.Add(step.Step);
            if (steps.Count == 3) stop.Cancel();
        }, stop.Token));
        Assert.Equal(3, steps.Count);
        Assert.Equal(0, Assert.Single(host.Pool.Residents).Users);
    }
}
