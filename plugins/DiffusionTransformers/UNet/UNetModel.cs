using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.UNet;

/// <summary>Runs the U-Net for pictures of any size.</summary>
internal sealed class UNet : IDisposable
{
    private const string Pooled = "added_cond_kwargs.text_embeds", Sizes = "added_cond_kwargs.time_ids";
    private readonly SizedNetworks _networks;

    /// <summary>Prepares networks over a checkpoint.</summary>
    public UNet(NetworkContext context, UNetConfig config, UNetHooks? hooks = null)
    {
        Config = config;
        _networks = new(size => Network.Build(context, "unet", scope => Declare(scope, config, size.Height, size.Width, hooks)));
    }

    /// <summary>The published configuration.</summary>
    public UNetConfig Config { get; }

    /// <summary>The inputs and the output of a network.</summary>
    public static void Declare(Scope scope, UNetConfig config, long height, long width, UNetHooks? hooks = null)
    {
        var (g, batch, tokens) = (scope.Graph, Dim.Symbol("batch"), Dim.Symbol("tokens"));
        var (sample, t, text) = (g.Input("sample", [batch, config.InChannels, height, width]), g.Input("timestep", [batch]), g.Input("encoder_hidden_states", [batch, tokens, config.TextWidth]));
        var sdxl = config.AdditionEmbedType == "text_time";
        var count = sdxl ? (config.ProjectionClassEmbeddingsInputDim ?? 2816) - 6 * (config.AdditionTimeEmbedDim ?? 256) : 0;
        var (pooled, sizes) = sdxl ? (g.Input(Pooled, [batch, count]), g.Input(Sizes, [batch, 6])) : (null, null);
        g.Output("noise", UNetNetwork.Build(scope, sample, t, text, config, pooled, sizes, hooks));
    }

    /// <summary>The reference's forward call: the prediction and every stage.</summary>
    public async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel)
    {
        var sdxl = Config.AdditionEmbedType == "text_time";
        return (await RunAsync(arguments.Tensor<float>("sample"), arguments.Tensor("timestep"), arguments.Tensor<float>("encoder_hidden_states"),
            sdxl ? ClassNetwork.Times(arguments.Tensor(Pooled)) : null, sdxl ? ClassNetwork.Times(arguments.Tensor(Sizes)) : null, cancel).ConfigureAwait(false)).ToResults();
    }

    /// <summary>Everything at once. timestep is one number or one a sample.</summary>
    public Task<NetworkOutputs> RunAsync(Tensor<float> sample, Tensor timestep, Tensor<float> text, Tensor<float>? pooled, Tensor<float>? sizes, CancellationToken cancel)
    {
        var times = ClassNetwork.Times(timestep);
        if (times.Length == 1) times = Batch.Filled(sample.Shape[0], times.Span[0]);
        List<(string, Tensor)> inputs = [("sample", sample), ("timestep", times), ("encoder_hidden_states", text)];
        if (Config.AdditionEmbedType == "text_time") inputs.AddRange([(Pooled, pooled!), (Sizes, sizes!)]);
        return _networks.RunAsync(sample.Shape[2], sample.Shape[3], cancel, [.. inputs]);
    }

    /// <inheritdoc/>
    public void Dispose() => _networks.Dispose();
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
            Layouts = ["diffusers: UNet2DConditionModel"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<UNetConfig>(source.RequireFolder()).Value;
        return Weights.Guarded(Weights.Open(source), checkpoint =>
        {
            var unet = new UNet(NetworkContext.Of(source, checkpoint), config);
            return new([checkpoint], [unet], (call, arguments, token) => call == "forward" ? unet.ForwardAsync(arguments, token) : throw Calls.Unknown(call, "forward"));
        });
    }
}
