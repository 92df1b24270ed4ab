using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.LightningDiT;

/// <summary>VA-VAE (section 3): the autoencoder of latent diffusion, whose latents were aligned with a vision foundation model in training; encoding and decoding are as ever.</summary>
internal sealed class VaVae : IDisposable
{
    private readonly SizedNetworks _encoders, _decoders;

    /// <summary>Over the authors' weights: encoder, quant_conv, post_quant_conv, decoder.</summary>
    public VaVae(NetworkContext context, VaVaeConfig config)
    {
        var sizes = config.Sizes;
        _encoders = new(size => Network.Build(context, "va-vae encoder", scope =>
        {
            var g = scope.Graph;
            var image = g.Input("image", [Dim.Symbol("batch"), sizes.InChannels, size.Height, size.Width]);
            var moments = scope.Stage("moments", scope["quant_conv"].Conv(scope.Stage("encoder", LdmAutoencoder.Encoder(scope["encoder"], image, sizes)), (config.UseVariational ? 2 : 1) * config.EmbedDim, 1));
            var (mean, logVariance) = config.UseVariational ? moments.Chunk2(1) : (moments, moments * 0 + 1);
            g.Output("mean", mean);
            g.Output("logvar", logVariance.Clip(-30, 20));
        }));
        _decoders = new(size => Network.Build(context, "va-vae decoder", scope =>
        {
            var latent = scope.Graph.Input("latent", [Dim.Symbol("batch"), config.EmbedDim, size.Height, size.Width]);
            var z = scope.Stage("post_quant", scope["post_quant_conv"].Conv(latent, sizes.ZChannels, 1));
            scope.Graph.Output("reconstruction", LdmAutoencoder.Decoder(scope["decoder"], z, sizes));
        }));
    }

    /// <summary>Opens a model of the autoencoder alone.</summary>
    public static PublishedModel Open(ModelSource source, Checkpoint checkpoint)
    {
        var config = PublishedConfig.Read<VaVaeConfig>(source.RequireFolder(), "model.params").Value;
        var vae = new VaVae(NetworkContext.Of(source, checkpoint), config);
        return new([checkpoint], [vae], vae.CallAsync);
    }

    /// <summary>The decoder of the folder's <c>vae</c> for latents that were normalised by their statistics.</summary>
    public static IPictureDecoder Decoder(ModelSource source, LatentStatistics? statistics, int channels)
    {
        if (new PipelineFolder(source).Find("vae") is not { } folder || !File.Exists(Path.Combine(folder, "config.yaml"))) return new MissingDecoder(channels);
        var vae = new VaVae(NetworkContext.Of(source, (source with { Folder = folder, Parts = [] }).OpenCheckpoint("state_dict", "model")) with { Stages = false }, PublishedConfig.Read<VaVaeConfig>(folder, "model.params").Value);
        return new LatentDecoder(vae, statistics);
    }

    /// <summary>The authors' calls: encode, decode.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "encode" => EncodeAsync(arguments.Tensor<float>("image"), arguments.FindTensor<float>("noise"), cancel),
        "decode" => DecodeAsync(arguments.Tensor<float>("latent"), cancel),
        _ => throw Calls.Unknown(call, "encode, decode"),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        _encoders.Dispose();
        _decoders.Dispose();
    }

    private sealed class LatentDecoder(VaVae vae, LatentStatistics? statistics) : IPictureDecoder, IDisposable
    {
        public async Task<Tensor<float>> DecodeAsync(Tensor<float> sample, CancellationToken cancel)
        {
            var results = await vae.DecodeAsync(statistics?.Denormalize(sample, 1) ?? sample, cancel).ConfigureAwait(false);
            return PixelDecoder.ToUnit((Tensor<float>)results.Tensor("reconstruction"));
        }

        public void Dispose() => vae.Dispose();
    }

    private async Task<CallResults> EncodeAsync(Tensor<float> image, Tensor<float>? noise, CancellationToken cancel)
    {
        var results = (await _encoders.RunAsync(image.Shape[2], image.Shape[3], cancel, ("image", image)).ConfigureAwait(false)).ToResults();
        var latent = Batch.Copy((Tensor<float>)results.Tensor("mean"));
        var logVariance = (Tensor<float>)results.Tensor("logvar");
        for (var i = 0; noise is not null && i < latent.Length; i++) latent.Span[i] += MathF.Exp(0.5f * logVariance.Span[i]) * noise.Span[i];
        return results.Add("latent", latent);
    }

    private async Task<CallResults> DecodeAsync(Tensor<float> latent, CancellationToken cancel) =>
        (await _decoders.RunAsync(latent.Shape[2], latent.Shape[3], cancel, ("latent", latent)).ConfigureAwait(false)).ToResults();
}

/// <summary><c>model.params</c> of the published configuration.</summary>
public sealed record VaVaeConfig
{
    /// <summary>Channels of the latent.</summary>
    public int EmbedDim { get; init; } = 32;
    /// <summary>Encoder and decoder; left out, those of the authors' class.</summary>
    public LdmAutoencoderConfig? Ddconfig { get; init; }
    /// <summary>Whether the encoder gives log-variances, too; else they are one.</summary>
    public bool UseVariational { get; init; } = true;

    // There is no other encoder than with double_z; the decoder of the code's other kind, MAR's, attends in its middle only.
    internal LdmAutoencoderConfig Sizes => (Ddconfig ?? new() { ZChannels = EmbedDim }) with { DoubleZ = true, DecoderAttention = null };
}
