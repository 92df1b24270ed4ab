// Democratizing Text-to-Image Masked Generative Models with Compact Text-Aware One-Dimensional Tokens. Kim, He, Yu, Yang, Shen, Kwak, Chen. arXiv:2501.07730. github.com/bytedance/1d-tokenizer
// Published layouts: config.json + model.safetensors (turkeyju/generator_maskgen_kl_*); for use, clip/ (transformers' layout), and for pictures tokenizer/ (TA-TiTok) beside them. Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Section <c>losses</c> of the published file, as far as sampling reads it.</summary>
public sealed record MaskGenHeadConfig
{
    /// <summary>Residual blocks of the head.</summary>
    [Range(1, 1024)] public int DifflossD { get; init; } = 8;
    /// <summary>Width of the head.</summary>
    [Range(1, 65536)] public int DifflossW { get; init; } = 1024;
    /// <summary>Steps of the head's diffusion.</summary>
    public string NumSamplingSteps { get; init; } = "100";
}

/// <summary>Options of MaskGen over continuous tokens; the defaults are the authors'.</summary>
public sealed record MaskGenKlOptions : PictureOptions
{
    /// <summary>Number of iterations.</summary>
    [Description("Iterations."), Range(1, 1000)] public int Steps { get; init; } = 32;
    /// <summary>Scale of guidance.</summary>
    [Description("Scale of classifier-free guidance; 1 for none."), Range(0.0, 100.0)] public double Guidance { get; init; } = 3;
    /// <summary>Course of guidance.</summary>
    [Description("How guidance changes over the iterations."), AllowedValues("linear", "constant")] public string GuidanceSchedule { get; init; } = "linear";
    /// <summary>Factor on the noise.</summary>
    [Description("Factor on the noise of the head's diffusion."), Range(0.0, 10.0)] public float Temperature { get; init; } = 1;
    /// <summary>The aesthetic score that is asked for.</summary>
    [Description("Aesthetic score that is asked for."), Range(0.0, 10.0)] public float AestheticScore { get; init; } = 6;
}

/// <summary>MaskGen's transformer over continuous tokens.</summary>
internal static class MaskGenKlNetwork
{
    private const string Decoder = "decoder";

    /// <summary>tokens (B, N, C), mask (B, N), condition (B, M, T), condition_pooled (B, 1, T), aesthetic_score (B) -> decoder (B, N, D).</summary>
    public static void Conditions(Scope model, MaskGenConfig config, MaskGenTokenizerConfig tokenizer)
    {
        var (g, batch, width, count) = (model.Graph, Dim.Symbol("batch"), (long)config.DecoderEmbedDim, (long)tokenizer.NumLatentTokens);
        var (tokens, mask) = (g.Input("tokens", [batch, count, tokenizer.TokenSize]), g.Input("mask", [batch, count]));
        var words = model["text_emb"].Linear(g.Input("condition", [batch, Dim.Symbol("words"), tokenizer.TextEmbedDim]), width);
        var pooled = g.Input("condition_pooled", [batch, 1, tokenizer.TextEmbedDim]).Squeeze(1);
        if (config.MicroCondition) pooled = ValueShape.Concat(-1, pooled, Interleaved(g.Input("aesthetic_score", [batch]) * 100, config.MicroConditionEmbedDim));
        var condition = model["text_pooled_emb"].Linear(pooled, width);                    // (B, D)

        var known = model["z_proj_ln"].LayerNorm(model["z_proj"].Linear(tokens, width), 1e-6);
        var x = mask.Unsqueeze(2).Cast(ElementType.Bool).Where(model.Weight("mask_token", 1, 1, width), known) + model.Weight("decoder_pos_embed_learned", 1, count, width);
        for (var i = 0; i < config.DecoderDepth; i++)
        {
            (x, var read) = JointBlock.Build(model["decoder_blocks"][i], x, words, condition, config.DecoderNumHeads, last: i == config.DecoderDepth - 1);
            words = read ?? words;
        }

        g.Output(Decoder, JointBlock.ContinuousNorm(model["decoder_norm"], x, condition) + model.Weight("diffusion_pos_embed_learned", 1, count, width));
    }

    // Sines and cosines take turns: (B) -> (B, width).
    private static Value Interleaved(Value score, int width)
    {
        var frequencies = new float[(width + 1) / 2];
        for (var i = 0; i < frequencies.Length; i++) frequencies[i] = MathF.Pow(10000, -(2f * i / width));
        var angles = score.Reshape(-1, 1) * score.Graph.Constant<float>(frequencies, 1, frequencies.Length);
        return ValueShape.Stack(-1, angles.Sin(), angles.Cos()).Flatten(1);
    }
}

/// <summary>MaskGen over continuous tokens: words to the latents of a picture.</summary>
public sealed class MaskGenKlModel : ImageGenerator<MaskGenKlOptions>
{
    private readonly MaskGenConfig _config;
    private readonly MaskGenTokenizerConfig _tokenizer;
    private readonly SpacedDiffusion _diffusion;
    private readonly Network _network;
    private readonly DiffusionHead _head;
    private readonly Lazy<CaptionEncoder> _captions;

    private MaskGenKlModel(ModelSource source, Checkpoint checkpoint, MaskGenConfig config, MaskGenTokenizerConfig tokenizer, MaskGenHeadConfig head) : base(source, checkpoint, SampleSpace.Latents, TiTokPictures.Find(source, readsWords: true))
    {
        (_config, _tokenizer, _diffusion) = (config, tokenizer, new SpacedDiffusion(head.NumSamplingSteps, BetaSchedule.SquaredCosine));
        var context = NetworkContext.Of(source, checkpoint);
        _network = Network.Build(context, "maskgen", scope => MaskGenKlNetwork.Conditions(scope, config, tokenizer), independentRows: true);
        _head = new(context, new(tokenizer.TokenSize, config.DecoderEmbedDim, head.DifflossW, head.DifflossD));
        _captions = new(() => CaptionEncoder.Open(source));
        checkpoint.ThrowIfUnused();
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/maskgen-kl",
            Paper = "Democratizing Text-to-Image Masked Generative Models with Compact Text-Aware One-Dimensional Tokens",
            ArXiv = "2501.07730",
            Authors = ["Dongwon Kim", "Ju He", "Qihang Yu", "Chenglin Yang", "Xiaohui Shen", "Suha Kwak", "Liang-Chieh Chen"],
            Repository = "bytedance/1d-tokenizer",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tensors, Modality.Image],
            Layouts = ["authors: config.json + model.safetensors, clip/ for words, tokenizer/ for pictures (TA-TiTok's)"],
            Sizes = [new("turkeyju/generator_maskgen_kl_l", 641_364_000, []), new("turkeyju/generator_maskgen_kl_xl", 1_237_345_312, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => _captions.IsValueCreated ? [_network, _head, _captions.Value] : [_network, _head];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "forward_decoder":
                return (await RunAsync(arguments.Tensor<float>("tokens"), arguments.Tensor<float>("mask"), Caption(arguments, ""), arguments.FindTensor<float>("aesthetic_score"), cancel).ConfigureAwait(false)).ToResults();
            case "denoise":
                return new CallResults().Return(await _head.PredictAsync(arguments.Tensor<float>("latent"), arguments.Floats("timestep"), arguments.Tensor<float>("condition"), cancel).ConfigureAwait(false));
            case "sample_tokens":
                var options = new MaskGenKlOptions
                {
                    Steps = arguments.Literal("num_iter", 32),
                    Guidance = arguments.Literal("cfg", 3.0),
                    GuidanceSchedule = arguments.Literal("cfg_schedule", "linear"),
                    Temperature = arguments.Literal("temperature", 1f),
                    AestheticScore = arguments.Literal("aes_scores", 6f),
                };
                var noise = TokenNoises.InOrder(arguments.Tensor<float>("noise"), arguments.Tensor<float>("step_noise"), options.Guidance != 1);
                Tensor<float>? last = null;
                await foreach (var tokens in SampleAsync(Caption(arguments, ""), Caption(arguments, "none_"), arguments.Tensor<long>("orders").ToRows(), options, noise, cancel).ConfigureAwait(false)) last = tokens;
                return new CallResults().Return(Latent(last!));
            default:
                throw Unsupported(call, "forward_decoder", "denoise", "sample_tokens");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, MaskGenKlOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var caption = (await _captions.Value.EncodeAsync(prompt.RequireText(), cancel).ConfigureAwait(false)).Repeated(options.Count);
        var nothing = await _captions.Value.EncodeAsync("", cancel).ConfigureAwait(false);
        var orders = Draws.Orders(seed, options.Count, _tokenizer.NumLatentTokens);
        var step = 0;
        await foreach (var tokens in SampleAsync(caption, nothing, orders, options, TokenNoises.Seeded(seed), cancel).ConfigureAwait(false))
            yield return new(++step, options.Steps, step == options.Steps ? Latent(tokens) : null);
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
        return new MaskGenKlModel(source, checkpoint, PublishedConfig.Read<MaskGenConfig>(folder, "model.maskgen").Value, PublishedConfig.Read<MaskGenTokenizerConfig>(folder, "model.vq_model").Value,
            PublishedConfig.Read<MaskGenHeadConfig>(folder, "losses").Value);
    });

    private static CaptionFeatures Caption(CallArguments arguments, string prefix) => new(arguments.Tensor<float>(prefix + "condition"), arguments.Tensor<float>(prefix + "condition_pooled"));

    private IAsyncEnumerable<Tensor<float>> SampleAsync(CaptionFeatures caption, CaptionFeatures nothing, long[][] orders, MaskGenKlOptions options, TokenNoise noise, CancellationToken cancel)
    {
        var guided = options.Guidance != 1;
        var captions = guided ? caption.Before(nothing.Repeated(orders.Length)) : caption;
        var scores = Tensor.Create(Enumerable.Repeat(options.AestheticScore, (int)captions.Words.Shape[0]).ToArray(), captions.Words.Shape[0]);
        var sampler = new TokenDiffusionSampler(orders, _tokenizer.TokenSize) { Iterations = options.Steps, Guidance = options.Guidance, Schedule = options.GuidanceSchedule };
        return sampler.RunAsync(
            async (tokens, mask, stop) => (await RunAsync(guided ? tokens.Doubled() : tokens, guided ? mask.Doubled() : mask, captions, scores, stop).ConfigureAwait(false))["decoder"],
            noise.Head(_head, _diffusion, options.Temperature, _tokenizer.TokenSize), cancel);
    }

    private Task<NetworkOutputs> RunAsync(Tensor<float> tokens, Tensor<float> mask, CaptionFeatures caption, Tensor<float>? scores, CancellationToken cancel)
    {
        (string, Tensor)[] inputs = [("tokens", tokens), ("mask", mask), ("condition", caption.Words), ("condition_pooled", caption.Pooled)];
        return _network.RunAsync(cancel, _config.MicroCondition ? [.. inputs, ("aesthetic_score", scores ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, "The model needs an aesthetic score.") { Where = "aesthetic_score" })] : inputs);
    }

    // Tokens (B, N, C) to the tokenizer's latent (B, C, 1, N).
    private Tensor<float> Latent(Tensor<float> tokens)
    {
        var (samples, count, channels) = ((int)tokens.Shape[0], (int)tokens.Shape[1], (int)tokens.Shape[2]);
        var latent = Tensor.Zeros<float>(samples, channels, 1, count);
        for (var i = 0; i < tokens.Length; i++) latent.Span[(i / (count * channels) * channels + i % channels) * count + i / channels % count] = tokens.Span[i] / _tokenizer.ScaleFactor;
        return latent;
    }
}
