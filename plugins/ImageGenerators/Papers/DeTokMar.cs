// Latent Denoising Makes Good Visual Tokenizers. Yang, Li, Fan, Tian, Wang. arXiv:2507.15856. github.com/Jiawei-Yang/DeTok
// Published layout: mar.pth (key model_ema), the arguments as config.json. Deviations: latents are given, normalised as the generator makes them; l-DeTok's decoder is image-tokenizers/l-detok.
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>A size by name.</summary>
public sealed record DeTokMarSize
{
    /// <summary>Width of encoder and decoder.</summary>
    [Range(1, 65536)] public int Width { get; init; } = 768;
    /// <summary>Blocks of each.</summary>
    [Range(1, 1024)] public int Layers { get; init; } = 12;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int Heads { get; init; } = 12;
}

/// <summary>The arguments of the authors' <c>MAR</c>.</summary>
public sealed record DeTokMarConfig
{
    /// <summary>Size of the pictures, in pixels.</summary>
    [Range(1, 8192)] public int ImgSize { get; init; } = 256;
    /// <summary>Places of the latent a token, along each side.</summary>
    [Range(1, 64)] public int PatchSize { get; init; } = 1;
    /// <summary>Name of the size.</summary>
    public string ModelSize { get; init; } = "base";
    /// <summary>Pixels a place of the latent.</summary>
    [Range(1, 256)] public int TokenizerPatchSize { get; init; } = 16;
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int TokenChannels { get; init; } = 16;
    /// <summary>Number of classes.</summary>
    [Range(1, 1 << 24)] public int NumClasses { get; init; } = 1000;
    /// <summary>Places that hold the class.</summary>
    [Range(0, 65536)] public int BufferSize { get; init; } = 64;
    /// <summary>Residual blocks of the head.</summary>
    [Range(1, 1024)] public int DifflossD { get; init; } = 3;
    /// <summary>Width of the head.</summary>
    [Range(1, 65536)] public int DifflossW { get; init; } = 1024;
    /// <summary>Steps of the head's diffusion.</summary>
    public string NumSamplingSteps { get; init; } = "100";
    /// <summary>Schedule of the head's noise.</summary>
    [AllowedValues("cosine", "linear")] public string NoiseSchedule { get; init; } = "cosine";
    /// <summary>Tokens of a tokenizer without a grid; 0 with one.</summary>
    [Range(0, 65536)] public int ForceOneDSeq { get; init; }
    /// <summary>Sizes beside the published ones.</summary>
    public Dictionary<string, DeTokMarSize> SizeDict { get; init; } = [];

    internal int Side => ImgSize / TokenizerPatchSize / PatchSize;

    internal MarSizes Sizes
    {
        get
        {
            var size = SizeDict.GetValueOrDefault(ModelSize) ?? Published.GetValueOrDefault(ModelSize)
                ?? throw new CheckpointException(ErrorCodes.ConfigInvalid, "The size of the model is not known.") { Where = "model_size", Expected = string.Join(", ", Published.Keys), Found = ModelSize };
            var stack = new MarStack(size.Width, size.Layers, size.Heads);
            return new(ForceOneDSeq > 0 ? ForceOneDSeq : Side * Side, TokenChannels * PatchSize * PatchSize, NumClasses, BufferSize, stack, stack);
        }
    }

    private static readonly Dictionary<string, DeTokMarSize> Published = new()
    {
        ["base"] = new(), ["large"] = new() { Width = 1024, Layers = 16, Heads = 16 }, ["huge"] = new() { Width = 1280, Layers = 20, Heads = 16 },
    };
}

/// <summary>MAR over l-DeTok's tokens: a class to latents.</summary>
public sealed class DeTokMarModel : ImageGenerator<MarOptions>
{
    private readonly DeTokMarConfig _config;
    private readonly MarSizes _sizes;
    private readonly MarTransformer _mar;

    private DeTokMarModel(ModelSource source, Checkpoint checkpoint, DeTokMarConfig config) : base(source, checkpoint, SampleSpace.Latents, decoder: null, paints: false)
    {
        (_config, _sizes) = (config, config.Sizes);
        _mar = new(NetworkContext.Of(source, checkpoint), _sizes, config.DifflossW, config.DifflossD);
        checkpoint.ThrowIfUnused();
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/detok-mar",
            Paper = "Latent Denoising Makes Good Visual Tokenizers",
            ArXiv = "2507.15856",
            Authors = ["Jiawei Yang", "Tianhong Li", "Lijie Fan", "Yonglong Tian", "Yue Wang"],
            Repository = "Jiawei-Yang/DeTok",
            CodeLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tensors],
            Layouts = ["authors: mar.pth + config.json (constructor arguments)"],
            Sizes =
            [
                new("jjiaweiyang/l-DeTok: mar_base", 207_924_768, []),
                new("jjiaweiyang/l-DeTok: mar_large", 478_326_304, []),
            ],
            Deviations = "Gives latents, which image-tokenizers/l-detok decodes.",
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_mar];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "forward":
                var outputs = await _mar.RunAsync(Tokens(arguments.Tensor<float>("latent")), arguments.Tensor<float>("mask"), arguments.Tensor<long>("labels").Span.ToArray(), cancel).ConfigureAwait(false);
                return outputs.ToResults().Add("encoder", outputs["encoder_out"]).Add("decoder", outputs["z"]);
            case "denoise":
                return new CallResults().Return(await _mar.Head.PredictAsync(arguments.Tensor<float>("latent"), arguments.Floats("timestep"), arguments.Tensor<float>("condition"), cancel).ConfigureAwait(false));
            case "sample_tokens":
                var orders = arguments.Tensor<long>("orders").ToRows();
                var labels = arguments.FindTensor<long>("labels")?.Span.ToArray() ?? [.. Enumerable.Repeat((long)_config.NumClasses, orders.Length)];
                var options = new MarOptions
                {
                    Steps = arguments.Literal("num_iter", 64),
                    Guidance = arguments.Literal("cfg", 1.0),
                    GuidanceSchedule = arguments.Literal("cfg_schedule", "linear"),
                    Temperature = arguments.Literal("temperature", 1f),
                    NumSamplingSteps = arguments.Literal("num_sampling_steps", _config.NumSamplingSteps),
                };
                var noise = TokenNoises.InOrder(arguments.Tensor<float>("noise"), arguments.Tensor<float>("step_noise"), options.Guidance != 1);
                Tensor<float>? last = null;
                await foreach (var tokens in RunAsync(labels, orders, options, noise, cancel).ConfigureAwait(false)) last = tokens;
                return new CallResults().Return(Latents(last!));
            default:
                throw Unsupported(call, "forward", "denoise", "sample_tokens");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, MarOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.NumClasses, options.Count);
        var step = 0;
        await foreach (var tokens in RunAsync(labels, Draws.Orders(seed, labels.Length, _sizes.Positions), options, TokenNoises.Seeded(seed), cancel).ConfigureAwait(false))
            yield return new(++step, options.Steps, step == options.Steps ? Latents(tokens) : null);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        Generators.Open(source, checkpoint => new DeTokMarModel(source, checkpoint, PublishedConfig.Read<DeTokMarConfig>(source.RequireFolder()).Value), "model_ema", "model");

    private IAsyncEnumerable<Tensor<float>> RunAsync(long[] labels, long[][] orders, MarOptions options, TokenNoise noise, CancellationToken cancel)
    {
        var sampler = new TokenDiffusionSampler(orders, _sizes.Channels) { Iterations = options.Steps, Guidance = options.Guidance, Schedule = options.GuidanceSchedule };
        return _mar.SampleAsync(sampler, labels, noise.Head(_mar.Head, new SpacedDiffusion(options.NumSamplingSteps ?? _config.NumSamplingSteps, _config.NoiseSchedule == "linear" ? BetaSchedule.Linear : BetaSchedule.SquaredCosine), options.Temperature, _sizes.Channels), cancel);
    }

    private Tensor<float> Tokens(Tensor<float> latents) => _config.ForceOneDSeq > 0 ? latents : LatentPatches.ToTokens(latents, _config.PatchSize);

    private Tensor<float> Latents(Tensor<float> tokens) => _config.ForceOneDSeq > 0 ? tokens : LatentPatches.ToLatents(tokens, _config.PatchSize, _config.Side, _config.Side);
}
