using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>GigaTok: convolutions to a map, a transformer that gathers it into tokens, and both in reverse.</summary>
internal sealed class GigaTokNetwork(GigaTokConfig config, GigaTokFixed sizes)
{
    private readonly int _grid = sizes.ImageSize >> (config.EncoderChMult.Length - 1);

    /// <summary>Tokens that the encoder gives: with redundant padding (ReTok), those after the important ones come twice.</summary>
    public int Tokens => config.NumLatentTokens + (sizes.NumImportantTokens is { } important ? config.NumLatentTokens - important : 0);

    /// <summary>True when tokens are a grid.</summary>
    public bool IsGrid => sizes.ModelClass.Contains("2D", StringComparison.Ordinal);

    /// <summary>image (B, 3, S, S) -> latent (B, C, 1, N), or (B, C, h, w).</summary>
    public Value Latent(Scope model, Value image)
    {
        var map = model.Stage("cnn_features", Convolve(model["encoder"], image));
        return model.Stage("latent", model["quant_conv"].Conv(model.Stage("encoder_tokens", IsGrid ? Transform(model["s2dencoder"], "encoder_embed", map, config.Encoder, 1, "encoder_block") : Gather(model["s2to1encoder"], map)), config.CodebookEmbedDim, 1));
    }

    /// <summary>Quantized tokens (B, C, 1, N), or (B, C, h, w) -> picture (B, 3, S, S). Of a sequence, at most <paramref name="seen"/> tokens are looked at; null is all.</summary>
    public Value Decode(Scope model, Value quantized, int? seen)
    {
        var z = model.Stage("post_quant", model["post_quant_conv"].Conv(quantized, config.ZChannels, 1));
        var map = IsGrid ? Transform(model["s2ddecoder"], "decoder_embed", z, config.Decoder, 3, "decoder_block") : Spread(model["s1to2decoder"], z, seen);
        return Deconvolve(model["decoder"], model.Stage("decoder_features", map));
    }

    /// <summary>The codebook (K, C).</summary>
    public Value Table(Scope model)
    {
        var table = model["quantize.embedding"].Weight("weight", config.CodebookSize, config.CodebookEmbedDim);
        return config.CodebookL2Norm ? table.L2Normalize() : table;
    }

    // Queries look at each other and at the map. -> (B, Z, 1, N)
    private Value Gather(Scope encoder, Value map)
    {
        var (width, layers, heads) = sizes.SizeOf(config.Encoder);
        var (count, batch) = (config.NumLatentTokens, map.Shape[0]);
        var memory = encoder["encoder_embed"].Linear(encoder["ln_pre"].LayerNorm(map.Flatten(2).Swap(1, 2)), width);    // (B, P, D)
        var queries = config.MultiLevelQueryInit ? Regions(memory.Swap(1, 2).Reshape(batch, width, _grid, _grid))
            : config.Learnable1dQueryInit ? encoder.Weight("query_1d", count, 1, width).Swap(0, 1).Expand(batch, count, width)
            : memory.Mean(1, keep: true);
        if (sizes.NumImportantTokens is { } important) queries = ValueShape.Concat(1, queries, queries.From(1, important));
        if (!config.Learnable1dQueryInit) queries = encoder["global_proj"].Linear(queries, width);
        var x = queries.Shape[1] == 1 ? queries.Expand(batch, count, width) : queries;
        var (places, positions) = (Rows(encoder, "positional_embedding", _grid * _grid, width), TokenPositions(encoder, width));
        for (var i = 0; i < layers; i++) x = encoder.Stage($"encoder_block_{i}", QFormerLayer(encoder["transformer"][i], x, memory, positions, places, heads));
        return encoder["conv_out"].PointwiseLinear(encoder["ln_post"].LayerNorm(x), config.ZChannels).Swap(1, 2).Unsqueeze(2);
    }

    // Places look at each other and at the tokens. -> (B, Z, h, w)
    private Value Spread(Scope decoder, Value z, int? seen)
    {
        var (width, layers, heads) = sizes.SizeOf(config.Decoder);
        var (places, batch) = (_grid * _grid, z.Shape[0]);
        var memory = decoder["decoder_embed"].Linear(decoder["ln_pre"].LayerNorm(z.Squeeze(2).Swap(1, 2)), width);
        var x = config.LastLevel2dQueryInit ? LastLevel(memory)
            : config.MultiLevel2dQueryInit ? LevelMeans(memory)
            : config.Learnable2dQueryInit ? decoder.Weight("q_2d", places, 1, width).Swap(0, 1).Expand(batch, places, width)
            : memory.Take(1, 1).Expand(batch, places, width);
        if (seen is { } count) memory = memory.Take(1, count);
        var positions = TokenPositions(decoder, width).Take(1, memory.Shape[1]);
        var queries = Rows(decoder, "positional_embedding", places, width);
        for (var i = 0; i < layers; i++) x = decoder.Stage($"decoder_block_{i}", QFormerLayer(decoder["transformer"][i], x, memory, queries, positions, heads));
        return decoder["conv_out"].Conv(decoder["ln_post"].LayerNorm(x).Swap(1, 2).Reshape(batch, width, _grid, _grid), config.ZChannels, 3, padding: 1);
    }

    // The two-dimensional variant keeps the grid.
    private Value Transform(Scope scope, string embed, Value map, string size, int kernel, string stage)
    {
        var (width, layers, heads) = sizes.SizeOf(size);
        var x = scope[embed].Linear(scope["ln_pre"].LayerNorm(map.Flatten(2).Swap(1, 2)), width);
        var places = Rows(scope, "positional_embedding", _grid * _grid, width);
        var plain = config.TransformerLayerType == "TransformerLayer";
        if (plain) x += places;
        for (var i = 0; i < layers; i++)
        {
            var layer = scope["transformer"][i];
            x = scope.Stage($"{stage}_{i}", plain ? PlainLayer(layer, x, heads) : QFormerLayer(layer, x, config.TransformerLayerType == "TransformerDecoderLayer" ? x : null, places, places, heads));
        }

        x = scope["ln_post"].LayerNorm(x);
        return scope["conv_out"].Conv(x.Swap(1, 2).Reshape(map.Shape[0], width, _grid, _grid), config.ZChannels, kernel, padding: kernel / 2);
    }

    private static Value PlainLayer(Scope layer, Value x, int heads)
    {
        x += layer["self_attn"].MultiheadSelfAttention(layer["norm1"].LayerNorm(x), heads);
        return x + layer.Mlp(layer["norm2"].LayerNorm(x), 4 * x.Shape[-1].Size, value => value.Gelu(), "linear1", "linear2");
    }

    // DETR's decoder layer, norms first; positions are added to queries and keys only. Without a memory the second attention looks at the sequence itself.
    private static Value QFormerLayer(Scope layer, Value x, Value? memory, Value queryPositions, Value memoryPositions, int heads)
    {
        var normed = layer["norm1"].LayerNorm(x);
        x += layer["self_attn"].MultiheadAttention(normed + queryPositions, normed + queryPositions, normed, heads);
        normed = layer["norm2"].LayerNorm(x);
        x += layer["multihead_attn"].MultiheadAttention(normed + queryPositions, (memory ?? normed) + memoryPositions, memory ?? normed, heads);
        return x + layer.Mlp(layer["norm3"].LayerNorm(x), 4 * x.Shape[-1].Size, value => value.Gelu(), "linear1", "linear2");
    }

    private Value TokenPositions(Scope scope, int width)
    {
        var own = Rows(scope, "latent_token_positional_embedding", config.NumLatentTokens, width);
        return sizes.NumImportantTokens is { } important ? ValueShape.Concat(1, own, Rows(scope, "latent_token_positional_embedding_comp", config.NumLatentTokens - important, width)) : own;
    }

    private static Value Rows(Scope scope, string name, int count, int width) => scope.Weight(name, count, 1, width).Swap(0, 1);   // (1, count, D)

    // Means over 1, 1, 2, 4... regions, the width halved first.
    private Value Regions(Value map)
    {
        var groups = Enumerable.Range(0, Levels + 1).Select(group => Blocks(Math.Max(group - 1, 0)));
        return ValueShape.Concat(1, [.. groups.Select(blocks => map.Reshape(map.Shape[0], map.Shape[1], blocks.Rows, _grid / blocks.Rows, blocks.Columns, _grid / blocks.Columns).Reduce("ReduceMean", [3, 5], keep: false).Flatten(2).Swap(1, 2))]);
    }

    private int Levels => (int)Math.Round(Math.Log2(config.NumLatentTokens));

    private static (int Rows, int Columns) Blocks(int level) => (1 << (level / 2), 1 << ((level + 1) / 2));

    private Value LastLevel(Value tokens) => Levels == 1 ? Dilated(tokens.Take(1, 2).Mean(1, keep: true), Blocks(0)) : Dilated(tokens.Last(1, 1 << (Levels - 1)), Blocks(Levels - 1));

    // As published: every level is read from the first token on.
    private Value LevelMeans(Value tokens) => Enumerable.Range(0, Levels).Select(level => Dilated(level == 0 ? tokens.Take(1, 2).Mean(1, keep: true) : tokens.Take(1, 1 << level), Blocks(level))).Aggregate((a, b) => a + b) / Levels;

    private Value Dilated(Value tokens, (int Rows, int Columns) blocks) =>
        tokens.Swap(1, 2).Reshape(tokens.Shape[0], tokens.Shape[2], blocks.Rows, blocks.Columns).Interpolate(Interpolation.Nearest, [_grid, _grid]).Flatten(2).Swap(1, 2);

    private Value Convolve(Scope encoder, Value x)
    {
        var h = encoder["conv_in"].Conv(x, sizes.Ch, 3, padding: 1);
        for (var level = 0; level < config.EncoderChMult.Length; level++)
        {
            var (block, last) = (encoder["conv_blocks"][level], level == config.EncoderChMult.Length - 1);
            for (var i = 0; i < sizes.NumResBlocks; i++) h = Residual(block, i, h, sizes.Ch * config.EncoderChMult[level], last);
            if (!last) h = block["downsample.conv"].Downsample(h, h.Shape[1].Size);
        }

        return encoder["conv_out"].Conv(Norm(encoder["norm_out"], Middle(encoder["mid"], h)).Silu(), config.ZChannels, 3, padding: 1);
    }

    private Value Deconvolve(Scope decoder, Value z)
    {
        var levels = config.DecoderChMult.Length;
        var h = Middle(decoder["mid"], decoder["conv_in"].Conv(z, sizes.Ch * config.DecoderChMult[^1], 3, padding: 1));
        for (var step = 0; step < levels; step++)
        {
            var block = decoder["conv_blocks"][step];
            if (config.AdaptiveGn) h = decoder["adaptive"][step].AdaptiveGroupNorm(h, z, sizes.NormNumGroups);
            for (var i = 0; i <= sizes.NumResBlocks; i++) h = Residual(block, i, h, sizes.Ch * config.DecoderChMult[levels - 1 - step], step == 0);
            if (step == levels - 1) continue;
            h = config.D2sUp ? block["upsample.conv1"].Conv(h, 4 * h.Shape[1].Size, 3, padding: 1).DepthToSpace(2) : block["upsample.conv"].UpsampleConv(h, h.Shape[1].Size);
        }

        return decoder["conv_out"].Conv(Norm(decoder["norm_out"], h).Silu(), 3, 3, padding: 1);
    }

    private Value Residual(Scope block, int index, Value h, long outputs, bool deepest)
    {
        h = block["res"][index].ResnetBlock(h, outputs, Norm, "nin_shortcut");
        return config.UseAttn && deepest ? Attention(block["attn"][index], h) : h;
    }

    private Value Middle(Scope middle, Value h)
    {
        h = middle[0].ResnetBlock(h, h.Shape[1].Size, Norm, "nin_shortcut");
        if (config.UseAttn) h = Attention(middle[1], h);
        return middle[config.UseAttn ? 2 : 1].ResnetBlock(h, h.Shape[1].Size, Norm, "nin_shortcut");
    }

    private Value Attention(Scope attention, Value x)
    {
        Func<Value, Value> Map(string name) => value => attention[name].PointwiseLinear(value, x.Shape[1].Size);
        return AutoencoderBlocks.SpatialAttention(Norm(attention["norm"], x), (Map("q"), Map("k"), Map("v")), Map("proj_out")) + x;
    }

    private Value Norm(Scope scope, Value x) => scope.GroupNorm(x, sizes.NormNumGroups, 1e-6);
}
