using ModelZoo.Contracts;
using ModelZoo.Host.Containment;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Manifest;
using ModelZoo.Inference;

namespace ModelZoo.Host.Models.Tests;

public sealed class ModelPoolTests
{
    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch;
        public override DateTimeOffset GetUtcNow() => Now;
    }

    private sealed class Model(long bytes, Action disposed) : IModel
    {
        public ModelFacts Facts => new() { PrivateBytes = bytes };

        public ValueTask DisposeAsync()
        {
            disposed();
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Table(Func<ModelSource, CancellationToken, ValueTask<IModel>> open) : IModelPlugin
    {
        public IReadOnlyList<ModelArchitecture> Architectures { get; } = [new(new ModelCard { Id = "test/a", Paper = "", Authors = [], Inputs = [], Outputs = [] }, open)];
    }

    private sealed class Loader(IModelPlugin plugin) : IPluginLoader
    {
        public LoadedPlugin Load(PluginFile file, string path, Lazy<string> digest) => new("test", path, new PluginLoadContext(typeof(ModelPoolTests).Assembly.Location), plugin);
    }

    private readonly Clock _clock = new();
    private int _opened, _disposed;

    private async Task<ModelPool> PoolAsync(long budget, Func<ModelSource, CancellationToken, ValueTask<IModel>>? open = null)
    {
        open ??= (_, _) => ValueTask.FromResult<IModel>(new Model(100, () => _disposed++));
        var folder = Directory.CreateTempSubdirectory("pool-").FullName;
        var quarantine = new PluginQuarantine(Path.Combine(folder, "quarantine"), TimeProvider.System);
        var catalog = new PluginCatalog(new Loader(new Table((source, cancel) =>
        {
            Interlocked.Increment(ref _opened);
            return open(source, cancel);
        })), new("/nowhere"), quarantine, new(Path.Combine(folder, "marks"), quarantine));
        var dll = Loading.Tests.TestPlugins.Build("Good", folder);
        await catalog.LoadAsync([new(dll, "test")]);
        var manifest = new LiveManifest(new HostManifest { Memory = new Dictionary<string, long> { ["cpu"] = budget }, Models = Enumerable.Range(1, 4).ToDictionary(i => ModelId.Parse($"test/a.{i}"), _ => new ModelEntry()) });
        return new(new(catalog, manifest, new PluginServices(new Lazy<InferenceRuntime>(() => throw new InvalidOperationException()), static () => new())), manifest, new(manifest), new(), _clock);
    }

    private static ModelRequest Ask(int tag) => new(ModelId.Parse($"test/a.{tag}"));

    [Fact]
    public async Task Acquire_ManyAtOnce_OpensOnce()
    {
        var gate = new TaskCompletionSource();
        var pool = await PoolAsync(1000, async (_, _) =>
        {
            await gate.Task;
            return new Model(1, static () => { });
        });
        var asked = Enumerable.Range(0, 10).Select(_ => pool.AcquireAsync(Ask(1))).ToList();
        gate.SetResult();
        var leases = await Task.WhenAll(asked);
        Assert.Equal(1, _opened);
        Assert.Equal(10, Assert.Single(pool.Residents).Users);
        foreach (var lease in leases) lease.Dispose();
        Assert.Equal(0, Assert.Single(pool.Residents).Users);
    }

    [Fact]
    public async Task Acquire_AnotherPrecision_IsAnotherResident()
    {
        var pool = await PoolAsync(1000);
        foreach (var precision in new[] { null, "int8", "int4", "int8" })
        {
            using var lease = await pool.AcquireAsync(Ask(1) with { Precision = precision });
            Assert.Equal(precision ?? "float32", lease.Resident.Source.Precision);
        }

        Assert.Equal((3, 3), (_opened, pool.Residents.Count));
    }

    [Fact]
    public async Task Acquire_OverBudget_TheLeastRecentlyUsedLeaves()
    {
        var pool = await PoolAsync(250);
        foreach (var tag in new[] { 1, 2, 1, 3 }) (await pool.AcquireAsync(Ask(tag))).Dispose();
        Assert.Equal(["1", "3"], pool.Residents.Select(model => model.Id.Tag!).Order());
        Assert.Equal(1, _disposed);
    }

    [Fact]
    public async Task Acquire_OverBudgetWithAllInUse_IsRefusedAndTheOthersStay()
    {
        var pool = await PoolAsync(250);
        using var first = await pool.AcquireAsync(Ask(1));
        using var second = await pool.AcquireAsync(Ask(2));
        Assert.Equal("model.over-budget", (await Assert.ThrowsAsync<ModelZooException>(() => pool.AcquireAsync(Ask(3)))).Code);
        Assert.Equal(2, pool.Residents.Count);
    }

    [Fact]
    public async Task Acquire_LoadFails_IsNotTriedAgainAtOnce()
    {
        var pool = await PoolAsync(1000, (_, _) => throw new InvalidOperationException("broken weights"));
        for (var i = 0; i < 3; i++) Assert.Contains("broken weights", (await Assert.ThrowsAsync<ModelZooException>(() => pool.AcquireAsync(Ask(1)))).Message, StringComparison.Ordinal);
        Assert.Equal(1, _opened);
        _clock.Now += ModelPool.RetryAfter;
        await Assert.ThrowsAsync<ModelZooException>(() => pool.AcquireAsync(Ask(1)));
        Assert.Equal(2, _opened);
    }

    [Fact]
    public async Task Acquire_EverybodyGivesUp_StopsTheLoad()
    {
        var stopped = new TaskCompletionSource();
        var pool = await PoolAsync(1000, async (_, cancel) =>
        {
            await Task.Delay(Timeout.Infinite, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stopped.SetResult();
            throw new OperationCanceledException(cancel);
        });
        using var patience = new CancellationTokenSource();
        var asked = pool.AcquireAsync(Ask(1), patience.Token);
        while (_opened == 0) await Task.Delay(5);
        patience.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
        await stopped.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Empty(pool.Residents);
    }

    // Model 1 works with the model of a folder; the log says who was closed.
    private Task<ModelPool> WithCompanionAsync(List<string> closed) => PoolAsync(1000, async (source, cancel) =>
    {
        if (source.Id.Tag == "1") await source.Service<ICompanions>().OpenAsync(Companion, CompanionFolder, cancel);
        return new Model(100, () => closed.Add(source.Id.ToString()));
    });

    private static readonly ModelId Companion = ModelId.Parse("test/a");

    private const string CompanionFolder = "/companion";

    [Fact]
    public async Task Companion_OfAModel_StaysAsLongAsIt()
    {
        var closed = new List<string>();
        var pool = await WithCompanionAsync(closed);
        for (var i = 0; i < 2; i++) (await pool.AcquireAsync(Ask(1))).Dispose();
        Assert.Equal([("test/a", 1), ("test/a.1", 0)], pool.Residents.Select(model => (model.Id.ToString(), model.Users)).Order());
        Assert.True(await pool.RetireAsync(Ask(1).Id));
        Assert.Equal(("test/a", 0), (Assert.Single(pool.Residents).Id.ToString(), pool.Residents[0].Users));
        Assert.Equal(["test/a.1"], closed);
    }

    [Fact]
    public async Task Companion_Retired_ClosesTheModelBefore()
    {
        var closed = new List<string>();
        var pool = await WithCompanionAsync(closed);
        var lease = await pool.AcquireAsync(Ask(1));
        var retired = pool.RetireAsync(lease.Resident.Plugin);
        Assert.False(retired.IsCompleted);
        Assert.Empty(closed);
        lease.Dispose();
        await retired.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(["test/a.1", "test/a"], closed);
        (await pool.AcquireAsync(Ask(1))).Dispose();
        Assert.Equal(4, _opened);
        await pool.DisposeAsync();
        Assert.Equal(["test/a.1", "test/a", "test/a.1", "test/a"], closed);
    }

    [Fact]
    public async Task Companion_ThatAsksForTheModelItself_IsRefused()
    {
        var pool = await PoolAsync(1000, async (source, cancel) =>
        {
            await source.Service<ICompanions>().OpenAsync(Companion, source.Folder == "/one" ? "/two" : "/one", cancel);
            return new Model(1, static () => { });
        });
        var error = await Assert.ThrowsAsync<ModelZooException>(() => pool.AcquireAsync(new(Companion, "/one", "cpu", "float32")).WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Contains("companion", error.Message, StringComparison.Ordinal);
        Assert.All(pool.Residents, model => Assert.Equal(0, model.Users));
    }

    [Fact]
    public async Task Companion_ThatCannotBeOpened_IsTheModelsError()
    {
        var pool = await PoolAsync(1000, async (source, cancel) =>
        {
            if (source.Folder is not null) throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no such file.") { Where = source.Folder };
            await source.Service<ICompanions>().OpenAsync(Companion, CompanionFolder, cancel);
            return new Model(1, static () => { });
        });
        var error = await Assert.ThrowsAsync<CheckpointException>(() => pool.AcquireAsync(Ask(1)));
        Assert.Equal(CompanionFolder, error.Where);
        Assert.All(pool.Residents, model => Assert.Equal((0, 0), (model.Users, model.Companions.Count)));
    }

    /// <summary>The same weights under two names are open once, and have one line of requests.</summary>
    [Fact]
    public async Task Verbs_ByNameWithAndWithoutTag_AreOneModel()
    {
        await using var host = new Host.Tests.TestHost(manifest => manifest with { Models = new Dictionary<ModelId, ModelEntry> { [ModelId.Parse("test/echo.one")] = new() } });
        await host.LoadAsync("Good");
        foreach (var name in new[] { "test/echo", "test/echo.one" }) Assert.Equal("test/echo.one", (await host.Verbs.TokenizeAsync(new(ModelId.Parse(name)), new Text("a"), [], default)).Model.ToString());
        Assert.Equal("test/echo.one", Assert.Single(host.Pool.Residents).Key.Id.ToString());
        Assert.True(await host.Pool.RetireAsync(ModelId.Parse("test/echo")));
        Assert.Empty(host.Pool.Residents);
    }
}
