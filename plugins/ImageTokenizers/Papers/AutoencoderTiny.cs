// TAESD: Tiny AutoEncoder for Stable Diffusion. Ollin Boer Bohan. github.com/madebyollin/taesd (no paper).
// Published layout: diffusers AutoencoderTiny (config.json + diffusion_pytorch_model.safetensors). Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The published <c>config.json</c> of <c>AutoencoderTiny</c>.</summary>
public sealed record AutoencoderTinyConfig
{
    /// <summary>Channels of the picture that goes in.</summary>
    public int InChannels { get; init; } = 3;
    /// <summary>Channels of the picture that comes out.</summary>
    public int OutChannels { get; init; } = 3;
    /// <summary>Width of each level of the encoder.</summary>
    public int[] EncoderBlockOutChannels { get; init; } = [64, 64, 64, 64];
    /// <summary>Width of each level of the decoder.</summary>
    public int[] DecoderBlockOutChannels { get; init; } = [64, 64, 64, 64];
    /// <summary>Activation.</summary>
    public string ActFn { get; init; } = "relu";
    /// <summary>How the decoder enlarges.</summary>
    [AllowedValues("nearest", "bilinear", "bicubic")] public string UpsampleFn { get; init; } = "nearest";
    /// <summary>Channels of the latent.</summary>
    public int LatentChannels { get; init; } = 4;
    /// <summary>Factor between levels of the decoder.</summary>
    public int UpsamplingScalingFactor { get; init; } = 2;
    /// <summary>Blocks of each level of the encoder.</summary>
    public int[] NumEncoderBlocks { get; init; } = [1, 3, 3, 3];
    /// <summary>Blocks of each level of the decoder.</summary>
    public int[] NumDecoderBlocks { get; init; } = [3, 3, 3, 1];
    /// <summary>Half the range of latents that are scaled to 0..1.</summary>
    public double LatentMagnitude { get; init; } = 3;
    /// <summary>Place of zero in that range.</summary>
    public double LatentShift { get; init; } = 0.5;
}

/// <summary>TAESD: Stable Diffusion's autoencoder, distilled into few convolutions.</summary>
public static class AutoencoderTinyModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/autoencoder-tiny",
            Paper = "TAESD: Tiny AutoEncoder for Stable Diffusion",
            Authors = ["Ollin Boer Bohan"],
            Repository = "madebyollin/taesd",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["diffusers: config.json + diffusion_pytorch_model.safetensors"],
            Sizes = [new("madebyollin/taesd", 2_445_063, []), new("madebyollin/taesd3", 2_458_899, [])],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(AutoencoderTinyConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode"] = vae => vae.Graph.Output("latent", Encode(vae["encoder.layers"], vae.Pictures("x", config.InChannels), config)),
            ["decode"] = vae => vae.Graph.Output("reconstruction", Decode(vae["decoder.layers"], vae.Latents("z", config.LatentChannels), config)),
            ["scale_latents"] = vae => vae.Graph.Output("scaled_latent", (vae.Latents("latent", config.LatentChannels) / (2 * config.LatentMagnitude) + config.LatentShift).Clip(0, 1)),
        },
        Preparation = ImagePreparation.SignedRange(0, 1 << (config.EncoderBlockOutChannels.Length - 1)),
        Encode = TokenizerPlan.EncodeWith("encode", "x", "latent"),
        Decode = TokenizerPlan.DecodeWith("decode", "z", "reconstruction"),
    };

    // Layers are numbered through, those without weights too.
    private static Value Encode(Scope layers, Value x, AutoencoderTinyConfig config)
    {
        var (h, index, activation) = (x * 0.5 + 0.5, 0, Activations.Named(config.ActFn));
        for (var level = 0; level < config.NumEncoderBlocks.Length; level++)
        {
            var width = config.EncoderBlockOutChannels[level];
            h = level == 0 ? layers.Stage("encoder_conv_in", layers[index++].Conv(h, width, 3, padding: 1)) : layers[index++].Conv(h, width, 3, stride: 2, padding: 1, bias: false);
            for (var i = 0; i < config.NumEncoderBlocks[level]; i++) h = layers.Stage($"encoder_block_{index - 1}", Block(layers[index++], h, width, activation));
        }

        return layers[index].Conv(h, config.LatentChannels, 3, padding: 1);
    }

    private static Value Decode(Scope layers, Value z, AutoencoderTinyConfig config)
    {
        var activation = Activations.Named(config.ActFn);
        var mode = config.UpsampleFn switch { "bilinear" => Interpolation.Linear, "bicubic" => Interpolation.Cubic, _ => Interpolation.Nearest };
        var h = activation(layers.Stage("decoder_conv_in", layers[0].Conv((z / 3).Tanh() * 3, config.DecoderBlockOutChannels[0], 3, padding: 1)));
        var index = 2;
        for (var level = 0; level < config.NumDecoderBlocks.Length; level++)
        {
            var (width, last) = (config.DecoderBlockOutChannels[level], level == config.NumDecoderBlocks.Length - 1);
            for (var i = 0; i < config.NumDecoderBlocks[level]; i++) h = Block(layers[index++], h, width, activation);
            if (!last) (h, index) = (h.Interpolate(mode, [h.Shape[2] * config.UpsamplingScalingFactor, h.Shape[3] * config.UpsamplingScalingFactor]), index + 1);
            h = layers[index++].Conv(h, last ? config.OutChannels : width, 3, padding: 1, bias: last);
        }

        return h * 2 - 1;
    }

    private static Value Block(Scope block, Value x, long width, Func<Value, Value> activation)
    {
        var h = activation(block["conv.0"].Conv(x, width, 3, padding: 1));
        h = block["conv.4"].Conv(activation(block["conv.2"].Conv(h, width, 3, padding: 1)), width, 3, padding: 1);
        return (h + (x.Shape[1] == width ? x : block["skip"].Conv(x, width, 1, bias: false))).Relu();
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<AutoencoderTinyConfig>())));
}
