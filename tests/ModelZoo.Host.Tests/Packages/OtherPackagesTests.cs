using System.Text.Json.Nodes;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Loading.Tests;
using ModelZoo.Host.Tests;

namespace ModelZoo.Host.Packages.Tests;

/// <summary>
/// The builds that bring packages which this project's feed does not have, against stand-ins of the same names and signatures. That they compile, restore and load is seen here; the packages themselves were not run.
/// </summary>
public sealed class OtherPackagesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("packages-").FullName;

    public OtherPackagesTests()
    {
        var locked = JsonNode.Parse(File.ReadAllText(Repository.Path("contracts", "ModelZoo.Inference", "Native", "onnxruntime.lock.json")))!;
        PackageFeed.Write(In("feed"), (string)locked["version"]!);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string In(params string[] parts) => Path.Combine([_folder, .. parts]);

    private Task<string> DotnetAsync(params string[] arguments) => Dotnet.SucceedsAsync(_folder, arguments);

    // Stand-ins go into a folder of their own, and never into the cache where real packages are looked for; what is there already is only read.
    private Task<string> BuildAsync(string project, params string[] properties) =>
        DotnetAsync(["build", Repository.Path(project.Split('/')), "-v", "q", "-p:RunAnalyzers=false", $"-p:ArtifactsPath={In("artifacts")}", $"-p:RestoreSources={In("feed")}", $"-p:RestorePackagesPath={In("packages")}", $"-p:RestoreFallbackFolders={Dotnet.PackageCache}", .. properties]);

    [Fact]
    public async Task Host_OnMcMasterAndCudaPackages_BuildsAndServes()
    {
        await BuildAsync("host/ModelZoo.Host.csproj", "-p:PluginLoader=McMaster", "-p:OnnxRuntimeNative=cuda", "-p:BuildPlugins=false");
        var home = In("artifacts", "bin", "ModelZoo.Host", "release");
        Assert.True(File.Exists(Path.Combine(home, "McMaster.NETCore.Plugins.dll")));
        Assert.Equal("stand-in", File.ReadAllText(Path.Combine(home, "runtimes", "linux-x64", "native", "libonnxruntime.so")));

        TestPlugins.Build("Good", In("plugins", "good"));
        TestPlugins.Build("ThrowsInConstructor", In("plugins", "bad"));
        File.WriteAllText(In("plugins.json"), """{ "plugins": ["plugins/*"] }""");
        var list = JsonNode.Parse(await DotnetAsync(Path.Combine(home, "modelzoo.dll"), "plugins", "list", "--json"))!.AsArray();
        Assert.Equal(["failed", "ready"], list.Select(plugin => (string?)plugin!["state"]));
        await DotnetAsync(Path.Combine(home, "modelzoo.dll"), "generate", "test/echo", "--prompt", "a", "--out", "a.txt");
        Assert.Equal("1.0.0:a:0", File.ReadAllText(In("a.txt")));
    }

    [Fact]
    public async Task Sample_TorchSharp_IsAPrivateDependencyOfItsPlugin()
    {
        await BuildAsync("samples/TorchSharpPlugin/TorchSharpPlugin.csproj", $"-p:TorchSharpPluginOutput={In("torch")}/");
        Assert.True(File.Exists(In("torch", "TorchSharp.dll")));
        Assert.False(File.Exists(In("torch", "ModelZoo.Contracts.dll")));
        await using var host = new TestHost();
        var (record, _) = await host.Lifecycle.LoadAsync(new(In("torch"), "test"), In("torch"));
        Assert.True(record.State == PluginState.Ready, record.Reason);
        var walk = await host.Verbs.GenerateAsync(new(ModelId.Parse("samples/random-walk")), new(null, []), new JsonObject { ["length"] = 5 }, 3, static _ => { }, default);
        Assert.Equal([5, 3], walk.Value.Expect<Motion>().Features.Shape.ToArray());
        Assert.DoesNotContain(AppDomain.CurrentDomain.GetAssemblies(), assembly => assembly.GetName().Name == "TorchSharp" && !assembly.IsCollectible);
        Assert.True((await host.Lifecycle.RemoveAsync(In("torch")))!.IsGone);
    }
}
