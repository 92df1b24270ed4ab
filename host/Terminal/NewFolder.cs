namespace ModelZoo.Host.Terminal;

/// <summary>A folder for output. Where it was not there before, and nothing came into it, it goes again, and so do those above that were made for it.</summary>
internal sealed class NewFolder : IDisposable
{
    private readonly List<string> _made = [];

    /// <summary>Makes the folder.</summary>
    /// <exception cref="Contracts.MediaException">It cannot be made.</exception>
    public NewFolder(string path)
    {
        for (var folder = path; folder is not null && !Directory.Exists(folder); folder = Path.GetDirectoryName(folder)) _made.Add(folder);
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new Contracts.MediaException("output.failed", $"The folder cannot be made: {error.Message}", error) { Where = path };
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var folder in _made)
        {
            if (Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
        }
    }
}
