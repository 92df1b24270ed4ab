namespace ModelZoo.Networks.Diffusion;

/// <summary>What the U-Net of latent diffusion is told beside its sample, under diffusers' names.</summary>
internal static class UNetEmbeddings
{
    /// <summary>What attention to a text sees: the text, a map of it, of a picture's features, or of both. (B, M, E).</summary>
    public static Value? Context(Scope unet, Value? text, UNetConfig config, UNetConditions conditions)
    {
        if (config.EncoderHidDim is null || text is null) return text;
        var (map, width) = (unet["encoder_hid_proj"], (long)config.ContextWidth);
        Value Words() => map["image_embeds"].Linear(conditions.Image!, map["image_embeds"].ShapeOf("weight")[0]).Reshape(text.Shape[0], -1, width);
        return config.EncoderHidDimType switch
        {
            "image_proj" => map["norm"].LayerNorm(Words()),
            "text_image_proj" => ValueShape.Concat(1, Words(), map["text_proj"].Linear(text, width)),
            _ => map.Linear(text, width),
        };
    }

    /// <summary>The time (B, W) with all that joins it, before the activation that residual blocks put on it.</summary>
    public static Value Time(Scope unet, Value t, Value? text, UNetConfig config, UNetConditions conditions)
    {
        var activation = Edge(text, config);
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

        if (config.AdditionEmbedType is { } addition) time += unet.Stage("add_embedding", Added(unet["add_embedding"], addition, text, config, conditions));
        return config.TimeEmbeddingActFn is { } last ? Activations.Named(last)(time) : time;
    }

    private static Value Added(Scope embedding, string kind, Value? text, UNetConfig config, UNetConditions conditions) => kind switch
    {
        "text" => embedding["norm2"].LayerNorm(embedding["proj"].Linear(Pool(embedding["pool"], embedding["norm1"].LayerNorm(text!), config.AdditionEmbedTypeNumHeads), config.TimeWidth)),
        "text_image" => embedding["image_proj"].Linear(conditions.Image!, config.TimeWidth) + embedding["text_norm"].LayerNorm(embedding["text_proj"].Linear(conditions.Pooled!, config.TimeWidth)),
        "image" => embedding["image_norm"].LayerNorm(embedding["image_proj"].Linear(conditions.Image!, config.TimeWidth)),
        _ => embedding.DiffusersTimeMlp(Sizes(conditions.Pooled!, conditions.Sizes!, config), config.TimeWidth),
    };

    // One vector of a text: its mean looks at itself and at all words. x (B, M, E) -> (B, E).
    private static Value Pool(Scope pool, Value x, long heads)
    {
        var width = x.Shape[-1].Size;
        var first = x.Mean(1, keep: true) + pool.Weight("positional_embedding", 1, width);
        var all = ValueShape.Concat(1, first, x);
        return AttentionLayers.Attention(pool["q_proj"].Linear(first, width), pool["k_proj"].Linear(all, width), pool["v_proj"].Linear(all, width), new() { Heads = heads }).Squeeze(1);
    }

    private static Value Class(Scope embedding, string kind, Value labels, UNetConfig config, Func<Value, Value> activation) => kind switch
    {
        "table" => embedding.Embedding(labels, config.NumClassEmbeds!.Value, config.TimeWidth),
        "timestep" => embedding.DiffusersTimeMlp(Sinusoid(labels, config.BlockOutChannels[0], config), config.TimeWidth, activation),
        "projection" => embedding.DiffusersTimeMlp(labels, config.TimeWidth),
        "simple_projection" => embedding.Linear(labels, config.TimeWidth),
        _ => labels,
    };

    /// <summary>The activation of the time's embedding and before the last convolution: without text the library keeps SiLU there, whatever the blocks have.</summary>
    public static Func<Value, Value> Edge(Value? text, UNetConfig config) => text is null ? value => value.Silu() : Activations.Named(config.ActFn);

    private static Value Sinusoid(Value t, long width, UNetConfig config) => t.Sinusoid(width, shift: config.FreqShift, cosinesFirst: config.FlipSinToCos);

    // Each size by sinusoids, behind the pooled text.
    private static Value Sizes(Value pooled, Value sizes, UNetConfig config)
    {
        var width = config.AdditionTimeEmbedDim ?? 256;
        var each = Sinusoid(sizes.Reshape(-1), width, config).Reshape(sizes.Shape[0], sizes.Shape[1] * width);
        return ValueShape.Concat(-1, pooled, each).Reshape(pooled.Shape[0], config.ProjectionClassEmbeddingsInputDim ?? 2816);
    }
}
