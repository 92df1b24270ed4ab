using System.Globalization;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>Pictures in a table: a CSV file whose header is <c>split,label,p0,p1,..</c> (split may be missing), one square grey picture a line. Pixels are divided by the largest of the file.</summary>
public sealed class PixelTableReader : IDatasetReader
{
    /// <inheritdoc/>
    public string Name => "pixel-table";

    /// <inheritdoc/>
    public Modality Gives => Modality.Image;

    /// <inheritdoc/>
    public bool CanRead(string path) => path.EndsWith(".csv", StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public int? Count(string path) => null;

    /// <inheritdoc/>
    public async IAsyncEnumerable<Example> ReadAsync(string path, IMediaReader media, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var lines = await File.ReadAllLinesAsync(path, cancel).ConfigureAwait(false);
        var header = lines.Length == 0 ? [] : lines[0].Split(',');
        var (label, first) = (Array.IndexOf(header, "label"), Array.IndexOf(header, "p0"));
        var side = (int)Math.Sqrt(header.Length - first);
        if (label < 0 || first < 0 || side * side != header.Length - first) throw Broken(path, 1, string.Join(',', header.Take(4)));
        var rows = lines.Skip(1).Where(line => line.Length > 0).Select((line, i) => Row(path, i + 2, line.Split(','), header.Length, first)).ToList();
        var largest = rows.Max(row => row.Pixels.Max());
        for (var i = 0; i < rows.Count; i++)
        {
            cancel.ThrowIfCancellationRequested();
            yield return new($"{Path.GetFileNameWithoutExtension(path)}/{i}", new Image(Tensor.Create<float>([.. rows[i].Pixels.Select(pixel => pixel / largest)], 1, side, side))) { Label = rows[i].Cells[label] };
        }
    }

    private static (string[] Cells, float[] Pixels) Row(string path, int line, string[] cells, int columns, int first)
    {
        if (cells.Length != columns) throw Broken(path, line, $"{cells.Length} columns");
        var pixels = new float[columns - first];
        for (var i = 0; i < pixels.Length; i++)
        {
            if (!float.TryParse(cells[first + i], CultureInfo.InvariantCulture, out pixels[i])) throw Broken(path, line, cells[first + i]);
        }

        return (cells, pixels);
    }

    private static ModelZooException Broken(string path, int line, string found) => new(ErrorCodes.DatasetInvalid, "The table of pictures cannot be read.")
    { Where = $"{path}:{line}", Expected = "label,p0,p1,.. with a square number of pixels", Found = found };
}
