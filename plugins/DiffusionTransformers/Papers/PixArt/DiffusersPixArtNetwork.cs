using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.PixArt;

/// <summary>The network in diffusers' layout.</summary>
internal static class DiffusersPixArtNetwork
{
    public const string Resolution = "added_cond_kwargs.resolution", AspectRatio = "added_cond_kwargs.aspect_ratio";

    /// <summary>What the network takes.</summary>
    public static TextNetwork.Conditions Conditions(DiffusersPixArtConfig config)
    {
        var text = config.CaptionChannels ?? config.CrossAttentionDim ?? config.Width;
        return config.SizeConditions ? new(config.InChannels, text, true, (Resolution, 2), (AspectRatio, 1)) : new(config.InChannels, text, true);
    }

    /// <summary>Predicts noise and variance (B, 2C, H, W).</summary>
    public static Value Build(Scope model, TextNetwork.Inputs inputs, DiffusersPixArtConfig config)
    {
        var (width, patch) = (config.Width, config.PatchSize);
        var (rows, columns) = (inputs.Sample.Shape[2].Int / patch, inputs.Sample.Shape[3].Int / patch);
        var h = model["pos_embed.proj"].PatchEmbed(inputs.Sample, width, patch) + SinCosPositions.Grid(model.Graph, rows, columns, width, config.SampleSize / patch, config.PositionScale);
        model.Stage("patch_embed", h);                                                           // (B, N, D)

        var embed = model["adaln_single.emb"];
        var time = embed["timestep_embedder"].DiffusersTimeMlp(inputs.Time.Sinusoid(256), width);
        if (config.SizeConditions)
            time += ValueShape.Concat(-1, Sizes(embed["resolution_embedder"], inputs.Vectors[Resolution], width / 3), Sizes(embed["aspect_ratio_embedder"], inputs.Vectors[AspectRatio], width / 3));
        var modulation = model.Stage("adaln_single", model["adaln_single.linear"].Linear(time.Silu(), 6 * width));
        model.Stage("timestep_embed", time);

        var caption = config.CaptionChannels is null ? inputs.Text : model.Stage("caption_projection", model["caption_projection"].CaptionProjection(inputs.Text, width));
        for (var i = 0; i < config.NumLayers; i++)
            h = model.Stage($"block_{i}", Block(model["transformer_blocks"][i], h, caption, inputs.Mask!.KeyBias(), modulation, config));

        return model["proj_out"].Linear(model.AdaptiveNorm(h, time), (long)patch * patch * config.Outputs).Unpatchify(patch, rows, columns, config.Outputs);
    }

    /// <summary>Text features to the width of the tokens: <c>linear_1</c>, GELU, <c>linear_2</c>.</summary>
    public static Value CaptionProjection(this Scope scope, Value text, long width) => scope["linear_2"].Linear(scope["linear_1"].Linear(text, width).Gelu(Gelu.Tanh), width);

    private static Value Block(Scope block, Value h, Value caption, Value mask, Value modulation, DiffusersPixArtConfig config)
    {
        var parts = block.SingleModulation(modulation, config.Width);                            // shift, scale, gate twice
        h += parts[2] * block["attn1"].DiffusersAttention(Norm(block["norm1"], h, config) * (parts[1] + 1) + parts[0], config.NumAttentionHeads, bias: config.AttentionBias);
        h += block["attn2"].DiffusersAttention(h, config.NumAttentionHeads, caption, mask, config.AttentionBias);
        return h + parts[5] * block["ff"].DiffusersFeedForward(Norm(block["norm2"], h, config) * (parts[4] + 1) + parts[3], config.ActivationFn);
    }

    private static Value Norm(Scope norm, Value x, DiffusersPixArtConfig config) => config.NormElementwiseAffine ? norm.LayerNorm(x, config.NormEps) : x.LayerNorm(config.NormEps);

    // Each number of a size by sinusoids, one after the other. sizes (B, count) -> (B, count width).
    private static Value Sizes(Scope embedder, Value sizes, long width) =>
        embedder.DiffusersTimeMlp(sizes.Reshape(-1).Sinusoid(256), width).Reshape(sizes.Shape[0], sizes.Shape[1] * width);
}
