using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>The stacks of convolutions that VAE-GSLM is made of. Values go in and out as (B, T, C).</summary>
internal static class VaeGslmConvolutions
{
    /// <summary>Depthwise bottleneck blocks with changes of rate between them; conditions (B, T, c), a time (B, d) and earlier results may enter.</summary>
    public static Value Bottleneck(Scope scope, Value x, VaeGslmStack stack, long outputs, Value? condition = null, Value? time = null)
    {
        var h = scope["linear"].Linear(x, stack.InitChannel).Swap(1, 2);
        if (stack.FirstNorm) h = Norm(scope["first_norm"], h, stack.Layer.Norm);
        var (seen, records) = (condition?.Swap(1, 2), new List<Value> { h });
        for (var i = 0; i < stack.NumLayers; i++)
        {
            var layer = stack.UpwardLayer is { } upward && i >= upward.Boundary ? upward : stack.Layer;
            h = Block(scope["layers"][i], h, layer, stack.HiddenChannels[i], stack.Conditional?[i] == true ? seen : null, time);
            h = Resample(scope["samples"][i], h, layer, stack.ResampleRates[i], stack.ResampleKsize[i], stack.OutChannels[i]);
            if (stack.SkipConnection?[i] is { } skip)
                h = stack.ConnectionType == "concat" ? scope["skip_conv"][i].Conv(ValueShape.Concat(1, h, records[skip]), h.Shape[1].Size, kernel: 1) : h + records[skip];
            records.Add(h);
        }

        if (stack.FinalNorm) h = Norm(scope["final_norm"], h, stack.Layer.Norm);
        return scope["out_linear"].Linear(h.Swap(1, 2), outputs);
    }

    /// <summary>Convolution, norm, activation, as often as there are layers.</summary>
    public static Value Plain(Scope scope, Value x, VaeGslmStack stack, long outputs)
    {
        var h = scope["linear"].Linear(x, stack.InitChannel).Swap(1, 2);
        for (var i = 0; i < stack.NumLayers; i++)
        {
            var (layer, conv, kernel, rate) = (scope["layers"][i], scope["layers"][i]["conv"], stack.ResampleKsize[i], stack.ResampleRates[i]);
            var (before, after) = Padding(kernel, 1, stack.Layer);
            var (width, bias) = (stack.OutChannels[i], conv.Weight("bias", stack.OutChannels[i]));
            h = rate is < 0 or 1
                ? conv.Conv(h, conv.Weight("weight", width, h.Shape[1].Size, kernel), bias, [Math.Abs(rate)], [before], [after], [1])
                : conv.ConvTranspose(h, conv.Weight("weight", h.Shape[1].Size, width, kernel), bias, rate, before, after, outputPadding: 0, groups: 1);
            h = Activate(Norm(layer["norm"], h, stack.Layer.Norm), stack.Layer.Activation);
        }

        return scope["out_linear"].Linear(h.Swap(1, 2), outputs);
    }

    /// <summary>A norm over the channels of (B, C, T), or of (.., C) when these are last. The authors' "InstanceNorm" is over channels too, with the unbiased variance.</summary>
    public static Value Norm(Scope norm, Value x, VaeGslmNorm config, int channels = 1)
    {
        switch (config.Identifier)
        {
            case "Identity":
                return x;
            case "GroupNorm":
                return norm.GroupNorm(x, config.NumGroups, config.Eps);
            case "LayerNorm":
                return norm.LayerNorm(x, config.Eps);
            case "RMSNorm":
                return x.RmsNorm(norm.Weight("scale", x.Shape[-1].Size), config.Eps);
            default:
                var width = x.Shape[channels].Size;
                Value PerChannel(string name) => norm.Graph.Weight($"{norm.Path}.{name}", norm.Data(name, width).Reshape(channels == 1 ? [width, 1] : [width]), norm.Path);
                var centred = x - x.Mean(channels, keep: true);
                var variance = centred.Square().Sum(channels, keep: true) / (width - 1);
                return PerChannel("weight") * (centred * (variance + config.Eps).Rsqrt()) + PerChannel("bias");
        }
    }

    /// <summary>An activation by the authors' name.</summary>
    public static Value Activate(Value x, VaeGslmActivation activation) => activation.Identifier switch
    {
        "SELU" => x.Elu(1.6732632423543772) * 1.0507009873554805,
        "GELU" => x.Gelu(),
        "SiLU" => x.Silu(),
        "LeakyRELU" => x.LeakyRelu(activation.Slope),
        _ => x.Relu(),
    };

    private static Value Block(Scope block, Value x, VaeGslmLayer layer, int hidden, Value? condition, Value? time)
    {
        var width = x.Shape[1].Size;
        var (before, after) = Padding(layer.KernelSize, 1, layer);
        var depthwise = block["conv1"];
        var h = depthwise.Conv(x, depthwise.Weight("weight", width, 1, layer.KernelSize), depthwise.Weight("bias", width), [1], [before], [after], [1], width);
        if (time is not null) h += block["time_emb"].Linear(Activate(time, layer.Activation), width).Unsqueeze(-1);
        h = Norm(block["norm"], h, layer.Norm);
        if (condition is not null && layer.ConditionType == "film")
        {
            var (gain, offset) = block["film.linear"].Conv(condition, 2 * width, kernel: 1).Chunk2(1);
            h = gain * h + offset;
        }
        else if (condition is not null) h = ValueShape.Concat(1, h, condition);

        h = block["conv3"].Conv(Activate(block["conv2"].Conv(h, hidden, kernel: 1), layer.Activation), width, kernel: 1);
        if (layer.LayerScale is not null) h = block["layer_scale"].Weight("gamma", 1, width, 1) * h;
        return h + (layer.Shortcut ? Activate(block["shortcut"][0].Conv(x, width, kernel: 1), layer.Activation) : x);
    }

    private static Value Resample(Scope sample, Value x, VaeGslmLayer layer, int rate, int kernel, long outputs)
    {
        if (rate is 1 or -1) return x;
        var (stride, conv, h) = (Math.Abs(rate), sample["conv"], Norm(sample["norm"], x, layer.Norm));
        var (before, after) = Padding(kernel, stride, layer);
        return rate > 0
            ? conv.ConvTranspose(h, conv.Weight("weight", x.Shape[1].Size, outputs, kernel), conv.Weight("bias", outputs), stride, before, after, outputPadding: 0, groups: 1)
            : conv.Conv(h, conv.Weight("weight", outputs, x.Shape[1].Size, kernel), conv.Weight("bias", outputs), [stride], [before], [after], [1]);
    }

    // Half on both sides, or all before (causal), or all after (future).
    private static (long Before, long After) Padding(int kernel, int stride, VaeGslmLayer layer)
    {
        var half = (kernel - stride) / 2;
        return layer.CausalPadding ? (2 * half, 0) : layer.FuturePadding ? (0, 2 * half) : (half, half);
    }
}
