using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.UNet;

/// <summary>What a method changes in the network, given its scope and the latent's height and width.</summary>
internal delegate UNetHooks UNetSteering(Scope scope, int height, int width);

/// <summary>Conditions that some networks have beside the text: SDXL's pooled text (B, P) and sizes and crops (B, n).</summary>
internal sealed record AddedConditions(Tensor<float>? Pooled = null, Tensor<float>? Sizes = null)
{
    /// <summary>Classes (B), or vectors (B, W): levels of noise, features of a picture.</summary>
    public Tensor? Labels { get; init; }

    /// <summary>Features of a picture (B, W).</summary>
    public Tensor<float>? Image { get; init; }

    /// <summary>Guidance (B, W) of latent consistency models; none when left out.</summary>
    public Tensor<float>? Guidance { get; init; }
}

/// <summary>What the network sees: sample (B, C, H, W), timestep (B), text (B, M, E) and what else it asks for.</summary>
internal sealed record UNetInputs(Value Sample, Value Timestep, Value Text, UNetConditions Further)
{
    /// <summary>Names of further inputs.</summary>
    public const string PooledName = "added_cond_kwargs.text_embeds", SizesName = "added_cond_kwargs.time_ids", LabelsName = "class_labels", GuidanceName = "timestep_cond", ImageName = "added_cond_kwargs.image_embeds";

    /// <summary>True for a network with SDXL's further conditions.</summary>
    public static bool IsSdxl(UNetConfig config) => config.AdditionEmbedType == "text_time";

    /// <summary>True for a network that is told the features of a picture.</summary>
    public static bool SeesPicture(UNetConfig config) => config.AdditionEmbedType is "text_image" or "image" || config.EncoderHidDimType is "text_image_proj" or "image_proj";

    /// <summary>True for a network that is told pooled text.</summary>
    public static bool SeesPooled(UNetConfig config) => config.AdditionEmbedType is "text_time" or "text_image";

    /// <summary>The inputs of a graph, for pictures of a size.</summary>
    public static UNetInputs Declare(Graph g, UNetConfig config, long height, long width)
    {
        var (batch, sdxl) = (Dim.Symbol("batch"), IsSdxl(config));
        // SDXL has six sizes, its refiner five: the call tells.
        return new(
            g.Input("sample", [batch, config.InChannels, height, width]), g.Input("timestep", [batch]), g.Input("encoder_hidden_states", [batch, Dim.Symbol("tokens"), config.TextWidth]),
            new()
            {
                Pooled = sdxl ? g.Input(PooledName, [batch, Dim.Symbol("pooled")]) : SeesPooled(config) ? g.Input(PooledName, [batch, config.ContextWidth]) : null,
                Image = SeesPicture(config) ? g.Input(ImageName, [batch, config.EncoderHidDimType == "image_proj" || config.AdditionEmbedType == "image" ? config.EncoderHidDim ?? 0 : config.ContextWidth]) : null,
                Sizes = sdxl ? g.Input(SizesName, [batch, Dim.Symbol("sizes")]) : null,
                Labels = config.ClassEmbedding switch
                {
                    null => null,
                    "table" => g.Input(LabelsName, ElementType.Int64, [batch]),
                    "timestep" => g.Input(LabelsName, [batch]),
                    "identity" => g.Input(LabelsName, [batch, config.TimeWidth]),
                    _ => g.Input(LabelsName, [batch, config.ProjectionClassEmbeddingsInputDim ?? 0]),
                },
                Guidance = config.TimeCondProjDim is { } further ? g.Input(GuidanceName, [batch, further]) : null,
            });
    }

    /// <summary>Tensors for the inputs. timestep is one number or one a sample.</summary>
    public static IReadOnlyList<(string Name, Tensor Tensor)> Of(UNetConfig config, Tensor<float> sample, Tensor timestep, Tensor<float> text, AddedConditions? added)
    {
        var times = ClassNetwork.Times(timestep);
        if (times.Length == 1) times = Batch.Filled(sample.Shape[0], times.Span[0]);
        List<(string, Tensor)> inputs = [("sample", sample), ("timestep", times), ("encoder_hidden_states", text)];
        if (SeesPooled(config)) inputs.Add((PooledName, added?.Pooled ?? throw Calls.Lacks(PooledName)));
        if (IsSdxl(config)) inputs.Add((SizesName, added?.Sizes ?? throw Calls.Lacks(SizesName)));
        if (SeesPicture(config)) inputs.Add((ImageName, added?.Image ?? throw Calls.Lacks(ImageName)));
        if (config.ClassEmbedding is { } kind)
        {
            var labels = added?.Labels ?? throw Calls.Lacks(LabelsName);
            inputs.Add((LabelsName, kind == "table" ? labels : ClassNetwork.Times(labels)));
        }

        if (config.TimeCondProjDim is { } width) inputs.Add((GuidanceName, added?.Guidance ?? Tensor.Zeros<float>(sample.Shape[0], width)));
        return inputs;
    }

    /// <summary>The network's prediction for these inputs (B, C, H, W).</summary>
    public Value Predict(Scope scope, UNetConfig config, UNetHooks? hooks) => UNetNetwork.Build(scope, Sample, Timestep, Text, config, Further, hooks);
}

/// <summary>Runs the U-Net for pictures of any size.</summary>
internal sealed class UNet : IDisposable
{
    private readonly SizedNetworks _networks;

    /// <summary>Prepares networks over a checkpoint.</summary>
    /// <param name="context">Engine, weights, device.</param>
    /// <param name="config">The published configuration.</param>
    /// <param name="hooks">What is not as published: given the scope and the latent's height and width, for further inputs and outputs.</param>
    public UNet(NetworkContext context, UNetConfig config, UNetSteering? hooks = null)
    {
        Config = config;
        _networks = new(size => Network.Build(context, "unet", scope => Declare(scope, config, size.Height, size.Width, hooks)));
    }

    /// <summary>The published configuration.</summary>
    public UNetConfig Config { get; }

    /// <summary>The inputs and the output of a network.</summary>
    public static void Declare(Scope scope, UNetConfig config, long height, long width, UNetSteering? hooks = null) =>
        scope.Graph.Output("noise", UNetInputs.Declare(scope.Graph, config, height, width).Predict(scope, config, hooks?.Invoke(scope, (int)height, (int)width)));

    /// <summary>The reference's forward call: the prediction and every stage.</summary>
    public async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel, params (string Name, Tensor Tensor)[] further) =>
        (await RunAsync(arguments.Tensor<float>("sample"), arguments.Tensor("timestep"), Text(arguments), Added(arguments), cancel, further).ConfigureAwait(false)).ToResults();

    /// <summary>Everything at once. timestep is one number or one a sample; some networks have further conditions.</summary>
    public Task<NetworkOutputs> RunAsync(Tensor<float> sample, Tensor timestep, Tensor<float> text, AddedConditions? added, CancellationToken cancel, params (string Name, Tensor Tensor)[] further) =>
        _networks.RunAsync(sample.Shape[2], sample.Shape[3], cancel, [.. UNetInputs.Of(Config, sample, timestep, text, added), .. further]);

    /// <summary>The further conditions of a call, where the network has them.</summary>
    public AddedConditions Added(CallArguments arguments) => new(
        UNetInputs.SeesPooled(Config) ? ClassNetwork.Times(arguments.Tensor(UNetInputs.PooledName)) : null, UNetInputs.IsSdxl(Config) ? ClassNetwork.Times(arguments.Tensor(UNetInputs.SizesName)) : null)
    {
        Labels = Config.ClassEmbedding is null ? null : arguments.Tensor(UNetInputs.LabelsName),
        Image = UNetInputs.SeesPicture(Config) ? arguments.Tensor<float>(UNetInputs.ImageName) : null,
        Guidance = Config.TimeCondProjDim is null ? null : arguments.FindTensor<float>(UNetInputs.GuidanceName),
    };

    /// <inheritdoc/>
    public void Dispose() => _networks.Dispose();

    // A network that sees a picture in the text's place needs none.
    private Tensor<float> Text(CallArguments arguments) =>
        Config.EncoderHidDimType == "image_proj" && !arguments.Has("encoder_hidden_states") ? Tensor.Zeros<float>(arguments.Tensor("sample").Shape[0], 1, Config.TextWidth) : arguments.Tensor<float>("encoder_hidden_states");
}

/// <summary>The U-Net of Stable Diffusion, alone.</summary>
public static class UNetModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/unet2d-condition",
            Paper = "High-Resolution Image Synthesis with Latent Diffusion Models",
            ArXiv = "2112.10752",
            Authors = ["Robin Rombach", "Andreas Blattmann", "Dominik Lorenz", "Patrick Esser", "Björn Ommer"],
            Repository = "CompVis/latent-diffusion",
            CodeLicense = "MIT",
            WeightsLicense = "CreativeML OpenRAIL-M",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: UNet2DConditionModel, alone or in a pipeline's folder"],
            Sizes =
            [
                new("stable-diffusion-v1-5/stable-diffusion-v1-5: unet", 859_520_964, []),
                new("stabilityai/stable-diffusion-2-1: unet", 865_910_724, []),
                new("stabilityai/stable-diffusion-xl-base-1.0: unet", 2_567_463_684, []),
            ],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource folder, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(folder);
        var source = pipeline.Denoiser("unet");
        var config = PublishedConfig.Read<UNetConfig>(source.RequireFolder()).Value;
        return Weights.Guarded(source.OpenCheckpoint(), checkpoint =>
        {
            var unet = new UNet(NetworkContext.Of(source, checkpoint), config);
            return PublishedModel.Generating([checkpoint], [unet], (call, arguments, token) => call == "forward" ? unet.ForwardAsync(arguments, token) : throw Calls.Unknown(call, "forward"),
                StableDiffusion.Of<TextOptions>(pipeline, unet)?.Open(pipeline));
        });
    }
}
