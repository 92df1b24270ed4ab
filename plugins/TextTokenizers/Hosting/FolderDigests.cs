using System.Security.Cryptography;

namespace ModelZoo.Plugins.TextTokenizers.Hosting;

/// <summary>The SHA-256 of each file that a tokenizer was opened from.</summary>
internal static class FolderDigests
{
    /// <summary>Digests in lower-case hex by path within the folder; none without a folder.</summary>
    public static async ValueTask<IReadOnlyDictionary<string, string>> OfAsync(string? folder, CancellationToken cancel)
    {
        var result = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var path in folder is null ? [] : Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            var stream = File.OpenRead(path);
            await using (stream.ConfigureAwait(false))
                result[Path.GetRelativePath(folder!, path).Replace('\\', '/')] = Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancel).ConfigureAwait(false));
        }

        return result;
    }
}
