// Self-Discovering Interpretable Diffusion Latent Directions for Responsible Text-to-Image Generation. Hang Li, Chengzhi Shen, Philip Torr, Volker Tresp, Jindong Gu. arXiv:2311.17216. github.com/hangligit/InterpretDiffusion
// Published layout: diffusers UNet2DConditionModel and, beside it, unet.pth with controlnet.fc1.weight. Deviations: none.
using System.ComponentModel;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.InterpretDiffusion;

/// <summary>One vector for each concept, in the space of what the U-Net's middle gives (section 3.2).</summary>
internal sealed class ConceptVectors(Checkpoint file)
{
    private readonly WeightData _weight = WeightConversion.ToFloat32(file.Get("controlnet.fc1.weight"));

    /// <summary>Elements of a vector.</summary>
    public int Length => (int)_weight.Shape[0];

    /// <summary>Number of concepts.</summary>
    public int Count => (int)_weight.Shape[1];

    /// <summary>The sum of the concepts, each times its weight. weights (1, concepts) -> (1, C, res, res), for a middle of so many channels.</summary>
    public Tensor<float> Combine(Tensor<float> weights, int channels)
    {
        var side = (int)Math.Round(Math.Sqrt(Length / (double)channels));
        var vector = Tensor.Zeros<float>(1, channels, side, side);
        for (var i = 0; i < Length; i++) vector.Span[i] = System.Numerics.Tensors.TensorPrimitives.Dot(_weight.Span<float>().Slice(i * Count, Count), weights.Span);
        return vector;
    }
}

/// <summary>Stable Diffusion steered by concepts in the middle of its U-Net.</summary>
public static class InterpretDiffusionModel
{
    /// <summary>Name of the input that is added to the middle, (B, C, res, res).</summary>
    internal const string Vector = "concept_vector";

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/interpretdiffusion",
            Paper = "Self-Discovering Interpretable Diffusion Latent Directions for Responsible Text-to-Image Generation",
            ArXiv = "2311.17216",
            Authors = ["Hang Li", "Chengzhi Shen", "Philip Torr", "Volker Tresp", "Jindong Gu"],
            Repository = "hangligit/InterpretDiffusion",
            CodeLicense = "none stated",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: UNet2DConditionModel, alone or in a pipeline's folder, + authors' unet.pth"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource folder, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(folder);
        var config = PublishedConfig.Read<UNetConfig>(pipeline.Denoiser("unet").RequireFolder()).Value;
        return Weights.Guarded(pipeline.Find("unet") is { } unet ? Checkpoint.Open(unet) : Checkpoint.Open(Path.Combine(pipeline.Root, "diffusion_pytorch_model.safetensors")), checkpoint =>
        {
            var file = Checkpoint.Open(Path.Combine(pipeline.Root, "unet.pth"));
            var vectors = new ConceptVectors(file);
            var scheduler = pipeline.Scheduler ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "There is no scheduler.") { Where = pipeline.Root, Expected = "scheduler_config.json" };
            var calls = new InterpretDiffusionCalls(NetworkContext.Of(folder, checkpoint), config, vectors, scheduler.Config);
            return PublishedModel.Generating([checkpoint, file], [calls], calls.CallAsync, StableDiffusion.Of<ConceptOptions>(pipeline, calls.Steered, run =>
            {
                // The concept is added to what is asked for, not to what is avoided.
                var vector = run.AskedOnly(vectors.Combine(run.Options.Weights(vectors.Count), config.BlockOutChannels[^1]));
                return (_, _) => [(Vector, vector)];
            })?.Open(pipeline));
        });
    }
}

/// <summary>Options of generation along concepts.</summary>
public sealed record ConceptOptions : TextOptions
{
    /// <summary>How much of each concept.</summary>
    [Description("How much of each learned concept is added, in the order of the file, as 1,0.5; left out for none.")]
    public double[] Concepts { get; init; } = [];

    internal Tensor<float> Weights(int count) => Concepts.Length <= count
        ? Tensor.Create<float>([.. Concepts.Select(weight => (float)weight), .. Enumerable.Repeat(0f, count - Concepts.Length)], 1, count)
        : throw new OptionsException(ErrorCodes.OptionRange, "The file has fewer concepts.") { Where = "concepts", Expected = $"at most {count}", Found = $"{Concepts.Length}" };
}

/// <summary>The calls of the authors' code.</summary>
internal sealed class InterpretDiffusionCalls : IDisposable
{
    private readonly UNet.UNet _unet;
    private readonly SizedNetworks _losses;
    private readonly ConceptVectors _concepts;
    private readonly ISchedulerConfig _scheduler;

    /// <summary>Prepares networks over a checkpoint.</summary>
    public InterpretDiffusionCalls(NetworkContext context, UNetConfig config, ConceptVectors concepts, ISchedulerConfig scheduler)
    {
        (_concepts, _scheduler) = (concepts, scheduler);
        _unet = new(context, config, Steer);
        _losses = new(size => Network.Build(context with { Stages = false }, "concept loss", scope => DeclareLoss(scope, config, size.Height, size.Width)));
    }

    /// <summary>The U-Net with the input <see cref="InterpretDiffusionModel.Vector"/>.</summary>
    public UNet.UNet Steered => _unet;

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "forward" => ForwardAsync(arguments, cancel),
        "sample" => SampleAsync(arguments, cancel),
        "loss_gradient" => LossGradientAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "forward, sample, loss_gradient"),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _unet.Dispose();
        _losses.Dispose();
    }

    private static UNetHooks Steer(Scope scope, int height, int width) => new() { Middle = h => scope.Stage("h_space", h + scope.Graph.Input(InterpretDiffusionModel.Vector, h.Shape)) };

    private async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel)
    {
        var vector = Vector(arguments);
        var copies = Batch.Concat([.. Enumerable.Repeat(vector, (int)arguments.Tensor("sample").Shape[0])]);
        return new CallResults().Add("concept_vector", vector).AddRange(await _unet.ForwardAsync(arguments, cancel, (InterpretDiffusionModel.Vector, copies)).ConfigureAwait(false));
    }

    // Guided: the concept is added to what is asked for, not to what is avoided.
    private async Task<CallResults> SampleAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (latents, text, scale) = (arguments.Tensor<float>("latents"), arguments.Tensor<float>("encoder_hidden_states"), arguments.Literal("guidance_scale", 7.5));
        var vector = Vector(arguments);
        var (count, nothing) = ((int)latents.Shape[0], Tensor.Zeros<float>(vector.Shape));
        var vectors = Batch.Concat([.. Enumerable.Repeat(nothing, count), .. Enumerable.Repeat(vector, count)]);
        var states = await GuidedLoop.RunAsync(_scheduler, latents, arguments.Literal("num_inference_steps", 50), scale, PredictAsync, cancel).ConfigureAwait(false);
        var results = new CallResults().Add("trajectory", Batch.Stack(states)).Add("sample", states[^1]);
        return arguments.Has("concept") ? results : results.Add("plain_trajectory", Batch.Stack(states));

        async Task<Tensor<float>> PredictAsync(Tensor<float> sample, float timestep) =>
            (await _unet.RunAsync(sample, Batch.Filled(1, timestep), text, null, cancel, (InterpretDiffusionModel.Vector, vectors)).ConfigureAwait(false))["noise"];
    }

    // How a step of training changes the concepts: the loss of the noise, and its gradient with respect to the vectors of all concepts.
    private async Task<CallResults> LossGradientAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (sample, weights) = (arguments.Tensor<float>("sample"), arguments.Tensor<float>("concept"));
        var outputs = await _losses.RunAsync(sample.Shape[2], sample.Shape[3], cancel, ("sample", sample), ("timestep", ClassNetwork.Times(arguments.Tensor("timestep"))),
            ("encoder_hidden_states", arguments.Tensor<float>("encoder_hidden_states")), ("target_noise", arguments.Tensor<float>("target_noise")), (InterpretDiffusionModel.Vector, Vector(arguments))).ConfigureAwait(false);
        var (ofVector, gradient) = (outputs["gradient"], Tensor.Zeros<float>(_concepts.Length, _concepts.Count));
        for (var i = 0; i < gradient.Length; i++) gradient.Span[i] = ofVector.Span[i / _concepts.Count] * weights.Span[i % _concepts.Count];
        return new CallResults().Add("loss", outputs["loss"]).Add("gradient", gradient);
    }

    private static void DeclareLoss(Scope scope, UNetConfig config, long height, long width)
    {
        var (g, batch) = (scope.Graph, Dim.Symbol("batch"));
        var (sample, target) = (g.Input("sample", [batch, config.InChannels, height, width]), g.Input("target_noise", [batch, config.OutChannels, height, width]));
        var (t, text) = (g.Input("timestep", [batch]), g.Input("encoder_hidden_states", [batch, Dim.Symbol("tokens"), config.TextWidth]));
        Value? vector = null;
        var noise = UNetNetwork.Build(scope, sample, t, text, config, hooks: new() { Middle = h => h + (vector = g.Input(InterpretDiffusionModel.Vector, h.Shape.With(0, 1))) });
        var loss = (noise - target).Square().Reduce("ReduceMean", [0, 1, 2, 3], keep: false);
        g.Output("loss", loss.Reshape(1));
        g.Output("gradient", Gradients.Of(loss, vector!)[0]);
    }

    private Tensor<float> Vector(CallArguments arguments)
    {
        var channels = _unet.Config.BlockOutChannels[^1];
        return arguments.Has("concept") ? _concepts.Combine(arguments.Tensor<float>("concept"), channels) : _concepts.Combine(Tensor.Zeros<float>(1, _concepts.Count), channels);
    }
}
