// Instella-T2I: Pushing the Limits of 1D Discrete Latent Space Image Generation. Wang et al. arXiv:2506.21022. github.com/AMD-AIG-AIMA/Instella-T2I: models/llama_attn.py, and what both of its generators share.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The arguments of the authors' classes.</summary>
public sealed record InstellaConfig
{
    /// <summary>Bits of a token.</summary>
    [Range(1, 1 << 16)] public int InChannels { get; init; } = 64;
    /// <summary>Blocks; each reads a layer of the language model.</summary>
    [Range(1, 256)] public int NumLayers { get; init; } = 16;
    /// <summary>Width of a head.</summary>
    [Range(1, 1 << 12)] public int AttentionHeadDim { get; init; } = 128;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 16;
    /// <summary>Tokens of a picture.</summary>
    [Range(1, 1 << 16)] public int NumImgTkns { get; init; } = 128;
    /// <summary>Width of the language model.</summary>
    [Range(1, 1 << 16)] public int TextCondDim { get; init; } = 2048;

    internal int Width => NumAttentionHeads * AttentionHeadDim;
}

/// <summary>Attention of image tokens to the text's features and to each other.</summary>
internal static class InstellaLayers
{
    /// <summary>The extent over prompts, those with words before the empty ones.</summary>
    public static Dim Rows { get; } = Dim.Symbol("rows");

    /// <summary>Length of the padded texts.</summary>
    public static Dim Words { get; } = Dim.Symbol("words");

    /// <summary>Features of all layers of the language model: (layers, rows, words, C).</summary>
    public static Value Features(Scope model, InstellaConfig config) => model.Graph.Input("llm_features", [config.NumLayers, Rows, Words, config.TextCondDim]);

    /// <summary>What the mask (rows, words), 1 for words, adds to the scores of the texts and of further keys: (rows, 1, 1, words + further).</summary>
    public static Value Padding(Scope model, Dim further) => AttentionMasks.Padding(model.Graph.Input("text_mask", ElementType.Int64, [Rows, Words])).Pad(-1, 0, further);

    /// <summary>A layer's features as the block sees them: (rows, words, D).</summary>
    public static Value Text(Scope block, Value features, int layer, InstellaConfig config) => block["proj_cond"].Linear(features.At(0, layer), config.Width);

    /// <summary>Keys, normalised in each head, and values: x (rows, n, D) -> two of (rows, n, D).</summary>
    public static (Value Keys, Value Values) KeysAndValues(Scope attn, Value x, InstellaConfig config) =>
        (Normed(attn["norm_k"], attn["k_proj"].Linear(x, config.Width, bias: false), config), attn["v_proj"].Linear(x, config.Width, bias: false));

    /// <summary>Queries of image tokens, normalised in each head.</summary>
    public static Value Queries(Scope attn, Value x, InstellaConfig config) => Normed(attn["norm_q"], attn["q_proj"].Linear(x, config.Width, bias: false), config);

    /// <summary>Attention of x (rows, n, D) to the text (rows, words, D) and itself.</summary>
    public static Value Attend(Scope attn, Value x, Value text, Value bias, InstellaConfig config)
    {
        var (k, v) = KeysAndValues(attn, ValueShape.Concat(1, text, x), config);
        var mixed = AttentionLayers.Attention(Queries(attn, x, config), k, v, new() { Heads = config.NumAttentionHeads, Bias = bias });
        return attn["o_proj"].Linear(mixed, config.Width, bias: false);
    }

    /// <summary>diffusers' feed-forward with the tanh form of GELU.</summary>
    public static Value FeedForward(Scope mlp, Value x, InstellaConfig config) => mlp.Mlp(x, 4L * config.Width, value => value.Gelu(Gelu.Tanh), "net.0.proj", "net.2");

    private static Value Normed(Scope norm, Value x, InstellaConfig config) =>
        norm.RmsNorm(x.Reshape(x.Shape[0], x.Shape[1], config.NumAttentionHeads, config.AttentionHeadDim)).Flatten(2);
}

/// <summary>What the language model says about prompts, as it is handed to the generators.</summary>
/// <param name="Features">(layers, rows, words, C), rows with words before as many empty prompts.</param>
/// <param name="Mask">(rows, words), 1 for words.</param>
internal sealed record InstellaText(Tensor<float> Features, Tensor<long> Mask)
{
    /// <summary>Number of prompts with words.</summary>
    public int Batch => (int)Mask.Shape[0] / 2;

    /// <summary>Of a call.</summary>
    public static InstellaText Of(CallArguments arguments) => new(arguments.Tensor<float>("llm_features"), arguments.Tensor<long>("text_mask"));

    /// <summary>Of a user's prompt: the tensors <c>llm_features</c> and <c>text_mask</c> of a safetensors file, as often as pictures are wanted.</summary>
    /// <exception cref="MediaException">They are not there, or of other shapes.</exception>
    public static InstellaText Of(Prompt prompt, InstellaConfig config, int count)
    {
        var values = prompt.Media.OfType<NamedTensors>().FirstOrDefault()?.Values;
        if (values?.GetValueOrDefault("llm_features") is not Tensor<float> { Rank: 4 } features || values.GetValueOrDefault("text_mask") is not Tensor<long> { Rank: 2 } mask
            || features.Shape[0] != config.NumLayers || features.Shape[3] != config.TextCondDim || features.Shape[1] != mask.Shape[0] || features.Shape[2] != mask.Shape[1] || mask.Shape[0] != 2)
        {
            throw new MediaException(ErrorCodes.MediaUnsupported, "The model reads the hidden states of its language model.")
            {
                Expected = $"tensors llm_features float32 ({config.NumLayers}, 2, words, {config.TextCondDim}) and text_mask int64 (2, words): of the prompt and of the empty prompt",
                Found = values is null ? "no tensors" : string.Join(", ", values.Select(pair => $"{pair.Key} {pair.Value}")),
                Remedy = "Give them in a safetensors file with --in.",
            };
        }

        Tensor<T> Repeated<T>(Tensor<T> rows) where T : unmanaged => TensorParts.Concat(0, [.. Enumerable.Repeat(rows.Part(0, 0, 1), count), .. Enumerable.Repeat(rows.Part(0, 1, 2), count)]);
        var layers = Enumerable.Range(0, config.NumLayers).Select(layer => Repeated(features.Slice(layer)) is var rows ? rows.Reshape([1, .. rows.Shape]) : rows).ToArray();
        return new(TensorParts.Concat(0, layers), Repeated(mask));
    }
}
