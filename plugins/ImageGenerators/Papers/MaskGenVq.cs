// Democratizing Text-to-Image Masked Generative Models with Compact Text-Aware One-Dimensional Tokens. Kim, He, Yu, Yang, Shen, Kwak, Chen. arXiv:2501.07730. github.com/bytedance/1d-tokenizer
// Published layouts: config.json + model.safetensors (turkeyju/generator_maskgen_vq_*); for use, clip/ (transformers' layout), and for pictures tokenizer/ (TA-TiTok) beside them. Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Section <c>model.maskgen</c> of the published file.</summary>
public sealed record MaskGenConfig
{
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int DecoderEmbedDim { get; init; } = 1024;
    /// <summary>Blocks.</summary>
    [Range(1, 1024)] public int DecoderDepth { get; init; } = 16;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int DecoderNumHeads { get; init; } = 16;
    /// <summary>Whether an aesthetic score is a condition too.</summary>
    public bool MicroCondition { get; init; } = true;
    /// <summary>Width of the score's encoding.</summary>
    [Range(1, 65536)] public int MicroConditionEmbedDim { get; init; } = 256;
    /// <summary>Classes of an earlier design, whose embeddings are kept.</summary>
    [Range(0, 1 << 24)] public int ConditionNumClasses { get; init; } = 1000;
    /// <summary>The score that is asked for.</summary>
    public float SampleAestheticScore { get; init; } = 6;
    /// <summary>Whether codes are read off with their own embeddings.</summary>
    public bool WeightTying { get; init; } = true;
    /// <summary>How many tokens stay masked: <c>arccos</c>, <c>cosine</c>, <c>root</c>, <c>square</c> or <c>linear</c>.</summary>
    public string MaskScheduleStrategy { get; init; } = "arccos";
}

/// <summary>Section <c>model.vq_model</c>, as far as MaskGen reads it.</summary>
public sealed record MaskGenTokenizerConfig
{
    /// <summary>Number of codes.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 8192;
    /// <summary>Channels of a continuous token.</summary>
    [Range(1, 4096)] public int TokenSize { get; init; } = 16;
    /// <summary>Tokens a picture.</summary>
    [Range(1, 65536)] public int NumLatentTokens { get; init; } = 128;
    /// <summary>Width of a word's features.</summary>
    [Range(1, 65536)] public int TextEmbedDim { get; init; } = 768;
    /// <summary>Factor on continuous tokens.</summary>
    public float ScaleFactor { get; init; } = 1;
}

/// <summary>Options of MaskGen over discrete tokens; the defaults are the authors'.</summary>
public sealed record MaskGenVqOptions : PictureOptions
{
    /// <summary>Number of steps.</summary>
    [Description("Steps."), Range(1, 1000)] public int Steps { get; init; } = 16;
    /// <summary>Scale of guidance.</summary>
    [Description("Scale of classifier-free guidance."), Range(0.0, 100.0)] public double Guidance { get; init; } = 12;
    /// <summary>Course of guidance.</summary>
    [Description("How guidance changes over the steps."), AllowedValues("cosine", "flippedcosine", "linear", "none")] public string GuidanceDecay { get; init; } = "cosine";
    /// <summary>Power of the course.</summary>
    [Description("Power of the cosine."), Range(0.0, 100.0)] public double GuidanceDecayScalePow { get; init; } = 1;
    /// <summary>Weight of the noise.</summary>
    [Description("Weight of the noise at the start."), Range(0.0, 1000.0)] public double RandomizeTemperature { get; init; } = 1.5;
    /// <summary>Whether the softmax cools down by itself.</summary>
    [Description("Whether the softmax cools down from 1.3 to 0.5; else its temperature is the noise's weight.")] public bool SoftmaxTemperatureAnnealing { get; init; } = true;
    /// <summary>Whether confidences are disturbed.</summary>
    [Description("Whether noise disturbs the order in which tokens are kept.")] public bool ProbSorting { get; init; } = true;
}

/// <summary>MaskGen's transformer over discrete tokens.</summary>
internal static class MaskGenVqNetwork
{
    /// <summary>input_tokens (B, N), condition (B, M, T), condition_pooled (B, 1, T), aesthetic_score (B) -> logits (B, N, K).</summary>
    public static void Logits(Scope model, MaskGenConfig config, MaskGenTokenizerConfig tokenizer)
    {
        var (g, batch, width) = (model.Graph, Dim.Symbol("batch"), (long)config.DecoderEmbedDim);
        var ids = g.Input("input_tokens", ElementType.Int64, [batch, tokenizer.NumLatentTokens]);
        var words = model["text_embed_proj"].Linear(g.Input("condition", [batch, Dim.Symbol("words"), tokenizer.TextEmbedDim]), width);
        var pooled = g.Input("condition_pooled", [batch, 1, tokenizer.TextEmbedDim]).Squeeze(1);
        if (config.MicroCondition) pooled = ValueShape.Concat(-1, pooled, (g.Input("aesthetic_score", [batch]) * 100).Sinusoid(config.MicroConditionEmbedDim, maxPeriod: 1000, cosinesFirst: false));
        var condition = model["cond_pooled_proj"].Linear(pooled, width);                   // (B, D)

        var table = model["embeddings"].Weight("weight", tokenizer.CodebookSize + config.ConditionNumClasses + 2, width);
        var x = table.Gather(ids) + model.Weight("pos_embed", 1, tokenizer.NumLatentTokens, width);
        for (var i = 0; i < config.DecoderDepth; i++)
        {
            (x, var read) = JointBlock.Build(model["blocks"][i], x, words, condition, config.DecoderNumHeads, last: i == config.DecoderDepth - 1);
            if (read is not null) words = model.Stage($"block_{i}_context", read);
            model.Stage($"block_{i}", x);
        }

        x = model.Stage("norm", JointBlock.ContinuousNorm(model["norm"], x, condition));
        g.Output("logits", config.WeightTying ? model["embeddings"].Linear(x, table.Take(0, tokenizer.CodebookSize), null) : model["lm_head"].Linear(x, tokenizer.CodebookSize));
    }
}

/// <summary>MaskGen over discrete tokens: words to the tokens of a picture.</summary>
public sealed class MaskGenVqModel : ImageGenerator<MaskGenVqOptions>
{
    private readonly MaskGenConfig _config;
    private readonly MaskGenTokenizerConfig _tokenizer;
    private readonly Network _network;
    private readonly Lazy<CaptionEncoder> _captions;

    private MaskGenVqModel(ModelSource source, Checkpoint checkpoint, MaskGenConfig config, MaskGenTokenizerConfig tokenizer)
        : base(source, checkpoint, new(TokenLayout.Flat, [tokenizer.CodebookSize]), TiTokPictures.Find(source, readsWords: true))
    {
        (_config, _tokenizer) = (config, tokenizer);
        _network = Network.Build(NetworkContext.Of(source, checkpoint), "maskgen", scope => MaskGenVqNetwork.Logits(scope, config, tokenizer), independentRows: true);
        _captions = new(() => CaptionEncoder.Open(source));
        // With tied weights the embeddings are stored twice.
        checkpoint.ThrowIfUnused(config.WeightTying ? [@"^lm_head\.weight$"] : []);
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/maskgen-vq",
            Paper = "Democratizing Text-to-Image Masked Generative Models with Compact Text-Aware One-Dimensional Tokens",
            ArXiv = "2501.07730",
            Authors = ["Dongwon Kim", "Ju He", "Qihang Yu", "Chenglin Yang", "Xiaohui Shen", "Suha Kwak", "Liang-Chieh Chen"],
            Repository = "bytedance/1d-tokenizer",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.json + model.safetensors, clip/ for words, tokenizer/ for pictures (TA-TiTok's)"],
            Sizes = [new("turkeyju/generator_maskgen_vq_l", 604_311_552, []), new("turkeyju/generator_maskgen_vq_xl", 1_176_611_840, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => _captions.IsValueCreated ? [_network, _captions.Value] : [_network];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        var caption = new CaptionFeatures(arguments.Tensor<float>("condition"), arguments.Tensor<float>("condition_pooled"));
        switch (call)
        {
            case "forward":
                return (await RunAsync(arguments.Tensor<long>("input_tokens"), caption, arguments.FindTensor<float>("aesthetic_score"), cancel).ConfigureAwait(false)).ToResults();
            case "generate":
                // As published: a score that is given is replaced by the configuration's.
                if (_config.MicroCondition && !arguments.Has("sample_aesthetic_score")) throw new ModelZooException(ErrorCodes.VerbUnsupported, "The model needs an aesthetic score.") { Where = "sample_aesthetic_score" };
                var options = new MaskGenVqOptions
                {
                    Guidance = arguments.Literal("guidance_scale", 12.0),
                    RandomizeTemperature = arguments.Literal("randomize_temperature", 1.5),
                    SoftmaxTemperatureAnnealing = arguments.Literal("softmax_temperature_annealing", true),
                    Steps = arguments.Literal("num_sample_steps", 16),
                    GuidanceDecay = arguments.Literal("guidance_decay", "cosine"),
                    GuidanceDecayScalePow = arguments.Literal("guidance_decay_scale_pow", 1.0),
                    ProbSorting = arguments.Literal("prob_sorting", true),
                };
                var nothing = new CaptionFeatures(arguments.Tensor<float>("none_condition"), arguments.Tensor<float>("none_condition_pooled"));
                Tensor<long>? last = null;
                await foreach (var ids in SampleAsync(caption, nothing, options, Draws.Given(arguments.Tensor<float>("uniform_logits")), Given(arguments, options), cancel).ConfigureAwait(false)) last = ids;
                return new CallResults().Return(last!);
            default:
                throw Unsupported(call, "forward", "generate");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, MaskGenVqOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var caption = (await _captions.Value.EncodeAsync(prompt.RequireText(), cancel).ConfigureAwait(false)).Repeated(options.Count);
        var nothing = await _captions.Value.EncodeAsync("", cancel).ConfigureAwait(false);
        var step = 0;
        await foreach (var ids in SampleAsync(caption, nothing, options, Draws.Uniform(seed, options.Count), Draws.Uniform(seed, options.Count, series: 1), cancel).ConfigureAwait(false))
            yield return new(++step, options.Steps, step == options.Steps ? ids : null);
    }

    // The tokenizer reads the caption too.
    private protected override async Task<Tensor<float>> PaintAsync(IPictureDecoder decoder, Tensor samples, Prompt prompt, CancellationToken cancel)
    {
        var caption = (await _captions.Value.EncodeAsync(prompt.RequireText(), cancel).ConfigureAwait(false)).Repeated((int)samples.Shape[0]);
        return await ((TiTokPictures)decoder).DecodeAsync(samples, caption.Guidance, cancel).ConfigureAwait(false);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => Generators.Open(source, checkpoint =>
    {
        var folder = source.RequireFolder();
        return new MaskGenVqModel(source, checkpoint, PublishedConfig.Read<MaskGenConfig>(folder, "model.maskgen").Value, PublishedConfig.Read<MaskGenTokenizerConfig>(folder, "model.vq_model").Value);
    });

    private static Draw Given(CallArguments arguments, MaskGenVqOptions options) => options.ProbSorting || arguments.Has("uniform_confidence") ? Draws.Given(arguments.Tensor<float>("uniform_confidence")) : (_, _) => { };

    private IAsyncEnumerable<Tensor<long>> SampleAsync(CaptionFeatures caption, CaptionFeatures nothing, MaskGenVqOptions options, Draw tokenDraws, Draw confidenceDraws, CancellationToken cancel)
    {
        var samples = (int)caption.Words.Shape[0];
        var both = caption.Before(nothing.Repeated(samples));
        var sampler = new GumbelMaskSampler(samples, _tokenizer.NumLatentTokens, _tokenizer.CodebookSize)
        {
            Steps = options.Steps,
            RandomizeTemperature = options.RandomizeTemperature,
            SoftmaxTemperature = (share, temperature) => options.SoftmaxTemperatureAnnealing ? 0.5 + 0.8 * (1 - share) : temperature,
            Masked = share => (int)MathF.Floor(_tokenizer.NumLatentTokens * MaskGitSampler.MaskingRatio((float)share, _config.MaskScheduleStrategy)),
            NoisyConfidence = options.ProbSorting,
        };
        return sampler.RunAsync(GuidedAsync, tokenDraws, confidenceDraws, cancel);

        async Task<Tensor<float>> GuidedAsync(int step, Tensor<long> ids)
        {
            var scale = Scale((step + 1.0) / options.Steps, options);
            var guided = scale != 0;
            var twice = guided ? ids.Doubled() : ids;
            var logits = (await RunAsync(twice, guided ? both : caption, null, cancel).ConfigureAwait(false))["logits"];
            return guided ? Guidance.FromConditional(logits, scale) : logits;
        }
    }

    private static float Scale(double share, MaskGenVqOptions options) => options.GuidanceDecay switch
    {
        "cosine" => GuidanceCourse.PowerCosine(options.Guidance, share, options.GuidanceDecayScalePow),
        "flippedcosine" => (float)(options.Guidance - 1) * (MathF.Cos(MathF.Pow((float)share, (float)options.GuidanceDecayScalePow) * MathF.PI) / 2) + 1,
        "linear" => (float)(share * (options.Guidance - 1) + 1),
        "none" => (float)options.Guidance,
        var other => throw new OptionsException(ErrorCodes.OptionRange, "There is no such course of guidance.") { Where = "guidance_decay", Expected = "cosine, flippedcosine, linear or none", Found = other },
    };

    private Task<NetworkOutputs> RunAsync(Tensor<long> ids, CaptionFeatures caption, Tensor<float>? scores, CancellationToken cancel)
    {
        var count = ids.Shape[0];
        (string, Tensor)[] inputs = [("input_tokens", ids), ("condition", caption.Words), ("condition_pooled", caption.Pooled)];
        return _network.RunAsync(cancel, _config.MicroCondition ? [.. inputs, ("aesthetic_score", scores ?? Tensor.Create(Enumerable.Repeat(_config.SampleAestheticScore, (int)count).ToArray(), count))] : inputs);
    }
}
