namespace ModelZoo.Plugins.TextTokenizers.Unicode;

/// <summary>The tables beside this file, built into the assembly.</summary>
internal static class UnicodeResource
{
    /// <summary>The lines of a table, split at spaces, without comments.</summary>
    public static IEnumerable<string[]> Read(string name)
    {
        using var stream = typeof(UnicodeResource).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The assembly lacks its table '{name}'.");
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            if (!line.StartsWith('#')) yield return line.Split(' ');
        }
    }
}
