using System.Runtime.InteropServices;
using System.Text.Json;

namespace ModelZoo.Inference.Native;

/// <summary>The native package that the build fetches, as onnxruntime.lock.json pins it.</summary>
internal sealed record OnnxRuntimePackage(string Package, string Version, string Integrity, IReadOnlyDictionary<string, IReadOnlyList<string>> Files)
{
    /// <summary>This machine, in the lock file's words: <c>linux-x64</c>.</summary>
    public static string Platform { get; } =
        (OperatingSystem.IsWindows() ? "win-" : OperatingSystem.IsMacOS() ? "osx-" : "linux-") + RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant();

    /// <summary>The lock file that this assembly was built with.</summary>
    public static OnnxRuntimePackage Pinned()
    {
        using var stream = typeof(OnnxRuntimePackage).Assembly.GetManifestResourceStream("onnxruntime.lock.json")!;
        return JsonSerializer.Deserialize<OnnxRuntimePackage>(stream, JsonSerializerOptions.Web)!;
    }

    /// <summary>Where the build put the library for this machine; null when there is none for it.</summary>
    public string? CachedLibrary(Func<string, string?> environment) =>
        Files.TryGetValue(Platform, out var files) ? Path.Combine(Cache(environment), "onnxruntime", Version, Platform, Path.GetFileName(files[0])) : null;

    /// <summary>The cache folder: <c>MODELZOO_CACHE</c>, or what the platform has for it. OnnxRuntime.targets computes the same.</summary>
    private static string Cache(Func<string, string?> environment) =>
        environment("MODELZOO_CACHE") is { Length: > 0 } cache ? cache
        : OperatingSystem.IsWindows() ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "modelzoo", "cache")
        : OperatingSystem.IsMacOS() ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), "Library", "Caches", "modelzoo")
        : environment("XDG_CACHE_HOME") is { Length: > 0 } xdg ? Path.Combine(xdg, "modelzoo")
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "modelzoo");
}
