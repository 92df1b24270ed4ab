// FlexTok: Resampling Images into 1D Token Sequences of Flexible Length. Bachmann, Allardice, Mizrahi, Fini, Kar, Amirloo, El-Nouby, Zamir, Dehghan. arXiv:2502.13967. github.com/apple/ml-flextok
// Published layout: config.json (hydra) + model.safetensors (EPFL-VILAB/flextok_*), the VAE included. Deviations: none; sequences are not packed, which changes nothing.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>FlexTok: any prefix of the tokens gives a plausible picture, more tokens a more faithful one.</summary>
public static class FlexTokModel
{
    private const int Steps = 25;
    private const float Guidance = 7.5f;

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/flextok",
            Paper = "FlexTok: Resampling Images into 1D Token Sequences of Flexible Length",
            ArXiv = "2502.13967",
            Authors = ["Roman Bachmann", "Jesse Allardice", "David Mizrahi", "Enrico Fini", "Oğuzhan Fatih Kar", "Elmira Amirloo", "Alaaeldin El-Nouby", "Amir Zamir", "Afshin Dehghan"],
            Repository = "apple/ml-flextok",
            CodeLicense = "EPFL and Apple Sample Code License (non-commercial)",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.json + model.safetensors"],
            Sizes =
            [
                new("EPFL-VILAB/flextok_d12_d12_in1k", 341_651_737, []),
                new("EPFL-VILAB/flextok_d18_d18_in1k", 949_734_553, []),
                new("EPFL-VILAB/flextok_d18_d28_in1k", 2_540_882_841, []),
            ],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(FlexTokConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["tokenize"] = model => FlexTokNetwork.Tokenize(model, config),
            ["velocity"] = model => FlexTokNetwork.Velocity(model, config),
            ["vae_decode"] = model => FlexTokNetwork.Decode(model, config),
        },
        Calls = new Dictionary<string, ReferenceCall>
        {
            ["velocity"] = (networks, arguments, cancel) => VelocityAsync(networks, arguments, config, cancel),
            ["detokenize"] = (networks, arguments, cancel) => DetokenizeAsync(networks, arguments, config, cancel),
        },
        Preparation = ImagePreparation.SignedRange(config.ImageSize, config.ImageSize, isFixed: true),
        Layout = TokenLayout.CoarseToFine,
        VocabularySizes = [config.Levels.Aggregate((product, level) => product * level)],
        PrefixTokens = config.Registers,
        Encode = async (networks, picture, options, cancel) => (await networks.RunAsync("tokenize", cancel, WithNoise(picture, config)).ConfigureAwait(false)).Get<long>("codes"),
        Decode = (networks, codes, options, cancel) => PictureAsync(networks, (Tensor<long>)codes, options.Seed, config, cancel),
    };

    // The latent's mean: tokens do not depend on chance.
    private static (string, Tensor)[] WithNoise(Tensor<float> picture, FlexTokConfig config) => config.SamplePosterior
        ? [("images", picture), ("posterior_noise", Tensor.Zeros<float>(picture.Shape[0], config.Channels, config.LatentSize, config.LatentSize))]
        : [("images", picture)];

    private static async ValueTask<Tensor<float>> PictureAsync(NetworkSet networks, Tensor<long> codes, ulong seed, FlexTokConfig config, CancellationToken cancel)
    {
        var keep = (int)codes.Shape[1];
        var all = Tensor.Zeros<long>(1, config.Registers);
        codes.Span.CopyTo(all.Span);
        var sampler = new FlexTokSampler(networks, all, Kept([keep], config.Registers), Guidance, normGuidance: true);
        var latents = await sampler.SampleAsync(Noise.Normal(seed, 1, config.Channels, config.LatentSize, config.LatentSize), Steps, cancel).ConfigureAwait(false);
        return (await networks.RunAsync("vae_decode", cancel, ("latents", latents)).ConfigureAwait(false))["reconstruction"];
    }

    private static async ValueTask<CallResults> VelocityAsync(NetworkSet networks, CallArguments arguments, FlexTokConfig config, CancellationToken cancel)
    {
        var tokens = arguments.Tensor<long>("tokens");
        var ones = Tensor.Create([.. Enumerable.Repeat(1f, (int)tokens.Shape[0])], tokens.Shape[0]);
        var results = (await networks.RunAsync("velocity", cancel, ("tokens", tokens), ("kept", Kept(Lengths(arguments, tokens, config), config.Registers)), ("conditional", ones),
            ("noised_latents", arguments.Tensor("noised_latents")), ("timesteps", arguments.Tensor("timesteps"))).ConfigureAwait(false)).ToResults();
        return results.Add("velocity_prefix", results.Tensor("velocity"));
    }

    private static async ValueTask<CallResults> DetokenizeAsync(NetworkSet networks, CallArguments arguments, FlexTokConfig config, CancellationToken cancel)
    {
        var tokens = arguments.Tensor<long>("tokens");
        var sampler = new FlexTokSampler(networks, tokens, Kept(Lengths(arguments, tokens, config), config.Registers), arguments.Literal("guidance_scale", 1f), arguments.Literal("perform_norm_guidance", false));
        var latents = await sampler.SampleAsync(arguments.Tensor<float>("noise"), arguments.Literal<int>("timesteps"), cancel).ConfigureAwait(false);
        var picture = (await networks.RunAsync("vae_decode", cancel, ("latents", latents)).ConfigureAwait(false))["reconstruction"];
        return new CallResults().AddNumbered("latents", latents).AddNumbered("reconstruction", picture);
    }

    private static int[] Lengths(CallArguments arguments, Tensor tokens, FlexTokConfig config) =>
        arguments.Has("keep_k") ? arguments.Literal<int[]>("keep_k") : [.. Enumerable.Repeat(config.Registers, (int)tokens.Shape[0])];

    private static Tensor<float> Kept(int[] lengths, int registers)
    {
        var kept = Tensor.Zeros<float>(lengths.Length, registers);
        for (var sample = 0; sample < lengths.Length; sample++) kept.Slice(sample).Span[..Math.Min(lengths[sample], registers)].Fill(1);
        return kept;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(FlexTokConfig.Read(source))));
}
