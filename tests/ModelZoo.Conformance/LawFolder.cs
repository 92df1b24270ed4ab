namespace ModelZoo.Conformance;

/// <summary>Checkpoints of cases with what is published beside them, for the laws; gone after the tests.</summary>
public sealed class LawFolder : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("laws").FullName;

    /// <summary>A sample whose checkpoint stands in a folder of its own, with further parts.</summary>
    /// <param name="sample">A sample of a case.</param>
    /// <param name="write">Writes the parts into the folder.</param>
    public LawSample With(LawSample sample, Action<string> write)
    {
        var (from, to) = (sample.Checkpoint!, Path.Combine(_root, sample.Model.Replace('/', '.')));
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy, overwrite: true);
        }

        write(to);
        return sample with { Checkpoint = to };
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_root, recursive: true);
}
