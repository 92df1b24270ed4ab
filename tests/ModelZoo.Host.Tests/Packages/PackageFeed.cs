using System.IO.Compression;
using ModelZoo.Host.Loading.Tests;

namespace ModelZoo.Host.Packages.Tests;

/// <summary>A folder of small packages that stand for ones that this project's feed does not have: the same names and signatures, and a few lines behind them.</summary>
internal static class PackageFeed
{
    /// <summary>Writes the stand-ins.</summary>
    public static void Write(string feed, string onnxRuntimeVersion)
    {
        Directory.CreateDirectory(feed);
        Pack(feed, "McMaster.NETCore.Plugins", "2.0.0", [], ("lib/net10.0/McMaster.NETCore.Plugins.dll", Assembly("McMaster.NETCore.Plugins", Loader)));
        Pack(feed, "Microsoft.ML.OnnxRuntime.Gpu", onnxRuntimeVersion, [], ("runtimes/linux-x64/native/libonnxruntime.so", "stand-in"u8.ToArray()), ("runtimes/win-x64/native/onnxruntime.dll", "stand-in"u8.ToArray()));
        Pack(feed, "TorchSharp", "0.105.1", [], ("lib/net10.0/TorchSharp.dll", Assembly("TorchSharp", Torch)));
        Pack(feed, "TorchSharp-cpu", "0.105.1", [("TorchSharp", "0.105.1")], ("lib/net10.0/_._", []));
    }

    private static byte[] Assembly(string name, string source) => TestPlugins.Library(name, "[assembly: System.Reflection.AssemblyVersion(\"1.0.0\")]", source);

    private static void Pack(string feed, string id, string version, IEnumerable<(string Id, string Version)> needs, params (string Path, byte[] Bytes)[] files)
    {
        using var package = ZipFile.Open(Path.Combine(feed, $"{id}.{version}.nupkg"), ZipArchiveMode.Create);
        var dependencies = string.Concat(needs.Select(need => $"<dependency id=\"{need.Id}\" version=\"{need.Version}\" />"));
        Add(package, $"{id}.nuspec", System.Text.Encoding.UTF8.GetBytes($"""
            <package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd"><metadata><id>{id}</id><version>{version}</version><authors>stand-in</authors><description>stand-in</description>
            <dependencies><group targetFramework="net10.0">{dependencies}</group></dependencies></metadata></package>
            """));
        foreach (var (path, bytes) in files) Add(package, path, bytes);
    }

    private static void Add(ZipArchive package, string path, byte[] bytes)
    {
        using var stream = package.CreateEntry(path).Open();
        stream.Write(bytes);
    }

    // The members that the host uses, as McMaster.NETCore.Plugins 2.0 declares them.
    private const string Loader = """
        using System;
        using System.Collections.Generic;
        using System.Reflection;
        using System.Runtime.Loader;

        namespace McMaster.NETCore.Plugins;

        public class PluginConfig(string mainAssemblyPath)
        {
            public string MainAssemblyPath { get; } = mainAssemblyPath;
            public ICollection<AssemblyName> SharedAssemblies { get; protected set; } = new List<AssemblyName>();
            public bool PreferSharedTypes { get; set; }
            public bool IsUnloadable { get; set; }
        }

        public class PluginLoader : IDisposable
        {
            private readonly PluginConfig _config;
            private readonly AssemblyLoadContext _context;

            public PluginLoader(PluginConfig config) => (_config, _context) = (config, new Context(config));

            public static PluginLoader CreateFromAssemblyFile(string assemblyFile, Action<PluginConfig> configure)
            {
                var config = new PluginConfig(assemblyFile);
                configure(config);
                return new(config);
            }

            public Assembly LoadDefaultAssembly() => _context.LoadFromAssemblyPath(_config.MainAssemblyPath);

            public void Dispose() => _context.Unload();

            private sealed class Context(PluginConfig config) : AssemblyLoadContext("McMaster stand-in", config.IsUnloadable)
            {
                private readonly AssemblyDependencyResolver _resolver = new(config.MainAssemblyPath);

                protected override Assembly? Load(AssemblyName name)
                {
                    foreach (var shared in config.SharedAssemblies) if (shared.Name == name.Name) return null;
                    return _resolver.ResolveAssemblyToPath(name) is { } path ? LoadFromAssemblyPath(path) : null;
                }
            }
        }
        """;

    // The members that the sample uses, as TorchSharp declares them.
    private const string Torch = """
        using System;
        using System.Linq;

        namespace TorchSharp;

        public enum ScalarType { Float32 = 6 }

        public static class Utils
        {
            public sealed class TensorAccessor<T>(T[] values)
            {
                public T[] ToArray() => values;
            }
        }

        public static class torch
        {
            public class Device { }

            public class Generator(ulong seed = 0, Device? device = null) : IDisposable
            {
                internal Random Random { get; } = new((int)seed);
                public void Dispose() { }
            }

            public class Tensor(float[] values, int columns) : IDisposable
            {
                public Tensor cumsum(long dim, ScalarType? type = null)
                {
                    var sums = values.ToArray();
                    for (var i = columns; i < sums.Length; i++) sums[i] += sums[i - columns];
                    return new(sums, columns);
                }

                public Utils.TensorAccessor<T> data<T>() => new((T[])(object)values);
                public void Dispose() { }
            }

            public static Tensor randn(long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, Generator? generator = null, string[]? names = null) =>
                new(Enumerable.Range(0, (int)(rows * columns)).Select(_ => (float)generator!.Random.NextDouble()).ToArray(), (int)columns);
        }
        """;
}
