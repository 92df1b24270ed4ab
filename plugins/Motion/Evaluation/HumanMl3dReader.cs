using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Motion;

/// <summary>
/// The published layout of HumanML3D and KIT-ML (Guo et al., CVPR 2022): <c>new_joint_vecs/NAME.npy</c>, <c>texts/NAME.txt</c> and the names of the test set in <c>test.txt</c>; all names where there is no such list.
/// A text's line is <c>caption#word/TAG word/TAG#from#to</c>, in seconds; what it says of a part only is an example of its own. An example's label holds its lines, without times.
/// </summary>
public sealed class HumanMl3dReader : IDatasetReader
{
    private const string Motions = "new_joint_vecs", Texts = "texts", TestSet = "test.txt";

    /// <inheritdoc/>
    public string Name => "humanml3d";

    /// <inheritdoc/>
    public Modality Gives => Modality.Motion;

    /// <inheritdoc/>
    public bool CanRead(string path) => Directory.Exists(Path.Combine(path, Motions)) && Directory.Exists(Path.Combine(path, Texts));

    /// <inheritdoc/>
    public int? Count(string path) => null;

    /// <inheritdoc/>
    public async IAsyncEnumerable<Example> ReadAsync(string path, IMediaReader media, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var list = Path.Combine(path, TestSet);
        string[] names = File.Exists(list) ? [.. (await File.ReadAllLinesAsync(list, cancel).ConfigureAwait(false)).Select(line => line.Trim()).Where(line => line.Length > 0)]
            : [.. Directory.GetFiles(Path.Combine(path, Motions), "*.npy").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];
        foreach (var name in names)
        {
            var (motion, text) = (Path.Combine(path, Motions, name + ".npy"), Path.Combine(path, Texts, name + ".txt"));
            // Lists name mirrored motions that some copies of the data set leave out.
            if (!File.Exists(motion) || !File.Exists(text)) continue;
            var features = Decimals.Read(motion);
            if (features.Rank != 2) throw new ModelZooException(ErrorCodes.DatasetInvalid, "A motion has another shape.") { Where = motion, Expected = "(frames, features)", Found = features.ToString() };
            var rate = features.Shape[1] == 251 ? 12.5 : 20;
            var whole = new List<string>();
            foreach (var line in await File.ReadAllLinesAsync(text, cancel).ConfigureAwait(false))
            {
                if (line.Trim().Split('#') is not [var caption, var words, var from, var to]) continue;
                var (start, end) = (Seconds(from, text), Seconds(to, text));
                if (start == 0 && end == 0) whole.Add($"{caption}#{words}");
                else if (Part(features, (int)(start * rate), (int)(end * rate)) is { } part) yield return new($"{name}@{from}-{to}", Of(part, rate)) { Label = $"{caption}#{words}" };
            }

            if (whole.Count > 0) yield return new(name, Of(features, rate)) { Label = string.Join('\n', whole) };
        }
    }

    private static Contracts.Motion Of(Tensor<float> features, double rate) => new(features, rate, $"humanml3d-{features.Shape[1]}");

    private static Tensor<float>? Part(Tensor<float> features, int from, int to)
    {
        var (end, width) = (Math.Min(to, (int)features.Shape[0]), (int)features.Shape[1]);
        return from < 0 || from >= end ? null : new(features.Memory[(from * width)..(end * width)], [end - from, width]);
    }

    // Some lines say nan, which stands for the whole.
    private static double Seconds(string text, string where) =>
        !double.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out var seconds) ? throw new ModelZooException(ErrorCodes.DatasetInvalid, "A text's time cannot be read.") { Where = where, Expected = "seconds", Found = text }
        : double.IsNaN(seconds) ? 0 : seconds;
}
