using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Rae;

/// <summary>A representation autoencoder: a frozen vision model's tokens as latents, and a decoder for them.</summary>
internal sealed class RepresentationAutoencoder : IPictureDecoder, IDisposable
{
    private readonly RaePreprocessor _pixels;
    private readonly SizedNetworks _encoders;
    private readonly Network _decoder;
    private readonly float[]? _mean, _deviation;

    /// <summary>Opens encoder, decoder and statistics of a published folder.</summary>
    public RepresentationAutoencoder(ModelSource source, RaeConfig config)
    {
        var folder = source.RequireFolder();
        string At(string path) => Path.Combine(folder, path);
        var (latents, patch, tokens) = Encoder(At(config.EncoderConfigPath), config);
        var decoder = PublishedConfig.Read<RaeDecoderConfig>(At(config.DecoderConfigPath)).Value;
        _pixels = File.Exists(At(config.EncoderConfigPath + "/preprocessor_config.json")) ? PublishedConfig.Read<RaePreprocessor>(At(config.EncoderConfigPath + "/preprocessor_config.json")).Value : new();
        Checkpoints = [Checkpoint.Open(At(config.EncoderConfigPath)), Checkpoint.Open(At(config.PretrainedDecoderPath))];
        if (config.NormalizationStatPath is { } statistics) (_mean, _deviation) = Statistics(At(statistics), config.Eps);

        var size = config.EncoderInputSize;
        var side = size / patch;
        _encoders = new(extents => Network.Build(NetworkContext.Of(source, Checkpoints[0]), "rae encoder", scope =>
        {
            var x = scope.Graph.Input("x", [Dim.Symbol("batch"), 3, extents.Height, extents.Width]);
            var sized = x.Interpolate(Interpolation.Cubic, [size, size]);
            var normed = (sized - scope.Graph.Constant<float>(_pixels.ImageMean, 3, 1, 1)) / scope.Graph.Constant<float>(_pixels.ImageStd, 3, 1, 1);
            scope.Graph.Output("tokens", tokens(scope, normed).Swap(1, 2).Reshape(x.Shape[0], latents, side, side));
        }));
        _decoder = Network.Build(NetworkContext.Of(source, Checkpoints[1]), "rae decoder", scope =>
        {
            var z = scope.Graph.Input("z", [Dim.Symbol("batch"), latents, side, side]);
            var patches = RaeNetworks.Decode(scope, z.Flatten(2).Swap(1, 2), decoder, config.DecoderPatchSize);
            var picture = patches.Unpatchify(config.DecoderPatchSize, side, side, decoder.NumChannels);
            scope.Graph.Output("picture", picture * scope.Graph.Constant<float>(_pixels.ImageStd, 3, 1, 1) + scope.Graph.Constant<float>(_pixels.ImageMean, 3, 1, 1));
        });
    }

    // Width of the latents, extent of a patch, and the map from pictures to tokens.
    private static (int Latents, int Patch, Func<Scope, Value, Value> Tokens) Encoder(string folder, RaeConfig config)
    {
        if (config.EncoderCls == "Dinov2withNorm")
        {
            var dino = PublishedConfig.Read<DinoConfig>(folder).Value;
            return (dino.HiddenSize, dino.PatchSize, (scope, x) => RaeNetworks.Encode(scope, x, dino, config.EncoderParams.Normalize));
        }

        var mae = config.EncoderCls == "MAEwNorm";
        var vision = PublishedConfig.Read<RaeVisionConfig>(folder, !mae && PublishedConfig.ReadJson(folder).ContainsKey("vision_config") ? "vision_config" : null).Value;
        return (vision.HiddenSize, vision.PatchSize, (scope, x) => mae ? RaeNetworks.EncodeMae(scope, x, vision) : RaeNetworks.EncodeSiglip(scope, x, vision));
    }

    /// <summary>The weights.</summary>
    public IReadOnlyList<Checkpoint> Checkpoints { get; }

    /// <summary>Pictures (B, 3, H, W) in 0..1 to normalised latents (B, D, h, w), with stages.</summary>
    public async Task<CallResults> EncodeAsync(Tensor<float> x, CancellationToken cancel)
    {
        var results = (await _encoders.RunAsync(x.Shape[2], x.Shape[3], cancel, ("x", x)).ConfigureAwait(false)).ToResults();
        return results.Add("latent", Normalized((Tensor<float>)results.Tensor("tokens"), inverse: false));
    }

    /// <summary>Normalised latents to pictures, not clamped, with stages.</summary>
    public async Task<CallResults> ReconstructAsync(Tensor<float> z, CancellationToken cancel)
    {
        var results = (await _decoder.RunAsync(cancel, ("z", Normalized(z, inverse: true))).ConfigureAwait(false)).ToResults();
        return results.Add("reconstruction", results.Tensor("picture")).Add("image", results.Tensor("picture"));
    }

    /// <inheritdoc/>
    public async Task<Tensor<float>> DecodeAsync(Tensor<float> sample, CancellationToken cancel)
    {
        var picture = Batch.Copy((Tensor<float>)(await ReconstructAsync(sample, cancel).ConfigureAwait(false)).Tensor("picture"));
        System.Numerics.Tensors.TensorPrimitives.Clamp<float>(picture.Span, 0, 1, picture.Span);
        return picture;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _encoders.Dispose();
        _decoder.Dispose();
    }

    // (z - mean) / deviation, or back, with a mean and a deviation for each place, or for each channel.
    private Tensor<float> Normalized(Tensor<float> z, bool inverse)
    {
        if (_mean is null && _deviation is null) return z;
        var (result, sample, inner) = (Tensor.Zeros<float>(z.Shape), z.Length / (int)z.Shape[0], (int)(z.Shape[2] * z.Shape[3]));
        for (var i = 0; i < z.Length; i++)
        {
            var (mean, deviation) = (Of(_mean, i, 0), Of(_deviation, i, 1));
            result.Span[i] = inverse ? z.Span[i] * deviation + mean : (z.Span[i] - mean) / deviation;
        }

        return result;

        float Of(float[]? statistics, int i, float otherwise) => statistics is null ? otherwise : statistics[statistics.Length == sample ? i % sample : i / inner % statistics.Length];
    }

    // Either may be missing: a mean of 0, a variance of 1.
    private static (float[]?, float[]?) Statistics(string path, double epsilon)
    {
        using var file = Checkpoint.Open(path);
        float[]? Numbers(string name) => file.Find(name) is { } numbers ? WeightConversion.ToFloat32(numbers).Span<float>().ToArray() : null;
        return (Numbers("mean"), (Numbers("var") ?? [1]).Select(variance => MathF.Sqrt(variance + (float)epsilon)).ToArray());
    }
}

/// <summary>RAE with DiT-DH.</summary>
public static class RaeModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/rae",
            Paper = "Diffusion Transformers with Representation Autoencoders",
            ArXiv = "2510.11690",
            Authors = ["Boyang Zheng", "Nanye Ma", "Shengbang Tong", "Saining Xie"],
            Repository = "bytetriper/RAE",
            CodeLicense = "MIT",
            WeightsLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: config.yaml, encoder/, decoder/, stat.pt, DiT-DH's .pt"],
            Sizes =
            [
                new("bytetriper/RAE: DINOv2-B, ViTXL_n08", 501_933_952, []),
                new("bytetriper/RAE: DiTDH-XL", 838_778_196, []),
            ],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var file = Path.Combine(folder, "config.yaml");
        var autoencoder = new RepresentationAutoencoder(source, PublishedConfig.Read<RaeConfig>(file, "stage_1.params").Value);
        var config = PublishedConfig.Read<DdtConfig>(file, "stage_2.params").Value;
        var weights = (string?)PublishedConfig.ReadJson(file)["stage_2"]?["ckpt"] ?? "stage2_model.pt";
        return Weights.Guarded((source with { Parts = [new(weights)] }).OpenCheckpoint("ema", "model"), checkpoint =>
        {
            var network = ClassNetwork.Build(NetworkContext.Of(source, checkpoint), "dit-dh", "velocity", config.Sample, (scope, x, t, y) => RaeNetworks.Denoise(scope, x, t, y, config));
            checkpoint.ThrowIfUnused();
            // Section 4.2: times are shifted by the root of the latent's dimension over 4096.
            var process = ClassProcess.FlowToNoise(config.InChannels, guidance: 1) with { Shift = Math.Max(1, Math.Sqrt(config.InChannels * (double)config.InputSize * config.InputSize / 4096)) };
            var generator = new ClassGenerator<ClassOptions>(network.SampleShape, (_, _) => network.PredictAsync, process, ClassNames.Read(folder, config.NumClasses), autoencoder);
            return new([checkpoint, .. autoencoder.Checkpoints], [network, autoencoder], (call, arguments, token) => call switch
            {
                "encode" => autoencoder.EncodeAsync(arguments.Tensor<float>("x"), token),
                "decode" => autoencoder.ReconstructAsync(arguments.Tensor<float>("z"), token),
                "dit" => network.ForwardAsync(arguments.Tensor("x"), arguments.Tensor("t"), arguments.Tensor("y"), token),
                "sample_ode" => SampleAsync(network, config, arguments, token),
                _ => throw Calls.Unknown(call, "encode, decode, dit, sample_ode"),
            }, generator);
        });
    }

    // Time runs from 1 (noise) to 0; guidance on all channels within an interval whose ends belong to it.
    private static async Task<CallResults> SampleAsync(ClassNetwork network, DdtConfig config, CallArguments arguments, CancellationToken cancel)
    {
        var (z, classes, scale) = (arguments.Tensor<float>("z"), arguments.Tensor<long>("y"), arguments.Literal("cfg_scale", 1.0));
        var interval = arguments.Has("cfg_interval") ? arguments.Literal<double[]>("cfg_interval") : [0, 1];
        var y = Tensor.Create<long>([.. classes.Span, .. Enumerable.Repeat((long)config.NumClasses, classes.Length)], 2 * classes.Length);
        // check_interval in the published code ends the integration a thousandth before the data; the recorded grid is the nominal one, to the data.
        var (steps, shift) = (arguments.Literal("num_steps", 50), arguments.Literal("time_dist_shift", 1f));
        var times = Grid(1 - 1f / 1000);
        var nominal = Grid(1);
        var states = new List<Tensor<float>>();
        await foreach (var state in OdeSolver.SolveAsync(arguments.Literal("sampling_method", DormandPrince.Name), z, times, VelocityAsync, new(arguments.Literal("rtol", 1e-3), arguments.Literal("atol", 1e-6))).ConfigureAwait(false)) states.Add(state);
        var results = new CallResults().Add("timesteps", Tensor.Create(nominal, nominal.Length)).Add("latent_sample", states[^1]).Add("trajectory", Batch.Stack(states));
        for (var i = 0; i < states.Count; i++) results.Add($"trajectory_{i}", states[i]);
        return results;

        float[] Grid(float end) => OdeSolver.Shift(OdeSolver.Linspace(0, end, steps).Select(t => 1 - t), shift);

        async Task<Tensor<float>> VelocityAsync(Tensor<float> x, float t) => scale > 1 && t >= (float)interval[0] && t <= (float)interval[1]
            ? Guidance.Combine(await network.PredictAsync(Batch.Doubled(x), t, y, cancel).ConfigureAwait(false), scale)
            : await network.PredictAsync(x, t, classes, cancel).ConfigureAwait(false);
    }
}
