using ModelZoo.Contracts;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Networks.Diffusion;

/// <summary>What methods that steer the network change in it; everything left out is as published.</summary>
public sealed record UNetHooks
{
    /// <summary>Attention of a transformer block: scope of <c>attn1</c> or <c>attn2</c>, normalised tokens, text or null for the tokens themselves, heads.</summary>
    public Func<Scope, Value, Value?, long, Value> Attention { get; init; } = (attn, x, context, heads) => attn.DiffusersAttention(x, heads, context);

    /// <summary>The whole transformer block, where it is not the published one: scope, tokens, text, heads, whether the first attention looks at the text, too.</summary>
    public Func<Scope, Value, Value, long, bool, Value>? Block { get; init; }

    /// <summary>What the middle gives (B, C, h, w).</summary>
    public Func<Value, Value> Middle { get; init; } = h => h;

    /// <summary>The text that a cross-attention layer sees: its number from the input on, and the text.</summary>
    public Func<int, Value, Value> Context { get; init; } = (_, text) => text;
}

/// <summary>What a U-Net may see beside sample, time and text; what its configuration does not ask for is left out.</summary>
public sealed record UNetConditions
{
    /// <summary>SDXL's pooled text (B, P).</summary>
    public Value? Pooled { get; init; }

    /// <summary>SDXL's sizes and crops (B, n).</summary>
    public Value? Sizes { get; init; }

    /// <summary>Classes (B), or vectors (B, W) where they are projected.</summary>
    public Value? Labels { get; init; }

    /// <summary>The further condition of the time (B, W).</summary>
    public Value? Guidance { get; init; }
}

/// <summary>
/// The U-Net of latent diffusion: residual blocks that see the time, transformer blocks that see the text, and skips from the way down to the way up. Without text, plain attention stands where a block's kind says so. Stages:
/// <c>time_embedding</c>, <c>conv_in</c>, <c>down_i</c>, <c>mid</c>, <c>up_i</c>, behind a prefix if one is given.
/// </summary>
public static class UNetNetwork
{
    /// <summary>Predicts noise (or velocity). sample (B, C, H, W), t (B), text (B, M, E) or null for a network without -> (B, C, H, W).</summary>
    public static Value Build(Scope unet, Value sample, Value t, Value? text, UNetConfig config, UNetConditions? conditions = null, UNetHooks? hooks = null, string stages = "")
    {
        var time = Time(unet, t, config, conditions ?? new(), Edge(text, config));
        if (config.EncoderHidDim is not null && text is not null) text = unet["encoder_hid_proj"].Linear(text, config.ContextWidth);
        return new Builder(unet, Activation(config)(time), text, config, hooks ?? new(), stages).Build(config.CenterInputSample ? sample * 2 - 1 : sample);
    }

    // The time with all that joins it.
    private static Value Time(Scope unet, Value t, UNetConfig config, UNetConditions conditions, Func<Value, Value> activation)
    {
        var sinusoid = Sinusoid(t, config.BlockOutChannels[0], config);
        if (config.TimeCondProjDim is not null && conditions.Guidance is { } guidance) sinusoid += unet["time_embedding.cond_proj"].Linear(guidance, config.BlockOutChannels[0], bias: false);
        var time = unet["time_embedding"].DiffusersTimeMlp(sinusoid, config.TimeWidth, activation);
        if (config.TimestepPostAct is { } after) time = Activations.Named(after)(time);
        unet.Stage("time_embedding", time);
        if (config.ClassEmbedding is { } kind && conditions.Labels is { } labels)
        {
            var label = Class(unet["class_embedding"], kind, labels, config, activation);
            time = config.ClassEmbeddingsConcat ? ValueShape.Concat(-1, time, label) : time + label;
        }

        if (config.AdditionEmbedType == "text_time") time += unet.Stage("add_embedding", unet["add_embedding"].DiffusersTimeMlp(Sizes(conditions.Pooled!, conditions.Sizes!, config), config.TimeWidth));
        return config.TimeEmbeddingActFn is { } last ? Activations.Named(last)(time) : time;
    }

    private static Value Class(Scope embedding, string kind, Value labels, UNetConfig config, Func<Value, Value> activation) => kind switch
    {
        "table" => embedding.Embedding(labels, config.NumClassEmbeds!.Value, config.TimeWidth),
        "timestep" => embedding.DiffusersTimeMlp(Sinusoid(labels, config.BlockOutChannels[0], config), config.TimeWidth, activation),
        "projection" => embedding.DiffusersTimeMlp(labels, config.TimeWidth),
        "simple_projection" => embedding.Linear(labels, config.TimeWidth),
        _ => labels,
    };

    private static Func<Value, Value> Activation(UNetConfig config) => Activations.Named(config.ActFn);

    // Without text the library keeps SiLU in the time's embedding and before the last convolution, whatever the blocks have.
    private static Func<Value, Value> Edge(Value? text, UNetConfig config) => text is null ? value => value.Silu() : Activation(config);

    private static Value Sinusoid(Value t, long width, UNetConfig config) => t.Sinusoid(width, shift: config.FreqShift, cosinesFirst: config.FlipSinToCos);

    // Each size by sinusoids, behind the pooled text.
    private static Value Sizes(Value pooled, Value sizes, UNetConfig config)
    {
        var width = config.AdditionTimeEmbedDim ?? 256;
        var each = Sinusoid(sizes.Reshape(-1), width, config).Reshape(sizes.Shape[0], sizes.Shape[1] * width);
        return ValueShape.Concat(-1, pooled, each).Reshape(pooled.Shape[0], config.ProjectionClassEmbeddingsInputDim ?? 2816);
    }

    private sealed class Builder(Scope unet, Value time, Value? text, UNetConfig config, UNetHooks hooks, string stages)
    {
        private readonly Stack<Value> _skips = new();
        private readonly Func<Value, Value> _activation = Activation(config);
        private int _crossAttentions;

        public Value Build(Value sample)
        {
            var h = unet.Stage(stages + "conv_in", unet["conv_in"].Conv(sample, config.BlockOutChannels[0], config.ConvInKernel, padding: config.ConvInKernel / 2));
            _skips.Push(h);
            for (var level = 0; level < config.Levels; level++) h = unet.Stage($"{stages}down_{level}", Down(level, h));
            if (config.MidBlockType is not null) h = Middle(h);
            h = hooks.Middle(unet.Stage(stages + "mid", h));
            for (var place = 0; place < config.Levels; place++) h = unet.Stage($"{stages}up_{place}", Up(place, h));
            return unet["conv_out"].Conv(Edge(text, config)(Norm(unet["conv_norm_out"], h)), config.OutChannels, config.ConvOutKernel, padding: config.ConvOutKernel / 2);
        }

        private Value Down(int level, Value h)
        {
            var (block, width, attends) = (unet["down_blocks"][level], config.BlockOutChannels[level], Attends(config.DownBlockTypes[level], text is null ? "AttnDownBlock2D" : "CrossAttnDownBlock2D", "DownBlock2D"));
            for (var i = 0; i < config.Layers(level); i++)
            {
                h = Residual(block["resnets"][i], h, width);
                if (attends) h = Attention(block["attentions"][i], h, level, config.Depth(level, i));
                _skips.Push(h);
            }

            if (level == config.Levels - 1) return h;
            var padding = config.DownsamplePadding;
            h = padding == 0 ? block["downsamplers.0.conv"].Downsample(h, width) : block["downsamplers.0.conv"].Conv(h, width, 3, stride: 2, padding: padding);
            _skips.Push(h);
            return h;
        }

        private Value Middle(Value h)
        {
            var (block, deepest) = (unet["mid_block"], config.Levels - 1);
            h = Residual(block["resnets.0"], h, h.Shape[1].Size, config.MidBlockScaleFactor);
            // Beside text a middle without cross-attention is this one residual block.
            if (text is not null && config.MidBlockType == "UNetMidBlock2D") return h;
            if (text is not null) h = Transformer(block["attentions.0"], h, config.Heads(deepest), config.Depth(deepest, 0), onlyText: false);
            else if (config.AddAttention) h = Plain(block["attentions.0"], h, config.HeadsOfWidth(deepest, h.Shape[1].Size), config.MiddleAttentionGroups, config.MidBlockScaleFactor);
            return Residual(block["resnets.1"], h, h.Shape[1].Size, config.MidBlockScaleFactor);
        }

        private Value Up(int place, Value h)
        {
            var level = config.Levels - 1 - place;
            var (block, width, attends) = (unet["up_blocks"][place], config.BlockOutChannels[level], Attends(config.UpBlockTypes[place], text is null ? "AttnUpBlock2D" : "CrossAttnUpBlock2D", "UpBlock2D"));
            for (var i = 0; i <= config.Layers(level); i++)
            {
                h = Residual(block["resnets"][i], ValueShape.Concat(1, h, _skips.Pop()), width);
                if (attends) h = Attention(block["attentions"][i], h, level, config.UpDepth(place, i));
            }

            if (level == 0) return h;
            // To the size of the next skip, which is odd where the picture is no multiple.
            var next = _skips.Peek();
            return block["upsamplers.0.conv"].Conv(h.Interpolate(Interpolation.Nearest, [next.Shape[2], next.Shape[3]]), width, 3, padding: 1);
        }

        private Value Residual(Scope block, Value x, long width, double divisor = 1)
        {
            var h = block["conv1"].Conv(_activation(Norm(block["norm1"], x)), width, 3, padding: 1);
            if (config.ResnetTimeScaleShift == "scale_shift")
            {
                var (scale, shift) = block["time_emb_proj"].Linear(time, 2 * width).Unsqueeze(2, 3).Chunk2(1);
                h = Norm(block["norm2"], h) * (scale + 1) + shift;
            }
            else
            {
                h = Norm(block["norm2"], h + block["time_emb_proj"].Linear(time, width).Unsqueeze(2, 3));
            }

            h = block["conv2"].Conv(_activation(h), width, 3, padding: 1);
            var sum = (x.Shape[1] == width ? x : block["conv_shortcut"].Conv(x, width, 1)) + h;
            return divisor == 1 ? sum : sum / divisor;
        }

        private Value Attention(Scope layer, Value h, int level, int depth) => text is null
            ? Plain(layer, h, config.HeadsOfWidth(level, h.Shape[1].Size), config.NormNumGroups, divisor: 1)
            : Transformer(layer, h, config.Heads(level), depth, config.LooksOnlyAtText(level));

        // Places look at places.
        private Value Plain(Scope layer, Value x, long heads, int? groups, double divisor)
        {
            var h = groups is { } count ? layer["group_norm"].GroupNorm(x, count, config.NormEps) : x;
            h = layer.DiffusersAttention(h.Flatten(2).Swap(1, 2), heads, bias: true).Swap(1, 2).Reshape([.. x.Shape]) + x;
            return divisor == 1 ? h : h / divisor;
        }

        private Value Transformer(Scope layer, Value x, long heads, int depth, bool onlyText)
        {
            var width = x.Shape[1].Size;
            var h = layer["norm"].GroupNorm(x, config.NormNumGroups, 1e-6);
            h = config.UseLinearProjection ? layer["proj_in"].Linear(h.Flatten(2).Swap(1, 2), width) : layer["proj_in"].Conv(h, width, 1).Flatten(2).Swap(1, 2);  // (B, N, C)
            for (var i = 0; i < depth; i++) h = Block(layer["transformer_blocks"][i], h, heads, onlyText);
            h = config.UseLinearProjection ? layer["proj_out"].Linear(h, width).Swap(1, 2).Reshape([.. x.Shape]) : layer["proj_out"].Conv(h.Swap(1, 2).Reshape([.. x.Shape]), width, 1);
            return h + x;
        }

        private Value Block(Scope block, Value h, long heads, bool onlyText)
        {
            var context = hooks.Context(_crossAttentions++, text!);
            if (hooks.Block is { } other) return other(block, h, context, heads, onlyText);
            h += hooks.Attention(block["attn1"], block["norm1"].LayerNorm(h), onlyText ? context : null, heads);
            h += hooks.Attention(block["attn2"], block["norm2"].LayerNorm(h), context, heads);
            return h + block["ff"].DiffusersFeedForward(block["norm3"].LayerNorm(h), "geglu");
        }

        private Value Norm(Scope norm, Value x) => norm.GroupNorm(x, config.NormNumGroups, config.NormEps);

        private static bool Attends(string type, string yes, string no) => type == yes || (type == no ? false : throw new ModelZooException(ErrorCodes.ConfigInvalid, "The network has a block that cannot be taken.") { Expected = $"{yes}, {no}", Found = type });
    }
}
