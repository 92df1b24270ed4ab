using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>FlexTok's encoder of registers and its decoder, a rectified flow over latents that reads a prefix of them.</summary>
internal static class FlexTokNetwork
{
    /// <summary>images (B, 3, S, S) -> codes (B, N). The call <c>tokenize</c>.</summary>
    public static void Tokenize(Scope model, FlexTokConfig config)
    {
        var g = model.Graph;
        var images = g.Input("images", [TokenizerInputs.Batch, 3, config.ImageSize, config.ImageSize]);
        var posterior = AutoencoderKl.Encode(model["vae.vae"], images, config.Vae);
        var latents = config.SamplePosterior ? posterior.Sample(g.Input("posterior_noise", posterior.Mean.Shape)) : posterior.Mean;
        latents = g.Stage("vae_latents", latents * config.ScalingFactor);

        var modules = model["encoder.module_dict"];
        var (size, patches) = (config.Encoder, config.Grid * config.Grid);
        var x = Patches(modules["enc_patch_emb"], latents, config, size.Width) + Positions(modules["enc_posemb_module"], config, size.Width);
        var registers = modules["enc_register_module"].Weight("registers", config.Registers, size.Width).Unsqueeze(0).Expand(images.Shape[0], config.Registers, size.Width);
        x = ValueShape.Concat(1, x, registers);
        var mask = CausalRegisters(g, patches, config.Registers);
        for (var i = 0; i < size.Depth; i++) x = model.Stage($"encoder_block_{i}", Block(modules["enc_transformer.blocks"][i], x, size, mask));
        var z = model.Stage("latent", modules["enc_to_latents.proj"].Linear(x.Last(1, config.Registers).LayerNorm(Epsilon), config.Levels.Length));
        var (codes, quantized) = Quantize(z, config.Levels);
        g.Output("quantized", quantized);
        g.Output("codes", codes);
    }

    /// <summary>Velocity of noisy latents. tokens (B, N), kept (B, N) 1 where a token is seen, conditional (B) 0 to see none, noised_latents (B, C, h, w), timesteps (B) -> (B, C, h, w).</summary>
    public static void Velocity(Scope model, FlexTokConfig config)
    {
        var (g, batch, size) = (model.Graph, TokenizerInputs.Batch, config.Decoder);
        var codes = g.Input("tokens", ElementType.Int64, [batch, config.Registers]);
        var kept = g.Input("kept", [batch, config.Registers]).Greater(g.Scalar(ElementType.Float32, 0.5)).Unsqueeze(-1);
        var conditional = g.Input("conditional", [batch]).Greater(g.Scalar(ElementType.Float32, 0.5)).Unsqueeze(1, 2);
        var latents = g.Input("noised_latents", [batch, config.Channels, config.LatentSize, config.LatentSize]);
        var modules = model["decoder.module_dict"];

        var registers = modules["dec_from_latents.proj"].Linear(Entries(codes, config.Levels), size.Width)
                      + modules["dec_registers_posemb_module"].Weight("posembs", 1, 1, size.Width, config.Registers).Squeeze(1).Swap(1, 2);
        registers = kept.Where(registers, modules["dec_nested_dropout"].Weight("dropout_mask_token", size.Width));
        registers = conditional.Where(registers, modules["dec_latent_dropout"] is var dropped && dropped.Has("nullcond") ? dropped.Weight("nullcond", size.Width) : g.Scalar(ElementType.Float32, 0));

        var time = model.Stage("time_embedding", Time(modules["dec_time_embedder"], g.Input("timesteps", [batch]), config));
        var patches = Patches(modules["dec_noise_patch_emb"], latents, config, size.Width) + Positions(modules["dec_patches_posemb_module"], config, size.Width);
        var x = ValueShape.Concat(1, patches, registers);
        for (var i = 0; i < size.Depth; i++) x = model.Stage($"decoder_block_{i}", Block(modules["dec_transformer.blocks"][i], x, size, null, time, config));

        var head = modules["dec_to_patches"];
        var (shift, scale) = head["adaLN_modulation.1"].Linear(time.Silu(), 2 * size.Width).Chunk2();
        var pixels = head["proj"].Linear(x.Take(1, patches.Shape[1]).LayerNorm(Epsilon).Modulate(shift, scale), config.Channels * config.Patch * config.Patch);
        g.Output("velocity", pixels.Unpatchify(config.Patch, config.Grid, config.Grid, config.Channels));
    }

    /// <summary>Latents to pictures. The network <c>vae_decode</c>.</summary>
    public static void Decode(Scope model, FlexTokConfig config)
    {
        var latents = model.Graph.Input("latents", [TokenizerInputs.Batch, config.Channels, config.LatentSize, config.LatentSize]);
        model.Graph.Output("reconstruction", AutoencoderKl.Decode(model["vae.vae"], latents / config.ScalingFactor, config.Vae));
    }

    private const double Epsilon = 1e-5;

    // Pre-norm attention and feed-forward layers; modulated by the time in the decoder, patches and registers each by their own set.
    private static Value Block(Scope block, Value x, FlexTransformer size, Value? mask, Value? time = null, FlexTokConfig? config = null)
    {
        if (time is null)
        {
            x += Attention(block["attn"], x.LayerNorm(Epsilon), size, mask);
            return x + SwiGlu(block["mlp"], x.LayerNorm(Epsilon), size);
        }

        var sets = config!.Modulations;
        var chunks = block["adaLN_modulation.1"].Linear(time.Silu(), 6 * sets * size.Width).Chunk(sets, -1).Select(set => set.Chunk(6, -1)).ToArray();
        var patches = config.Grid * config.Grid;
        Value Each(int chunk) => ValueShape.Concat(1, [.. chunks.Select((set, part) => set[chunk].Unsqueeze(1).Expand(x.Shape[0], sets == 1 ? x.Shape[1] : part == 0 ? patches : x.Shape[1] - patches, size.Width))]);
        x += Each(0) * Attention(block["attn"], x.LayerNorm(Epsilon) * (Each(3) + 1) + Each(2), size, mask);
        return x + Each(1) * SwiGlu(block["mlp"], x.LayerNorm(Epsilon) * (Each(5) + 1) + Each(4), size);
    }

    // Scores are scaled by 8 / W, as the maximal-update parametrization wants it; queries and keys are normalised.
    private static Value Attention(Scope attention, Value x, FlexTransformer size, Value? mask)
    {
        var heads = size.Width / size.HeadWidth;
        Value Normalized(Value value) => !size.QkNorm ? value : value.Reshape(x.Shape[0], x.Shape[1], heads, size.HeadWidth).LayerNorm(1e-5).Flatten(2);
        var (q, k, v) = (attention["wq"].Linear(x, size.Width, size.QkvBias), attention["wk"].Linear(x, size.Width, size.QkvBias), attention["wv"].Linear(x, size.Width, size.QkvBias));
        var seen = AttentionLayers.Attention(Normalized(q), Normalized(k), v, new() { Heads = heads, Scale = 8.0 / size.HeadWidth, Bias = mask });
        return attention["proj"].Linear(seen, size.Width, size.ProjBias);
    }

    private static Value SwiGlu(Scope mlp, Value x, FlexTransformer size)
    {
        var hidden = (long)(size.Width * size.MlpRatio);
        if (size.GatedMlp) hidden = 2 * hidden / 3;
        var h = mlp["fc1"].Linear(x, hidden, size.MlpBias).Silu();
        return mlp["fc2"].Linear(size.GatedMlp ? h * mlp["fc3"].Linear(x, hidden, size.MlpBias) : h, size.Width, size.MlpBias);
    }

    // Patches see patches; registers see patches and registers up to their own.
    private static Value CausalRegisters(Graph graph, int patches, int registers)
    {
        var count = patches + registers;
        var mask = new float[count * count];
        for (var query = 0; query < count; query++)
        {
            for (var key = 0; key < count; key++) mask[query * count + key] = key < patches || (query >= patches && key <= query) ? 0 : AttentionLayers.Masked;
        }

        return graph.Constant<float>(mask, 1, 1, count, count);
    }

    // Vectors of patches, (row in patch, column in patch, channel), mapped.
    private static Value Patches(Scope embedder, Value latents, FlexTokConfig config, int width)
    {
        var p = config.Patch;
        var vectors = latents.Reshape(latents.Shape[0], config.Channels, config.Grid, p, config.Grid, p).Transpose(0, 2, 4, 3, 5, 1).Reshape(latents.Shape[0], config.Grid * config.Grid, p * p * config.Channels);
        return embedder["patch_proj"].Linear(vectors, width);
    }

    // A table of places, or one of rows and one of columns (learnable_sum).
    private static Value Positions(Scope module, FlexTokConfig config, int width)
    {
        if (module.IsInventory || module.ShapeOf("posembs")[0] == 1) return module.Weight("posembs", 1, width, config.Grid, config.Grid).Flatten(2).Swap(1, 2);
        var tables = module.Weight("posembs", 2, 1, width, config.Grid).Squeeze(1);
        return (tables.Take(0, 1).Unsqueeze(3) + tables.From(0, 1).Unsqueeze(2)).Flatten(2).Swap(1, 2);
    }

    // Cosines, then sines, of t 1000 / maxTimestep e^(-ln(256) i / half).
    private static Value Time(Scope embedder, Value timesteps, FlexTokConfig config)
    {
        var half = config.TimeWidth / 2;
        var frequencies = new float[half];
        for (var i = 0; i < half; i++) frequencies[i] = MathF.Exp((float)-Math.Log(256) * i / half);
        var angles = (timesteps * (1000 / config.MaxTimestep)).Unsqueeze(-1) * timesteps.Graph.Constant<float>(frequencies, 1, half);
        var mlp = embedder["mlp"];
        return mlp[2].Linear(mlp[0].Linear(ValueShape.Concat(-1, angles.Cos(), angles.Sin()), config.Decoder.Width).Silu(), config.Decoder.Width);
    }

    // Finite scalar quantization (Mentzer et al., arXiv:2309.15505, section 3). z (.., D) -> ids (..) and values (.., D).
    private static (Value Codes, Value Quantized) Quantize(Value z, int[] levels)
    {
        var g = z.Graph;
        Value Row(Func<int, double> make) => g.Constant<float>([.. levels.Select(level => (float)make(level))], levels.Length);
        double Half(int level) => (level - 1) * 1.001 / 2;
        double Offset(int level) => level % 2 == 0 ? 0.5 : 0;
        var bounded = (z + Row(level => Math.Atanh(Offset(level) / Half(level)))).Tanh() * Row(Half) - Row(Offset);
        var whole = bounded.Round();
        var digits = (whole + Row(level => level / 2)).Cast(ElementType.Int64);
        return ((digits * g.Constant<long>(Basis(levels), levels.Length)).Sum(-1), whole / Row(level => level / 2));
    }

    private static Value Entries(Value codes, int[] levels)
    {
        var g = codes.Graph;
        var digits = codes.Unsqueeze(-1) / g.Constant<long>(Basis(levels), levels.Length);
        var limits = g.Constant<long>([.. levels.Select(level => (long)level)], levels.Length);
        digits -= digits / limits * limits;
        Value half = g.Constant<float>([.. levels.Select(level => (float)(level / 2))], levels.Length);
        return (digits.Cast(ElementType.Float32) - half) / half;
    }

    private static long[] Basis(int[] levels) => [.. levels.Select((_, i) => levels.Take(i).Aggregate(1L, (product, level) => product * level))];
}
