using System.Text.Json.Nodes;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Media;
using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Loading.Tests;

/// <summary>The plugins of this repository: each loads, works and goes without a trace.</summary>
public sealed class RealPluginsTests
{
    [Fact]
    public async Task Remove_EveryPluginOfTheRepository_Unloads()
    {
        if (!BuiltPlugins.Are(BuiltPlugins.Families)) return;
        await using var host = new TestHost();
        foreach (var path in BuiltPlugins.Families.Select(BuiltPlugins.Folder))
        {
            var (record, _) = await host.Lifecycle.LoadAsync(new(path, "test"), path);
            Assert.True(record.State == PluginState.Ready, record.Reason);
            Assert.Empty(record.Inspection!.Hazards);
            var outcome = await host.Lifecycle.RemoveAsync(path);
            Assert.True(outcome!.IsGone, $"{record.Name}: {string.Join("; ", outcome.Roots)}");
        }
    }

    /// <summary>What is remembered of a plugin is all that it says of itself, to the last letter of each card.</summary>
    [Fact]
    public async Task Table_OfEveryPlugin_ComesBackFromItsBytes()
    {
        if (!BuiltPlugins.Are(BuiltPlugins.Families)) return;
        await using var host = new TestHost();
        var metrics = new List<string>();
        foreach (var path in BuiltPlugins.Families.Select(BuiltPlugins.Folder))
        {
            var (record, _) = await host.Lifecycle.LoadAsync(new(path, "test"), path);
            Assert.True(record.State == PluginState.Ready, record.Reason);
            var table = PluginTable.Of(record.File!, record.Inspection!, record.Loaded!.Plugin);
            using var bytes = new MemoryStream();
            PluginTableFormat.Write(new(bytes), table);
            bytes.Position = 0;
            var again = PluginTableFormat.Read(new(bytes));
            Assert.Equal(bytes.Length, bytes.Position);
            Assert.Equal((table.File, table.Cards, table.Metrics, table.Readers), (again.File, again.Cards, again.Metrics, again.Readers));
            Assert.Equal((table.Inspection.Version, table.Inspection.Framework, table.Inspection.Contracts), (again.Inspection.Version, again.Inspection.Framework, again.Inspection.Contracts));
            Assert.NotEmpty(again.Cards);
            foreach (var card in again.Cards) Assert.True(card.Hidden || card.ArXiv is not null || card.Repository is not null, $"{card.Id} does not say where its paper or its code is to be found.");
            Assert.Empty(UnmarkedPaths(record.Loaded.Plugin.GetType().Assembly));
            metrics.AddRange(again.Metrics.Select(metric => metric.Name));
        }

        // A regression: of two metrics of one name, the image tokenizers had got the one for small digits.
        Assert.Equal(metrics.Distinct().Order(), metrics.Order());
    }

    // A server confines what is marked as a path; what only reads like one it would open wherever a client says.
    private static List<string> UnmarkedPaths(System.Reflection.Assembly plugin) =>
    [
        .. plugin.GetTypes().Where(type => type.IsAssignableTo(typeof(ModelOptions)) && !type.IsAbstract && type.GetConstructor([]) is not null)
            .SelectMany(type => ((OptionsSchema)typeof(OptionsSchema).GetMethod(nameof(OptionsSchema.Of))!.MakeGenericMethod(type).Invoke(null, null)!).Options.Select(option => (type, option)))
            .Where(pair => pair.option.Kind == "text" && System.Text.RegularExpressions.Regex.IsMatch(pair.option.Description, "^(Folder|File|Path|Director)")).Select(pair => $"{pair.type.Name}.{pair.option.Name} is no path"),
    ];

    [Fact]
    public async Task Remove_SpeechAfterUse_Unloads()
    {
        if (!BuiltPlugins.Are("Speech")) return;
        var path = BuiltPlugins.Folder("Speech");
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
