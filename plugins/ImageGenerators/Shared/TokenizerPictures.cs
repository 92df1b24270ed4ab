using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The decoder of an image tokenizer, from a folder beside a generator's weights: the tokenizer's published files.</summary>
internal sealed class TokenizerPictures : IPictureDecoder
{
    private readonly Checkpoint _checkpoint;
    private readonly PictureNetwork _network;

    private TokenizerPictures(ModelSource source, string folder, string? key, Func<ITensorSource, ITensorSource> weights, Func<Scope, Value> pixels)
    {
        _checkpoint = Checkpoint.Open(folder, key);
        try
        {
            _network = PictureNetwork.Build(new(source.Service<InferenceRuntime>(), weights(_checkpoint)) { Session = NetworkContext.Of(source, _checkpoint).Session }, "tokenizer", pixels);
        }
        catch
        {
            _checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>MaskGIT's VQGAN (<c>tokenizer/maskgit-vqgan-imagenet-f16-256.bin</c>), or null when there is none.</summary>
    public static TokenizerPictures? MaskGit(ModelSource source, int codes) => Folder(source, "tokenizer") is not { } folder ? null : new(source, folder, null, weights => weights, vqgan =>
    {
        var config = new MaskGitDecoderConfig();
        return MaskGitDecoder.Build(vqgan["decoder"], vqgan["quantize.embedding"].Embedding(Codes(vqgan), codes, config.ZChannels).ChannelsFirst(), config);
    });

    /// <summary>LlamaGen's tokenizer (<c>tokenizer/vq_ds*.pt</c> and its <c>config.json</c>), or null when there is none.</summary>
    public static TokenizerPictures? LlamaGen(ModelSource source)
    {
        if (Folder(source, "tokenizer") is not { } folder) return null;
        var config = File.Exists(Path.Combine(folder, "config.json")) ? PublishedConfig.Read<LlamaGenVqConfig>(folder).Value : new();
        return new(source, folder, "model", LlamaGenVq.Keys(config.DecoderChMult.Length).Apply, vq => LlamaGenVq.Decode(vq, Codes(vq), config) / 2 + 0.5);
    }

    /// <summary>Latent diffusion's continuous autoencoder as MAR retrained it (<c>vae/kl16.ckpt</c>), or null when there is none. Latents are divided by <paramref name="scale"/> first.</summary>
    public static TokenizerPictures? Kl(ModelSource source, int channels, double scale) => Folder(source, "vae") is not { } folder ? null : new(source, folder, "model", weights => weights, vae =>
    {
        var config = new LdmAutoencoderConfig { ZChannels = channels, ChMult = [1, 1, 2, 2, 4], AttnResolutions = [16], DecoderAttention = null };
        var z = vae.Graph.Input("latents", [Dim.Symbol("batch"), channels, Dim.Symbol("rows"), Dim.Symbol("columns")]) / scale;
        return LdmAutoencoder.Decoder(vae["decoder"], vae["post_quant_conv"].Conv(z, channels, 1), config) / 2 + 0.5;
    });

    /// <summary>An autoencoder in diffusers' layout (<c>vae/config.json</c> and its weights) whose latents come as its decoder takes them, or null when there is none.</summary>
    public static TokenizerPictures? Diffusers(ModelSource source)
    {
        if (Folder(source, "vae") is not { } folder) return null;
        var config = PublishedConfig.Read<AutoencoderKlConfig>(folder).Value;
        return new(source, folder, null, weights => weights,
            vae => AutoencoderKl.Decode(vae, vae.Graph.Input("latents", [Dim.Symbol("batch"), config.LatentChannels, Dim.Symbol("rows"), Dim.Symbol("columns")]), config) / 2 + 0.5);
    }

    /// <inheritdoc/>
    public Task<Tensor<float>> DecodeAsync(Tensor samples, CancellationToken cancel) => _network.DecodeAsync(samples, cancel);

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        _checkpoint.Dispose();
    }

    private static string? Folder(ModelSource source, string name) => Path.Combine(source.RequireFolder(), name) is var folder && Directory.Exists(folder) ? folder : null;

    private static Value Codes(Scope scope) => scope.Graph.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("rows"), Dim.Symbol("columns")]);
}
