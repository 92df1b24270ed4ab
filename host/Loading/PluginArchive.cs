using System.IO.Compression;
using System.Security.Cryptography;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Loading;

/// <summary>Plugins in one file: a zip of the plugin's folder, or a NuGet package with it in <c>lib/net10.0</c>.</summary>
internal static class PluginArchive
{
    private const long UnpackedLimit = 8L << 30;

    /// <summary>Unpacks an archive into a folder of the cache named by its digest, once, and gives the folder with the plugin's assemblies.</summary>
    /// <exception cref="ModelZooException">It is not an archive, or holds no plugin's folder.</exception>
    public static string Unpack(string path, string cache)
    {
        string digest;
        using (var stream = File.OpenRead(path)) digest = Convert.ToHexStringLower(SHA256.HashData(stream));
        var folder = Path.Combine(cache, digest);
        if (!Directory.Exists(folder))
        {
            var scratch = $"{folder}.{Guid.NewGuid():N}";
            try
            {
                Extract(path, scratch);
                Directory.Move(scratch, folder);
            }
            catch (IOException) when (Directory.Exists(folder))
            {
                Directory.Delete(scratch, recursive: true); // another process was faster with the same archive
            }
            catch (Exception error) when (error is InvalidDataException or IOException or UnauthorizedAccessException)
            {
                if (Directory.Exists(scratch)) Directory.Delete(scratch, recursive: true);
                throw new ModelZooException(ErrorCodes.PluginFailed, $"The archive cannot be unpacked: {error.Message}", error) { Where = path, Remedy = "Copy it again; the file may be incomplete." };
            }
        }

        var library = Path.Combine(folder, "lib");
        if (!Directory.Exists(library)) return SingleFolder(folder);
        return Directory.EnumerateDirectories(library, "net*").Where(name => !Path.GetFileName(name).StartsWith("netstandard", StringComparison.Ordinal)).OrderByDescending(Framework).FirstOrDefault()
            ?? throw new ModelZooException(ErrorCodes.PluginFailed, "The package has no assemblies for .NET.") { Where = path, Expected = "lib/net10.0" };
    }

    private static void Extract(string path, string folder)
    {
        using var archive = ZipFile.OpenRead(path);
        if (archive.Entries.Sum(entry => entry.Length) > UnpackedLimit) throw new InvalidDataException($"it would grow beyond {UnpackedLimit >> 30} GB.");
        Directory.CreateDirectory(folder);
        ZipFile.ExtractToDirectory(path, folder); // refuses names that would leave the folder
    }

    private static string SingleFolder(string folder)
    {
        var entries = Directory.GetFileSystemEntries(folder);
        return entries.Length == 1 && Directory.Exists(entries[0]) ? entries[0] : folder;
    }

    private static Version Framework(string folder) => Version.TryParse(Path.GetFileName(folder)[3..].Split('-')[0], out var version) ? version : new();
}
