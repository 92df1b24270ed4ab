using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.PtDiT;

/// <summary>Qihoo-T2X: pictures and videos from words by proxy tokens.</summary>
public static class PtDiTModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/pt-dit",
            Paper = "Qihoo-T2X: An Efficiency-Focused Diffusion Transformer via Proxy Tokens for Text-to-Any-Task",
            ArXiv = "2409.04005",
            Authors = ["Jing Wang", "Ao Ma", "Jiasong Feng", "Dawei Leng", "Yuhui Yin", "Xiaodan Liang"],
            Repository = "360CVGroup/Qihoo-T2X",
            CodeLicense = "none stated",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["MindSpeed-MM: *.pt + inference_model_*.json, alone or with text_encoder, tokenizer and vae beside it"],
            Deviations = "Pictures alone, not videos; the autoencoder beside the model is one of diffusers' layouts, Open-Sora-Plan's own causal one is not read.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var file = Directory.GetFiles(folder, "inference_model_*.json").Order(StringComparer.Ordinal).FirstOrDefault() ?? Path.Combine(folder, "config.json");
        var (published, config, diffusion) = (PublishedConfig.Read<PtDiTPublished>(file).Value, PublishedConfig.Read<PtDiTConfig>(file, "predictor").Value, PublishedConfig.Read<PtDiTDiffusionConfig>(file, "diffusion").Value);
        return Weights.Guarded(source.OpenCheckpoint("ema", "model", "state_dict"), checkpoint =>
        {
            var calls = new PtDiTCalls(NetworkContext.Of(source, checkpoint), config, diffusion);
            return PublishedModel.Generating([checkpoint], [calls], calls.CallAsync, Texts(new(source), calls, published, config, diffusion));
        });
    }

    // Pictures divide into windows. The velocity points to the data, where the scheduler's points to the noise.
    private static TextGenerator<TextOptions>? Texts(PipelineFolder pipeline, PtDiTCalls calls, PtDiTPublished published, PtDiTConfig config, PtDiTDiffusionConfig diffusion)
    {
        var unit = config.PatchSize * Math.Max(config.CompressRatios[1], config.CompressRatios[2]);
        var size = published.PipelineConfig.InputSize is [_, var pixels, ..] ? pixels / PixelsPerPlace : config.SampleSize;
        var vectors = new Dictionary<string, Func<int, int, float[]>>();
        if (config.SizeConditions) (vectors[PtDiTCalls.Resolution], vectors[PtDiTCalls.AspectRatio]) = ((height, width) => [height, width], (height, width) => [height / (float)width]);
        var texts = new MaskedText(config.InChannels, size / unit * unit, unit, IsFlow: true) { TextLength = published.ModelMaxLength, Vectors = vectors }.Of(pipeline, async (x, time, tokens, mask, sizes, cancel) =>
        {
            var velocity = await calls.PredictAsync(x.Reshape(x.Shape[0], x.Shape[1], 1, x.Shape[2], x.Shape[3]), time, tokens, mask!, sizes, cancel).ConfigureAwait(false);
            return Batch.AddScaled(Tensor.Zeros<float>(x.Shape), -1, Batch.Channels(velocity, 0, config.InChannels).Reshape(x.Shape));
        });
        return texts is null ? null : (texts with
        {
            Steps = diffusion.NumInferenceSteps,
            Guidance = diffusion.CfgScale,
            Schedule = (scheduler, steps, windows) => SchedulerChoice.Even(scheduler, steps, PtDiTCalls.Shift(diffusion, windows * Math.Pow(unit * PixelsPerPlace, 2), frames: 1)),
        }).Open(pipeline);
    }

    // Of the published autoencoder.
    private const int PixelsPerPlace = 8;
}

/// <summary>The calls of the published code.</summary>
internal sealed class PtDiTCalls : IDisposable
{
    /// <summary>Names of the size's inputs.</summary>
    public const string Resolution = "added_cond_kwargs.resolution", AspectRatio = "added_cond_kwargs.aspect_ratio";

    private readonly NetworkCache<(long Frames, long Height, long Width)> _networks;
    private readonly PtDiTConfig _config;
    private readonly PtDiTDiffusionConfig _diffusion;

    /// <summary>Prepares networks over a checkpoint, one for each size.</summary>
    public PtDiTCalls(NetworkContext context, PtDiTConfig config, PtDiTDiffusionConfig diffusion)
    {
        (_config, _diffusion) = (config, diffusion);
        _networks = new(size => Network.Build(context, "pt-dit", scope => Declare(scope, config, size.Frames, size.Height, size.Width)));
    }

    /// <summary>The inputs and the output.</summary>
    public static void Declare(Scope scope, PtDiTConfig config, long frames, long height, long width)
    {
        var (g, batch, tokens) = (scope.Graph, Dim.Symbol("batch"), Dim.Symbol("tokens"));
        var inputs = new PtDiTInputs(
            g.Input("latents", [batch, config.InChannels, frames, height, width]), g.Input("timestep", [batch]), g.Input("encoder_hidden_states", [batch, tokens, config.CaptionChannels]), g.Input("encoder_attention_mask", [batch, tokens]),
            config.SizeConditions ? g.Input(Resolution, [batch, 2]) : null, config.SizeConditions ? g.Input(AspectRatio, [batch, 1]) : null);
        g.Output("velocity", PtDiTNetwork.Build(scope, inputs, config));
    }

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "forward" => ForwardAsync(arguments, cancel),
        "sample" => SampleAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "forward, sample"),
    };

    /// <inheritdoc/>
    public void Dispose() => _networks.Dispose();

    private async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (text, mask) = Text(arguments, "");
        return (await RunAsync(arguments, arguments.Tensor<float>("latents"), ClassNetwork.Times(arguments.Tensor("timestep")), text, mask, cancel).ConfigureAwait(false)).ToResults();
    }

    // Euler from noise (t = 1000) towards the data; what is asked for first in the batch.
    private async Task<CallResults> SampleAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (x, steps, scale) = (arguments.Tensor<float>("noise"), arguments.Literal("steps", _diffusion.NumInferenceSteps), arguments.Literal("cfg_scale", _diffusion.CfgScale));
        var ((asked, askedMask), (avoided, avoidedMask)) = (Text(arguments, ""), Text(arguments, "negative_"));
        var (text, mask) = (Batch.Concat(asked, avoided), Batch.Concat(askedMask, avoidedMask));
        var times = Times(steps, arguments.Literal<int>("height"), arguments.Literal<int>("width"), arguments.Literal("num_frames", 1));
        for (var i = 0; i < steps; i++)
        {
            var output = (await RunAsync(arguments, Batch.Doubled(x), Batch.Filled(2 * x.Shape[0], times[i]), text, mask, cancel).ConfigureAwait(false))["velocity"];
            var velocity = Guidance.Combine(Batch.Channels(output, 0, _config.InChannels), scale);
            x = Batch.AddScaled(x, (times[i] - (i + 1 < steps ? times[i + 1] : 0)) / 1000, velocity);
        }

        return new CallResults().Add("latent", x);
    }

    /// <summary>By how much times are later for larger pictures and longer videos: the square root of how much larger than 512 x 512.</summary>
    public static double Shift(PtDiTDiffusionConfig diffusion, double pixels, int frames) => diffusion.UseTimestepTransform ? Math.Sqrt(pixels / (512 * 512)) * Math.Sqrt(frames == 1 ? 1 : frames / 17 * 5) : 1;

    private float[] Times(int steps, int height, int width, int frames)
    {
        var ratio = Shift(_diffusion, height * (double)width, frames);
        return [.. Enumerable.Range(0, steps).Select(i => 1 - i / (double)steps).Select(t => (float)(1000 * ratio * t / (1 + (ratio - 1) * t)))];
    }

    /// <summary>The velocity, and as many channels more: (B, 2C, F, H, W). latents (B, C, F, H, W), time (B), text (B, M, E), mask (B, M), sizes (B, ..) by name.</summary>
    public async Task<Tensor<float>> PredictAsync(Tensor<float> latents, Tensor<float> time, Tensor<float> text, Tensor<float> mask, IReadOnlyDictionary<string, Tensor<float>> sizes, CancellationToken cancel) =>
        (await RunAsync(latents, time, text, mask, sizes, cancel).ConfigureAwait(false))["velocity"];

    private Task<NetworkOutputs> RunAsync(CallArguments arguments, Tensor<float> latents, Tensor<float> time, Tensor<float> text, Tensor<float> mask, CancellationToken cancel)
    {
        var sizes = new Dictionary<string, Tensor<float>>();
        foreach (var name in _config.SizeConditions ? (string[])[Resolution, AspectRatio] : [])
        {
            var given = ClassNetwork.Times(arguments.Tensor(name));
            given = given.Reshape(given.Shape[0], given.Length / given.Shape[0]);
            sizes[name] = given.Shape[0] < latents.Shape[0] ? Batch.Doubled(given) : given;
        }

        return RunAsync(latents, time, text, mask, sizes, cancel);
    }

    private async Task<NetworkOutputs> RunAsync(Tensor<float> latents, Tensor<float> time, Tensor<float> text, Tensor<float> mask, IReadOnlyDictionary<string, Tensor<float>> sizes, CancellationToken cancel)
    {
        var network = await Task.Run(() => _networks[(latents.Shape[2], latents.Shape[3], latents.Shape[4])], cancel).ConfigureAwait(false);
        return await network.RunAsync(cancel, [("latents", latents), ("timestep", time), ("encoder_hidden_states", text), ("encoder_attention_mask", mask), .. sizes.Select(size => (size.Key, (Tensor)size.Value))]).ConfigureAwait(false);
    }

    private static (Tensor<float> Text, Tensor<float> Mask) Text(CallArguments arguments, string prefix)
    {
        var text = arguments.Tensor<float>($"{prefix}encoder_hidden_states");
        return (text, arguments.Has($"{prefix}encoder_attention_mask") ? ClassNetwork.Times(arguments.Tensor($"{prefix}encoder_attention_mask")) : Batch.Filled(text.Shape[0] * text.Shape[1], 1).Reshape(text.Shape[0], text.Shape[1]));
    }
}
