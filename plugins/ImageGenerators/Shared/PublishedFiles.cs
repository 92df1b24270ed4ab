using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Finds the files of generators that are published as several.</summary>
internal static class PublishedFiles
{
    /// <summary>The first file of a pattern, by name.</summary>
    /// <exception cref="CheckpointException">There is none.</exception>
    public static string One(string folder, string pattern) => Find(folder, pattern)
        ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "A file of the generator is missing.") { Where = folder, Expected = pattern };

    /// <summary>The first file of a pattern, by name; null when there is none.</summary>
    public static string? Find(string folder, string pattern) => Directory.GetFiles(folder, pattern).Order(StringComparer.Ordinal).Select(path => Path.GetFileName(path)).FirstOrDefault();
}
