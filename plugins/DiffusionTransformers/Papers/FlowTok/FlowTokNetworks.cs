using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.FlowTok;

/// <summary>Pictures and texts as rows of tokens of the same extents, and the field that carries the one to the other.</summary>
internal static class FlowTokNetworks
{
    /// <summary>A picture as Gaussians of its tokens. image (B, 3, H, W) in 0..1 -> two of (B, K, D).</summary>
    public static DiagonalGaussian Encode(Scope tokenizer, Value image, FlowTokConfig config)
    {
        var (encoder, width, batch) = (tokenizer["encoder"], (long)config.TokWidth, image.Shape[0]);
        var patches = encoder.Stage("patch_embed", encoder["patch_embed"].PatchEmbed(image, width, config.PatchSize));    // (B, N, w)
        var seen = ValueShape.Concat(1, encoder.Weight("class_embedding", 1, width).Unsqueeze(0).Expand(batch, 1, width), patches) + encoder.Weight("positional_embedding", config.Patches + 1, width);
        var latents = tokenizer.Weight("latent_tokens", config.NumTokens, width) + encoder.Weight("latent_token_positional_embedding", config.NumTokens, width);
        var h = Blocks(encoder, ValueShape.Concat(1, seen, latents.Unsqueeze(0).Expand(batch, config.NumTokens, width)), "encoder_block_", config);
        return Moments(encoder["conv_out"].Linear(encoder["ln_post"].LayerNorm(h.Last(1, config.NumTokens)), 2 * config.TokenDim));
    }

    /// <summary>Tokens and what a text says of the picture, as the picture. tokens (B, K, D), text (B, M, E) -> (B, 3, H, W).</summary>
    public static Value Decode(Scope decoder, Value tokens, Value text, FlowTokConfig config)
    {
        var (width, batch) = ((long)config.TokWidth, tokens.Shape[0]);
        var masks = decoder.Weight("mask_token", 1, width).Expand(config.Patches, width);
        var places = ValueShape.Concat(0, decoder.Weight("class_embedding", 1, width), masks) + decoder.Weight("positional_embedding", config.Patches + 1, width);
        var latents = decoder["decoder_embed"].Linear(tokens, width) + decoder.Weight("latent_token_positional_embedding", config.NumTokens, width);
        var guidance = decoder["text_guidance_proj"].Linear(text, width) + decoder.Weight("text_guidance_positional_embedding", config.TextLength, width);
        var h = Blocks(decoder, ValueShape.Concat(1, places.Unsqueeze(0).Expand(batch, config.Patches + 1, width), latents, guidance), "decoder_block_", config);
        var pixels = decoder["ffn"].Linear(decoder["ln_post"].LayerNorm(h.Slice(1, 1, config.Patches + 1)), (long)config.PatchSize * config.PatchSize * 3);
        return pixels.Unpatchify(config.PatchSize, config.Rows, config.Columns, 3);
    }

    /// <summary>A text as Gaussians of its tokens. features (B, M, E) -> two of (B, M, D).</summary>
    public static DiagonalGaussian ProjectText(Scope projector, Value features, FlowTokConfig config)
    {
        var h = projector["blocks"].Stack(projector["in_proj"].Linear(features, config.ProjectorWidth), config.ProjectorDepth, "text_projector_block_", (block, tokens) => block.PlainBlock(tokens, new(config.ProjectorHeads)));
        return Moments(projector["out_proj"].Linear(projector["norm"].LayerNorm(h), 2 * config.TokenDim));
    }

    /// <summary>The velocity of tokens on their way, told whether to be guided by an indicator in front of them. x (B, K, D), t (B) from text 0 to picture 1, row of the indicator -> (B, K, D).</summary>
    public static Value Velocity(Scope dit, Value x, Value t, Value row, FlowTokConfig config)
    {
        var width = (long)config.Width;
        var tokens = dit["x_embedder"].Linear(x, width) + dit.Weight("pos_embed", 1, config.NumTokens, width);
        var indicator = dit.Weight("indicator", 2, width).Gather(row).Reshape(1, 1, width).Expand(x.Shape[0], 1, width);
        var condition = dit["t_embedder"].TimestepEmbedding(t * 1000, width);
        var h = dit["blocks"].Stack(ValueShape.Concat(1, indicator, tokens), config.Depth, "block_", (block, value) => block.ConditionedBlock(value, condition, new(config.Heads)));
        return dit["final_layer"].FinalLayer(h, condition, config.TokenDim).From(1, 1);
    }

    /// <summary>How likely each word is at each place of a caption. tokens (B, K, D) -> (B, K, words).</summary>
    public static Value Caption(Scope decoder, Value tokens, FlowTokConfig config)
    {
        var h = decoder["blocks"].Stack(decoder["in_proj"].Linear(tokens, config.ProjectorWidth), config.TextDecoderDepth, "text_decoder_block_", (block, value) => block.PlainBlock(value, new(config.ProjectorHeads)));
        return decoder["out_proj"].Linear(decoder["norm"].LayerNorm(h), config.VocabSize);
    }

    // Rotary positions over the whole sequence.
    private static Value Blocks(Scope scope, Value h, string stage, FlowTokConfig config)
    {
        var (cos, sin) = PositionLayers.RotaryAngles(scope.Graph, h.Shape[1], config.TokWidth / config.TokHeads);
        var attention = new BlockAttention(config.TokHeads) { Turn = x => x.Rotary(config.TokHeads, cos, sin) };
        return scope["blocks"].Stack(scope["ln_pre"].LayerNorm(h), config.TokDepth, stage, (block, tokens) => block.PlainBlock(tokens, attention));
    }

    private static DiagonalGaussian Moments(Value moments)
    {
        var (mean, logVariance) = moments.Chunk2();
        return new(mean, logVariance.Clip(-30, 20));
    }
}
