using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Continuous autoencoders in latent-diffusion's own layout: encoder, <c>quant_conv</c>, Gaussian, <c>post_quant_conv</c>, decoder.</summary>
internal static class LdmKl
{
    /// <summary>The calls <c>encode</c>, <c>sample</c> and <c>decode</c>.</summary>
    public static TokenizerPlan Plan(LdmAutoencoderConfig config, int embedDim) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode"] = vae => Encode(vae, config, embedDim),
            ["sample"] = vae => Sample(vae, config, embedDim),
            ["decode"] = vae => Decode(vae, config, embedDim),
        },
        Preparation = ImagePreparation.SignedRange(config.Resolution, config.Downsampling),
        TrainingOnly = [@"^loss\.", "^global_step$"],
        Encode = TokenizerPlan.EncodeWith("encode", "x", "mean"),
        Decode = TokenizerPlan.DecodeWith("decode", "z", "reconstruction"),
    };

    private static DiagonalGaussian Posterior(Scope vae, LdmAutoencoderConfig config, int embedDim)
    {
        var h = LdmAutoencoder.Encoder(vae["encoder"], vae.Pictures("x", config.InChannels), config);
        return DiagonalGaussian.Of(vae.Stage("moments", vae["quant_conv"].Conv(h, 2 * embedDim, 1)));
    }

    private static void Encode(Scope vae, LdmAutoencoderConfig config, int embedDim)
    {
        var posterior = Posterior(vae, config, embedDim);
        vae.Graph.Output("mean", posterior.Mean);
        vae.Graph.Output("std", posterior.Deviation);
    }

    private static void Sample(Scope vae, LdmAutoencoderConfig config, int embedDim)
    {
        var posterior = Posterior(vae, config, embedDim);
        vae.Graph.Output("latent", posterior.Sample(vae.Graph.Input("noise", posterior.Mean.Shape)));
    }

    private static void Decode(Scope vae, LdmAutoencoderConfig config, int embedDim)
    {
        var h = vae.Stage("post_quant", vae["post_quant_conv"].Conv(vae.Latents("z", embedDim), config.ZChannels, 1));
        vae.Graph.Output("reconstruction", LdmAutoencoder.Decoder(vae["decoder"], h, config));
    }
}
