using System.Text.Json.Nodes;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Media;
using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Loading.Tests;

/// <summary>The plugins of this repository, as far as they are built: each loads, works and goes without a trace.</summary>
public sealed class RealPluginsTests
{
    [Fact]
    public async Task Remove_EveryPluginOfTheRepository_Unloads()
    {
        await using var host = new TestHost();
        foreach (var (entry, path) in PluginPaths.Expand(new(Repository.Path("artifacts", "plugins", "*"), "test")))
        {
            var (record, _) = await host.Lifecycle.LoadAsync(entry, path);
            Assert.True(record.State == PluginState.Ready || record.Reason!.Contains("names a plugin", StringComparison.Ordinal), record.Reason);
            if (record.State != PluginState.Ready) continue;
            Assert.Empty(record.Inspection!.Hazards);
            var outcome = await host.Lifecycle.RemoveAsync(path);
            Assert.True(outcome!.IsGone, $"{record.Name}: {string.Join("; ", outcome.Roots)}");
        }
    }

    [Fact]
    public async Task Remove_SpeechAfterUse_Unloads()
    {
        var path = Repository.Path("artifacts", "plugins", "Speech");
        if (!File.Exists(Path.Combine(path, "ModelZoo.Plugins.Speech.dll"))) return; // built with the host, not with these tests alone
        await using var host = new TestHost(manifest => manifest with
        {
            Models = new Dictionary<ModelId, ModelEntry> { [ModelId.Parse("speech/encodec.8khz")] = new() { Checkpoint = Repository.Path("samples", "encodec-8khz") } },
        });
        var (record, _) = await host.Lifecycle.LoadAsync(new(path, "test"), path);
        Assert.True(record.State == PluginState.Ready, record.Reason);
        var recording = Directory.GetFiles(Repository.Path("samples", "encodec-8khz", "recordings"), "*.wav").Order(StringComparer.Ordinal).First();
        var audio = await host.Get<MediaFiles>().ReadAsync(recording);
        var tokens = await host.Verbs.TokenizeAsync(new(ModelId.Parse("speech/encodec")), audio, new JsonObject { ["bandwidth"] = "1.6" }, default);
        Assert.Equal(2, tokens.Value.Ids.Shape[0]);
        var outcome = await host.Lifecycle.RemoveAsync(path);
        Assert.True(outcome!.IsGone, string.Join("; ", outcome.Roots));
    }
}
