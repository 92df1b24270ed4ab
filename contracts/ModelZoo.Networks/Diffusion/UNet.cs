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

    /// <summary>Features of a picture (B, W).</summary>
    public Value? Image { get; init; }
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
        conditions ??= new();
        var time = UNetEmbeddings.Time(unet, t, text, config, conditions);
        return new Builder(unet, time, UNetEmbeddings.Context(unet, text, config, conditions), config, hooks ?? new(), stages).Build(config.CenterInputSample ? sample * 2 - 1 : sample);
    }

    private sealed class Builder(Scope unet, Value time, Value? text, UNetConfig config, UNetHooks hooks, string stages)
    {
        private readonly Stack<Value> _skips = new();
        private readonly Func<Value, Value> _activation = Activations.Named(config.ActFn);
        private readonly Value _activeTime = Activations.Named(config.ActFn)(time);
        private int _crossAttentions;

        public Value Build(Value sample)
        {
            var h = unet.Stage(stages + "conv_in", unet["conv_in"].Conv(sample, config.BlockOutChannels[0], config.ConvInKernel, padding: config.ConvInKernel / 2));
            _skips.Push(h);
            for (var level = 0; level < config.Levels; level++) h = unet.Stage($"{stages}down_{level}", Down(level, h));
            if (config.MidBlockType is not null) h = Middle(h);
            h = hooks.Middle(unet.Stage(stages + "mid", h));
            for (var place = 0; place < config.Levels; place++) h = unet.Stage($"{stages}up_{place}", Up(place, h));
            return unet["conv_out"].Conv(UNetEmbeddings.Edge(text, config)(Norm(unet["conv_norm_out"], h)), config.OutChannels, config.ConvOutKernel, padding: config.ConvOutKernel / 2);
        }

        private Value Down(int level, Value h)
        {
            var (block, width, kind) = (unet["down_blocks"][level], config.BlockOutChannels[level], Kind(config.DownBlockTypes[level], "Down", "ResnetDownsampleBlock2D"));
            for (var i = 0; i < config.Layers(level); i++)
            {
                h = kind.Simple ? SimpleResidual(block["resnets"][i], h, width) : Residual(block["resnets"][i], h, width);
                if (kind.Attends) h = kind.Simple ? Simple(block["attentions"][i], h, level, config.LooksOnlyAtText(level)) : Attention(block["attentions"][i], h, level, config.Depth(level, i));
                _skips.Push(h);
            }

            if (level == config.Levels - 1) return h;
            var padding = config.DownsamplePadding;
            h = kind.Simple ? SimpleResidual(block["downsamplers.0"], h, width, x => x.AveragePool(2, 2))
                : padding == 0 ? block["downsamplers.0.conv"].Downsample(h, width) : block["downsamplers.0.conv"].Conv(h, width, 3, stride: 2, padding: padding);
            _skips.Push(h);
            return h;
        }

        private Value Middle(Value h)
        {
            var (block, deepest, width) = (unet["mid_block"], config.Levels - 1, h.Shape[1].Size);
            var simple = config.MidBlockType == "UNetMidBlock2DSimpleCrossAttn";
            Value Around(Scope resnet, Value x) => Residual(resnet, x, width, config.MidBlockScaleFactor, simple && config.ResnetSkipTimeAct);
            h = Around(block["resnets.0"], h);
            // Beside text a middle without cross-attention is this one residual block.
            if (text is not null && config.MidBlockType == "UNetMidBlock2D") return h;
            if (simple) h = Simple(block["attentions.0"], h, deepest, config.MiddleLooksOnlyAtText);
            else if (text is not null) h = Transformer(block["attentions.0"], h, config.Heads(deepest), config.Depth(deepest, 0), onlyText: false);
            else if (config.AddAttention) h = Plain(block["attentions.0"], h, config.HeadsOfWidth(deepest, width), config.MiddleAttentionGroups, config.MidBlockScaleFactor);
            return Around(block["resnets.1"], h);
        }

        private Value Up(int place, Value h)
        {
            var level = config.Levels - 1 - place;
            var (block, width, kind) = (unet["up_blocks"][place], config.BlockOutChannels[level], Kind(config.UpBlockTypes[place], "Up", "ResnetUpsampleBlock2D"));
            for (var i = 0; i <= config.Layers(level); i++)
            {
                var both = ValueShape.Concat(1, h, _skips.Pop());
                h = kind.Simple ? SimpleResidual(block["resnets"][i], both, width) : Residual(block["resnets"][i], both, width);
                if (kind.Attends) h = kind.Simple ? Simple(block["attentions"][i], h, place, config.LooksOnlyAtText(level)) : Attention(block["attentions"][i], h, level, config.UpDepth(place, i));
            }

            if (level == 0) return h;
            if (kind.Simple) return SimpleResidual(block["upsamplers.0"], h, width, x => x.Upsample(2));
            // To the size of the next skip, which is odd where the picture is no multiple.
            var next = _skips.Peek();
            return block["upsamplers.0.conv"].Conv(h.Interpolate(Interpolation.Nearest, [next.Shape[2], next.Shape[3]]), width, 3, padding: 1);
        }

        private Value SimpleResidual(Scope block, Value x, long width, Func<Value, Value>? resample = null) => Residual(block, x, width, config.ResnetOutScaleFactor, config.ResnetSkipTimeAct, resample);

        private Value Residual(Scope block, Value x, long width, double divisor = 1, bool plainTime = false, Func<Value, Value>? resample = null)
        {
            var h = _activation(Norm(block["norm1"], x));
            if (resample is not null) (x, h) = (resample(x), resample(h));
            h = block["conv1"].Conv(h, width, 3, padding: 1);
            var seen = plainTime ? time : _activeTime;
            if (config.ResnetTimeScaleShift == "scale_shift")
            {
                var (scale, shift) = block["time_emb_proj"].Linear(seen, 2 * width).Unsqueeze(2, 3).Chunk2(1);
                h = Norm(block["norm2"], h) * (scale + 1) + shift;
            }
            else
            {
                h = Norm(block["norm2"], h + block["time_emb_proj"].Linear(seen, width).Unsqueeze(2, 3));
            }

            h = block["conv2"].Conv(_activation(h), width, 3, padding: 1);
            var sum = (x.Shape[1] == width ? x : block["conv_shortcut"].Conv(x, width, 1)) + h;
            return divisor == 1 ? sum : sum / divisor;
        }

        // Places look at the text and at places at once, with keys and values of each.
        private Value Simple(Scope attn, Value x, int index, bool onlyText)
        {
            var (width, context) = (x.Shape[1].Size, hooks.Context(_crossAttentions++, text!));
            if (config.CrossAttentionNorm is { } kind) context = kind == "layer_norm" ? attn["norm_cross"].LayerNorm(context) : attn["norm_cross"].GroupNorm(context.Swap(1, 2), 32).Swap(1, 2);
            var h = attn["group_norm"].GroupNorm(x, config.NormNumGroups).Flatten(2).Swap(1, 2);
            Value With(string name, Value keys) => onlyText ? keys : ValueShape.Concat(1, keys, attn[name].Linear(h, width));
            var (k, v) = (With("to_k", attn["add_k_proj"].Linear(context, width)), With("to_v", attn["add_v_proj"].Linear(context, width)));
            var seen = AttentionLayers.Attention(attn["to_q"].Linear(h, width), k, v, new() { Heads = config.HeadsOfSimple(index, width) });
            return attn["to_out.0"].Linear(seen, width).Swap(1, 2).Reshape([.. x.Shape]) + x;
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

        // What a level's blocks are, by the name of their kind: whether they attend, and whether they are the Simple or Resnet ones.
        private (bool Attends, bool Simple) Kind(string type, string way, string resampling)
        {
            var attending = text is null ? $"Attn{way}Block2D" : $"CrossAttn{way}Block2D";
            if (type == attending) return (true, false);
            if (type == $"{way}Block2D") return (false, false);
            if (type == resampling) return (false, true);
            if (text is not null && type == $"SimpleCrossAttn{way}Block2D") return (true, true);
            throw new ModelZooException(ErrorCodes.ConfigInvalid, "The network has a block that cannot be taken.") { Expected = $"{attending}, {way}Block2D, SimpleCrossAttn{way}Block2D, {resampling}", Found = type };
        }
    }
}
