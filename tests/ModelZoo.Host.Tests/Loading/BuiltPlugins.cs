using ModelZoo.Conformance;

namespace ModelZoo.Host.Loading.Tests;

/// <summary>The plugins of this repository, which the solution's build makes.</summary>
internal static class BuiltPlugins
{
    /// <summary>Folder of a family's plugin.</summary>
    public static string Folder(string family) => Repository.Path("artifacts", "plugins", family);

    /// <summary>True when they are built; where they must be, as in CI, their absence fails the test.</summary>
    public static bool Are(params IReadOnlyList<string> families)
    {
        var missing = families.Where(family => !File.Exists(Path.Combine(Folder(family), $"ModelZoo.Plugins.{family}.dll"))).ToList();
        Assert.False(missing.Count > 0 && Environment.GetEnvironmentVariable("CI") == "true", $"not built: {string.Join(", ", missing)}");
        return missing.Count == 0;
    }

    /// <summary>Every family that has a project.</summary>
    public static IReadOnlyList<string> Families { get; } = [.. Directory.GetDirectories(Repository.Path("plugins")).Select(folder => Path.GetFileName(folder)).Where(family => File.Exists(Repository.Path("plugins", family, family + ".csproj"))).Order(StringComparer.Ordinal)];
}
