using System.Text.RegularExpressions;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Plugins.DiffusionTransformers.PixArt;

/// <summary>What the authors' <c>.pth</c> files say of themselves: they are published without the constructor's arguments.</summary>
internal static partial class PublishedPixArt
{
    // All published sizes have heads of this width, and latents of 64 places are where positions are not pressed together.
    private const int HeadWidth = 72, PlainSize = 64;

    /// <summary>The arguments that the tensors tell.</summary>
    /// <param name="tensors">Names and shapes of the weights.</param>
    /// <param name="spreads">True when smaller latents spread positions as larger ones press them together (Sigma).</param>
    /// <exception cref="CheckpointException">They do not tell.</exception>
    public static PixArtConfig Config(IEnumerable<TensorInfo> tensors, bool spreads)
    {
        var shapes = tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.Shape);
        var (places, width, patches, text) = ((int)Shape("pos_embed")[1], (int)Shape("pos_embed")[2], Shape("x_embedder.proj.weight"), Shape("y_embedder.y_embedding"));
        var (patch, channels, size) = ((int)patches[2], (int)patches[1], (int)Math.Sqrt(places) * (int)patches[2]);
        return new()
        {
            InputSize = size,
            PatchSize = patch,
            InChannels = channels,
            HiddenSize = width,
            NumHeads = width / HeadWidth,
            Depth = 1 + shapes.Keys.Select(name => Block().Match(name)).Where(match => match.Success).Max(match => int.Parse(match.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture)),
            MlpRatio = Shape("blocks.0.mlp.fc1.weight")[0] / (double)width,
            PredSigma = Shape("final_layer.linear.weight")[0] == 2L * patch * patch * channels,
            ModelMaxLength = (int)text[0],
            CaptionChannels = (int)text[1],
            PeInterpolation = spreads ? size / (double)PlainSize : Math.Max(size / PlainSize, 1),
            QkNorm = shapes.ContainsKey("blocks.0.attn.q_norm.weight"),
            KvCompressConfig = Compression(shapes),
        };

        IReadOnlyList<long> Shape(string name) => shapes.TryGetValue(name, out var shape) ? shape : throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no configuration, and the weights do not tell it.") { Expected = $"config.json, or the tensor {name}" };
    }

    private static KvCompression? Compression(Dictionary<string, EquatableList<long>> shapes)
    {
        var blocks = shapes.Keys.Select(name => Shrinking().Match(name)).Where(match => match.Success).Select(match => int.Parse(match.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture)).Order().ToArray();
        return blocks.Length == 0 ? null : new() { Sampling = "conv", ScaleFactor = (int)shapes[$"blocks.{blocks[0]}.attn.sr.weight"][2], KvCompressLayer = blocks };
    }

    [GeneratedRegex(@"^blocks\.(\d+)\.", RegexOptions.CultureInvariant)]
    private static partial Regex Block();

    [GeneratedRegex(@"^blocks\.(\d+)\.attn\.sr\.weight$", RegexOptions.CultureInvariant)]
    private static partial Regex Shrinking();
}
