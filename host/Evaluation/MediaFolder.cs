using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Host.Evaluation;

/// <summary>A folder of media files of one kind, or a text file that lists them one a line; sub-folder names are labels.</summary>
/// <param name="Name">Name of the layout.</param>
/// <param name="Gives">What its examples hold.</param>
/// <param name="Extensions">The extensions that count.</param>
internal sealed record MediaFolder(string Name, Modality Gives, IReadOnlyList<string> Extensions) : IDatasetReader
{
    /// <summary>The layouts that the host reads by itself.</summary>
    public static IReadOnlyList<MediaFolder> All { get; } =
    [
        new("folder-of-audio", Modality.Audio, [".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a"]),
        new("folder-of-images", Modality.Image, [".png", ".jpg", ".jpeg", ".webp", ".bmp"]),
        new("folder-of-videos", Modality.Video, [".mp4", ".mov", ".mkv", ".webm", ".avi"]),
        new("folder-of-text", Modality.Text, [".txt"]),
        new("folder-of-motions", Modality.Motion, [".npy"]),
        new("folder-of-meshes", Modality.Mesh, [".obj"]),
        new("folder-of-items", Modality.Items, [".json"]),
    ];

    /// <inheritdoc/>
    public bool CanRead(string path) => Files(path).Any();

    /// <inheritdoc/>
    public int? Count(string path) => Files(path).Count();

    /// <inheritdoc/>
    public IAsyncEnumerable<Example> ReadAsync(string path, IMediaReader media, CancellationToken cancel = default) => ReadAsync(path, media, static _ => true, cancel).OfType<Example>();

    /// <inheritdoc/>
    public async IAsyncEnumerable<Example?> ReadAsync(string path, IMediaReader media, Predicate<int> wanted, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var ordinal = 0;
        foreach (var file in Files(path))
        {
            if (!wanted(ordinal++))
            {
                yield return null;
                continue;
            }

            var relative = Path.GetRelativePath(Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!, file).Replace('\\', '/');
            var read = await media.ReadAsync(file, cancel).ConfigureAwait(false);
            if (read.Modality != Gives) throw new ModelZooException(ErrorCodes.DatasetInvalid, $"A file of {Name} holds something else.") { Where = file, Expected = Gives.ToString(), Found = read.Modality.ToString() };
            yield return new(relative, read) { Label = relative.Contains('/', StringComparison.Ordinal) ? relative[..relative.LastIndexOf('/')] : null };
        }
    }

    /// <summary>The files in the order of their names, or of the list.</summary>
    public IEnumerable<string> Files(string path)
    {
        if (Directory.Exists(path)) return Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories).Where(Counts).Order(StringComparer.Ordinal);
        if (!File.Exists(path)) return [];
        if (Counts(path)) return [path];
        if (Path.GetExtension(path) is not (".txt" or ".lst" or ".scp")) return [];
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var lines = File.ReadLines(path).Select(line => line.Trim()).Where(line => line.Length > 0).ToList();
        return lines.TrueForAll(Counts) ? lines.Select(line => Path.Combine(folder, line)) : [];
    }

    private bool Counts(string path) => Extensions.Contains(Path.GetExtension(path).ToLowerInvariant());
}
