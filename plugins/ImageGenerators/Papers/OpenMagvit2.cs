// Open-MAGVIT2: An Open-Source Project Toward Democratizing Auto-regressive Visual Generation. Luo, Shi, Ge, Yang, Wang, Shan. arXiv:2409.04410. github.com/TencentARC/SEED-Voken: Open_MAGVIT2/modules/transformer/gpt.py
// Published layout: a Lightning checkpoint (state_dict, keys transformer.*) + config.yaml. Deviations: none; codes are decoded by image-tokenizers/open-magvit2.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Section <c>model.init_args.transformer_config.params</c> of the published file.</summary>
public sealed record OpenMagvit2Config : LlamaArguments
{
    /// <summary>Blocks over the places.</summary>
    [Range(1, 1024)] public int SpatialNLayer { get; init; } = 24;
    /// <summary>Blocks within a place.</summary>
    [Range(1, 1024)] public int FactorizedNLayer { get; init; } = 2;
    /// <summary>Bits of the two parts of a code.</summary>
    [Length(2, 2)] public int[] FactorizedBits { get; init; } = [6, 12];
    /// <summary>Whether codes have two parts: the authors' code asserts it.</summary>
    [AllowedValues(true)] public bool TokenFactorization { get; init; } = true;
    /// <summary>Number of classes; the id after them is no class.</summary>
    [Range(1, 1 << 24)] public int ClassNum { get; init; } = 1000;
}

/// <summary>Options of Open-MAGVIT2's generator; each list has a number for the first and one for the second part of a code.</summary>
public sealed record OpenMagvit2Options : PictureOptions
{
    /// <summary>Scales of guidance.</summary>
    [Description("Classifier-free guidance of the first and the second part of a code; 1 for none.")] public double[] Guidance { get; init; } = [4, 4];
    /// <summary>Temperatures.</summary>
    [Description("Temperatures of both parts.")] public double[] Temperature { get; init; } = [1, 1];
    /// <summary>Ids that a part may take.</summary>
    [Description("Keep the k most probable ids of each part; 0 for all.")] public int[] TopK { get; init; } = [0, 0];
    /// <summary>Mass of the ids that a part may take.</summary>
    [Description("Keep the most probable ids of each part up to this mass.")] public double[] TopP { get; init; } = [0.96, 0.96];

    internal TokenSampling Choice(int part) => new() { Temperature = (float)Temperature[part], TopK = TopK[part], TopP = (float)TopP[part] };

    internal OpenMagvit2Options Checked()
    {
        foreach (var (name, count) in new[] { ("guidance", Guidance.Length), ("temperature", Temperature.Length), ("top_k", TopK.Length), ("top_p", TopP.Length) })
        {
            if (count != 2) throw new OptionsException(ErrorCodes.OptionRange, "A code has two parts.") { Where = name, Expected = "two numbers", Found = count.ToString() };
        }

        return this;
    }
}

internal static class OpenMagvit2Network
{
    private static readonly Dim Rows = Dim.Symbol("rows");

    /// <summary>New places after those in the cache: idx_cls (rows, n), the class where a sequence begins and -1 elsewhere; idx_pre and idx_post (rows, n), the codes there -> hidden (rows, n, D).</summary>
    public static void Step(Scope gpt, OpenMagvit2Config config)
    {
        var (g, count) = (gpt.Graph, Dim.Symbol("count"));
        var (classes, none) = (g.Input("idx_cls", ElementType.Int64, [Rows, count]), g.Constant([0L]));
        var start = gpt["class_emb.embedding_table"].Embedding(classes.Max(none), config.ClassNum + 1, config.Dim);
        var codes = Part(gpt, 0, g.Input("idx_pre", ElementType.Int64, [Rows, count]), config) + Part(gpt, 1, g.Input("idx_post", ElementType.Int64, [Rows, count]), config);
        var x = classes.GreaterOrEqual(none).Unsqueeze(2).Where(start, codes);
        var cache = config.Sizes.Cache(g, Rows, count);
        var rotary = Tables(g, config).At(cache.Positions);
        for (var i = 0; i < config.SpatialNLayer; i++)
        {
            var layer = i;
            x = gpt.Stage($"spatial_block_{i}", gpt["spatial_blocks"][i].LlamaBlock(x, config.Sizes, rotary, (q, k, v, options) => cache.Attention(layer, q, k, v, options)));
        }

        g.Output("hidden", x);
    }

    /// <summary>The parts of a code from its place: hidden (rows, 1, D) and, for the second, pre (rows, 1) -> logits_pre (rows, 1, 2^bits) and logits_post. The two positions take the first rows of the same table.</summary>
    public static void Parts(Scope gpt, OpenMagvit2Config config, bool both)
    {
        var x = gpt.Graph.Input("hidden", [Rows, 1, config.Dim]);
        if (both) x = ValueShape.Concat(1, x, Part(gpt, 0, gpt.Graph.Input("pre", ElementType.Int64, [Rows, 1]), config));
        var rotary = Tables(gpt.Graph, config).Rows(0, x.Shape[1]);
        for (var i = 0; i < config.FactorizedNLayer; i++) x = gpt.Stage($"factorized_block_{i}", gpt["factorized_blocks"][i].LlamaBlock(x, config.Sizes, rotary, AttentionLayers.Attention));
        x = gpt["norm"].RmsNorm(x, config.NormEps);
        gpt.Graph.Output("logits_pre", gpt["head"][0].Linear(x.Take(1, 1), 1L << config.FactorizedBits[0], bias: false));
        if (both) gpt.Graph.Output("logits_post", gpt["head"][1].Linear(x.From(1, 1), 1L << config.FactorizedBits[1], bias: false));
    }

    private static Value Part(Scope gpt, int part, Value ids, OpenMagvit2Config config) => gpt[part == 0 ? "pre_emb" : "post_emb"].Embedding(ids, 1L << config.FactorizedBits[part], config.Dim);

    private static (Value, Value) Tables(Graph graph, OpenMagvit2Config config) => LlamaLayers.GridTables(graph, config.Side, config.Dim / config.NHead, conditions: 1, config.RopeBase);
}

/// <summary>Open-MAGVIT2's generator: a class to a grid of codes, each in two parts.</summary>
public sealed class OpenMagvit2Model : ImageGenerator<OpenMagvit2Options>
{
    private readonly OpenMagvit2Config _config;
    private readonly Network _step, _first, _second;

    private OpenMagvit2Model(ModelSource source, Checkpoint checkpoint, OpenMagvit2Config config)
        : base(source, checkpoint, new(TokenLayout.Grid, [.. config.FactorizedBits.Select(bits => 1 << bits)]), decoder: null, paints: false)
    {
        _config = config;
        var context = NetworkContext.Of(source, checkpoint);
        _step = Network.Build(context, "open-magvit2/places", scope => OpenMagvit2Network.Step(scope["transformer"], config));
        _first = Network.Build(context with { Stages = false }, "open-magvit2/first part", scope => OpenMagvit2Network.Parts(scope["transformer"], config, both: false), independentRows: true);
        _second = Network.Build(context, "open-magvit2/second part", scope => OpenMagvit2Network.Parts(scope["transformer"], config, both: true), independentRows: true);
        checkpoint.ThrowIfUnused("^(first_stage_model|loss|model_ema)", @"freqs_cis$", "^global_step$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/open-magvit2",
            Paper = "Open-MAGVIT2: An Open-Source Project Toward Democratizing Auto-regressive Visual Generation",
            ArXiv = "2409.04410",
            Authors = ["Zhuoyan Luo", "Fengyuan Shi", "Yixiao Ge", "Yujiu Yang", "Limin Wang", "Ying Shan"],
            Repository = "TencentARC/SEED-Voken",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens],
            Layouts = ["authors: config.yaml + *.ckpt"],
            Sizes =
            [
                new("TencentARC/Open-MAGVIT2-AR-B-256-resolution", 343_570_432, []),
                new("TencentARC/Open-MAGVIT2-AR-L-256-resolution", 804_362_240, []),
                new("TencentARC/Open-MAGVIT2-AR-XL-256-resolution", 1_486_679_040, []),
            ],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_step, _first, _second];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        var classes = arguments.Tensor<long>("idx_cls");
        switch (call)
        {
            case "forward":
                return await ForwardAsync(classes, arguments.Tensor<long>("idx_pre"), arguments.Tensor<long>("idx_post"), cancel).ConfigureAwait(false);
            case "sample":
                var options = new OpenMagvit2Options
                {
                    Guidance = arguments.Literal<double[]>("cfg_scale", [1, 1]),
                    Temperature = arguments.Literal<double[]>("temperature", [1, 1]),
                    TopK = arguments.Literal<int[]>("top_k", [0, 0]),
                    TopP = arguments.Literal<double[]>("top_p", [1, 1]),
                }.Checked();
                // With one id left any number chooses it.
                var uniforms = arguments.Has("uniforms") || options.TopK is not [1, 1] ? Draws.Given(arguments.Tensor<float>("uniforms")) : (_, _) => { };
                var codes = Tensor.Zeros<long>(classes.Shape[0], 2, _config.BlockSize);
                await foreach (var _ in RunAsync(classes.Span.ToArray(), options, uniforms, codes, cancel).ConfigureAwait(false)) cancel.ThrowIfCancellationRequested();
                var results = new CallResults();
                foreach (var name in (string[])["greedy", "topk", "topp", "topk_topp", "sampled"]) results.Add($"{name}_pre", Half(codes, 0)).Add($"{name}_post", Half(codes, 1));
                return results;
            default:
                throw Unsupported(call, "forward", "sample");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, OpenMagvit2Options options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.ClassNum, options.Count);
        var codes = Tensor.Zeros<long>(labels.Length, 2, _config.BlockSize);
        // The sampler's draws are (parts, samples); each part of each sample has a stream of its own.
        Draw[] parts = [Draws.Uniform(seed, labels.Length), Draws.Uniform(seed, labels.Length, series: 1)];
        await foreach (var step in RunAsync(labels, options.Checked(), (place, numbers) => { for (var i = 0; i < 2; i++) parts[i](place, numbers.Slice(i * labels.Length, labels.Length)); }, codes, cancel).ConfigureAwait(false))
            yield return new(step, _config.BlockSize, step == _config.BlockSize ? codes.Reshape(labels.Length, 2, _config.Side, _config.Side) : null);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => Generators.Open(
        source, checkpoint => new OpenMagvit2Model(source, checkpoint, PublishedConfig.Read<OpenMagvit2Config>(source.RequireFolder(), "model.init_args.transformer_config.params").Value), "state_dict");

    private static Tensor<long> Half(Tensor<long> codes, int part) => codes.Part(1, part, part + 1).Reshape(codes.Shape[0], codes.Shape[2]);

    // A place later: (B, n), the first column zero.
    private static Tensor<long> Later(Tensor<long> ids) => TensorParts.Concat(1, Tensor.Zeros<long>(ids.Shape[0], 1), ids.Part(1, 0, (int)ids.Shape[1] - 1));

    // Every place is told the codes before it, every second part the first.
    private async Task<CallResults> ForwardAsync(Tensor<long> classes, Tensor<long> pre, Tensor<long> post, CancellationToken cancel)
    {
        var (rows, count) = ((int)pre.Shape[0], (int)pre.Shape[1]);
        using var state = _step.Begin(rows);
        var starts = Tensor.Zeros<long>(rows, count);
        for (var i = 0; i < starts.Length; i++) starts.Span[i] = i % count == 0 ? classes.Span[i / count] : -1;
        var outputs = await state.StepAsync(cancel, ("idx_cls", starts), ("idx_pre", Later(pre)), ("idx_post", Later(post))).ConfigureAwait(false);
        var results = outputs.ToResults();
        var parts = await _second.RunAsync(cancel, ("hidden", outputs["hidden"].Reshape(rows * count, 1, _config.Dim)), ("pre", pre.Reshape(rows * count, 1))).ConfigureAwait(false);
        foreach (var (name, value) in parts.ToResults().Values)
        {
            var tensor = (Tensor)value;
            results.Add(name, name.StartsWith("logits", StringComparison.Ordinal) ? tensor.Reshape(rows, count, tensor.Shape[2]) : tensor);
        }

        return results;
    }

    // Place by place: writes the codes (B, 2, places) and gives the places done.
    private async IAsyncEnumerable<int> RunAsync(long[] labels, OpenMagvit2Options options, Draw uniforms, Tensor<long> codes, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (batch, guided) = (labels.Length, options.Guidance[0] > 1);
        var rows = (guided ? 2 : 1) * batch;
        var classes = Tensor.Create<long>(guided ? [.. labels, .. labels.Select(_ => (long)_config.ClassNum)] : labels, rows, 1);
        var (pre, post, numbers) = (Tensor.Zeros<long>(rows, 1), Tensor.Zeros<long>(rows, 1), new float[2 * batch]);
        using var state = _step.Begin(rows);
        for (var place = 0; place < _config.BlockSize; place++)
        {
            var hidden = (await state.StepAsync(cancel, ("idx_cls", classes), ("idx_pre", pre), ("idx_post", post)).ConfigureAwait(false))["hidden"];
            uniforms(place, numbers);
            pre = Choose((await _first.RunAsync(cancel, ("hidden", hidden)).ConfigureAwait(false))["logits_pre"], 0);
            post = Choose((await _second.RunAsync(cancel, ("hidden", hidden), ("pre", pre)).ConfigureAwait(false))["logits_post"], 1);
            for (var i = 0; i < batch; i++) (codes[i, 0, place], codes[i, 1, place]) = (pre[i, 0], post[i, 0]);
            classes = Tensor.Create(Enumerable.Repeat(-1L, rows).ToArray(), rows, 1);
            yield return place + 1;
        }

        Tensor<long> Choose(Tensor<float> logits, int part)
        {
            var own = guided ? Guidance.FromUnconditional(logits, (float)options.Guidance[part]) : logits;
            var choice = options.Choice(part);
            long[] ids = [.. Enumerable.Range(0, batch).Select(i => (long)choice.Choose(own.Slice(i).Span, [], numbers[part * batch + i]))];
            return Tensor.Create<long>(guided ? [.. ids, .. ids] : ids, rows, 1);
        }
    }
}
