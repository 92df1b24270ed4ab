namespace ModelZoo.Plugins.TextTokenizers.Formats.Clip;

/// <summary>The table <c>mojibake.txt</c>.</summary>
internal static class MojibakeTables
{
    private static readonly Lazy<Dictionary<string, string>> Lines = new(() =>
    {
        using var stream = typeof(MojibakeTables).Assembly.GetManifestResourceStream("mojibake") ?? throw new InvalidOperationException("The assembly lacks its table 'mojibake'.");
        using var reader = new StreamReader(stream);
        var result = new Dictionary<string, string>(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#')) continue;
            var space = line.IndexOf(' ');
            result[line[..space]] = line[(space + 1)..];
        }

        return result;
    });

    /// <summary>The value of a line by its first word.</summary>
    public static string Value(string name) => Lines.Value[name];
}
