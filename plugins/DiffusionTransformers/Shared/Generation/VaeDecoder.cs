using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>A published autoencoder (diffusers AutoencoderKL or AutoencoderDC): latents as a diffusion model makes them, to pictures and back.</summary>
internal sealed class VaeDecoder : IPictureDecoder, IDisposable
{
    private readonly SizedNetworks _networks, _encoders;

    private VaeDecoder(Checkpoint checkpoint, int downsampling, NetworkContext context, long channels, Func<Scope, Value, Value> decode, Func<Scope, Value, Value> encode)
    {
        (Checkpoint, Downsampling) = (checkpoint, downsampling);
        _encoders = new(size => Network.Build(context, "vae encoder", scope => scope.Graph.Output("latent", encode(scope, scope.Graph.Input("picture", [Dim.Symbol("batch"), 3, size.Height, size.Width]) * 2 - 1))));
        _networks = new(size => Network.Build(context, "vae decoder", scope =>
        {
            var z = scope.Graph.Input("latent", [Dim.Symbol("batch"), channels, size.Height, size.Width]);
            scope.Graph.Output("picture", (decode(scope, z) / 2 + 0.5).Clip(0, 1));
        }));
    }

    /// <summary>Its weights.</summary>
    public Checkpoint Checkpoint { get; }

    /// <summary>Pixels per place of the latent, along each side.</summary>
    public int Downsampling { get; }

    /// <summary>Opens a folder with <c>config.json</c> and weights.</summary>
    public static VaeDecoder Open(ModelSource source, string folder)
    {
        var type = (string?)PublishedConfig.ReadJson(folder)["_class_name"] ?? "AutoencoderKL";
        var checkpoint = Checkpoint.Open(folder);
        var context = NetworkContext.Of(source, checkpoint) with { Stages = false };
        if (type == "AutoencoderDC")
        {
            var dc = PublishedConfig.Read<AutoencoderDcConfig>(folder).Value;
            return new(checkpoint, dc.Downsampling, context, dc.LatentChannels, (scope, z) => AutoencoderDc.Decode(scope["decoder"], z / dc.ScalingFactor, dc), (scope, x) => AutoencoderDc.Encode(scope["encoder"], x, dc) * dc.ScalingFactor);
        }

        var kl = PublishedConfig.Read<AutoencoderKlConfig>(folder).Value;
        return new(checkpoint, kl.Downsampling, context, kl.LatentChannels, (scope, z) => AutoencoderKl.Decode(scope, AutoencoderKl.Denormalize(z, kl), kl), (scope, x) => AutoencoderKl.Normalize(AutoencoderKl.Encode(scope, x, kl).Mean, kl));
    }

    /// <summary>The decoder for latents of so many channels: of the folder's <c>vae</c>, of pixels when there are one or three, else one that says what is missing.</summary>
    public static IPictureDecoder For(PipelineFolder pipeline, int channels) =>
        pipeline.Find("vae") is { } folder ? Open(pipeline.Source, folder) : channels is 1 or 3 ? new PixelDecoder() : new MissingDecoder(channels);

    /// <inheritdoc/>
    public async Task<Tensor<float>> DecodeAsync(Tensor<float> sample, CancellationToken cancel) =>
        (await _networks.RunAsync(sample.Shape[2], sample.Shape[3], cancel, ("latent", sample)).ConfigureAwait(false))["picture"];

    /// <inheritdoc/>
    public async Task<Tensor<float>> EncodeAsync(Tensor<float> pixels, CancellationToken cancel) =>
        (await _encoders.RunAsync(pixels.Shape[2], pixels.Shape[3], cancel, ("picture", pixels)).ConfigureAwait(false))["latent"];

    /// <inheritdoc/>
    public void Dispose()
    {
        _encoders.Dispose();
        _networks.Dispose();
        Checkpoint.Dispose();
    }
}
