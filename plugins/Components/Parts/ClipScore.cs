using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.Components.Parts;

// CLIPScore: A Reference-free Evaluation Metric for Image Captioning. Hessel, Holtzman, Forbes, Le Bras, Choi. arXiv:2104.08718. github.com/jmhessel/clipscore; torchmetrics' CLIPScore.
// Published layout: huggingface/transformers CLIPModel. Deviations: none.

/// <summary>How well a text describes a picture: the cosine of their CLIP embeddings.</summary>
internal static class ClipScore
{
    public static ModelArchitecture Architecture { get; } = NetworkPart.Architecture(
        "metrics/clip-score", "CLIPScore: A Reference-free Evaluation Metric for Image Captioning", "github.com/jmhessel/clipscore", Modality.Tensors, Open);

    private static NetworkPart Open(ModelSource source, Checkpoint checkpoint)
    {
        var folder = source.RequireFolder();
        var text = PublishedConfig.Read<ClipTextConfig>(folder, "text_config").Value;
        var vision = PublishedConfig.Read<ClipVisionConfig>(folder, "vision_config").Value;
        var projection = PublishedConfig.ReadJson(folder)["projection_dim"]?.GetValue<long>() ?? 512;
        var network = Network.Build(NetworkContext.Of(source, checkpoint), "clip score", scope =>
        {
            var (g, batch, length) = (scope.Graph, Dim.Symbol("batch"), Dim.Symbol("length"));
            var pixels = g.Input("pixel_values", [batch, vision.NumChannels, vision.ImageSize, vision.ImageSize]);
            var (ids, mask) = (g.Input("input_ids", ElementType.Int64, [batch, length]), g.Input("attention_mask", ElementType.Int64, [batch, length]));
            var picture = ClipVision.Project(scope, ClipVision.Encode(scope, pixels, vision).Pooled, projection);
            var words = ClipText.Project(scope, ClipText.Encode(scope, ids, text, mask).Pooled, projection);
            var cosine = (picture.L2Normalize() * words.L2Normalize()).Sum(-1);
            g.Output("image_features", picture);
            g.Output("text_features", words);
            g.Output("cosine", cosine);
            g.Output("clip_score_100", (cosine * 100).Relu());
            g.Output("clip_score_w2_5", (cosine * 2.5).Relu());
            g.Output("clip_score_mean", (cosine * 100).Mean(0, keep: true).Relu());
        });
        return new(checkpoint, new Dictionary<string, PartCall> { ["clip_score"] = NetworkPart.Forward(network, "pixel_values", "input_ids", "attention_mask") }, network);
    }
}
