// Randomized Autoregressive Visual Generation. Yu, He, Deng, Shen, Chen. arXiv:2411.00776. github.com/bytedance/1d-tokenizer
// Published layouts: rar_*.bin + config.json (sections model.vq_model and model.generator); for pictures tokenizer/maskgit-vqgan-imagenet-f16-256.bin beside them. Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Section <c>model.generator</c> of the published file.</summary>
public sealed record RarConfig
{
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 768;
    /// <summary>Blocks.</summary>
    [Range(1, 1024)] public int NumHiddenLayers { get; init; } = 24;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 16;
    /// <summary>Width inside the feed-forward network.</summary>
    [Range(1, 262144)] public int IntermediateSize { get; init; } = 3072;
    /// <summary>Codes of a picture, a square.</summary>
    [Range(1, 1 << 20)] public int ImageSeqLen { get; init; } = 256;
    /// <summary>Number of classes.</summary>
    [Range(1, 1 << 24)] public int ConditionNumClasses { get; init; } = 1000;
    /// <summary>Published scale of guidance.</summary>
    public double GuidanceScale { get; init; } = 16;
    /// <summary>Published power of the course of guidance.</summary>
    public double GuidanceScalePow { get; init; } = 2.75;
    /// <summary>Published temperature.</summary>
    public double RandomizeTemperature { get; init; } = 1;
}

/// <summary>Options of RAR; what is left out is as published.</summary>
public sealed record RarOptions : PictureOptions
{
    /// <summary>Scale of guidance.</summary>
    [Description("Scale of classifier-free guidance at the end, 0 for none; as published when left out."), Range(0.0, 100.0)] public double? Guidance { get; init; }
    /// <summary>Power of the course.</summary>
    [Description("Power of the cosine by which guidance grows; as published when left out."), Range(0.0, 100.0)] public double? GuidanceScalePow { get; init; }
    /// <summary>Temperature.</summary>
    [Description("Temperature; as published when left out."), Range(0.01, 100.0)] public double? Temperature { get; init; }
}

internal static class RarNetwork
{
    private const double Epsilon = 1e-6;

    /// <summary>The id that stands for the token before the class.</summary>
    public const long ClsToken = -1;

    /// <summary>
    /// New positions after those in the cache: ids (B, n), the first two of a sequence being <see cref="ClsToken"/> and the class's id; condition (B), the class's id again; places (B, n) and targets (B, n), the
    /// rows of the position tables that are their own and the next one's, -1 for none -> logits (B, n, K).
    /// </summary>
    public static void Step(Scope rar, RarConfig config, int codes)
    {
        var (g, batch, count, width) = (rar.Graph, Dim.Symbol("batch"), Dim.Symbol("count"), (long)config.HiddenSize);
        Value Ids(string name) => g.Input(name, ElementType.Int64, [batch, count]);
        var (ids, places, targets) = (Ids("ids"), Ids("places"), Ids("targets"));
        var table = rar["embeddings"].Weight("weight", codes + config.ConditionNumClasses + 2, width);
        var embeddings = rar.Stage("embedded", Present(ids).Where(table.Gather(AtLeastZero(ids)), rar.Weight("cls_token", 1, 1, width)));
        var x = embeddings + Row(rar, "pos_embed", config.ImageSeqLen + 1024, width).Gather(places)
              + Present(targets).Cast(ElementType.Float32) * Row(rar, "target_aware_pos_embed", config.ImageSeqLen + 1024, width).Gather(AtLeastZero(targets));
        var cache = new KeyValueCache(g, batch, count, config.NumAttentionHeads, width / config.NumAttentionHeads);
        var times = Row(rar, "timesteps_embeddings", config.ImageSeqLen + 100, width).Gather(cache.Positions);
        var condition = (table.Gather(g.Input("condition", ElementType.Int64, [batch])).Unsqueeze(1) + times).Silu();   // (B, n, D)
        for (var i = 0; i < config.NumHiddenLayers; i++) x = rar.Stage($"block_{i}", Block(rar["blocks"][i], x, condition, config, cache, i));
        var (scale, shift) = rar["adaln_before_head.adaLN_modulation.1"].Linear(condition, 2 * width).Chunk2();
        g.Output("logits", rar["lm_head"].Linear(x.LayerNorm(Epsilon) * (scale + 1) + shift, codes));
    }

    private static Value Block(Scope block, Value x, Value condition, RarConfig config, KeyValueCache cache, int layer)
    {
        var width = config.HiddenSize;
        var (shift1, scale1, gate1, shift2, scale2, gate2) = block["adaLN_modulation.1"].Linear(condition, 6 * width).Chunk6();
        var (q, k, v) = block["attn.qkv"].Qkv(block["norm1"].LayerNorm(x, Epsilon) * (scale1 + 1) + shift1, width);
        Value PerHead(string norm, Value y) => block["attn"][norm].LayerNorm(y.Reshape(y.Shape[0], y.Shape[1], config.NumAttentionHeads, -1), Epsilon).Flatten(2);
        x += gate1 * block["attn.proj"].Linear(cache.Attention(layer, PerHead("q_norm", q), PerHead("k_norm", k), v, new() { Heads = config.NumAttentionHeads, Causal = true }), width);
        return x + gate2 * block["mlp"].Mlp(block["norm2"].LayerNorm(x, Epsilon) * (scale2 + 1) + shift2, config.IntermediateSize, hidden => hidden.Gelu());
    }

    private static Value Row(Scope rar, string name, long count, long width) => rar.Weight(name, 1, count, width).Squeeze(0);

    private static Value AtLeastZero(Value ids) => ids.Max(ids.Graph.Constant([0L]));

    private static Value Present(Value ids) => ids.GreaterOrEqual(ids.Graph.Constant([0L])).Unsqueeze(2);
}

/// <summary>RAR: a class to a grid of codes, one after the other; trained in random orders.</summary>
public sealed class RarModel : ImageGenerator<RarOptions>
{
    private readonly RarConfig _config;
    private readonly int _codes;
    private readonly Network _network;

    private RarModel(ModelSource source, Checkpoint checkpoint, RarConfig config, int codes) : base(source, checkpoint, new(TokenLayout.Grid, [codes]), TokenizerPictures.MaskGit(source, codes))
    {
        (_config, _codes) = (config, codes);
        _network = Network.Build(NetworkContext.Of(source, checkpoint), "rar", scope => RarNetwork.Step(scope, config, codes));
        checkpoint.ThrowIfUnused("^attn_mask$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/rar",
            Paper = "Randomized Autoregressive Visual Generation",
            ArXiv = "2411.00776",
            Authors = ["Qihang Yu", "Ju He", "Xueqing Deng", "Xiaohui Shen", "Liang-Chieh Chen"],
            Repository = "bytedance/1d-tokenizer",
            CodeLicense = "Apache-2.0",
            WeightsLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: rar_*.bin + config.json, tokenizer/ for pictures"],
            Sizes =
            [
                new("yucornetto/RAR: rar_b", 260_923_648, []),
                new("yucornetto/RAR: rar_l", 461_668_352, []),
                new("yucornetto/RAR: rar_xl", 955_425_024, []),
                new("yucornetto/RAR: rar_xxl", 1_498_520_704, []),
            ],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_network];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "forward":
                return await ForwardAsync(arguments, cancel).ConfigureAwait(false);
            case "generate":
                var options = new RarOptions { Guidance = arguments.Literal<double>("guidance_scale"), GuidanceScalePow = arguments.Literal<double>("guidance_scale_pow"), Temperature = arguments.Literal<double>("randomize_temperature") };
                arguments.Literal("kv_cache", true);
                Tensor<long>? last = null;
                await foreach (var ids in RunAsync(arguments.Tensor<long>("condition").Span.ToArray(), options, Draws.Given(arguments.Tensor<float>("exponential")), cancel).ConfigureAwait(false)) last = ids;
                return new CallResults().Return(last!);
            default:
                throw Unsupported(call, "forward", "generate");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, RarOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.ConditionNumClasses, options.Count);
        var (step, side) = (0, (long)Math.Sqrt(_config.ImageSeqLen));
        await foreach (var ids in RunAsync(labels, options, Draws.Exponential(seed, labels.Length), cancel).ConfigureAwait(false))
            yield return new(++step, _config.ImageSeqLen, step == _config.ImageSeqLen ? ids.Reshape(labels.Length, side, side) : null);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => Generators.Open(source, checkpoint =>
    {
        var folder = source.RequireFolder();
        return new RarModel(source, checkpoint, PublishedConfig.Read<RarConfig>(folder, "model.generator").Value, PublishedConfig.Read<TokenizerVocabulary>(folder, "model.vq_model").Value.CodebookSize);
    });

    private async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel)
    {
        var ids = arguments.Tensor<long>("input_ids");
        var (rows, count) = ((int)ids.Shape[0], (int)ids.Shape[1]);
        var conditions = Conditions(arguments.HasTensor("condition") ? arguments.Tensor<long>("condition").Span.ToArray() : null, rows);
        var orders = arguments.HasTensor("orders") ? arguments.Tensor<long>("orders").ToRows() : [.. Enumerable.Range(0, rows).Select(_ => Enumerable.Range(0, count).Select(i => (long)i).ToArray())];
        var (tokens, places, targets) = (Tensor.Zeros<long>(rows, count + 2), Tensor.Zeros<long>(rows, count + 2), Tensor.Zeros<long>(rows, count + 2));
        for (var row = 0; row < rows; row++)
        {
            var order = orders[row];
            ((long[])[RarNetwork.ClsToken, conditions[row], .. order.Select(place => ids[row, place])]).CopyTo(tokens.Slice(row).Span);
            ((long[])[0, 1, .. order.Select(place => place + 2)]).CopyTo(places.Slice(row).Span);
            ((long[])[-1, .. order.Select(place => place + 2), -1]).CopyTo(targets.Slice(row).Span);
        }

        using var state = _network.Begin(rows);
        var outputs = await state.StepAsync(cancel, ("ids", tokens), ("condition", Tensor.Create(conditions, rows)), ("places", places), ("targets", targets)).ConfigureAwait(false);
        var results = new CallResults();
        if (outputs.Has("embedded")) results.Add("embeddings", outputs["embedded"].Part(1, 1, count + 2));
        for (var i = 0; outputs.Has($"block_{i}"); i++) results.Add($"block_{i}", outputs[$"block_{i}"]);
        // The first position predicts nothing.
        var logits = outputs["logits"].Part(1, 1, count + 2);
        return results.Return(logits);
    }

    // The codes (B, n) after each step, in the order of the grid.
    private async IAsyncEnumerable<Tensor<long>> RunAsync(long[] labels, RarOptions options, Draw exponentials, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (rows, scale) = (labels.Length, options.Guidance ?? _config.GuidanceScale);
        var guided = scale != 0;
        long[] conditions = guided ? [.. Conditions(labels, rows), .. Conditions(null, rows)] : Conditions(labels, rows);
        var (batch, temperature) = (conditions.Length, (float)(options.Temperature ?? _config.RandomizeTemperature));
        var (codes, draw) = (Tensor.Zeros<long>(rows, _config.ImageSeqLen), new float[rows * _codes]);
        using var state = _network.Begin(batch);
        long[][] next = [.. conditions.Select(id => (long[])[RarNetwork.ClsToken, id])];
        for (var step = 0; step < _config.ImageSeqLen; step++)
        {
            // The last new position is number step + 1; it is told the place after it.
            long[] places = step == 0 ? [0, 1] : [step + 1], targets = step == 0 ? [-1, 2] : [step + 2];
            var outputs = await state.StepAsync(cancel, ("ids", Rows(next)), ("condition", Tensor.Create(conditions, batch)), ("places", Same(places, batch)), ("targets", Same(targets, batch))).ConfigureAwait(false);
            var all = outputs["logits"];
            var logits = all.Part(1, (int)all.Shape[1] - 1, (int)all.Shape[1]);
            if (guided) logits = Guidance.FromUnconditional(logits, GuidanceCourse.PowerCosine(scale, (double)step / _config.ImageSeqLen, options.GuidanceScalePow ?? _config.GuidanceScalePow));
            exponentials(step, draw);
            for (var i = 0; i < rows; i++) codes[i, step] = ExponentialRace.Choose(logits.Slice(i).Span, draw.AsSpan(i * _codes, _codes), temperature);
            next = [.. Enumerable.Range(0, batch).Select(i => (long[])[codes[i % rows, step]])];
            yield return codes;
        }
    }

    // Classes come after the codes and the mask; the dropped class comes last.
    private long[] Conditions(long[]? labels, int rows) => [.. Enumerable.Range(0, rows).Select(i => _codes + 1 + (labels?[i] ?? _config.ConditionNumClasses))];

    private static Tensor<long> Rows(long[][] rows) => Tensor.Create(rows.SelectMany(row => row).ToArray(), rows.Length, rows[0].Length);

    private static Tensor<long> Same(long[] row, int count) => Rows([.. Enumerable.Repeat(row, count)]);
}
