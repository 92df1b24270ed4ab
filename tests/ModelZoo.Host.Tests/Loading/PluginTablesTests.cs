using ModelZoo.Contracts;
using ModelZoo.Host.Containment;
using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Loading.Tests;

/// <summary>A host that saw a plugin before lists it without running it, and runs it, with every check, when it is needed.</summary>
public sealed class PluginTablesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tables-").FullName;
    private readonly PluginQuarantine _quarantine;
    private readonly CrashMarks _marks;
    private readonly string _path;

    public PluginTablesTests()
    {
        _quarantine = new(In("quarantine"), TimeProvider.System);
        _marks = new(In("marks"), _quarantine);
        _path = TestPlugins.Build("Good", In("plugin"));
    }

    public void Dispose()
    {
        _marks.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string In(params string[] parts) => Path.Combine([_folder, .. parts]);

    private async Task<(PluginCatalog Catalog, PluginRecord Record)> StartAsync(IPluginLoader? loader = null, string? pin = null)
    {
        var catalog = new PluginCatalog(loader ?? new PluginLoader(), new(In("cache")) { Tables = In("tables"), Timeout = TimeSpan.FromSeconds(2) }, _quarantine, _marks);
        await catalog.LoadAsync([new(_path, "plugins.json:3") { Sha256 = pin }]);
        return (catalog, Assert.Single(catalog.Plugins));
    }

    private static async Task<IModel> OpenAsync(PluginCatalog catalog) =>
        await catalog.Find(ModelId.Parse("test/echo"))!.Value.Architecture.Open(new() { Id = ModelId.Parse("test/echo"), Services = new Nothing() }, default);

    private sealed class Nothing : IServiceProvider
    {
        public object? GetService(Type serviceType) => null;
    }

    private sealed class CountingLoader(Func<int, Exception?>? fails = null) : IPluginLoader
    {
        private readonly PluginLoader _loader = new();

        public int Loads { get; private set; }

        public LoadedPlugin Load(PluginFile file, string path, Lazy<string> digest) => fails?.Invoke(++Loads) is { } error ? throw error : _loader.Load(file, path, digest);
    }

    [Fact]
    public async Task Load_SeenBefore_IsListedInFullAndNoneOfItsCodeRuns()
    {
        var (_, first) = await StartAsync();
        Assert.True(first.Loaded!.IsAwake);
        var loader = new CountingLoader(_ => null);
        var (catalog, again) = await StartAsync(loader);
        Assert.Equal((0, false, PluginState.Ready, null), (loader.Loads, again.Loaded!.IsAwake, again.State, again.Reason));
        Assert.Equal((first.Name, first.File, first.Loaded.Version, first.Inspection!.Framework), (again.Name, again.File, again.Loaded.Version, again.Inspection!.Framework));
        Assert.Equal(first.Loaded.Plugin.Architectures.Select(architecture => architecture.Card), again.Loaded.Plugin.Architectures.Select(architecture => architecture.Card));
        Assert.Equal(("length", "characters", null, "Length of the output."), again.Loaded.Plugin.Metrics.Select(metric => (metric.Name, metric.Unit, metric.HigherIsBetter, metric.Description)).Single());
        Assert.Equal(0, loader.Loads);

        await using var model = await OpenAsync(catalog);
        Assert.NotNull(model.Find<ITokenize>());
        await using var second = await OpenAsync(catalog);
        Assert.Equal((1, true), (loader.Loads, again.Loaded.IsAwake));
    }

    [Fact]
    public async Task Measure_Asleep_TheMetricWakesItsPlugin()
    {
        await StartAsync();
        var (_, record) = await StartAsync();
        var metric = Assert.Single(record.Loaded!.Plugin.Metrics).Start();
        metric.Add(new("1", null, new Text("four")));
        Assert.Equal((4, true), (metric.Result()!.Value, record.Loaded.IsAwake));
    }

    [Fact]
    public async Task Load_FilesChanged_IsLoadedAnew()
    {
        await StartAsync();
        TestPlugins.Build("Good", In("plugin"), "2.0.0");
        var (_, record) = await StartAsync();
        Assert.Equal((true, "An Echo 2.0.0"), (record.Loaded!.IsAwake, record.Loaded.Plugin.Architectures[0].Card.Paper));
    }

    [Fact]
    public async Task Load_DigestNotThePinned_IsRefusedThoughRemembered()
    {
        await StartAsync();
        Assert.Equal(PluginState.Ready, (await StartAsync(pin: PluginDigest.Of(_path))).Record.State);
        var (_, refused) = await StartAsync(pin: new('0', 64));
        Assert.Equal(PluginState.Failed, refused.State);
        Assert.Contains("plugins.json:3 pins", refused.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Load_InQuarantine_IsRefusedThoughRemembered()
    {
        await StartAsync();
        _quarantine.Condemn("Good", _path, PluginDigest.Of(_path), "it misbehaved");
        var (_, held) = await StartAsync();
        Assert.Equal((PluginState.Failed, true), (held.State, held.IsQuarantined));
    }

    /// <summary>Same names, sizes and times, other bytes: what is remembered lists it, and the checks before it runs still find it.</summary>
    [Fact]
    public async Task Open_BytesAreNoPluginAnyMore_IsRefusedWithTheReasonAndTheStateIsFailed()
    {
        await StartAsync();
        var time = File.GetLastWriteTimeUtc(_path);
        File.WriteAllBytes(_path, new byte[new FileInfo(_path).Length]);
        File.SetLastWriteTimeUtc(_path, time);
        var (catalog, listed) = await StartAsync();
        Assert.Equal(PluginState.Ready, listed.State);
        var error = await Assert.ThrowsAsync<ModelZooException>(() => OpenAsync(catalog));
        Assert.Equal(ErrorCodes.PluginFailed, error.Code);
        Assert.Contains("This is not a .NET assembly", error.Message, StringComparison.Ordinal);
        var failed = Assert.Single(catalog.Plugins);
        Assert.Equal((PluginState.Failed, null), (failed.State, failed.Loaded));
        Assert.Equal(["test/echo"], failed.Brought);
        Assert.Equal(PluginState.Failed, (await StartAsync()).Record.State); // and it is not remembered any more
    }

    [Fact]
    public async Task Open_HangsWhenItIsWoken_FailsInTimeAndCountsAsAStrike()
    {
        await StartAsync();
        using var forever = new ManualResetEventSlim();
        var (catalog, _) = await StartAsync(new CountingLoader(_ =>
        {
            forever.Wait();
            return new IOException();
        }));
        var error = await Assert.ThrowsAsync<ModelZooException>(() => OpenAsync(catalog));
        forever.Set();
        Assert.Contains("did not load within 2 s", error.Message, StringComparison.Ordinal);
        Assert.Equal(PluginState.Failed, Assert.Single(catalog.Plugins).State);
        Assert.Equal(1, Assert.Single(_quarantine.Entries).Strikes);
    }

    [Fact]
    public async Task Load_TableIsBroken_IsLoadedAsIfNew()
    {
        await StartAsync();
        var table = Assert.Single(Directory.GetFiles(In("tables")));
        foreach (var length in new[] { 0, 3, 200, (int)new FileInfo(table).Length - 1 })
        {
            using (var file = File.OpenWrite(table)) file.SetLength(length);
            var (_, record) = await StartAsync();
            Assert.Equal((PluginState.Ready, true), (record.State, record.Loaded!.IsAwake));
        }
    }

    [Fact]
    public async Task Host_AsleepAndWoken_AnswersWithTheDigestOfWhatRanAndUnloads()
    {
        string asleep, path;
        await using (var host = new TestHost(tables: In("tables")))
        {
            path = TestPlugins.Build("Good", In("plugins"));
            await host.Lifecycle.LoadAsync(new(path, "test"), path);
            asleep = await host.GenerateAsync("a");
        }

        await using var next = new TestHost(tables: In("tables"));
        var (record, _) = await next.Lifecycle.LoadAsync(new(path, "test"), path);
        Assert.False(record.Loaded!.IsAwake);
        Assert.Equal(asleep, await next.GenerateAsync("a"));
        Assert.Equal(PluginDigest.Of(path), (await next.Verbs.TokenizeAsync(TestHost.Echo, new Text("x"), [], default)).Provenance.PluginSha256);
        var outcome = await next.Lifecycle.RemoveAsync(path);
        Assert.True(outcome!.IsGone, string.Join("; ", outcome.Roots));
    }

    [Fact]
    public async Task Remove_Asleep_IsGoneAtOnceAndCannotBeWoken()
    {
        await StartAsync();
        await using var host = new TestHost(tables: In("tables"));
        var (record, _) = await host.Lifecycle.LoadAsync(new(_path, "test"), _path);
        var loaded = record.Loaded!;
        Assert.False(loaded.IsAwake);
        Assert.True((await host.Lifecycle.RemoveAsync(_path))!.IsGone);
        Assert.Equal(ErrorCodes.PluginFailed, Assert.Throws<ModelZooException>(() => loaded.Wake()).Code);
    }
}
