using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Selftok's networks for one size of the latent.</summary>
internal sealed class SelftokNetwork(SelftokConfig config)
{
    private const double Epsilon = 1e-6;
    private const int Frequencies = 256, GatedMultiple = 256, FirstPosition = 1000, PositionStep = 8;

    private readonly SelftokParams _params = config.Tokenizer.Params;
    private readonly SelftokEncoderSize _encoder = config.Fixed.Encoder;
    private readonly SelftokDecoderSize _decoder = config.Fixed.Decoder;
    private readonly SelftokDecoderConfig _decoderOptions = config.Tokenizer.Params.DecoderConfig;
    private readonly int _contextLength = config.Tokenizer.Params.DecoderConfig.RegisterLength + config.Tokenizer.Params.K;

    /// <summary>image (B, 3, f rows, f columns) -> codes (B, K).</summary>
    public void Encode(Scope model, int rows, int columns)
    {
        var factor = config.Vae.Downsampling;
        var image = model.Graph.Input("image", [TokenizerInputs.Batch, 3, rows * factor, columns * factor]);
        var latent = model.Stage("vae_latents", AutoencoderKl.Normalize(DiagonalGaussian.Of(AutoencoderKl.Moments(model, image, config.Vae)).Mean, config.Vae));
        var queries = model.Stage("queries", Queries(model["encoder"], latent));
        var quantizer = model["encoder.quantizer"];
        var (size, width) = (_params.QuantizerConfig.CodebookSize, _params.QuantizerConfig.CodeDim);
        var projected = model.Stage("projected", queries.Shape[2] == width ? queries : quantizer["project_in"].Linear(queries, width));
        model.Graph.Output("codes", VectorQuantization.MostAlike(projected.L2Normalize(), quantizer.Weight("_codebook.embed", 1, size, width).Squeeze(0)));
    }

    /// <summary>Velocity of latents that see the first tokens. codes (B, K), noised latents (B, C, rows, columns), t (B) in 0..1, visible (B), number of tokens seen -> (B, C, rows, columns).</summary>
    public void Velocity(Scope model, int rows, int columns, bool tokensSeePicture)
    {
        var (g, decoder, width) = (model.Graph, model["model"], _decoder.HiddenSize);
        var codes = g.Input("codes", ElementType.Int64, [TokenizerInputs.Batch, _params.K]);
        var noised = g.Input("noised_latents", [TokenizerInputs.Batch, _params.InChannels, rows, columns]);
        var t = g.Input("t", [TokenizerInputs.Batch]);
        var visible = g.Input("visible", ElementType.Int64, [TokenizerInputs.Batch]);

        var tokens = model.Stage("quantized", Dequantized(model["encoder"], codes));                                                         // (B, K, C)
        var context = decoder["context_embedder"].Linear(tokens, width) + decoder.Weight("context_pos_embed", 1, _params.K, width);
        if (_decoderOptions.RegisterLength > 0) context = ValueShape.Concat(1, decoder.Weight("register", 1, _decoderOptions.RegisterLength, width).Expand(context.Shape[0], _decoderOptions.RegisterLength, width), context);
        var time = model.Stage("time_embedding", Times(decoder["t_embedder"], t * 1000, width));
        var patch = _decoder.PatchSize;
        var (high, wide) = (rows / patch, columns / patch);
        var x = decoder["x_embedder.proj"].PatchEmbed(noised, width, patch) + Cropped(decoder.Weight("pos_embed", 1, _decoder.PosEmbedMaxSize * _decoder.PosEmbedMaxSize, width), _decoder.PosEmbedMaxSize, high, wide);
        var mask = Mask(g, visible, high * wide, tokensSeePicture);
        for (var i = 0; i < _decoder.Depth; i++)
        {
            (context, x) = JointBlock(decoder["joint_blocks"][i], context, x, time, mask, last: i == _decoder.Depth - 1);
            if (i < _decoder.Depth - 1) model.Stage($"context_block_{i}", context);
            model.Stage($"x_block_{i}", x);
        }

        var final = decoder["final_layer"];
        var (shift, scale) = final["adaLN_modulation.1"].Linear(time.Silu(), 2 * width).Chunk2();
        var pixels = final["linear"].Linear(x.LayerNorm(Epsilon).Modulate(shift, scale), patch * patch * _params.InChannels);
        g.Output("velocity", pixels.Unpatchify(patch, high, wide, _params.InChannels));
    }

    /// <summary>Latents (B, C, rows, columns), as diffusion takes them -> picture (B, 3, f rows, f columns) in 0..1.</summary>
    public void Paint(Scope model)
    {
        var latent = AutoencoderKl.Denormalize(model.Latents("latents", _params.InChannels), config.Vae);
        model.Graph.Output("reconstruction", (AutoencoderKl.Decode(model, latent, config.Vae).Clip(-1, 1) + 1) / 2);
    }

    // Learned queries that look at the latent's patches and at each other.
    private Value Queries(Scope encoder, Value latent)
    {
        var (width, patch) = (_encoder.HiddenSize, _encoder.PatchSize);
        var (rows, columns) = (latent.Shape[2].Int / patch, latent.Shape[3].Int / patch);
        var side = _params.EnableEncVariableSize ? 2 * config.LatentSize : config.LatentSize / patch;
        var x = encoder.Stage("patch_embed", encoder["x_embedder.proj"].PatchEmbed(latent, width, patch)) + Cropped(encoder.Weight("pos_embed", 1, side * side, width), side, rows, columns);
        var queries = encoder.Weight("query_tokens", 1, _params.K, _encoder.QueryDim).Expand(latent.Shape[0], _params.K, _encoder.QueryDim);
        var mask = _params.EncoderConfig.AttnMask ? AttentionMasks.Causal(encoder.Graph, _params.K, _params.K) : null;
        for (var i = 0; i < _encoder.Depth; i++)
        {
            (x, queries) = DualBlock(encoder["blocks"][i], x, queries, mask);
            encoder.Stage($"query_block_{i}", queries);
        }

        return _params.EncoderConfig.PreNorm ? encoder["final_layer_norm"].LayerNorm(queries, Epsilon) : queries;
    }

    // The latent's stream is plain; the queries' is modulated by position.
    private (Value X, Value Queries) DualBlock(Scope block, Value x, Value queries, Value? mask)
    {
        var (options, width) = (_params.EncoderConfig, _encoder.QueryDim);
        var modulation = options.TimeAdaln ? block["adaLN_modulation.1"].Linear(Positions(block["t_embedder"], _params.K, width).Silu(), 6 * width).Chunk6() : default;
        Value Before(Value value, Value? shift, Value? scale) => (options.PostLn ? value : value.LayerNorm(Epsilon)) is var normed && shift is null ? normed : normed * (scale! + 1) + shift;
        Value After(Value value, Value branch, Value? gate)
        {
            var sum = (options.PostLn ? value * 1.97 : value) + (gate is null ? branch : gate * branch);
            return options.PostLn ? sum.LayerNorm(Epsilon) : sum;
        }

        var (shift1, scale1, gate1, shift2, scale2, gate2) = modulation;
        var (seen, asked) = DualAttention(block["attn"], x.LayerNorm(Epsilon), Before(queries, shift1, scale1), mask);
        x += seen;
        x += block["mlp"].Mlp(x.LayerNorm(Epsilon), 4 * _encoder.HiddenSize, value => value.Gelu(Gelu.Tanh));
        queries = After(queries, asked, gate1);
        return (x, After(queries, block["q_mlp"].Mlp(Before(queries, shift2, scale2), 4 * width, value => value.Gelu(Gelu.Tanh)), gate2));
    }

    private (Value X, Value Queries) DualAttention(Scope attention, Value x, Value queries, Value? mask)
    {
        var (width, wide) = (_encoder.HiddenSize, _encoder.QueryDim);
        Value Normed(string name, Value value, int heads) =>
            _params.EncoderConfig.QkNorm ? attention[name].RmsNorm(value.Reshape(value.Shape[0], value.Shape[1], heads, value.Shape[2] / heads), Epsilon).Flatten(2) : value;
        var (q, k, v) = attention["qkv"].Qkv(x, width);
        var (askQ, askK, askV) = attention["query_linear"].Qkv(queries, wide);
        (q, k) = (Normed("q_norm", q, _encoder.NumHeads), Normed("k_norm", k, _encoder.NumHeads));
        Value seen, asked;
        if (_encoder.Bidirectional && !_encoder.ZeroInit)
        {
            (askQ, askK) = (Normed("query_qnorm", askQ, _encoder.QueryHeads), Normed("query_knorm", askK, _encoder.QueryHeads));
            var both = AttentionLayers.Attention(ValueShape.Concat(1, q, askQ), ValueShape.Concat(1, k, askK), ValueShape.Concat(1, v, askV), new() { Heads = _encoder.NumHeads });
            (seen, asked) = (both.Take(1, x.Shape[1]), both.From(1, x.Shape[1]));
        }
        else
        {
            seen = AttentionLayers.Attention(q, k, v, new() { Heads = _encoder.NumHeads });
            var (fromX, valueX) = attention["to_query_kv"].Linear(x, 2 * wide).Chunk2();
            askQ = Normed("query_qnorm", askQ, _encoder.QueryHeads);
            (fromX, askK) = (Normed("query_knorm", fromX, _encoder.QueryHeads), Normed("query_knorm", askK, _encoder.QueryHeads));
            asked = _encoder.ZeroInit
                ? Gate() * Asked(fromX, valueX) + Asked(askK, askV, mask)
                : Asked(ValueShape.Concat(1, fromX, askK), ValueShape.Concat(1, valueX, askV), mask is null ? null : ValueShape.Concat(-1, Free(x.Shape[1]), mask));
        }

        return (attention["proj"].Linear(seen, width), attention["query_proj"].Linear(asked, wide));

        Value Asked(Value keys, Value values, Value? bias = null) => AttentionLayers.Attention(askQ, keys, values, new() { Heads = _encoder.QueryHeads, Bias = bias });
        Value Free(Dim places) => attention.Graph.Scalar(ElementType.Float32, 0).Reshape(1, 1, 1, 1).Expand(1, 1, _params.K, places);
        Value Gate() => attention.Weight("gate", 1, _encoder.QueryHeads, 1, 1).Tanh().Reshape(_encoder.QueryHeads, 1).Expand(_encoder.QueryHeads, wide / _encoder.QueryHeads).Reshape(wide);
    }

    private Value Dequantized(Scope encoder, Value codes)
    {
        var (quantizer, size, width) = (encoder["quantizer"], _params.QuantizerConfig.CodebookSize, _params.QuantizerConfig.CodeDim);
        var tokens = quantizer.Weight("_codebook.embed", 1, size, width).Squeeze(0).Gather(codes);
        if (width != _params.EncoderHiddenSize) tokens = quantizer["project_out"].Linear(tokens, _params.EncoderHiddenSize);
        return _params.EncoderConfig.PostNorm ? encoder["final_layer_norm3"].LayerNorm(tokens, Epsilon) : tokens;
    }

    // Stable Diffusion 3's block; tokens come first in the joint sequence, and of the last block only their keys and values count.
    private (Value Context, Value X) JointBlock(Scope block, Value context, Value x, Value time, Value mask, bool last)
    {
        var (tokens, image, heads) = (block["context_block"], block["x_block"], _decoder.NumHeads);
        var (width, options) = (_decoder.HiddenSize, _decoderOptions);
        var (shift1, scale1, gate1, shift2, scale2, gate2) = Each(image["adaLN_modulation.1"].Linear(time.Silu(), 6 * width).Unsqueeze(1));
        var (tokenShift1, tokenScale1, tokenGate1, tokenShift2, tokenScale2, tokenGate2) = last ? default : Each(tokens["adaLN_modulation.1"].Linear(TokenCondition(tokens, time).Silu(), 6 * width));
        Value contextInput;
        if (last)
        {
            var (shift, scale) = tokens["adaLN_modulation.1"].Linear(time.Silu(), 2 * width).Chunk2();
            contextInput = Norm(context, options.PostLn).Modulate(shift, scale);
        }
        else
        {
            contextInput = Norm(context, options.PostLn) * (tokenScale1 + 1) + tokenShift1;
        }

        var (q1, k1, v1) = Heads(tokens["attn"], contextInput);
        var (q2, k2, v2) = Heads(image["attn"], Norm(x, postLn: false) * (scale1 + 1) + shift1);
        var joint = AttentionLayers.Attention(ValueShape.Concat(1, q1, q2), ValueShape.Concat(1, k1, k2), ValueShape.Concat(1, v1, v2), new() { Heads = heads, Bias = mask });
        if (!last) context = Residual(tokens, context, joint.Take(1, _contextLength), tokenGate1, tokenShift2, tokenScale2, tokenGate2, options.PostLn);
        return (context, Residual(image, x, joint.From(1, _contextLength), gate1, shift2, scale2, gate2, postLn: false));
    }

    private Value Residual(Scope block, Value x, Value seen, Value gate1, Value shift2, Value scale2, Value gate2, bool postLn)
    {
        Value Sum(Value value, Value branch) => postLn ? (value * 2.91 + branch).LayerNorm(Epsilon) : value + branch;
        x = Sum(x, gate1 * block["attn.proj"].Linear(seen, _decoder.HiddenSize));
        return Sum(x, gate2 * FeedForward(block["mlp"], Norm(x, postLn) * (scale2 + 1) + shift2));
    }

    private Value FeedForward(Scope mlp, Value x)
    {
        var hidden = 4 * _decoder.HiddenSize;
        return _decoderOptions.Swiglu
            ? mlp.GatedMlp(x, (2 * hidden / 3 + GatedMultiple - 1) / GatedMultiple * GatedMultiple, value => value.Silu(), "w1", "w3", "w2")
            : mlp.Mlp(x, hidden, value => value.Gelu(Gelu.Tanh));
    }

    private (Value Q, Value K, Value V) Heads(Scope attention, Value x)
    {
        var (q, k, v) = attention["qkv"].Qkv(x, _decoder.HiddenSize);
        return (Normed("ln_q", q), Normed("ln_k", k), v);

        Value Normed(string name, Value value)
        {
            var split = value.Reshape(value.Shape[0], value.Shape[1], _decoder.NumHeads, _decoder.HiddenSize / _decoder.NumHeads);
            return _decoderOptions.QkNorm switch { "rms" => attention[name].RmsNorm(split, Epsilon).Flatten(2), "ln" => attention[name].LayerNorm(split, Epsilon).Flatten(2), _ => value };
        }
    }

    // (1, R + K, D), or with the time (B, R + K or 1, D).
    private Value TokenCondition(Scope block, Value time) => _decoderOptions.TimeAdaln switch
    {
        "t_emb" => time.Unsqueeze(1),
        "pos_t_emb" => time.Unsqueeze(1) + Positions(block["t_embedder"], _contextLength, _decoder.HiddenSize),
        _ => Positions(block["t_embedder"], _contextLength, _decoder.HiddenSize),
    };

    // As published, only encoders of variable size hand the tokens' times on; else a token's place is its number.
    private Value Positions(Scope embedder, int count, int width)
    {
        var places = AttentionLayers.Range(embedder.Graph, count).Cast(ElementType.Float32);
        return Times(embedder, _params.EnableEncVariableSize ? places * PositionStep + FirstPosition : places, width).Unsqueeze(0);
    }

    // Keys that are seen: registers, tokens up to the visible one, and the picture, by tokens only if the method lets them.
    private Value Mask(Graph g, Value visible, int places, bool tokensSeePicture)
    {
        var seen = AttentionLayers.Range(g, _contextLength).Unsqueeze(0).Less(visible.Unsqueeze(1) + _decoderOptions.RegisterLength);         // (B, R + K)
        var free = g.Scalar(ElementType.Float32, 0).Reshape(1, 1, 1, 1);
        var keys = ValueShape.Concat(-1, AttentionMasks.Where(seen).Unsqueeze(1, 2), free.Expand(visible.Shape[0], 1, 1, places));       // (B, 1, 1, R + K + N)
        if (tokensSeePicture) return keys;
        var (total, blind) = (_contextLength + places, new float[(_contextLength + places) * (_contextLength + places)]);
        for (var query = 0; query < _contextLength; query++) blind.AsSpan(query * total + _contextLength, places).Fill(AttentionLayers.Masked);
        return keys + g.Constant<float>(blind, 1, 1, total, total);
    }

    private Value Norm(Value x, bool postLn) => postLn ? x : _decoderOptions.Rmsnorm ? x.RmsNorm(epsilon: Epsilon) : x.LayerNorm(Epsilon);

    private static Value Times(Scope embedder, Value t, int width) => embedder["mlp.2"].Linear(embedder["mlp.0"].Linear(t.Sinusoid(Frequencies), width).Silu(), width);

    private static (Value, Value, Value, Value, Value, Value) Each(Value modulation) => modulation.Chunk6();

    // The middle of a square table of positions: (1, rows columns, D).
    private static Value Cropped(Value table, int side, int rows, int columns)
    {
        var square = table.Reshape(1, side, side, table.Shape[2]);
        var (top, left) = ((side - rows) / 2, (side - columns) / 2);
        return square.Slice(1, top, top + rows).Slice(2, left, left + columns).Flatten(1, 2);
    }
}
