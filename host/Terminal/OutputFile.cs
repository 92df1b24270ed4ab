using ModelZoo.Contracts;

namespace ModelZoo.Host.Terminal;

/// <summary>Files that appear whole or not at all: written beside their place and renamed.</summary>
internal static class OutputFile
{
    private const string Partial = ".partial";

    /// <summary>Writes a file.</summary>
    /// <exception cref="MediaException">It cannot be written there.</exception>
    public static async Task WriteAsync(string path, Action<Stream> write, CancellationToken cancel)
    {
        using var memory = new MemoryStream();
        write(memory);
        cancel.ThrowIfCancellationRequested();
        memory.Position = 0;
        await StreamAsync(path, file => memory.CopyToAsync(file, cancel), cancel).ConfigureAwait(false);
    }

    /// <summary>Writes a file that may be too large for memory, or long in the making.</summary>
    /// <exception cref="MediaException">It cannot be written there.</exception>
    public static async Task StreamAsync(string path, Func<Stream, Task> write, CancellationToken cancel)
    {
        path = Path.GetFullPath(path);
        var scratch = $"{path}.{Guid.NewGuid():N}{Partial}";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var file = File.Create(scratch);
            await using (file.ConfigureAwait(false)) await write(file).ConfigureAwait(false);
            cancel.ThrowIfCancellationRequested();
            File.Move(scratch, path, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new MediaException("output.failed", $"The file cannot be written: {error.Message}", error) { Where = path };
        }
        finally
        {
            if (File.Exists(scratch)) File.Delete(scratch); // where the folder is none, deleting would fail in place of the reason
        }
    }

    /// <summary>What processes that were killed left beside a file.</summary>
    public static IReadOnlyList<string> Unfinished(string path)
    {
        path = Path.GetFullPath(path);
        return Directory.GetFiles(Path.GetDirectoryName(path)!, $"{Path.GetFileName(path)}.*{Partial}");
    }

    /// <summary>Writes text.</summary>
    public static Task WriteAsync(string path, string text, CancellationToken cancel) => WriteAsync(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)), cancel);
}
