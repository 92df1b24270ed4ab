using ModelZoo.Contracts;

namespace ModelZoo.Host.Commands;

/// <summary>Media in the words of a summary.</summary>
internal static class MediaWords
{
    /// <summary>Media in a few words.</summary>
    public static string Describe(Contracts.Media media) => media switch
    {
        Audio audio => FormattableString.Invariant($"{audio.Seconds:0.00} s of sound, {audio.SampleRate} Hz, {audio.Channels} channel{(audio.Channels == 1 ? "" : "s")}"),
        Contracts.Image image => $"picture of {image.Width} x {image.Height}",
        Video video => FormattableString.Invariant($"video of {video.Frames.Shape[0]} frames, {video.FrameRate:0.##} a second"),
        Motion { Representation: var rows } numbers when rows.StartsWith("features-", StringComparison.Ordinal) => $"{numbers.Features.Shape[0]} rows of {numbers.Features.Shape[1]} numbers",
        Motion motion => FormattableString.Invariant($"motion of {motion.Features.Shape[0]} frames ({motion.Representation})"),
        Mesh mesh => $"mesh of {mesh.Vertices.Shape[0]} vertices and {mesh.Faces?.Shape[0] ?? 0} faces",
        Items items => $"{items.Ids.Count} items",
        Contracts.Text text => $"{text.Value.Length} character{(text.Value.Length == 1 ? "" : "s")}",
        Tokens tokens => Amount(tokens),
        NamedTensors tensors => string.Join(", ", tensors.Values.Select(tensor => $"{tensor.Key} of {Extents(tensor.Value)}")),
        _ => media.Modality.ToString().ToLowerInvariant(),
    };

    /// <summary>How many tokens there are; what has no ids has its numbers beside them.</summary>
    public static string Amount(Tokens tokens) => tokens.Ids.Length == 0 && tokens.Extras.Count > 0
        ? string.Join(", ", tokens.Extras.Select(extra => $"{extra.Key} of {Extents(extra.Value)}"))
        : $"{tokens.Ids.Length} token{(tokens.Ids.Length == 1 ? "" : "s")}{(tokens.Ids.Rank == 1 ? "" : $" ({Extents(tokens.Ids)})")}";

    /// <summary>The extents of a tensor.</summary>
    public static string Extents(Tensor tensor) => string.Join(" x ", tensor.Shape.ToArray());
}
