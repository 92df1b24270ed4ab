using ModelZoo.Conformance;

namespace ModelZoo.Inference.Tests;

/// <summary>The material beside the repository, where it is there, and the cases within.</summary>
internal static class Shared
{
    /// <summary>Folders of <c>../shared</c> and <c>tests/parity</c> with one level of their own, as test data; never empty.</summary>
    public static IEnumerable<string> Folders(params string[] names) =>
    [
        Repository.Path("tests", "ModelZoo.Inference.Tests"),
        .. names.Select(name => Repository.Path("..", "shared", name)).Append(Repository.Path("tests", "parity")).Where(Directory.Exists).SelectMany(Directory.GetDirectories),
    ];
}
