using System.Runtime.InteropServices;
using ModelZoo.Contracts;

namespace ModelZoo.Inference.Native;

/// <summary>Finds and loads the native library of ONNX Runtime. It is never unloaded: its threads and devices do not survive that.</summary>
internal sealed unsafe class OrtLibrary
{
    private OrtLibrary(string path, string version, OrtApi api) => (Path, Version, Api) = (path, version, api);

    /// <summary>The file that was loaded.</summary>
    public string Path { get; }

    /// <summary>The library's own version, for example 1.30.0.</summary>
    public string Version { get; }

    /// <summary>Its functions.</summary>
    public OrtApi Api { get; }

    /// <summary>Loads the library at <paramref name="path"/>, or the first that <see cref="Locate"/> finds.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.EngineMissing"/>: there is none, it does not load here, or it is too old.</exception>
    public static OrtLibrary Load(string? path)
    {
        path ??= Locate(Environment.GetEnvironmentVariable, AppContext.BaseDirectory);
        nint library;
        try
        {
            library = NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw Missing("The library of ONNX Runtime does not load on this machine.", path, e.Message, e);
        }

        if (!NativeLibrary.TryGetExport(library, "OrtGetApiBase", out var getApiBase)) throw Missing("This library is not ONNX Runtime.", path, "no function OrtGetApiBase");
        var apiBase = (void**)((delegate* unmanaged<void*>)getApiBase)();
        var version = Utf8.Read(((delegate* unmanaged<byte*>)apiBase[1])());
        if (System.Version.TryParse(version, out var parsed) && parsed < new Version(1, (int)OrtApi.Version))
            throw Missing("This library of ONNX Runtime is too old.", path, version);
        var table = ((delegate* unmanaged<uint, void**>)apiBase[0])(OrtApi.Version);
        return table is null ? throw Missing("This library of ONNX Runtime is too old.", path, version) : new(path, version, new(table));
    }

    /// <summary>The library to load: the one that <c>MODELZOO_ONNXRUNTIME</c> names, the one beside the application, or the one that the build put into the cache.</summary>
    /// <exception cref="ModelZooException"><see cref="ErrorCodes.EngineMissing"/>: none is there.</exception>
    public static string Locate(Func<string, string?> environment, string applicationFolder)
    {
        if (environment("MODELZOO_ONNXRUNTIME") is { Length: > 0 } named)
            return File.Exists(named) ? System.IO.Path.GetFullPath(named) : throw Missing("MODELZOO_ONNXRUNTIME names a file that is not there.", named, "no such file");

        var cached = OnnxRuntimePackage.Pinned().CachedLibrary(environment);
        string[] candidates = [.. BesideApplication(applicationFolder), .. cached is null ? [] : new[] { cached }];
        return candidates.FirstOrDefault(File.Exists)
            ?? throw Missing($"The native library of ONNX Runtime is not on this machine ({OnnxRuntimePackage.Platform}).", string.Join(", ", candidates), "no such file");
    }

    private static IEnumerable<string> BesideApplication(string folder)
    {
        string[] names = OperatingSystem.IsWindows() ? ["onnxruntime.dll"]
            : OperatingSystem.IsMacOS() ? ["libonnxruntime.dylib", "libonnxruntime.1.dylib"]
            : ["libonnxruntime.so.1", "libonnxruntime.so"];
        return from place in new[] { "", System.IO.Path.Combine("runtimes", OnnxRuntimePackage.Platform, "native") }
               from name in names
               select System.IO.Path.Combine(folder, place, name);
    }

    private static ModelZooException Missing(string what, string path, string found, Exception? inner = null) => new(ErrorCodes.EngineMissing, what, inner)
    {
        Where = path,
        Expected = $"ONNX Runtime 1.{OrtApi.Version} or newer for {OnnxRuntimePackage.Platform}",
        Found = found,
        Remedy = "Build once with npm and a network, which fetches it, or set MODELZOO_ONNXRUNTIME to the path of the library.",
    };
}
