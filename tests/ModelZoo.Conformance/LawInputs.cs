using System.Globalization;
using ModelZoo.Contracts;

namespace ModelZoo.Conformance;

/// <summary>Finds what a model takes by asking it: media of its kind in usual sizes, until it refuses none.</summary>
internal static class LawInputs
{
    /// <summary>Media of that kind, the likeliest first; all made from formulas.</summary>
    public static IEnumerable<Media> Media(Modality modality, IReadOnlyDictionary<string, Tensor> tensors) => modality switch
    {
        Modality.Text => [new Text("Hello, world"), new Text("a b")],
        Modality.Image => [.. new[] { 32, 64, 16, 128, 24, 48, 256 }.Select(size => Picture(3, size)), Picture(1, 28)],
        Modality.Audio => [.. new[] { 16000, 24000, 8000, 44100 }.Select(rate => Sound(rate))],
        Modality.Video => [.. new[] { 32, 64, 16 }.Select(size => new Video(Wave(8, 3, size, size), 8))],
        Modality.Motion => [.. new[] { (263, "humanml3d-263"), (251, "kit-251"), (66, "joints-22"), (63, "joints-21") }.Select(kind => new Motion(Wave(64, kind.Item1), 20, kind.Item2)),
            .. Widths(tensors).Select(width => new Motion(Wave(64, width), 20, $"humanml3d-{width}"))],
        Modality.Items => [new Items(["1", "2", "3"]), new Items(["0"])],
        Modality.Tensors => Bundles(tensors),
        _ => [],
    };

    /// <summary>Prompts, the likeliest first.</summary>
    public static IEnumerable<Prompt> Prompts(IReadOnlyDictionary<string, Tensor> tensors)
    {
        yield return new("1");
        yield return new("a person walks");
        yield return new(null, []);
        foreach (var modality in new[] { Modality.Items, Modality.Image, Modality.Audio, Modality.Motion, Modality.Tensors })
        {
            foreach (var media in Media(modality, tensors))
            {
                yield return new(null, [media]);
                yield return new("a cat", [media]);
            }
        }
    }

    /// <summary>The defaults, but few steps and short results where the options leave that to the caller, and what is chosen.</summary>
    public static ModelOptions Quick(OptionsSchema schema, params (string Name, string Value)[] chosen) => schema.Bind(Short.Where(wish => schema.Options.FirstOrDefault(option => option.Name == wish.Name) is { Range: var range, Kind: var kind }
            && kind.StartsWith("integer", StringComparison.Ordinal) && (range is not { } bounds || (wish.Value >= bounds.Minimum && wish.Value <= bounds.Maximum)))
        .Select(wish => KeyValuePair.Create(wish.Name, wish.Value.ToString(CultureInfo.InvariantCulture))).Concat(chosen.Select(option => KeyValuePair.Create(option.Name, option.Value))));

    private static readonly (string Name, int Value)[] Short = [("steps", 4), ("frames", 32), ("max_frames", 32), ("length", 32), ("max_length", 16), ("samples", 8), ("rounds", 2)];

    // Last extents of what may be frames of features.
    private static IEnumerable<int> Widths(IReadOnlyDictionary<string, Tensor> tensors) => tensors.Values.Where(tensor => tensor.Rank == 3).Select(tensor => (int)tensor.Shape[2]).Distinct();

    // All at once, the first of each batch for who takes one at a time, and each alone.
    private static IEnumerable<NamedTensors> Bundles(IReadOnlyDictionary<string, Tensor> tensors) =>
        tensors.Count == 0 ? [] : [new NamedTensors(tensors), new NamedTensors(tensors.ToDictionary(pair => pair.Key, pair => First(pair.Value))), .. tensors.Select(pair => new NamedTensors(new Dictionary<string, Tensor> { [pair.Key] = pair.Value }))];

    private static Tensor First(Tensor tensor) => tensor switch
    {
        Tensor<float> { Rank: > 1, Length: > 0 } batch => batch.Slice(0).Reshape([1, .. batch.Shape[1..]]),
        Tensor<long> { Rank: > 1, Length: > 0 } batch => batch.Slice(0).Reshape([1, .. batch.Shape[1..]]),
        _ => tensor,
    };

    private static Image Picture(int channels, int size) => new(Wave(channels, size, size));

    private static Audio Sound(int rate) => new(Wave(1, rate / 2), rate);

    private static Tensor<float> Wave(params int[] shape) =>
        Tensor.Create(Enumerable.Range(0, shape.Aggregate(1, static (product, extent) => product * extent)).Select(static i => 0.5f + 0.4f * MathF.Sin(i * 0.37f + i % 7)).ToArray(), [.. shape.Select(extent => (long)extent)]);
}
