using System.Text.RegularExpressions;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Commands;

/// <summary>The files of a new plugin: those of <c>dotnet new modelzoo-plugin</c>, with this host filled in.</summary>
internal static partial class PluginTemplate
{
    private const string Prefix = "template/";

    /// <summary>Writes a project into a folder that is empty or not there.</summary>
    /// <exception cref="ModelZooException">The name is none, or the folder has files.</exception>
    public static async Task<IReadOnlyList<string>> WriteAsync(string name, string folder, CancellationToken cancel)
    {
        if (!Name().IsMatch(name)) throw new OptionsException(ErrorCodes.OptionType, "This is not the name of a project.") { Where = "NAME", Expected = "words of letters and digits with dots between, such as MyLab.Codec", Found = name };
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()) throw new ModelZooException("output.failed", "The folder has files already.") { Where = folder };
        Directory.CreateDirectory(folder);
        var assembly = typeof(PluginTemplate).Assembly;
        var written = new List<string>();
        foreach (var resource in assembly.GetManifestResourceNames().Where(resource => resource.StartsWith(Prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            var text = (await reader.ReadToEndAsync(cancel).ConfigureAwait(false)).Replace("MyPlugin", name, StringComparison.Ordinal).Replace("MODELZOO_HOME", Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory), StringComparison.Ordinal);
            var path = Path.Combine(folder, resource[Prefix.Length..].Replace('\\', '/').Replace("MyPlugin", name, StringComparison.Ordinal));
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllTextAsync(path, text, cancel).ConfigureAwait(false);
            written.Add(path);
        }

        return written;
    }

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")]
    private static partial Regex Name();
}
