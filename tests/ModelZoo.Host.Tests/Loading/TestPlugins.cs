using System.Collections.Concurrent;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using ModelZoo.Conformance;

namespace ModelZoo.Host.Loading.Tests;

/// <summary>Compiles the plugins of tests/TestPlugins.</summary>
internal static class TestPlugins
{
    private static readonly Lazy<IReadOnlyList<MetadataReference>> References = new(() =>
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => SharedAssemblies.IsFramework(Path.GetFileNameWithoutExtension(path)) || SharedAssemblies.Contracts.ContainsKey(Path.GetFileNameWithoutExtension(path)))
            .Select(path => MetadataReference.CreateFromFile(path)),
    ]);

    /// <summary>Compiles a plugin into a folder and gives the path of its DLL.</summary>
    /// <param name="name">Its folder below tests/TestPlugins.</param>
    /// <param name="folder">Where the DLL goes.</param>
    /// <param name="version">Stands for VERSION in the source, and is the assembly's version.</param>
    /// <param name="more">Further references.</param>
    /// <param name="replaced">References that stand for the host's, by assembly name.</param>
    /// <param name="framework">The target framework that the assembly names.</param>
    /// <param name="platform">The processor that it is for.</param>
    /// <param name="resources">Manifest resources by name.</param>
    /// <param name="assembly">Name of the assembly, when it is not the folder's.</param>
    public static string Build(
        string name, string folder, string version = "1.0.0", IEnumerable<string>? more = null, IReadOnlyDictionary<string, string>? replaced = null, string framework = ".NETCoreApp,Version=v10.0", Platform platform = Platform.AnyCpu,
        IReadOnlyDictionary<string, byte[]>? resources = null, string? assembly = null)
    {
        var sources = Directory.GetFiles(Repository.Path("tests", "TestPlugins", name), "*.cs").Select(File.ReadAllText)
            .Append($"[assembly: System.Reflection.AssemblyVersion(\"{version}\")] [assembly: System.Runtime.Versioning.TargetFramework(\"{framework}\")]");
        return Compile(assembly ?? name, sources.Select(source => source.Replace("VERSION", version, StringComparison.Ordinal)), folder, References.Value
            .Where(reference => replaced?.ContainsKey(Path.GetFileNameWithoutExtension(reference.Display!)) != true)
            .Concat((more ?? []).Concat(replaced?.Values ?? []).Select(path => MetadataReference.CreateFromFile(path))), platform, resources);
    }

    /// <summary>A satellite assembly with texts.</summary>
    public static void Satellite(string name, string folder, string culture, string baseName, params (string Key, string Text)[] texts) =>
        Compile($"{name}.resources", [$"[assembly: System.Reflection.AssemblyCulture(\"{culture}\")] [assembly: System.Reflection.AssemblyVersion(\"1.0.0\")]"], Path.Combine(folder, culture), References.Value, Platform.AnyCpu,
            new Dictionary<string, byte[]> { [$"{baseName}.{culture}.resources"] = Texts(texts) });

    /// <summary>A .resources file.</summary>
    public static byte[] Texts(params (string Key, string Text)[] texts)
    {
        using var stream = new MemoryStream();
        using (var writer = new System.Resources.ResourceWriter(stream))
        {
            foreach (var (key, text) in texts) writer.AddResource(key, text);
        }

        return stream.ToArray();
    }

    /// <summary>The host's Contracts with more in it, and of a later version.</summary>
    public static string NewerContracts(string folder, string version)
    {
        var sources = Directory.GetFiles(Repository.Path("contracts", "ModelZoo.Contracts"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText)
            .Select(source => source.Replace("public sealed record ModelId(string Family", "public sealed class Telepathy; public sealed partial record ModelId { public static string FromTheFuture(string x) => x; } public sealed partial record ModelId(string Family", StringComparison.Ordinal))
            .Append("global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Threading; global using System.Threading.Tasks;")
            .Append($"[assembly: System.Reflection.AssemblyVersion(\"{version}\")]");
        return Compile("ModelZoo.Contracts", sources, folder, References.Value.Where(reference => !reference.Display!.Contains("ModelZoo.", StringComparison.Ordinal)), Platform.AnyCpu);
    }

    /// <summary>Compiles sources for other projects to reference: against .NET's reference assemblies, as the SDK does.</summary>
    public static byte[] Library(string name, params IEnumerable<string> sources)
    {
        var packs = Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "..", "..", "..", "packs", "Microsoft.NETCore.App.Ref");
        var references = Directory.GetDirectories(packs, "10.*").Order(StringComparer.Ordinal).Last();
        return Emit(name, sources, Directory.GetFiles(Path.Combine(references, "ref", "net10.0"), "*.dll").Select(path => MetadataReference.CreateFromFile(path)), Platform.AnyCpu, null);
    }

    private static readonly ConcurrentDictionary<string, byte[]> Compiled = new();

    private static string Compile(string name, IEnumerable<string> sources, string folder, IEnumerable<MetadataReference> references, Platform platform, IReadOnlyDictionary<string, byte[]>? resources = null)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, name + ".dll");
        File.WriteAllBytes(path, Compiled.GetOrAdd($"{name}|{platform}|{string.Join('|', references.Select(reference => reference.Display))}|{string.Concat(sources)}", _ => Emit(name, sources, references, platform, resources)));
        return path;
    }

    private static byte[] Emit(string name, IEnumerable<string> sources, IEnumerable<MetadataReference> references, Platform platform, IReadOnlyDictionary<string, byte[]>? resources)
    {
        using var assembly = new MemoryStream();
        var options = new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable, optimizationLevel: OptimizationLevel.Release, platform: platform, allowUnsafe: true);
        var result = CSharpCompilation.Create(name, sources.Select(source => CSharpSyntaxTree.ParseText(source, new CSharpParseOptions(LanguageVersion.Preview))), references, options)
            .Emit(assembly, manifestResources: resources?.Select(pair => new ResourceDescription(pair.Key, () => new MemoryStream(pair.Value), isPublic: true)));
        Assert.True(result.Success, string.Join('\n', result.Diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)));
        return assembly.ToArray();
    }
}
