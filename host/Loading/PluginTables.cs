using System.Text;

namespace ModelZoo.Host.Loading;

/// <summary>
/// The tables of plugins that were loaded before, so that a host starts without running each of its plugins again. A table counts for the files that it was made from (names, sizes, times) and for the host that made it; of anything else
/// nothing is remembered. It says what to list, never what to trust: all checks are made again when the plugin's code is needed.
/// </summary>
internal sealed class PluginTables(string folder)
{
    // Whatever changes what a table may say: this build of the host, its contracts, .NET.
    private static readonly string Host = string.Join('|', SharedAssemblies.Contracts.Values.Append(typeof(PluginTables).Assembly).Select(assembly => assembly.ManifestModule.ModuleVersionId).Select(static id => id.ToString()).Append(Environment.Version.ToString()));

    /// <summary>The table of the plugin of that path; null when there is none for its files as they are.</summary>
    public PluginTable? Find(string path)
    {
        try
        {
            var file = FileOf(path);
            if (!File.Exists(file)) return null;
            using var reader = new BinaryReader(new MemoryStream(File.ReadAllBytes(file)));
            return reader.ReadString() == Stamp(path) ? PluginTableFormat.Read(reader) : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or FormatException or ArgumentException or InvalidDataException)
        {
            return null; // it is loaded as if it were new
        }
    }

    /// <summary>Keeps the table of a plugin that was loaded. Where the folder or the table cannot be written, nothing is remembered.</summary>
    public void Remember(string path, Func<PluginTable> table)
    {
        try
        {
            Directory.CreateDirectory(folder);
            var scratch = Path.Combine(folder, $"{Guid.NewGuid():N}.part");
            using (var writer = new BinaryWriter(File.Create(scratch)))
            {
                writer.Write(Stamp(path));
                PluginTableFormat.Write(writer, table());
            }

            File.Move(scratch, FileOf(path), overwrite: true);
        }
#pragma warning disable CA1031 // the table is the plugin's own code; it serves all the same
        catch (Exception)
        {
            // The next start loads it again.
        }
#pragma warning restore CA1031
    }

    /// <summary>Drops what is remembered of a plugin.</summary>
    public void Forget(string path)
    {
        try
        {
            File.Delete(FileOf(path));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It stays, and is found wrong again.
        }
    }

    // All files of a plugin's folder; of a DLL those that lie beside it.
    private static string Stamp(string path)
    {
        var isArchive = Path.GetExtension(path).ToLowerInvariant() is ".nupkg" or ".zip" && File.Exists(path);
        var files = Directory.Exists(path) ? new DirectoryInfo(path).EnumerateFiles("*", SearchOption.AllDirectories)
            : isArchive ? [new FileInfo(path)] : new FileInfo(path).Directory!.EnumerateFiles();
        var stamp = new StringBuilder(Host).Append('|').Append(path);
        foreach (var file in files.OrderBy(file => file.FullName, StringComparer.Ordinal)) stamp.Append('|').Append(file.FullName).Append(':').Append(file.Length).Append(':').Append(file.LastWriteTimeUtc.Ticks);
        return stamp.ToString();
    }

    // FNV-1a: names need no cryptography, and a table says itself whose it is.
    private string FileOf(string path)
    {
        var hash = 14695981039346656037UL;
        foreach (var letter in path) hash = (hash ^ letter) * 1099511628211UL;
        return Path.Combine(folder, $"{hash:x16}.table");
    }
}
