// Visual Autoregressive Modeling: Scalable Image Generation via Next-Scale Prediction. Tian, Jiang, Yuan, Peng, Wang. arXiv:2404.02905. github.com/FoundationVision/VAR
// Published layout: vae_ch160v4096z32.pth + var_d16.pth (d20, d24, d30; d36 for 512 pixels); sizes are those of the authors' class, by depth, unless a config.json says otherwise. Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The arguments of the authors' <c>VAR</c>, section <c>var</c>.</summary>
public sealed record VarConfig
{
    /// <summary>Classes; the dropped class follows them.</summary>
    [Range(1, 1 << 20)] public int NumClasses { get; init; } = 1000;
    /// <summary>Blocks.</summary>
    [Range(1, 256)] public int Depth { get; init; } = 16;
    /// <summary>Width.</summary>
    [Range(1, 1 << 16)] public int EmbedDim { get; init; } = 1024;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int NumHeads { get; init; } = 16;
    /// <summary>Hidden width of the multilayer perceptrons over the width.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Epsilon of the norms.</summary>
    public double NormEps { get; init; } = 1e-6;
    /// <summary>Whether all blocks share one map of the condition.</summary>
    public bool SharedAln { get; init; }
    /// <summary>Whether queries and keys are normalised.</summary>
    public bool AttnL2Norm { get; init; } = true;
    /// <summary>Places along each side, scale by scale.</summary>
    [MinLength(2)] public int[] PatchNums { get; init; } = [1, 2, 3, 4, 5, 6, 8, 10, 13, 16];

    /// <summary>Places of all scales.</summary>
    public int Places => PatchNums.Sum(side => side * side);

    /// <summary>The published model of a depth: width 64 times and heads as many as the depth; 512 pixels have larger scales and a shared map of the condition.</summary>
    public static VarConfig Published(int depth, bool large = false) => new()
    {
        Depth = depth,
        EmbedDim = 64 * depth,
        NumHeads = depth,
        SharedAln = large,
        PatchNums = large ? [1, 2, 3, 4, 6, 9, 13, 18, 24, 32] : new VarConfig().PatchNums,
    };
}

/// <summary>Options of VAR's generator.</summary>
public sealed record VarOptions : PictureOptions
{
    /// <summary>Guidance of the last scale.</summary>
    [Description("Classifier-free guidance at the last scale; it grows from none at the first."), Range(0.0, 100.0)] public double Guidance { get; init; } = 1.5;
    /// <summary>Ids that a place may take.</summary>
    [Description("Keep the k most probable ids; 0 for all."), Range(0, 1 << 24)] public int TopK { get; init; } = 900;
    /// <summary>Mass of the ids that a place may take.</summary>
    [Description("Keep the most probable ids up to this mass; 0 for all."), Range(0.0, 1.0)] public double TopP { get; init; } = 0.95;
    /// <summary>Whether entries are mixed.</summary>
    [Description("Mix the codebook's entries by their probabilities instead of choosing one, for smoother pictures.")] public bool MoreSmooth { get; init; }
}

internal static class VarNetwork
{
    private static readonly Dim Rows = Dim.Symbol("rows");

    /// <summary>The condition of each row: label (rows) -> (rows, D).</summary>
    public static Value Condition(Scope var, VarConfig config) => var["class_emb"].Embedding(var.Graph.Input("label", ElementType.Int64, [Rows]), config.NumClasses + 1, config.EmbedDim);

    /// <summary>Input of the first scale, (rows, first, D).</summary>
    public static Value Start(Scope var, Value condition, VarConfig config) => condition.Unsqueeze(1) + var.Weight("pos_start", 1, config.PatchNums[0] * config.PatchNums[0], config.EmbedDim);

    /// <summary>The teacher-forced pass over all scales: label (rows) and what the later scales read (rows, L - first, C) -> logits (rows, L, K).</summary>
    public static void Forward(Scope var, VarConfig config, int vocabulary, int width)
    {
        var condition = Condition(var, config);
        var features = var.Graph.Input("var_input", [Rows, config.Places - config.PatchNums[0] * config.PatchNums[0], width]);
        var x = ValueShape.Concat(1, Start(var, condition, config), var["word_embed"].Linear(features, config.EmbedDim)) + Positions(var, config);
        var levels = Levels(config);
        var mask = new float[levels.Length * levels.Length];
        for (var i = 0; i < mask.Length; i++) mask[i] = levels[i / levels.Length] >= levels[i % levels.Length] ? 0 : AttentionLayers.Masked;
        var bias = var.Graph.Constant<float>(mask, 1, 1, levels.Length, levels.Length);
        var.Graph.Output("logits", Logits(var, x, condition, config, vocabulary, (_, q, k, v, options) => AttentionLayers.Attention(q, k, v, options with { Bias = bias })));
    }

    /// <summary>One scale after those in the cache: x (rows, n, D) without positions, label (rows) -> logits (rows, n, K).</summary>
    public static void Step(Scope var, VarConfig config, int vocabulary)
    {
        var count = Dim.Symbol("places");
        var x = var.Graph.Input("x", [Rows, count, config.EmbedDim]);
        var condition = Condition(var, config);
        var cache = new GrowingCache(var.Graph, Rows, config.Depth, config.EmbedDim);
        x += Positions(var, config).Slice(1, GrowingCache.Past, GrowingCache.Past + count);
        var.Graph.Output("logits", Logits(var, x, condition, config, vocabulary, cache.Attention));
    }

    private static Value Logits(Scope var, Value x, Value condition, VarConfig config, int vocabulary, Func<int, Value, Value, Value, AttentionOptions, Value> attention)
    {
        var width = config.EmbedDim;
        var shared = config.SharedAln ? var["shared_ada_lin.1"].Linear(condition.Silu(), 6 * width).Reshape(-1, 1, 6, width) : null;
        for (var i = 0; i < config.Depth; i++) x = var.Stage($"block_{i}", Block(var["blocks"][i], x, condition, shared, config, (q, k, v, options) => attention(i, q, k, v, options)));
        var head = var["head_nm.ada_lin.1"].Linear(condition.Silu(), 2 * width).Reshape(-1, 2, width);
        var normed = var.Stage("head_norm", x.LayerNorm(config.NormEps) * (head.At(1, 0).Unsqueeze(1) + 1) + head.At(1, 1).Unsqueeze(1));
        return var["head"].Linear(normed, vocabulary);
    }

    private static Value Block(Scope block, Value x, Value condition, Value? shared, VarConfig config, Func<Value, Value, Value, AttentionOptions, Value> attention)
    {
        var width = config.EmbedDim;
        var changes = shared is null ? block["ada_lin.1"].Linear(condition.Silu(), 6 * width).Reshape(-1, 1, 6, width) : block.Weight("ada_gss", 1, 1, 6, width) + shared;
        Value Change(int number) => changes.At(2, number);                                       // (rows, 1, D): gamma 1, 2, scale 1, 2, shift 1, 2
        x += Attention(block["attn"], x.LayerNorm(config.NormEps) * (Change(2) + 1) + Change(4), config, attention) * Change(0);
        var hidden = (long)Math.Round(width * config.MlpRatio);
        return x + block["ffn"].Mlp(x.LayerNorm(config.NormEps) * (Change(3) + 1) + Change(5), hidden, value => value.Gelu(Gelu.Tanh)) * Change(1);
    }

    // Keys have no bias.
    private static Value Attention(Scope attn, Value x, VarConfig config, Func<Value, Value, Value, AttentionOptions, Value> attention)
    {
        var (width, heads) = (config.EmbedDim, config.NumHeads);
        var (q, k, v) = attn["mat_qkv"].Qkv(x, width, bias: false);
        (q, v) = (q + attn.Weight("q_bias", width), v + attn.Weight("v_bias", width));
        if (config.AttnL2Norm)
        {
            var scale = attn.Weight("scale_mul_1H11", 1, heads, 1, 1).Min(attn.Graph.Scalar(ElementType.Float32, Math.Log(100))).Exp().Reshape(1, 1, heads, 1);
            Value Heads(Value value) => value.Reshape(value.Shape[0], value.Shape[1], heads, width / heads).L2Normalize();
            (q, k) = ((Heads(q) * scale).Flatten(2), Heads(k).Flatten(2));
        }

        return attn["proj"].Linear(attention(q, k, v, new() { Heads = heads, Scale = config.AttnL2Norm ? 1 : 0.25 / Math.Sqrt((double)width / heads) }), width);
    }

    private static Value Positions(Scope var, VarConfig config)
    {
        var levels = Levels(config);
        return var["lvl_embed"].Embedding(var.Graph.Constant<long>(levels, levels.Length), config.PatchNums.Length, config.EmbedDim) + var.Weight("pos_1LC", 1, levels.Length, config.EmbedDim);
    }

    private static long[] Levels(VarConfig config) => [.. config.PatchNums.SelectMany((side, level) => Enumerable.Repeat((long)level, side * side))];
}

/// <summary>VAR: a class to a picture, scale by scale.</summary>
public sealed class VarModel : ImageGenerator<VarOptions>
{
    private readonly (VarConfig Var, VarVqvaeConfig Vae) _config;
    private readonly NetworkContext _context;
    private readonly NextScale _scales;
    private readonly Lazy<Network> _forward;
    private readonly PictureNetwork _decoder;
    private readonly float[] _table;

    private VarModel(ModelSource source, Checkpoint checkpoint, VarConfig var, VarVqvaeConfig vae, PictureNetwork decoder) : base(source, checkpoint, SampleSpace.Latents, decoder)
    {
        (_config, _decoder) = ((var, vae), decoder);
        _context = NetworkContext.Of(source, checkpoint);
        _scales = new(_context, var, vae.VocabSize, vae.ZChannels, (root, entries, scale) => new MultiScaleQuantizer(root["quantize"], vae.Quantizer).Contribution(entries, scale));
        _forward = new(() => Network.Build(_context, "var/forward", scope => VarNetwork.Forward(scope, var, vae.VocabSize, vae.ZChannels)));
        _table = WeightConversion.ToFloat32(checkpoint.Get("quantize.embedding.weight")).Span<float>().ToArray();
        checkpoint.ThrowIfUnused(@"^(encoder|quant_conv)\.", @"ema_vocab_hit_SV$", @"^lvl_1L$", @"^attn_bias_for_masking$", @"zero_k_bias$", MultiScaleQuantizer.Spare);
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/var",
            Paper = "Visual Autoregressive Modeling: Scalable Image Generation via Next-Scale Prediction",
            ArXiv = "2404.02905",
            Authors = ["Keyu Tian", "Yi Jiang", "Zehuan Yuan", "Bingyue Peng", "Liwei Wang"],
            Repository = "FoundationVision/VAR",
            CodeLicense = "MIT",
            WeightsLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: vae_ch160v4096z32.pth + var_d16.pth"],
            Sizes =
            [
                new("FoundationVision/var: var_d16", 310_283_520, []),
                new("FoundationVision/var: var_d20", 600_917_136, []),
                new("FoundationVision/var: var_d24", 1_033_399_360, []),
                new("FoundationVision/var: var_d30", 2_010_020_356, []),
                new("FoundationVision/var: var_d36", 2_353_893_904, []),
            ],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => _forward.IsValueCreated ? [_scales, _forward.Value] : [_scales];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "forward":
                return (await _forward.Value.RunAsync(cancel, ("label", arguments.Tensor("label")), ("var_input", arguments.Tensor("var_input"))).ConfigureAwait(false)).ToResults();
            case "autoregressive_infer_cfg":
                var labels = arguments.Tensor<long>("label").Span.ToArray();
                var options = new VarOptions { Guidance = arguments.Literal("cfg", 1.5), TopK = arguments.Literal("top_k", 0), TopP = arguments.Literal("top_p", 0.0) };
                // With one id left any number chooses it.
                var uniforms = arguments.FindTensor<float>("uniforms") ?? (options.TopK == 1 ? Tensor.Zeros<float>(labels.Length, _config.Var.Places) : arguments.Tensor<float>("uniforms"));
                var codes = Tensor.Zeros<long>(labels.Length, _config.Var.Places);
                ScaleStep? last = null;
                await foreach (var step in _scales.RunAsync(labels, options.Guidance, (_, start, logits) => Chosen(start, logits, options, uniforms, codes), cancel).ConfigureAwait(false)) last = step;
                var image = await _decoder.DecodeAsync(last!.Sum, cancel).ConfigureAwait(false);
                var results = new CallResults();
                foreach (var ending in (string[])["greedy", "topk", "topp"]) results.Add($"tokens_{ending}", codes).Add($"image_{ending}", image);
                return results.Add("tokens", codes).Add("image", image);
            default:
                throw Unsupported(call, "forward", "autoregressive_infer_cfg");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, VarOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.Var.NumClasses, options.Count);
        var uniforms = Tensor.Zeros<float>(labels.Length, _config.Var.Places);
        Draws.Uniform(seed, labels.Length)(0, uniforms.Span);
        var (codes, gumbels) = (Tensor.Zeros<long>(uniforms.Shape), Draws.Uniform(seed, labels.Length, series: 1));
        ChooseEntries choose = options.MoreSmooth ? (scale, _, logits) => Mixed(scale, logits, options, gumbels) : (_, start, logits) => Chosen(start, logits, options, uniforms, codes);
        var scales = _config.Var.PatchNums.Length;
        await foreach (var step in _scales.RunAsync(labels, options.Guidance, choose, cancel).ConfigureAwait(false))
            yield return new(step.Scale + 1, scales, step.Scale == scales - 1 ? step.Sum : null);
    }

    // One id a place: the first whose cumulative probability exceeds the uniform number.
    private Tensor<float> Chosen(int start, Tensor<float> logits, VarOptions options, Tensor<float> uniforms, Tensor<long> codes)
    {
        var (batch, places, vocabulary, width) = ((int)logits.Shape[0], (int)logits.Shape[1], (int)logits.Shape[2], _config.Vae.ZChannels);
        var entries = Tensor.Zeros<float>(batch, places, width);
        for (var i = 0; i < batch * places; i++)
        {
            var row = logits.Span.Slice(i * vocabulary, vocabulary);
            NextScale.Truncate(row, options.TopK, options.TopP);
            var at = i / places * _config.Var.Places + start + i % places;
            var id = Categorical.Draw(row, 1, uniforms.Span[at]).Id;
            codes.Span[at] = id;
            _table.AsSpan(id * width, width).CopyTo(entries.Span[(i * width)..]);
        }

        return entries;
    }

    // A Gumbel-softmax mixture that sharpens with the scale.
    private Tensor<float> Mixed(int scale, Tensor<float> logits, VarOptions options, Draw uniforms)
    {
        var (batch, places, vocabulary, width) = ((int)logits.Shape[0], (int)logits.Shape[1], (int)logits.Shape[2], _config.Vae.ZChannels);
        var ratio = (double)scale / (_config.Var.PatchNums.Length - 1);
        var temperature = Math.Max(0.27 * (1 - ratio * 0.95), 0.005);
        var entries = Tensor.Zeros<float>(batch, places, width);
        var noise = new float[logits.Length];
        uniforms(scale, noise);
        for (var i = 0; i < batch * places; i++)
        {
            var row = logits.Span.Slice(i * vocabulary, vocabulary);
            NextScale.Truncate(row, options.TopK, options.TopP);
            for (var id = 0; id < vocabulary; id++) row[id] = (float)((row[id] * (1 + ratio) + Draws.Gumbel(noise[i * vocabulary + id])) / temperature);
            var shares = LogitProcessing.Probabilities(row);
            var entry = entries.Span.Slice(i * width, width);
            for (var id = 0; id < vocabulary; id++) System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(_table.AsSpan(id * width, width), (float)shares[id], entry, entry);
        }

        return entries;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        if (source.Parts.Count == 0) source = source with { Parts = [new(PublishedFiles.One(folder, "vae*.pth")), new(PublishedFiles.One(folder, "var*.pth"))] };
        return Generators.Open(source, checkpoint =>
        {
            var (var, vae) = File.Exists(Path.Combine(folder, "config.json"))
                ? (PublishedConfig.Read<VarConfig>(folder, "var").Value, PublishedConfig.Read<VarVqvaeConfig>(folder, "vae").Value)
                : Published(checkpoint);
            var decoder = PictureNetwork.Build(NetworkContext.Of(source, checkpoint), "var/picture",
                scope => VarVqvae.Decode(scope, scope.Graph.Input("sum", [Dim.Symbol("batch"), vae.ZChannels, vae.VPatchNums[^1], vae.VPatchNums[^1]]), vae) * 0.5 + 0.5);
            return new VarModel(source, checkpoint, var, vae, decoder);
        });
    }

    // The authors publish no configuration: their class is called with the depth, and 512 pixels have 2240 places.
    private static (VarConfig, VarVqvaeConfig) Published(Checkpoint checkpoint)
    {
        var depth = checkpoint.Tensors.Count(tensor => tensor.Name.StartsWith("blocks.", StringComparison.Ordinal) && tensor.Name.EndsWith(".attn.proj.weight", StringComparison.Ordinal));
        var var = VarConfig.Published(depth, large: checkpoint.Tensors.Any(tensor => tensor.Name == "shared_ada_lin.1.weight"));
        return (var, new() { VPatchNums = var.PatchNums });
    }
}
