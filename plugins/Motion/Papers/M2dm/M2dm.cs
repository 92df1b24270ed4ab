// Priority-Centric Human Motion Generation in Discrete Latent Space (M2DM). Kong, Gong, Lian, Mi, Wang. arXiv:2308.14480.
// No code is public: from the specification beside the parity cases (a transformer VQ-VAE, mask-and-replace diffusion over its tokens whose schedule keeps important tokens longest).
// Layout of the specification: config.json + model.safetensors (vqvae.*, denoiser.*). Deviations: the scorers of importance are not specified, so that importance is given, equal for people.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>The specification's configuration; defaults are the values known of the paper.</summary>
public sealed record M2dmConfig
{
    [Range(1, 1 << 16)] public int Features { get; init; } = 263;
    [Range(1, 1 << 16)] public int Width { get; init; } = 512;
    [Range(1, 1024)] public int Heads { get; init; } = 8;
    [Range(1, 1024)] public int Depth { get; init; } = 4;
    [Range(1, 1024)] public int Stride { get; init; } = 4;
    [Range(1, 1 << 20)] public int Codes { get; init; } = 8192;
    [Range(1, 1 << 16)] public int CodeDim { get; init; } = 512;
    [Range(1, 1 << 16)] public int MaxFrames { get; init; } = 196;
    [Range(1, 1 << 16)] public int MaxTokens { get; init; } = 49;
    [Range(1, 1 << 16)] public int TextDim { get; init; } = 512;
    [Range(1, 1 << 16)] public int TextLength { get; init; } = 77;
    [Range(0.0, 1.0)] public double GammaShare { get; init; } = 0.9;
    [Range(0.0, 10.0)] public double Lambda { get; init; } = 0.25;
}

/// <summary>Options of generating with M2DM.</summary>
public sealed record M2dmOptions : ModelOptions
{
    /// <summary>Length in frames.</summary>
    [Description("Frames to make.")]
    [Range(4, 100000)]
    public int Frames { get; init; } = 80;

    /// <summary>Steps of the diffusion.</summary>
    [Description("Steps of the diffusion.")]
    [Range(1, 1000)]
    public int Steps { get; init; } = 100;
}

/// <summary>The networks, sections 1 and 4 of the specification.</summary>
internal static class M2dmNetwork
{
    /// <summary>x (B, T, F) -> latent (B, N, D) and codes (B, N).</summary>
    public static void Encode(Scope vqvae, M2dmConfig config)
    {
        var g = vqvae.Graph;
        Dim batch = Dim.Symbol("batch"), tokens = Dim.Symbol("tokens");
        var h = vqvae["in_proj"].Linear(g.Input("motion", [batch, tokens * config.Stride, config.Features]), config.Width);
        h += vqvae.Weight("pos_embed", config.MaxFrames, config.Width).Take(0, tokens * config.Stride);
        h = Blocks(vqvae["encoder"], h, config, "encoder_block_0");
        h = vqvae["down"].Conv(h.Swap(1, 2), config.Width, config.Stride, config.Stride).Swap(1, 2);                        // (B, N, d)
        var latent = vqvae["to_code"].Linear(h, config.CodeDim);
        g.Output("latent", latent);
        var rows = vqvae.Weight("codebook", config.Codes, config.CodeDim);
        // |z|^2 is the same for all rows, but its rounding takes part in ties.
        var distance = latent.Square().Sum(-1, keep: true) - 2 * latent.MatMul(rows.Swap(0, 1)) + rows.Square().Sum(-1);
        g.Output("codes", distance.ArgMin(-1));
    }

    /// <summary>codes (B, N) -> motion (B, T, F).</summary>
    public static void Decode(Scope vqvae, M2dmConfig config)
    {
        var g = vqvae.Graph;
        var codes = g.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("tokens")]);
        var h = vqvae["from_code"].Linear(vqvae.Weight("codebook", config.Codes, config.CodeDim).Gather(codes), config.Width);
        h = vqvae["up"].ConvTranspose(h.Swap(1, 2), config.Width, config.Stride, config.Stride).Swap(1, 2);
        h += vqvae.Weight("pos_embed", config.MaxFrames, config.Width).Take(0, h.Shape[1]);
        h = Blocks(vqvae["decoder"], h, config, "decoder_block_0");
        g.Output("motion", vqvae["out_proj"].Linear(vqvae["out_norm"].LayerNorm(h), config.Features));
    }

    /// <summary>x (B, N) with [MASK] = codes, t (B), pooled (B, C), text_features (B, L, C) -> logits of x0 (B, N, K).</summary>
    public static void Denoise(Scope denoiser, M2dmConfig config)
    {
        var (g, width) = (denoiser.Graph, config.Width);
        Dim batch = Dim.Symbol("batch"), tokens = Dim.Symbol("tokens");
        var h = denoiser["token_embed"].Embedding(g.Input("x", ElementType.Int64, [batch, tokens]), config.Codes + 1, width) + denoiser.Weight("pos_embed", config.MaxTokens, width).Take(0, tokens);
        var time = denoiser["t_embedder.mlp.2"].Linear(denoiser["t_embedder.mlp.0"].Linear(g.Input("t", [batch]).Sinusoid(256), width).Silu(), width);
        var c = (time + denoiser["text_proj"].Linear(g.Input("pooled", [batch, config.TextDim]), width)).Silu();
        var context = denoiser["cond_proj"].Linear(g.Input("text_features", [batch, Dim.Symbol("words"), config.TextDim]), width);
        for (var i = 0; i < config.Depth; i++)
        {
            var block = denoiser["blocks"][i];
            var (shift1, scale1, gate1, shift2, scale2, gate2) = block["adaLN_modulation.1"].Linear(c, 6 * width).Chunk6();
            h += gate1.Unsqueeze(1) * block["attn"].SelfAttention(h.LayerNorm(1e-6).Modulate(shift1, scale1), config.Heads);
            h += Cross(block["cross_attn"], h, context, config.Heads);
            h += gate2.Unsqueeze(1) * Mlp(block["mlp"], h.LayerNorm(1e-6).Modulate(shift2, scale2), Gelu.Tanh);
            if (i == 0) denoiser.Stage("denoiser_block_0", h);
        }

        var (shift, scale) = denoiser["final_layer.adaLN_modulation.1"].Linear(c, 2 * width).Chunk2();
        g.Output("logits", denoiser["final_layer.linear"].Linear(h.LayerNorm(1e-6).Modulate(shift, scale), config.Codes));
    }

    private static Value Blocks(Scope blocks, Value h, M2dmConfig config, string firstStage)
    {
        for (var i = 0; i < config.Depth; i++)
        {
            h += blocks[i]["attn"].SelfAttention(blocks[i]["norm1"].LayerNorm(h), config.Heads);
            h += Mlp(blocks[i]["mlp"], blocks[i]["norm2"].LayerNorm(h), Gelu.Exact);
            if (i == 0) blocks.Stage(firstStage, h);
        }

        return h;
    }

    // Without a norm or a gate; all maps have biases.
    private static Value Cross(Scope cross, Value x, Value context, long heads)
    {
        var width = x.Shape[-1].Size;
        var (k, v) = cross["kv"].Linear(context, 2 * width).Chunk2();
        return cross["proj"].Linear(AttentionLayers.Attention(cross["q"].Linear(x, width), k, v, new() { Heads = heads }), width);
    }

    // The hidden width is that of the tensors.
    private static Value Mlp(Scope mlp, Value x, Gelu form) => mlp.Mlp(x, mlp.IsInventory ? 4 * x.Shape[-1].Size : mlp.ShapeOf("fc1.weight")[0], h => h.Gelu(form));
}

/// <summary>Motion tokens, and motions from words by discrete diffusion.</summary>
public sealed class M2dmModel : MotionModel, IGenerate<Contracts.Motion, M2dmOptions>
{
    private readonly M2dmConfig _config;
    private readonly Network _encoder, _decoder, _denoiser;

    private M2dmModel(ModelSource source, M2dmConfig config, Checkpoint checkpoint, NetworkContext context)
        : base(source, checkpoint, new(config.Features, config.Stride, [config.Codes], TokenLayout.Flat) { Longest = config.MaxFrames })
    {
        _config = config;
        _encoder = Network.Build(context, "m2dm encoder", scope => M2dmNetwork.Encode(scope["vqvae"], config), independentRows: true);
        _decoder = Network.Build(context, "m2dm decoder", scope => M2dmNetwork.Decode(scope["vqvae"], config), independentRows: true);
        _denoiser = Network.Build(context, "m2dm denoiser", scope => M2dmNetwork.Denoise(scope["denoiser"], config), independentRows: true);
        checkpoint.ThrowIfUnused();
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "motion/m2dm",
            Paper = "Priority-Centric Human Motion Generation in Discrete Latent Space",
            ArXiv = "2308.14480",
            Authors = ["Hanyang Kong", "Kehong Gong", "Dongze Lian", "Michael Bi Mi", "Xinchao Wang"],
            Inputs = [Modality.Motion, Modality.Text],
            Outputs = [Modality.Tokens, Modality.Motion],
            Layouts = ["specification: config.json + model.safetensors"],
            Deviations = "Implemented from a specification, since no code is public; importance of tokens is given, equal for people.",
        },
        (source, _) =>
        {
            var config = PublishedConfig.Read<M2dmConfig>(source.RequireFolder()).Value;
            var checkpoint = source.OpenCheckpoint();
            return ValueTask.FromResult<IModel>(new M2dmModel(source, config, checkpoint, NetworkContext.Of(source, checkpoint)));
        });

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_encoder, _decoder, _denoiser];

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Contracts.Motion>> GenerateAsync(Prompt prompt, M2dmOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var tokens = (options.Frames + _config.Stride - 1) / _config.Stride;
        var most = Math.Min(_config.MaxTokens, _config.MaxFrames / _config.Stride);
        if (tokens > most) throw new OptionsException(ErrorCodes.OptionRange, "The motion is longer than the model makes.") { Where = "frames", Expected = $"at most {most * _config.Stride}", Found = $"{options.Frames}" };
        var caption = await CaptionAsync(prompt.RequireText(), cancel).ConfigureAwait(false);
        var (diffusion, draws) = (new PriorityDiffusion(_config, options.Steps, Enumerable.Repeat(1.0, tokens).ToArray()), Draws.Seeded(seed));
        var x = Enumerable.Repeat((long)_config.Codes, tokens).ToArray();
        for (var t = options.Steps; t >= 1; t--)
        {
            var logits = await LogitsAsync(Tensor.Create(x, 1, tokens), t, caption.Sentence, caption.Words, cancel).ConfigureAwait(false);
            x = diffusion.Draw(diffusion.Posterior(logits.Slice(0), x, t), draws.Next(tokens));
            yield return Generation<Contracts.Motion>.Progress(options.Steps - t + 1, options.Steps);
        }

        var motion = await DecodeAsync(Tensor.Create(x, 1, tokens), cancel).ConfigureAwait(false);
        yield return Generation<Contracts.Motion>.Final(ToMotion(motion, options.Frames), options.Steps);
    }

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                return (await _encoder.RunAsync(cancel, ("motion", arguments.Tensor("motion"))).ConfigureAwait(false)).ToResults();
            case "decode":
                return (await _decoder.RunAsync(cancel, ("codes", arguments.Tensor("codes"))).ConfigureAwait(false)).ToResults();
            case "schedule":
                return Schedule(arguments.Tensor<float>("importance"), arguments.Literal<int>("t"), arguments.Literal("steps", 100));
            case "denoise":
                var x = arguments.Tensor<long>("x");
                return (await _denoiser.RunAsync(cancel, ("x", x), ("t", Times(arguments.Literal<float>("t"), x.Shape[0])), ("pooled", arguments.Tensor("pooled")), ("text_features", arguments.Tensor("text_features"))).ConfigureAwait(false)).ToResults();
            case "sample":
                return await SampleAsync(arguments, cancel).ConfigureAwait(false);
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"M2DM has no call '{call}'.") { Expected = "encode, decode, schedule, denoise, sample" };
        }
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<int>> EncodeAsync(Tensor<float> motion, CancellationToken cancel) =>
        (await _encoder.RunAsync(cancel, ("motion", motion)).ConfigureAwait(false)).Get<long>("codes").ToTokens();

    /// <inheritdoc/>
    protected override Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel) => DecodeAsync(codes.ToCodes(), cancel);

    private async Task<Tensor<float>> DecodeAsync(Tensor<long> codes, CancellationToken cancel) => (await _decoder.RunAsync(cancel, ("codes", codes)).ConfigureAwait(false))["motion"];

    private async Task<Tensor<float>> LogitsAsync(Tensor<long> x, int t, Tensor pooled, Tensor words, CancellationToken cancel) =>
        (await _denoiser.RunAsync(cancel, ("x", x), ("t", Times(t, x.Shape[0])), ("pooled", pooled), ("text_features", words)).ConfigureAwait(false))["logits"];

    private CallResults Schedule(Tensor<float> importance, int t, int steps)
    {
        var rows = Enumerable.Range(0, (int)importance.Shape[0]).Select(row => new PriorityDiffusion(_config, steps, [.. importance.Slice(row).Span.ToArray().Select(w => (double)w)])).ToArray();
        var tokens = (int)importance.Shape[1];
        Tensor<float> Each(Func<PriorityDiffusion, int, double> value) => Tensor.Create([.. rows.SelectMany(row => Enumerable.Range(0, tokens).Select(token => (float)value(row, token)))], rows.Length, tokens);
        return new CallResults()
            .Add("alpha_bar", Each((row, token) => row.Cumulative(token, t).Alpha)).Add("gamma_bar", Each((row, token) => row.Cumulative(token, t).Gamma))
            .Add("one_step", rows[0].Step(0, t).Matrix(_config.Codes)).Add("marginal", rows[0].Cumulative(0, t).Matrix(_config.Codes));
    }

    private async Task<CallResults> SampleAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (importance, uniforms, steps) = (arguments.Tensor<float>("importance"), arguments.Tensor<float>("uniforms"), arguments.Literal("steps", 100));
        var (batch, tokens, states) = ((int)importance.Shape[0], (int)importance.Shape[1], _config.Codes + 1);
        var diffusions = Enumerable.Range(0, batch).Select(row => new PriorityDiffusion(_config, steps, [.. importance.Slice(row).Span.ToArray().Select(w => (double)w)])).ToArray();
        var x = Tensor.Zeros<long>(batch, tokens);
        x.Span.Fill(_config.Codes);
        var (trajectory, results) = (Tensor.Zeros<long>(steps, batch, tokens), new CallResults());
        for (var t = steps; t >= 1; t--)
        {
            var logits = await LogitsAsync(x, t, arguments.Tensor("pooled"), arguments.Tensor("text_features"), cancel).ConfigureAwait(false);
            var probabilities = Tensor.Zeros<float>(batch, tokens, states);
            for (var row = 0; row < batch; row++)
            {
                var posterior = diffusions[row].Posterior(logits.Slice(row), x.Slice(row).Span.ToArray(), t);
                for (var token = 0; token < tokens; token++) Array.ConvertAll(posterior[token], p => (float)p).CopyTo(probabilities.Slice(row).Slice(token).Span);
                diffusions[row].Draw(posterior, uniforms.Slice(steps - t).Slice(row).Span).CopyTo(x.Slice(row).Span);
            }

            if (t == steps) results.Add("probabilities_first", probabilities);
            if (t == 1) results.Add("probabilities_last", probabilities);
            x.Span.CopyTo(trajectory.Slice(steps - t).Span);
        }

        return results.Add("trajectory", trajectory).Add("sampled_codes", x);
    }

    private static Tensor<float> Times(float t, long count) => Tensor.Create(Enumerable.Repeat(t, (int)count).ToArray(), count);
}
