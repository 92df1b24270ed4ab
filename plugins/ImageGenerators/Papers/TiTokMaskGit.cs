// An Image is Worth 32 Tokens for Reconstruction and Generation. Yu, Weber, Deng, Shen, Cremers, Chen. arXiv:2406.07550. github.com/bytedance/1d-tokenizer
// Published layouts: config.json + model.safetensors of a generator (yucornetto/generator_titok_*). Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Section <c>model.generator</c> of the published file.</summary>
public sealed record TiTokMaskGitConfig
{
    /// <summary><c>ViT</c>: BERT; <c>UViT</c>: a transformer with long skips.</summary>
    [AllowedValues("ViT", "UViT")] public string ModelType { get; init; } = "ViT";
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 768;
    /// <summary>Blocks; with long skips one in the middle comes on top.</summary>
    [Range(1, 1024)] public int NumHiddenLayers { get; init; } = 24;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 16;
    /// <summary>Width inside the feed-forward network.</summary>
    [Range(1, 262144)] public int IntermediateSize { get; init; } = 3072;
    /// <summary>Tokens a picture.</summary>
    [Range(1, 65536)] public int ImageSeqLen { get; init; } = 32;
    /// <summary>Number of classes.</summary>
    [Range(1, 1 << 24)] public int ConditionNumClasses { get; init; } = 1000;
    /// <summary>Published number of steps.</summary>
    [Range(1, 1000)] public int NumSteps { get; init; } = 8;
    /// <summary>Published scale of guidance.</summary>
    public double GuidanceScale { get; init; } = 3;
    /// <summary>Published course of guidance.</summary>
    public string GuidanceDecay { get; init; } = "constant";
    /// <summary>Published power of that course.</summary>
    public double GuidanceScalePow { get; init; } = 3;
    /// <summary>Published weight of the noise.</summary>
    public double RandomizeTemperature { get; init; } = 4.5;
    /// <summary>Whether the softmax cools down, as published.</summary>
    public bool SoftmaxTemperatureAnnealing { get; init; }
}

/// <summary>Section <c>model.vq_model</c>, as far as a generator reads it.</summary>
public sealed record TokenizerVocabulary
{
    /// <summary>Number of codes.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 4096;
}

/// <summary>Options of TiTok's generator; what is left out is as published.</summary>
public sealed record TiTokMaskGitOptions : PictureOptions
{
    /// <summary>Number of steps.</summary>
    [Description("Steps; as published when left out."), Range(1, 1000)] public int? Steps { get; init; }
    /// <summary>Scale of guidance.</summary>
    [Description("Scale of classifier-free guidance; as published when left out."), Range(0.0, 100.0)] public double? Guidance { get; init; }
    /// <summary>Course of guidance.</summary>
    [Description("How guidance changes over the steps; as published when left out."), AllowedValues("constant", "linear", "power-cosine", null)] public string? GuidanceDecay { get; init; }
    /// <summary>Power of the course.</summary>
    [Description("Power of the cosine; as published when left out."), Range(0.0, 100.0)] public double? GuidanceScalePow { get; init; }
    /// <summary>Weight of the noise.</summary>
    [Description("Weight of the noise at the start; as published when left out."), Range(0.0, 1000.0)] public double? RandomizeTemperature { get; init; }
    /// <summary>Whether the softmax cools down.</summary>
    [Description("Whether the softmax cools down from 1.3 to 0.5; as published when left out.")] public bool? SoftmaxTemperatureAnnealing { get; init; }
}

/// <summary>The two transformers over a class and tokens. Ids: codes, the mask, classes, the dropped class.</summary>
internal static class TiTokMaskGitNetwork
{
    /// <summary>ids (B, 1 + N), the class first -> logits (B, N, K).</summary>
    public static void Logits(Scope model, TiTokMaskGitConfig config, int codes)
    {
        var ids = model.Graph.Input("input_ids", ElementType.Int64, [Dim.Symbol("batch"), config.ImageSeqLen + 1]);
        var vocabulary = codes + config.ConditionNumClasses + 2;
        model.Graph.Output("logits", config.ModelType == "UViT" ? SkipTransformer(model, ids, vocabulary, codes, config) : Bert(model["model"], ids, vocabulary, codes, config));
    }

    private static Value Bert(Scope bert, Value ids, int vocabulary, int codes, TiTokMaskGitConfig config)
    {
        var (embeddings, width) = (bert["embeddings"], config.HiddenSize);
        var x = embeddings["word_embeddings"].Embedding(ids, vocabulary, width) + embeddings["token_type_embeddings"].Weight("weight", 2, width).At(0, 0)
              + embeddings["position_embeddings"].Weight("weight", config.ImageSeqLen + 1, width);
        x = bert.Stage("embeddings", embeddings["LayerNorm"].LayerNorm(x, BertEpsilon));
        for (var i = 0; i < config.NumHiddenLayers; i++) x = bert.Stage($"block_{i}", BertLayer(bert["encoder.layer"][i], x, config));
        return bert["lm_head"].Linear(x.From(1, 1), codes);
    }

    // Post-norm, as BERT is.
    private static Value BertLayer(Scope layer, Value x, TiTokMaskGitConfig config)
    {
        var (self, width) = (layer["attention.self"], config.HiddenSize);
        var attended = AttentionLayers.Attention(self["query"].Linear(x, width), self["key"].Linear(x, width), self["value"].Linear(x, width), new() { Heads = config.NumAttentionHeads });
        x = layer["attention.output.LayerNorm"].LayerNorm(x + layer["attention.output.dense"].Linear(attended, width), BertEpsilon);
        var hidden = layer["intermediate.dense"].Linear(x, config.IntermediateSize).Gelu();
        return layer["output.LayerNorm"].LayerNorm(x + layer["output.dense"].Linear(hidden, width), BertEpsilon);
    }

    private const double BertEpsilon = 1e-12;

    private static Value SkipTransformer(Scope model, Value ids, int vocabulary, int codes, TiTokMaskGitConfig config)
    {
        var x = model.Stage("embeddings", model["embeddings"].Embedding(ids, vocabulary, config.HiddenSize));
        x += model.Weight("pos_embed", 1, config.ImageSeqLen + 1, config.HiddenSize);
        var skips = new Stack<Value>();
        for (var i = 0; i < config.NumHiddenLayers / 2; i++)
        {
            x = model.Stage($"in_block_{i}", SkipBlock(model["in_blocks"][i], x, null, config));
            skips.Push(x);
        }

        x = model.Stage("mid_block", SkipBlock(model["mid_block"], x, null, config));
        for (var i = 0; i < config.NumHiddenLayers / 2; i++) x = model.Stage($"out_block_{i}", SkipBlock(model["out_blocks"][i], x, skips.Pop(), config));
        return model["lm_head"].Linear(model["norm"].LayerNorm(x).From(1, 1), codes);
    }

    private static Value SkipBlock(Scope block, Value x, Value? skip, TiTokMaskGitConfig config)
    {
        if (skip is not null) x = block["skip_linear"].Linear(ValueShape.Concat(-1, x, skip), config.HiddenSize);
        var (q, k, v) = block["attn.qkv"].Qkv(block["norm1"].LayerNorm(x), config.HiddenSize, bias: false);
        x += block["attn.proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = config.NumAttentionHeads }), config.HiddenSize);
        return x + block["mlp"].Mlp(block["norm2"].LayerNorm(x), config.IntermediateSize, hidden => hidden.Gelu());
    }
}

/// <summary>TiTok's generator: a class to the few tokens of a picture.</summary>
public sealed class TiTokMaskGitModel : ImageGenerator<TiTokMaskGitOptions>
{
    private readonly TiTokMaskGitConfig _config;
    private readonly int _codes;
    private readonly Network _network;

    private TiTokMaskGitModel(ModelSource source, Checkpoint checkpoint, TiTokMaskGitConfig config, int codes) : base(source, checkpoint, new(TokenLayout.Flat, [codes]), TiTokPictures.Find(source))
    {
        (_config, _codes) = (config, codes);
        _network = Network.Build(NetworkContext.Of(source, checkpoint), "titok generator", scope => TiTokMaskGitNetwork.Logits(scope, config, codes), independentRows: true);
        checkpoint.ThrowIfUnused();
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/titok-maskgit",
            Paper = "An Image is Worth 32 Tokens for Reconstruction and Generation",
            ArXiv = "2406.07550",
            Authors = ["Qihang Yu", "Mark Weber", "Xueqing Deng", "Xiaohui Shen", "Daniel Cremers", "Liang-Chieh Chen"],
            Repository = "bytedance/1d-tokenizer",
            CodeLicense = "Apache-2.0",
            WeightsLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.json + model.safetensors, tokenizer/ for pictures (TiTok's)"],
            Sizes =
            [
                new("yucornetto/generator_titok_l32_imagenet", 177_202_432, []),
                new("yucornetto/generator_titok_b64_imagenet", 177_227_008, []),
                new("yucornetto/generator_titok_s128_imagenet", 294_990_848, []),
            ],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_network];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        var labels = arguments.Tensor<long>("condition").Span.ToArray();
        switch (call)
        {
            case "forward":
                var dropped = arguments.Literal("cond_drop_prob", 0.1) switch
                {
                    0.0 => false,
                    1.0 => true,
                    var other => throw new ModelZooException(ErrorCodes.VerbUnsupported, "Conditions are dropped by chance.") { Where = "cond_drop_prob", Expected = "0 or 1", Found = other.ToString() },
                };
                var ids = arguments.Tensor<long>("input_ids");
                var outputs = await _network.RunAsync(cancel, ("input_ids", WithConditions(ids, [.. labels.Select(label => Condition(dropped ? null : label))]))).ConfigureAwait(false);
                return outputs.ToResults().Return(outputs["logits"]);
            case "generate":
                var options = new TiTokMaskGitOptions
                {
                    Guidance = arguments.Literal("guidance_scale", 3.0),
                    GuidanceDecay = arguments.Literal("guidance_decay", "constant"),
                    GuidanceScalePow = arguments.Literal("guidance_scale_pow", 3.0),
                    RandomizeTemperature = arguments.Literal("randomize_temperature", 4.5),
                    SoftmaxTemperatureAnnealing = arguments.Literal("softmax_temperature_annealing", false),
                    Steps = arguments.Literal("num_sample_steps", 8),
                };
                var (tokenDraws, confidenceDraws) = (Draws.Given(arguments.Tensor<float>("uniform_logits")), Draws.Given(arguments.Tensor<float>("uniform_confidence")));
                Tensor<long>? last = null;
                await foreach (var step in RunAsync(labels, options, tokenDraws, confidenceDraws, cancel).ConfigureAwait(false)) last = step;
                return new CallResults().Return(last!);
            default:
                throw Unsupported(call, "forward", "generate");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, TiTokMaskGitOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.ConditionNumClasses, options.Count);
        var (step, steps) = (0, options.Steps ?? _config.NumSteps);
        await foreach (var ids in RunAsync(labels, options, Draws.Uniform(seed, labels.Length), Draws.Uniform(seed, labels.Length, series: 1), cancel).ConfigureAwait(false))
            yield return new(++step, steps, step == steps ? ids : null);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => Generators.Open(source, checkpoint =>
    {
        var folder = source.RequireFolder();
        return new TiTokMaskGitModel(source, checkpoint, PublishedConfig.Read<TiTokMaskGitConfig>(folder, "model.generator").Value, PublishedConfig.Read<TokenizerVocabulary>(folder, "model.vq_model").Value.CodebookSize);
    });

    private IAsyncEnumerable<Tensor<long>> RunAsync(long[] labels, TiTokMaskGitOptions options, Draw tokenDraws, Draw confidenceDraws, CancellationToken cancel)
    {
        var steps = options.Steps ?? _config.NumSteps;
        var annealing = options.SoftmaxTemperatureAnnealing ?? _config.SoftmaxTemperatureAnnealing;
        var sampler = new GumbelMaskSampler(labels.Length, _config.ImageSeqLen, _codes)
        {
            Steps = steps,
            RandomizeTemperature = options.RandomizeTemperature ?? _config.RandomizeTemperature,
            SoftmaxTemperature = (share, _) => annealing ? 0.5 + 0.8 * (1 - share) : 1,
            Masked = share => (int)Math.Floor(_config.ImageSeqLen * (Math.Acos(share) / (Math.PI * 0.5))),
        };
        return sampler.RunAsync((step, ids) => GuidedAsync(ids, labels, (double)step / steps, options, cancel), tokenDraws, confidenceDraws, cancel);
    }

    private async Task<Tensor<float>> GuidedAsync(Tensor<long> ids, long[] labels, double share, TiTokMaskGitOptions options, CancellationToken cancel)
    {
        var (most, decay) = (options.Guidance ?? _config.GuidanceScale, options.GuidanceDecay ?? _config.GuidanceDecay);
        var scale = decay switch
        {
            "constant" => (float)most,
            "linear" => (float)(share * most),
            "power-cosine" => GuidanceCourse.PowerCosine(most, share, options.GuidanceScalePow ?? _config.GuidanceScalePow),
            _ => throw new OptionsException(ErrorCodes.OptionRange, "There is no such course of guidance.") { Where = "guidance_decay", Expected = "constant, linear or power-cosine", Found = decay },
        };
        long[] conditions = [.. labels.Select(label => Condition(label))];
        if (scale == 0) return (await _network.RunAsync(cancel, ("input_ids", WithConditions(ids, conditions))).ConfigureAwait(false))["logits"];
        long[] both = [.. conditions, .. labels.Select(_ => Condition(null))];
        var twice = ids.Doubled();
        var logits = (await _network.RunAsync(cancel, ("input_ids", WithConditions(twice, both))).ConfigureAwait(false))["logits"];
        return decay == "power-cosine" ? Guidance.FromUnconditional(logits, scale) : Guidance.FromConditional(logits, scale);
    }

    private long Condition(long? label) => _codes + 1 + (label ?? _config.ConditionNumClasses);

    // The condition's id before the ids of each row.
    private static Tensor<long> WithConditions(Tensor<long> ids, long[] conditions)
    {
        var width = (int)ids.Shape[1];
        var result = Tensor.Zeros<long>(conditions.Length, width + 1);
        for (var i = 0; i < conditions.Length; i++)
        {
            result.Slice(i).Span[0] = conditions[i];
            ids.Slice(i).Span.CopyTo(result.Slice(i).Span[1..]);
        }

        return result;
    }
}
