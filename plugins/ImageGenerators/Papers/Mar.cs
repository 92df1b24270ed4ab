// Autoregressive Image Generation without Vector Quantization. Li, Tian, Li, Deng, He. arXiv:2406.11838. github.com/LTH14/mar
// Published layouts: checkpoint-last.pth (key model_ema), the constructor's arguments as config.json; for pictures vae/kl16.ckpt beside them. Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The arguments of the authors' <c>MAR</c>; defaults are those of MAR-L.</summary>
public sealed record MarConfig : MarArguments
{
    /// <summary>Size of the pictures, in pixels.</summary>
    [Range(1, 8192)] public int ImgSize { get; init; } = 256;
    /// <summary>Pixels a place of the latent.</summary>
    [Range(1, 256)] public int VaeStride { get; init; } = 16;
    /// <summary>Places of the latent a token, along each side.</summary>
    [Range(1, 64)] public int PatchSize { get; init; } = 1;
    /// <summary>Places that hold the class.</summary>
    [Range(0, 65536)] public int BufferSize { get; init; } = 64;
    /// <summary>Residual blocks of the head.</summary>
    [Range(1, 1024)] public int DifflossD { get; init; } = 3;
    /// <summary>Width of the head.</summary>
    [Range(1, 65536)] public int DifflossW { get; init; } = 1024;
    /// <summary>Steps of the head's diffusion.</summary>
    public string NumSamplingSteps { get; init; } = "100";

    internal int Side => ImgSize / VaeStride / PatchSize;

    internal MarSizes Sizes => new(Side * Side, VaeEmbedDim * PatchSize * PatchSize, ClassNum, BufferSize, new(EncoderEmbedDim, EncoderDepth, EncoderNumHeads), new(DecoderEmbedDim, DecoderDepth, DecoderNumHeads)) { MlpRatio = MlpRatio };
}

/// <summary>Options of MAR and its descendants; the defaults are the authors' for evaluation.</summary>
public sealed record MarOptions : PictureOptions
{
    /// <summary>Number of iterations.</summary>
    [Description("Iterations."), Range(1, 4096)] public int Steps { get; init; } = 64;
    /// <summary>Scale of guidance.</summary>
    [Description("Scale of classifier-free guidance; 1 for none."), Range(0.0, 100.0)] public double Guidance { get; init; } = 3;
    /// <summary>Course of guidance.</summary>
    [Description("How guidance changes over the iterations."), AllowedValues("linear", "constant")] public string GuidanceSchedule { get; init; } = "linear";
    /// <summary>Factor on the noise.</summary>
    [Description("Factor on the noise of the head's diffusion."), Range(0.0, 10.0)] public float Temperature { get; init; } = 1;
    /// <summary>Steps of the head's diffusion.</summary>
    [Description("Steps of the head's diffusion: a number, or numbers for equal sections; as published when left out.")] public string? NumSamplingSteps { get; init; }
}

/// <summary>MAR: a class to latents, tokens in a random order, each from a diffusion head.</summary>
public sealed class MarModel : ImageGenerator<MarOptions>
{
    private readonly MarConfig _config;
    private readonly MarTransformer _mar;

    private MarModel(ModelSource source, Checkpoint checkpoint, MarConfig config) : base(source, checkpoint, SampleSpace.Latents, TokenizerPictures.Kl(source, config.VaeEmbedDim, LatentScale))
    {
        _config = config;
        _mar = new(NetworkContext.Of(source, checkpoint), config.Sizes, config.DifflossW, config.DifflossD);
        checkpoint.ThrowIfUnused();
    }

    // Latents are scaled so that their deviation is one.
    private const double LatentScale = 0.2325;

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/mar",
            Paper = "Autoregressive Image Generation without Vector Quantization",
            ArXiv = "2406.11838",
            Authors = ["Tianhong Li", "Yonglong Tian", "He Li", "Mingyang Deng", "Kaiming He"],
            Repository = "LTH14/mar",
            CodeLicense = "MIT",
            WeightsLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tensors, Modality.Image],
            Layouts = ["authors: checkpoint-last.pth + config.json (constructor arguments), vae/kl16.ckpt for pictures"],
            Sizes = [new("LTH14/mar: mar_base", 207_924_768, []), new("LTH14/mar: mar_large", 478_326_304, []), new("LTH14/mar: mar_huge", 942_403_104, [])],
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
                var patches = LatentPatches.ToTokens(arguments.Tensor<float>("latents"), _config.PatchSize);
                return new CallResults().Add("patches", patches)
                    .AddRange((await _mar.RunAsync(patches, arguments.Tensor<float>("mask"), arguments.Tensor<long>("labels").Span.ToArray(), cancel).ConfigureAwait(false)).ToResults());
            case "diffloss_net":
                return new CallResults().Return(await _mar.Head.PredictAsync(arguments.Tensor<float>("x"), arguments.Floats("t"), arguments.Tensor<float>("c"), cancel).ConfigureAwait(false));
            case "diffloss_sample":
                return new CallResults().Return(await SampleHeadAsync(arguments, cancel).ConfigureAwait(false));
            case "sample_tokens":
                var orders = arguments.Tensor<long>("orders").ToRows();
                var labels = arguments.FindTensor<long>("labels")?.Span.ToArray() ?? [.. Enumerable.Repeat((long)_config.ClassNum, orders.Length)];
                var options = new MarOptions
                {
                    Steps = arguments.Literal("num_iter", 64),
                    Guidance = arguments.Literal("cfg", 1.0),
                    GuidanceSchedule = arguments.Literal("cfg_schedule", "linear"),
                    Temperature = arguments.Literal("temperature", 1f),
                    NumSamplingSteps = arguments.Literal("num_sampling_steps", _config.NumSamplingSteps),
                };
                Tensor<float>? last = null;
                await foreach (var tokens in RunAsync(labels, orders, options, TokenNoises.ByPlace(arguments.Tensor<float>("noise")), cancel).ConfigureAwait(false)) last = tokens;
                return new CallResults().Return(Latents(last!));
            default:
                throw Unsupported(call, "forward", "diffloss_net", "diffloss_sample", "sample_tokens");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, MarOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.ClassNum, options.Count);
        var step = 0;
        await foreach (var tokens in RunAsync(labels, Draws.Orders(seed, labels.Length, _config.Sizes.Positions), options, TokenNoises.Seeded(seed), cancel).ConfigureAwait(false))
            yield return new(++step, options.Steps, step == options.Steps ? Latents(tokens) : null);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        Generators.Open(source, checkpoint => new MarModel(source, checkpoint, PublishedConfig.Read<MarConfig>(source.RequireFolder()).Value), "model_ema", "model");

    private IAsyncEnumerable<Tensor<float>> RunAsync(long[] labels, long[][] orders, MarOptions options, TokenNoise noise, CancellationToken cancel)
    {
        var channels = _config.Sizes.Channels;
        var sampler = new TokenDiffusionSampler(orders, channels) { Iterations = options.Steps, Guidance = options.Guidance, Schedule = options.GuidanceSchedule };
        return _mar.SampleAsync(sampler, labels, noise.Head(_mar.Head, new SpacedDiffusion(options.NumSamplingSteps ?? _config.NumSamplingSteps, BetaSchedule.SquaredCosine), options.Temperature, channels), cancel);
    }

    // noise (n, draws, C): the start, then a draw for each step.
    private Task<Tensor<float>> SampleHeadAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (z, noise, guidance) = (arguments.Tensor<float>("z"), arguments.Tensor<float>("noise"), arguments.Literal("cfg", 1f));
        var rows = (int)z.Shape[0] / (guidance != 1 ? 2 : 1);
        var start = noise.Part(0, 0, rows).Part(1, 0, 1).Reshape(rows, noise.Shape[2]);
        return _mar.Head.SampleAsync(new SpacedDiffusion(arguments.Literal("num_sampling_steps", _config.NumSamplingSteps), BetaSchedule.SquaredCosine), z, guidance, arguments.Literal("temperature", 1f), start,
            (step, destination) => noise.Part(0, 0, rows).Part(1, step, step + 1).Span.CopyTo(destination), cancel);
    }

    private Tensor<float> Latents(Tensor<float> tokens) => LatentPatches.ToLatents(tokens, _config.PatchSize, _config.Side, _config.Side);
}
