using System.IO.Compression;
using Microsoft.CodeAnalysis;
using ModelZoo.Contracts;
using ModelZoo.Host.Containment;
using ModelZoo.Host.Manifest;

namespace ModelZoo.Host.Loading.Tests;

public sealed class PluginCatalogTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("plugins-").FullName;

    private readonly PluginQuarantine _quarantine;

    public PluginCatalogTests() => _quarantine = new(In("quarantine"), TimeProvider.System);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(params string[] parts) => Path.Combine([_folder, .. parts]);

    private async Task<IReadOnlyList<PluginRecord>> LoadAsync(params PluginEntry[] entries)
    {
        using var marks = new CrashMarks(In("marks"), _quarantine);
        var catalog = new PluginCatalog(new PluginLoader(), new(In("cache")) { Timeout = TimeSpan.FromSeconds(2) }, _quarantine, marks);
        await catalog.LoadAsync(entries);
        return catalog.Plugins;
    }

    private async Task<PluginRecord> LoadAsync(string path) => Assert.Single(await LoadAsync(new PluginEntry(path, "test")));

    [Fact]
    public async Task Load_GoodPlugin_IsReadyWhetherFolderDllZipOrPackage()
    {
        var dll = TestPlugins.Build("Good", In("Good"));
        ZipFile.CreateFromDirectory(In("Good"), In("good.zip"));
        Directory.CreateDirectory(In("package", "lib", "net10.0"));
        File.Copy(dll, In("package", "lib", "net10.0", "Good.dll"));
        ZipFile.CreateFromDirectory(In("package"), In("good.1.0.0.nupkg"));
        foreach (var path in new[] { In("Good"), dll, In("good.zip"), In("good.1.0.0.nupkg") })
        {
            var record = await LoadAsync(path);
            Assert.True(record.State == PluginState.Ready, record.Reason);
            Assert.Equal(("Good", "test/echo"), (record.Name, record.Loaded!.Plugin.Architectures[0].Card.Id));
            Assert.Equal(new Version(1, 0, 0, 0), record.Inspection!.Version);
        }
    }

    [Fact]
    public async Task Load_Pattern_TakesEveryPluginAndNothingElse()
    {
        TestPlugins.Build("Good", In("all", "a"));
        TestPlugins.Build("ThrowsInConstructor", In("all", "b"));
        Directory.CreateDirectory(In("all", "notes"));
        File.WriteAllText(In("all", "readme.txt"), "");
        var records = await LoadAsync(new PluginEntry(In("all", "*"), "test"));
        Assert.Equal([PluginState.Ready, PluginState.Failed], records.Select(record => record.State));
    }

    /// <summary>Each bad plugin: the state it must end in, and what its reason must say.</summary>
    [Theory]
    [InlineData("ThrowsInConstructor", PluginState.Failed, "InvalidOperationException: the licence server does not answer")]
    [InlineData("Hangs", PluginState.Failed, "did not load within 2 s. Its constructor must be quick")]
    [InlineData("BadTable", PluginState.Failed, "'No Good Id' is not the id of an architecture")]
    [InlineData("NotAPlugin", PluginState.Failed, "No assembly here names a plugin")]
    [InlineData("NotImplementing", PluginState.Failed, "NotImplementing.Plugin does not implement IModelPlugin")]
    [InlineData("missing dependency", PluginState.Failed, "needs the assembly Library 1.0.0.0, which it does not bring")]
    [InlineData("missing native library", PluginState.Failed, "zoo_native_part")]
    [InlineData("newer contracts", PluginState.Incompatible, "this host has no ModelZoo.Contracts.ModelId.FromTheFuture(String) : String")]
    [InlineData("newer contracts", PluginState.Incompatible, "this host has no ModelZoo.Contracts.Telepathy")]
    [InlineData("newer contracts", PluginState.Incompatible, "built against ModelZoo.Contracts 9.0.0, which is newer than this host's")]
    [InlineData("older contracts", PluginState.Incompatible, "Nothing of it was run: this host has no ModelZoo.Contracts.ModelId.FromTheFuture(String) : String; this host has no ModelZoo.Contracts.Telepathy. Build it")]
    [InlineData("newer framework", PluginState.Incompatible, "built for .NETCoreApp,Version=v11.0, and this host runs .NET 10.0")]
    [InlineData("old framework", PluginState.Incompatible, "built for .NETFramework,Version=v4.8")]
    [InlineData("wrong architecture", PluginState.Failed, "cannot be loaded on this machine")]
    [InlineData("native dll", PluginState.Failed, "No assembly here names a plugin")]
    [InlineData("text named .dll", PluginState.Failed, "not a .NET assembly")]
    [InlineData("zero bytes", PluginState.Failed, "This file is empty")]
    [InlineData("directory named .dll", PluginState.Failed, "No assembly here names a plugin")]
    [InlineData("two plugins", PluginState.Failed, "Several assemblies here name a plugin: Good.dll, ThrowsInConstructor.dll")]
    [InlineData("not an archive", PluginState.Failed, "The archive cannot be unpacked")]
    [InlineData("nothing there", PluginState.Failed, "There is no such plugin")]
    public async Task Load_BadPlugin_SaysWhatAPersonCanActOn(string what, PluginState state, string reason)
    {
        var path = Make(what);
        var records = await LoadAsync(new PluginEntry(path, "test"), new PluginEntry(TestPlugins.Build("Good", In("good")), "test"));
        Assert.Equal(state, records[0].State);
        Assert.Contains(reason, records[0].Reason, StringComparison.Ordinal);
        Assert.Null(records[0].Loaded);
        Assert.Equal(PluginState.Ready, records[1].State);
    }

    private string Make(string what)
    {
        Directory.CreateDirectory(In("bad"));
        switch (what)
        {
            case "missing dependency":
                TestPlugins.Build("UsesLibrary", In("bad"), more: [TestPlugins.Build("Library", In("library"))]);
                return In("bad");
            case "missing native library":
                TestPlugins.Build("NeedsNativeLibrary", In("bad"));
                return In("bad");
            case "newer contracts":
                var newer = TestPlugins.NewerContracts(In("newer"), "9.0.0");
                TestPlugins.Build("NewerContracts", In("bad"), replaced: new Dictionary<string, string> { ["ModelZoo.Contracts"] = newer });
                return In("bad");
            case "older contracts": // they had what this host has no more
                var older = TestPlugins.NewerContracts(In("older"), "0.0.9");
                TestPlugins.Build("NewerContracts", In("bad"), replaced: new Dictionary<string, string> { ["ModelZoo.Contracts"] = older });
                return In("bad");
            case "newer framework":
                return TestPlugins.Build("Good", In("bad"), framework: ".NETCoreApp,Version=v11.0");
            case "old framework":
                return TestPlugins.Build("Good", In("bad"), framework: ".NETFramework,Version=v4.8");
            case "wrong architecture":
                var here = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture;
                return TestPlugins.Build("Good", In("bad"), platform: here == System.Runtime.InteropServices.Architecture.Arm64 ? Platform.X64 : Platform.Arm64);
            case "native dll":
                File.Copy(typeof(object).Assembly.Location.Replace("System.Private.CoreLib.dll", OperatingSystem.IsWindows() ? "coreclr.dll" : OperatingSystem.IsMacOS() ? "libcoreclr.dylib" : "libcoreclr.so", StringComparison.Ordinal), In("bad", "native.dll"));
                return In("bad");
            case "text named .dll":
                File.WriteAllText(In("bad", "text.dll"), "I am no plugin.");
                return In("bad", "text.dll");
            case "zero bytes":
                File.WriteAllBytes(In("bad", "empty.dll"), []);
                return In("bad", "empty.dll");
            case "directory named .dll":
                Directory.CreateDirectory(In("bad", "folder.dll"));
                return In("bad", "folder.dll");
            case "two plugins":
                TestPlugins.Build("Good", In("bad"));
                TestPlugins.Build("ThrowsInConstructor", In("bad"));
                return In("bad");
            case "not an archive":
                File.WriteAllText(In("bad", "x.zip"), "no");
                return In("bad", "x.zip");
            case "nothing there":
                return In("bad", "nothing");
            default:
                TestPlugins.Build(what, In("bad"));
                return In("bad");
        }
    }

    [Fact]
    public async Task Load_Disabled_IsLeftAlone()
    {
        var record = Assert.Single(await LoadAsync(new PluginEntry(In("nothing"), "test") { Enabled = false }));
        Assert.Equal(PluginState.Disabled, record.State);
    }

    [Fact]
    public async Task Load_PinnedDigest_MustMatch()
    {
        var path = TestPlugins.Build("Good", In("a"));
        Assert.Equal(PluginState.Ready, Assert.Single(await LoadAsync(new PluginEntry(path, "plugins.json:3") { Sha256 = PluginDigest.Of(path) })).State);
        var refused = Assert.Single(await LoadAsync(new PluginEntry(path, "plugins.json:3") { Sha256 = new('0', 64) }));
        Assert.Equal(PluginState.Failed, refused.State);
        Assert.Contains("plugins.json:3 pins", refused.Reason, StringComparison.Ordinal);
        Assert.Null(refused.Inspection);
    }

    [Fact]
    public async Task Load_TwoVersionsOfOneLibrary_EachPluginHasItsOwn()
    {
        foreach (var version in new[] { "1.0.0", "2.0.0" })
            TestPlugins.Build("UsesLibrary", In(version), more: [TestPlugins.Build("Library", In(version), version)]);
        var records = await LoadAsync(new PluginEntry(In("1.0.0"), "test"), new PluginEntry(In("2.0.0"), "test"));
        Assert.Equal(["1.0.0", "2.0.0"], records.Select(record => record.Loaded!.Plugin.Architectures[0].Card.Paper));
    }

    [Fact]
    public async Task Load_OlderContractsWithNothingGone_IsReady()
    {
        var older = TestPlugins.NewerContracts(In("older"), "0.0.9");
        var record = await LoadAsync(TestPlugins.Build("Good", In("good"), replaced: new Dictionary<string, string> { ["ModelZoo.Contracts"] = older }));
        Assert.True(record.State == PluginState.Ready, record.Reason);
        Assert.Equal(new Version(0, 0, 9, 0), record.Inspection!.Contracts);
    }

    /// <summary>The plugin's deps.json names its native library for "unix" only; this machine is a linux-x64 or the like.</summary>
    [Fact]
    public async Task Load_NativeLibraryOfAMoreGeneralRid_IsFound()
    {
        if (OperatingSystem.IsWindows()) return; // .NET has no native library there to borrow
        TestPlugins.Build("NeedsNativeLibrary", In("native"));
        var library = OperatingSystem.IsMacOS() ? "libSystem.Native.dylib" : "libSystem.Native.so";
        var file = $"runtimes/unix/native/{library.Replace("System.Native", "zoo_native_part", StringComparison.Ordinal)}";
        Directory.CreateDirectory(In("native", "runtimes", "unix", "native"));
        File.Copy(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, library), In("native", file));
        File.WriteAllText(In("native", "NeedsNativeLibrary.deps.json"), $$"""
            {
              "runtimeTarget": { "name": ".NETCoreApp,Version=v10.0" },
              "targets": { ".NETCoreApp,Version=v10.0": {
                "NeedsNativeLibrary/1.0.0": { "dependencies": { "Zoo.Native.Part": "1.0.0" }, "runtime": { "NeedsNativeLibrary.dll": {} } },
                "Zoo.Native.Part/1.0.0": { "runtimeTargets": { "{{file}}": { "rid": "unix", "assetType": "native" }, "runtimes/win/native/zoo_native_part.dll": { "rid": "win", "assetType": "native" } } } } },
              "libraries": { "NeedsNativeLibrary/1.0.0": { "type": "project", "serviceable": false, "sha512": "" }, "Zoo.Native.Part/1.0.0": { "type": "package", "serviceable": true, "sha512": "" } }
            }
            """);
        var record = await LoadAsync(In("native"));
        Assert.True(record.State == PluginState.Ready, record.Reason);
        Assert.Equal($"Answer {Environment.ProcessId}", record.Loaded!.Plugin.Architectures[0].Card.Paper);
    }

    [Fact]
    public async Task Load_SatelliteAssemblies_ArePrivateToThePlugin()
    {
        TestPlugins.Build("Speaks", In("speaks"), resources: new Dictionary<string, byte[]> { ["Speaks.Words.resources"] = TestPlugins.Texts(("hello", "hello")) });
        TestPlugins.Satellite("Speaks", In("speaks"), "fr", "Speaks.Words", ("hello", "bonjour"));
        var record = await LoadAsync(In("speaks"));
        Assert.True(record.State == PluginState.Ready, record.Reason);
        Assert.Equal("hello, bonjour, hello", record.Loaded!.Plugin.Architectures[0].Card.Paper);
    }

    /// <summary>The host has YamlDotNet and System.Numerics.Tensors of its own; a plugin that brings another of that name gets its own.</summary>
    [Fact]
    public async Task Load_LibraryThatTheHostHasInAnotherVersion_ThePluginHasItsOwn()
    {
        var library = TestPlugins.Build("Library", In("clash"), "0.1.0", assembly: "YamlDotNet");
        TestPlugins.Build("UsesLibrary", In("clash"), more: [library]);
        var record = await LoadAsync(In("clash"));
        Assert.True(record.State == PluginState.Ready, record.Reason);
        Assert.Equal("0.1.0", record.Loaded!.Plugin.Architectures[0].Card.Paper);
    }

    [Fact]
    public async Task Find_SeveralPluginsBringOneArchitecture_TheLastServes()
    {
        using var marks = new CrashMarks(In("marks"), _quarantine);
        var catalog = new PluginCatalog(new PluginLoader(), new(In("cache")), _quarantine, marks);
        await catalog.LoadAsync([new(TestPlugins.Build("Good", In("a"), "1.0.0"), "test"), new(TestPlugins.Build("Good", In("b"), "2.0.0"), "test")]);
        Assert.Equal("An Echo 2.0.0", catalog.Find(ModelId.Parse("test/echo"))!.Value.Architecture.Card.Paper);
        Assert.Null(catalog.Find(ModelId.Parse("test/other")));
    }
}
