using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Networks.Encoders;

// Learning Transferable Visual Models From Natural Language Supervision. Radford et al. arXiv:2103.00020. Layout of huggingface/transformers: CLIPVisionModel.

/// <summary>The published <c>config.json</c> of a CLIP vision encoder.</summary>
public sealed record ClipVisionConfig
{
    /// <summary>Width.</summary>
    [Range(1, 65536)] public long HiddenSize { get; init; } = 768;
    /// <summary>Width of the feed-forward network.</summary>
    [Range(1, 262144)] public long IntermediateSize { get; init; } = 3072;
    /// <summary>Width of the projected picture.</summary>
    [Range(1, 65536)] public long ProjectionDim { get; init; } = 512;
    /// <summary>Number of layers.</summary>
    [Range(1, 1024)] public int NumHiddenLayers { get; init; } = 12;
    /// <summary>Number of heads.</summary>
    [Range(1, 1024)] public long NumAttentionHeads { get; init; } = 12;
    /// <summary>Channels of the picture.</summary>
    [Range(1, 64)] public long NumChannels { get; init; } = 3;
    /// <summary>Height and width of the picture.</summary>
    [Range(1, 65536)] public long ImageSize { get; init; } = 224;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 1024)] public long PatchSize { get; init; } = 32;
    /// <summary>Activation of the feed-forward network.</summary>
    public string HiddenAct { get; init; } = "quick_gelu";
    /// <summary>Epsilon of the layer norms.</summary>
    public double LayerNormEps { get; init; } = 1e-5;
}

/// <summary>What a CLIP vision encoder gives.</summary>
/// <param name="HiddenStates">The normed embeddings, then the output of each layer: (B, 1 + patches, D).</param>
/// <param name="Pooled">The class token of the last, normed: (B, D).</param>
public sealed record ClipVisionOutputs(IReadOnlyList<Value> HiddenStates, Value Pooled);

/// <summary>CLIP's vision encoder: a pre-norm vision transformer with a class token.</summary>
public static class ClipVision
{
    /// <summary>Encodes pictures. <paramref name="clip"/> is the scope that has <c>vision_model</c> in it. pixels (B, C, H, W), normalised.</summary>
    public static ClipVisionOutputs Encode(Scope clip, Value pixels, ClipVisionConfig config)
    {
        var vision = clip["vision_model"];
        var embeddings = vision["embeddings"];
        var (side, width) = (config.ImageSize / config.PatchSize, config.HiddenSize);
        var patches = embeddings["patch_embedding"].PatchEmbed(pixels, width, config.PatchSize, bias: false);
        var first = embeddings.Weight("class_embedding", width).Expand(pixels.Shape[0], 1, width);
        var h = ValueShape.Concat(1, first, patches) + embeddings["position_embedding"].Weight("weight", side * side + 1, width);
        h = vision["pre_layrnorm"].LayerNorm(h, config.LayerNormEps);                                                             // the authors' spelling
        List<Value> states = [h];
        for (var i = 0; i < config.NumHiddenLayers; i++)
        {
            h = ClipLayers.Layer(vision["encoder.layers"][i], h, new() { Heads = config.NumAttentionHeads }, config.IntermediateSize, config.HiddenAct, config.LayerNormEps);
            states.Add(h);
        }

        return new(states, vision["post_layernorm"].LayerNorm(h.At(1, 0), config.LayerNormEps));
    }

    /// <summary>The pooled picture in the space that it shares with texts. (B, D) -> (B, projection).</summary>
    public static Value Project(Scope clip, Value pooled, long projection) => clip["visual_projection"].Linear(pooled, projection, bias: false);
}
