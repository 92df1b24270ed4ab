using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The sizes in the published configuration, which lists modules with their arguments.</summary>
public sealed record FlexTokConfig
{
    /// <summary>The autoencoder whose latents are tokenized.</summary>
    public required AutoencoderKlConfig Vae { get; init; }
    /// <summary>Factor on latents.</summary>
    public required double ScalingFactor { get; init; }
    /// <summary>Whether latents are drawn; else they are means.</summary>
    public required bool SamplePosterior { get; init; }
    /// <summary>Sizes of the encoder.</summary>
    public required FlexTransformer Encoder { get; init; }
    /// <summary>Sizes of the decoder.</summary>
    public required FlexTransformer Decoder { get; init; }
    /// <summary>Tokens a picture.</summary>
    public required int Registers { get; init; }
    /// <summary>Levels of the finite scalar quantizer, the first the fastest.</summary>
    public required int[] Levels { get; init; }
    /// <summary>Places of latents along each side of a patch.</summary>
    public required int Patch { get; init; }
    /// <summary>Patches along each side.</summary>
    public required int Grid { get; init; }
    /// <summary>Width of the sinusoids of a time.</summary>
    public required int TimeWidth { get; init; }
    /// <summary>Largest time.</summary>
    public required double MaxTimestep { get; init; }
    /// <summary>Sets of modulations: two when patches and registers have their own.</summary>
    public required int Modulations { get; init; }

    /// <summary>Channels of the latent.</summary>
    public int Channels => Vae.LatentChannels;
    /// <summary>Places of latents along each side.</summary>
    public int LatentSize => Grid * Patch;
    /// <summary>Size of the pictures.</summary>
    public int ImageSize => LatentSize * Vae.Downsampling;

    /// <summary>Reads a published file.</summary>
    /// <exception cref="CheckpointException">A module or an argument is not there.</exception>
    public static FlexTokConfig Read(ModelSource source)
    {
        var folder = source.RequireFolder();
        var json = PublishedConfig.ReadJson(folder);
        JsonNode At(params string[] path) => path.Aggregate((JsonNode)json, (node, key) => node[key]
            ?? throw new CheckpointException(ErrorCodes.ConfigInvalid, "The published configuration lacks a setting.") { Where = $"{folder}: {string.Join('.', path)}" });
        int Number(params string[] path) => At(path).GetValue<int>();
        FlexTransformer Transformer(string part, string module) => PublishedConfig.Read<FlexTransformer>(folder, $"{part}.module_dict.{module}").Value;

        var vae = json["vae"]?["vae_config"] is null ? PublishedVae : PublishedConfig.Read<AutoencoderKlConfig>(folder, "vae.vae_config").Value;
        return new()
        {
            Vae = vae with { LatentChannels = Number("vae", "latent_channels") },
            ScalingFactor = At("vae", "scaling_factor").GetValue<double>(),
            SamplePosterior = json["vae"]?["sample_posterior"]?.GetValue<bool>() ?? false,
            Encoder = Transformer("encoder", "enc_transformer"),
            Decoder = Transformer("decoder", "dec_transformer"),
            Registers = Number("encoder", "module_dict", "enc_register_module", "n_max"),
            Levels = [.. At("regularizer", "levels").AsArray().Select(level => level!.GetValue<int>())],
            Patch = At("encoder", "module_dict", "enc_patch_emb", "patch_sizes")[0]!.GetValue<int>(),
            Grid = At("encoder", "module_dict", "enc_posemb_module", "max_sizes")[0]!.GetValue<int>(),
            TimeWidth = Number("decoder", "module_dict", "dec_time_embedder", "frequency_embedding_size"),
            MaxTimestep = At("decoder", "module_dict", "dec_time_embedder", "max_timestep").GetValue<double>(),
            Modulations = json["decoder"]!["module_dict"]!["dec_transformer"]!["adaLN_expansion"]?.GetValue<int>() ?? 1,
        };
    }

    private static readonly AutoencoderKlConfig PublishedVae = new()
    {
        BlockOutChannels = [128, 256, 512, 512], LayersPerBlock = 2, DownBlockTypes = [.. Enumerable.Repeat("DownEncoderBlock2D", 4)], UpBlockTypes = [.. Enumerable.Repeat("UpDecoderBlock2D", 4)],
    };
}

/// <summary>Settings of a transformer.</summary>
public sealed record FlexTransformer
{
    /// <summary>Width.</summary>
    [JsonPropertyName("dim")] public int Width { get; init; } = 768;
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 12;
    /// <summary>Width of a head.</summary>
    [JsonPropertyName("head_dim")] public int HeadWidth { get; init; } = 64;
    /// <summary>Width within the feed-forward layers, in widths; two thirds of it where they are gated.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Whether queries, keys and values have biases.</summary>
    public bool QkvBias { get; init; }
    /// <summary>Whether the attention's output has a bias.</summary>
    public bool ProjBias { get; init; }
    /// <summary>Whether the feed-forward layers have biases.</summary>
    public bool MlpBias { get; init; }
    /// <summary>Whether the feed-forward layers are gated.</summary>
    public bool GatedMlp { get; init; } = true;
    /// <summary>Whether queries and keys are normalised.</summary>
    public bool QkNorm { get; init; } = true;
}
