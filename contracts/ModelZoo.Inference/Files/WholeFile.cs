namespace ModelZoo.Inference;

/// <summary>Files that appear whole or not at all.</summary>
internal static class WholeFile
{
    /// <summary>Writes beside <paramref name="path"/> and moves the result there; after a failure nothing is left.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        var scratch = $"{path}.{Guid.NewGuid():N}.part";
        try
        {
            using (var stream = new FileStream(scratch, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16)) write(stream);
            File.Move(scratch, path, overwrite: true);
        }
        catch
        {
            File.Delete(scratch);
            throw;
        }
    }
}
