using ModelZoo.Contracts;

namespace ModelZoo.Host.Terminal;

/// <summary>Files that appear whole or not at all: written beside their place and renamed.</summary>
internal static class OutputFile
{
    /// <summary>Writes a file.</summary>
    /// <exception cref="MediaException">It cannot be written there.</exception>
    public static async Task WriteAsync(string path, Action<Stream> write, CancellationToken cancel)
    {
        path = Path.GetFullPath(path);
        var scratch = $"{path}.{Guid.NewGuid():N}.partial";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using (var memory = new MemoryStream())
            {
                write(memory);
                cancel.ThrowIfCancellationRequested();
                memory.Position = 0;
                var file = File.Create(scratch);
                await using var _ = file.ConfigureAwait(false);
                await memory.CopyToAsync(file, cancel).ConfigureAwait(false);
            }

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

    /// <summary>Writes text.</summary>
    public static Task WriteAsync(string path, string text, CancellationToken cancel) => WriteAsync(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)), cancel);
}
