// LayerTracer: Cognitive-Aligned Layered SVG Synthesis via Diffusion Transformer. Yiren Song, Danze Chen, Mike Zheng Shou. arXiv:2502.01105. github.com/showlab/LayerTracer
// Published layout: FLUX.1-dev as Black Forest Labs publish it and, beside it, a LoRA in the layout of kohya's sd-scripts. Deviations: panels are not traced to paths.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.LayerTracer;

/// <summary>Parameters of FLUX as Black Forest Labs name them.</summary>
public sealed record LayerTracerConfig
{
    /// <summary>Width of a packed token.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 64;
    /// <summary>Width of the pooled text.</summary>
    [Range(1, 65536)] public int VecInDim { get; init; } = 768;
    /// <summary>Width of the text's tokens.</summary>
    [Range(1, 65536)] public int ContextInDim { get; init; } = 4096;
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 3072;
    /// <summary>Inner width of the feed-forward blocks over the width.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Heads of attention.</summary>
    [Range(1, 1024)] public int NumHeads { get; init; } = 24;
    /// <summary>Blocks with two streams.</summary>
    [Range(0, 1024)] public int Depth { get; init; } = 19;
    /// <summary>Blocks with one.</summary>
    [Range(0, 1024)] public int DepthSingleBlocks { get; init; } = 38;
    /// <summary>Channels of a head for each axis of the positions.</summary>
    public int[] AxesDim { get; init; } = [16, 56, 56];
    /// <summary>Base of the rotary frequencies.</summary>
    public double Theta { get; init; } = 10000;
    /// <summary>Whether the maps of attention have biases.</summary>
    public bool QkvBias { get; init; } = true;
    /// <summary>True when the guidance is an input (dev).</summary>
    public bool GuidanceEmbed { get; init; } = true;

    internal long Hidden => (long)(HiddenSize * MlpRatio);
}

/// <summary>What the network takes: packed picture (B, N, C), text (B, M, E), time and guidance (B), pooled text (B, P), mask of the text (B, M), angles (M + N, W / 2).</summary>
internal sealed record FluxInputs(Value Image, Value Text, Value Time, Value? Guidance, Value Pooled, Value Mask, Value Cos, Value Sin);

/// <summary>FLUX under Black Forest Labs' names, whose padding of the text is hidden from every query.</summary>
internal static class LayerTracerNetwork
{
    /// <summary>Predicts the velocity of packed tokens (B, N, C).</summary>
    public static Value Build(Scope model, FluxInputs inputs, LayerTracerConfig config)
    {
        var width = (long)config.HiddenSize;
        var condition = Embed(model["time_in"], (inputs.Time * 1000).Sinusoid(256));
        if (inputs.Guidance is not null) condition += Embed(model["guidance_in"], (inputs.Guidance * 1000).Sinusoid(256));
        condition += Embed(model["vector_in"], inputs.Pooled);
        var (image, text) = (model["img_in"].Linear(inputs.Image, width), model["txt_in"].Linear(inputs.Text, width));
        var (batch, words, tokens) = (image.Shape[0], text.Shape[1], image.Shape[1]);
        var bias = AttentionMasks.Padding(ValueShape.Concat(1, inputs.Mask, model.Graph.Scalar(Contracts.ElementType.Float32, 1).Expand(batch, tokens)));

        for (var i = 0; i < config.Depth; i++)
        {
            var block = model["double_blocks"][i];
            var (ofImage, ofText) = (Modulation(block["img_mod"], 6), Modulation(block["txt_mod"], 6));
            var (q, k, v) = Projections(block["img_attn"], image.LayerNorm(1e-6).Modulate(ofImage[0], ofImage[1]));
            var (tq, tk, tv) = Projections(block["txt_attn"], text.LayerNorm(1e-6).Modulate(ofText[0], ofText[1]));
            var seen = Attend(ValueShape.Concat(1, tq, q), ValueShape.Concat(1, tk, k), ValueShape.Concat(1, tv, v));
            image = model.Stage($"double_block_{i}_image", FeedForward(block["img_mlp"], image + block["img_attn.proj"].Linear(seen.From(1, words), width).Gated(ofImage[2]), ofImage));
            text = model.Stage($"double_block_{i}_text", FeedForward(block["txt_mlp"], text + block["txt_attn.proj"].Linear(seen.Take(1, words), width).Gated(ofText[2]), ofText));
        }

        var both = ValueShape.Concat(1, text, image);
        for (var i = 0; i < config.DepthSingleBlocks; i++)
        {
            both = SingleBlock(model["single_blocks"][i], both);
            model.Stage($"single_block_{i}_image", both.From(1, words));
        }

        return model["final_layer"].FinalLayer(both.From(1, words), condition, config.InChannels);

        Value Embed(Scope embedder, Value x) => embedder["out_layer"].Linear(embedder["in_layer"].Linear(x, width).Silu(), width);

        Value[] Modulation(Scope modulation, int parts) => modulation["lin"].Linear(condition.Silu(), parts * width).Chunk(parts, -1);

        Value Normed(Scope norm, Value x) => x.PerHead(config.NumHeads, head => head.RmsNorm(norm.Weight("scale", width / config.NumHeads)));

        (Value, Value, Value) Projections(Scope attn, Value x)
        {
            var (q, k, v) = attn["qkv"].Qkv(x, width, config.QkvBias);
            return (Normed(attn["norm.query_norm"], q), Normed(attn["norm.key_norm"], k), v);
        }

        Value Attend(Value q, Value k, Value v) =>
            AttentionLayers.Attention(q.Rotary(config.NumHeads, inputs.Cos, inputs.Sin, interleaved: true), k.Rotary(config.NumHeads, inputs.Cos, inputs.Sin, interleaved: true), v, new() { Heads = config.NumHeads, Bias = bias });

        Value FeedForward(Scope mlp, Value x, Value[] parts) =>
            x + mlp["2"].Linear(mlp["0"].Linear(x.LayerNorm(1e-6).Modulate(parts[3], parts[4]), config.Hidden).Gelu(Gelu.Tanh), width).Gated(parts[5]);

        // Attention and feed-forward block side by side.
        Value SingleBlock(Scope block, Value x)
        {
            var parts = Modulation(block["modulation"], 3);
            var (h, rows) = (x.LayerNorm(1e-6).Modulate(parts[0], parts[1]), 3 * width + config.Hidden);
            Value Part(long start, long count) => block["linear1"].LinearRows(h, rows, start, count);
            var (q, k) = (Normed(block["norm.query_norm"], Part(0, width)), Normed(block["norm.key_norm"], Part(width, width)));
            var branches = ValueShape.Concat(-1, Attend(q, k, Part(2 * width, width)), Part(3 * width, config.Hidden).Gelu(Gelu.Tanh));
            return x + block["linear2"].Linear(branches, width).Gated(parts[2]);
        }
    }
}
