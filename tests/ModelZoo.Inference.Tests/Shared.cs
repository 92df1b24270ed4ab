using System.Runtime.CompilerServices;

namespace ModelZoo.Inference.Tests;

/// <summary>The material beside the repository, where it is there, and the cases within.</summary>
internal static class Shared
{
    /// <summary>Folders of <c>../shared</c> and <c>tests/parity</c> with one level of their own, as test data; never empty.</summary>
    public static IEnumerable<string> Folders(params string[] names)
    {
        var tests = Path.GetFullPath(Path.Combine(Here(), ".."));
        var shared = Path.GetFullPath(Path.Combine(tests, "..", "..", "shared"));
        return [Here(), .. names.Select(n => Path.Combine(shared, n)).Append(Path.Combine(tests, "parity")).Where(Directory.Exists).SelectMany(Directory.GetDirectories)];
    }

    private static string Here([CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;
}
