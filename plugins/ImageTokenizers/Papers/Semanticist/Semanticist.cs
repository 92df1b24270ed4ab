// "Principal Components" Enable A New Language of Images. Wen, Zhao, Elezi, Deng, Qi. arXiv:2503.08685. github.com/visual-gen/semanticist
// Published layout: tokenizer yaml (as tokenizer.json) + semanticist_tok*.pkl, a flat state dict with the VAE inside. Deviations: none.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Semanticist: tokens ordered like principal components; any prefix of them gives a picture.</summary>
public static class SemanticistModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/semanticist",
            Paper = "\"Principal Components\" Enable A New Language of Images",
            ArXiv = "2503.08685",
            Authors = ["Xin Wen", "Bingchen Zhao", "Ismail Elezi", "Jiankang Deng", "Xiaojuan Qi"],
            Repository = "visual-gen/semanticist",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: semanticist_tok*.pkl + tokenizer yaml"],
            Sizes = [new("tennant/semanticist: semanticist_tok_L", 581_489_699, []), new("tennant/semanticist: semanticist_tok_XL", 798_384_419, [])],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(SemanticistConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode_slots"] = model => SemanticistNetwork.EncodeSlots(model, config),
            ["denoise"] = model => SemanticistNetwork.Denoise(model, config),
            ["vae_decode"] = model => SemanticistNetwork.Decode(model, config),
        },
        Calls = new Dictionary<string, ReferenceCall>
        {
            ["denoise"] = (networks, arguments, cancel) => DenoiseAsync(networks, arguments, config, cancel),
            ["sample"] = (networks, arguments, cancel) => SampleAsync(networks, arguments, config, cancel),
        },
        Preparation = ImagePreparation.UnitRange(config.EncImgSize, config.EncImgSize, isFixed: true),
        Layout = TokenLayout.CoarseToFine,
        PrefixTokens = config.NumSlots,
        TrainingOnly = [@"^nested_sampler\.", @"^vae\.(encoder|quant_conv)\.", @"^repa"],
        Encode = TokenizerPlan.EncodeWith("encode_slots", "image", "latent"),
        Decode = (networks, slots, options, cancel) => PictureAsync(networks, (Tensor<float>)slots, options.Seed, config, cancel),
    };

    private static async ValueTask<Tensor<float>> PictureAsync(NetworkSet networks, Tensor<float> slots, ulong seed, SemanticistConfig config, CancellationToken cancel)
    {
        var all = Tensor.Zeros<float>(1, config.NumSlots, config.SlotDim);
        slots.Span.CopyTo(all.Span);
        var diffusion = new SpacedDiffusion(config.NumSamplingSteps);
        var shape = new long[] { 1, config.Channels, config.LatentSize, config.LatentSize };
        var noise = new PhiloxNoise(seed, 1);
        var latents = await GuidedAsync(networks, all, (int)slots.Shape[1], 1, Noise.Normal(seed, shape), (_, length) =>
        {
            var draw = new float[length];
            noise.Fill(draw);
            return draw;
        }, diffusion, config, cancel).ConfigureAwait(false);
        return (await networks.RunAsync("vae_decode", cancel, ("latents", latents)).ConfigureAwait(false))["reconstruction"];
    }

    private static async ValueTask<CallResults> DenoiseAsync(NetworkSet networks, CallArguments arguments, SemanticistConfig config, CancellationToken cancel)
    {
        var slots = arguments.Tensor<float>("slots");
        var results = (await networks.RunAsync("denoise", cancel, ("latents", arguments.Tensor("latents")), ("timestep", arguments.Tensor("timestep")), ("slots", slots),
            ("kept", Kept((int)slots.Shape[0], arguments.Literal("n_slots", config.NumSlots), config))).ConfigureAwait(false)).ToResults();
        return results.Add("eps_prefix", results.Tensor("eps"));
    }

    private static async ValueTask<CallResults> SampleAsync(NetworkSet networks, CallArguments arguments, SemanticistConfig config, CancellationToken cancel)
    {
        var (slots, noise, steps) = (arguments.Tensor<float>("slots"), arguments.Tensor<float>("noise"), arguments.Tensor<float>("step_noise"));
        var latents = await GuidedAsync(networks, slots, arguments.Literal("n_slots", config.NumSlots), arguments.Literal("cfg", 1f), noise, (step, length) => steps.Slice(step).Span[..length].ToArray(),
            new(config.NumSamplingSteps), config, cancel).ConfigureAwait(false);
        var picture = (await networks.RunAsync("vae_decode", cancel, ("latents", latents)).ConfigureAwait(false))["reconstruction"];
        // Cases number the calls of one model.
        return new CallResults().AddNumbered("latents", latents).AddNumbered("reconstruction", picture);
    }

    // Both halves of a guided batch start from the same latents; the one that is kept has the conditional variance.
    private static async ValueTask<Tensor<float>> GuidedAsync(
        NetworkSet networks, Tensor<float> slots, int count, float guidance, Tensor<float> noise, Func<int, int, float[]> draw, SpacedDiffusion diffusion, SemanticistConfig config, CancellationToken cancel)
    {
        var batch = (int)noise.Shape[0];
        var x = Tensor.Create(noise.Span.ToArray(), noise.Shape);
        for (var step = diffusion.Count - 1; step >= 0; step--)
        {
            var time = Tensor.Create([.. Enumerable.Repeat((long)diffusion.Timesteps[step], batch)], batch);
            async Task<Tensor<float>> RunAsync(int kept) => (await networks.RunAsync("denoise", cancel, ("latents", x), ("timestep", time), ("slots", slots), ("kept", Kept(batch, kept, config))).ConfigureAwait(false))["eps"];
            var output = await RunAsync(count).ConfigureAwait(false);
            if (guidance != 1)
            {
                var without = await RunAsync(0).ConfigureAwait(false);
                var (half, whole) = (output.Length / batch / 2, output.Length / batch);
                for (var i = 0; i < output.Length; i++)
                {
                    if (i % whole < half) output.Span[i] = without.Span[i] + guidance * (output.Span[i] - without.Span[i]);
                }
            }

            var (size, drawn) = (x.Length / batch, draw(diffusion.Count - 1 - step, x.Length));
            for (var sample = 0; sample < batch; sample++)
            {
                var both = output.Slice(sample).Span;
                diffusion.Step(step, both[..size], both[size..], x.Slice(sample).Span, drawn.AsSpan(sample * size, size));
            }
        }

        return x;
    }

    private static Tensor<float> Kept(int batch, int count, SemanticistConfig config)
    {
        var kept = Tensor.Zeros<float>(batch, config.NumSlots);
        for (var sample = 0; sample < batch; sample++) kept.Slice(sample).Span[..Math.Min(count, config.NumSlots)].Fill(1);
        return kept;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        string[] names = ["tokenizer.yaml", "tokenizer.json", "config.yaml", "config.json"];
        var file = names.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists) ?? folder;
        var config = PublishedConfig.Read<SemanticistConfig>(file, "trainer.params.model.params").Value;
        return ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(config), new KeyMap((@"\._orig_mod", "")).Apply));
    }
}
