using ModelZoo.Contracts;

namespace ModelZoo.Host.Hosting;

/// <summary>The folder that requests of others may name files in.</summary>
internal sealed class DataFolder(string folder)
{
    /// <summary>The absolute path of what is there. Links are followed before it is compared, so that none leads out of the folder.</summary>
    /// <param name="path">A path within the folder.</param>
    /// <exception cref="ModelZooException">It is outside, or there is nothing.</exception>
    public string Confine(string path)
    {
        var root = Real(Path.GetFullPath(folder));
        var full = Path.GetFullPath(Path.Combine(root, path));
        if (!IsWithin(full, root) || (Path.Exists(full) && !IsWithin(Real(full), root)))
            throw new ModelZooException("request.path", "This is outside the server's data folder.") { Where = path, Expected = "a path within the folder that the server was started with (--data)" };
        return Path.Exists(full) ? full : throw new ModelZooException(ErrorCodes.DatasetInvalid, "There is nothing of that name in the server's data folder.") { Where = path };
    }

    private static bool IsWithin(string path, string root) => path == root || path.StartsWith(root.TrimEnd(Path.DirectorySeparatorChar) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static string Real(string path)
    {
        var real = Path.GetPathRoot(path)!;
        foreach (var part in Path.GetRelativePath(real, path).Split(Path.DirectorySeparatorChar))
        {
            var next = part == "." ? real : Path.Combine(real, part);
            FileSystemInfo info = Directory.Exists(next) ? new DirectoryInfo(next) : new FileInfo(next);
            real = info.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? next;
        }

        return real;
    }
}
