// Adaptive Length Image Tokenization via Recurrent Allocation. Duggal, Isola, Torralba, Freeman. arXiv:2411.02393. github.com/ShivamDuggal4/adaptive-length-tokenizer
// Published layout: alit_*.pth (key ema) with the base tokenizer inside, yaml configurations as config.json.
// Deviations: draws of the halting come from the request's seed. The verbs keep the last rollout's tokens; `tokens` stops the rollouts early.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>ALIT: each rollout adds tokens for what the earlier ones left out.</summary>
public static class AlitModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/alit",
            Paper = "Adaptive Length Image Tokenization via Recurrent Allocation",
            ArXiv = "2411.02393",
            Authors = ["Shivam Duggal", "Phillip Isola", "Antonio Torralba", "William T. Freeman"],
            Repository = "ShivamDuggal4/adaptive-length-tokenizer",
            CodeLicense = "none stated",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: alit_*.pth"],
            Sizes =
            [
                new("alit_tiny_vqgan", 107_352_719, []),
                new("alit_small_vqgan", 262_048_399, []),
                new("alit_base_vqgan", 228_689_551, []),
                new("alit_semilarge_vqgan", 463_587_983, []),
                new("alit_small_vae", 275_262_943, []),
            ],
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(AlitConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["prepare"] = model => AlitNetwork.Prepare(model, config),
            ["rollout"] = model => AlitNetwork.Rollout(model, config),
            ["paint"] = model => AlitNetwork.Paint(model, config),
            ["extend"] = model => AlitNetwork.Extend(model, config),
            ["decode_tokens"] = model => AlitNetwork.DecodeTokens(model, config),
        },
        Calls = new Dictionary<string, ReferenceCall> { ["encode"] = Encode(config) },
        Preparation = ImagePreparation.UnitRange(config.Tokenizer.ImgSize, config.Tokenizer.ImgSize, isFixed: true),
        Layout = TokenLayout.CoarseToFine,
        VocabularySizes = config.Model.QuantizeLatent ? [config.Tokenizer.VqCodebookSize] : [],
        Codebooks = config.Model.QuantizeLatent ? ["quantize.embedding.weight"] : [],
        PrefixTokens = config.MostTokens,
        TrainingOnly = [@"^gan_losses\.", @"^base_tokenizer\..*\.loss\.", .. config.IsFactorized ? Array.Empty<string>() : [@"^pre_quantizer_mlp\."]],
        Encode = async (networks, picture, options, cancel) =>
        {
            var rollouts = Math.Min(config.Tokenizer.MaxRolloutIters, ((options.Tokens ?? config.MostTokens) + config.Tokenizer.NumInitLatentTokens - 1) / config.Tokenizer.NumInitLatentTokens);
            var last = (await RollAsync(networks, picture, null, null, options.Seed, rollouts, config, new(), cancel).ConfigureAwait(false))[^1];
            return config.Model.QuantizeLatent ? last.Get<long>("codes") : last["latent"];
        },
        Decode = TokenizerPlan.DecodeWith("decode_tokens", "tokens", "reconstruction"),
    };

    // Draws are given once: a call without them repeats those of the call before.
    private static ReferenceCall Encode(AlitConfig config)
    {
        (Tensor<float>? Noise, Tensor<float>? Uniform) draws = default;
        return (networks, arguments, cancel) =>
        {
            draws = (arguments.FindTensor<float>("posterior_noise") ?? draws.Noise, arguments.FindTensor<float>("halting_uniform") ?? draws.Uniform);
            return EncodeAsync(networks, arguments, draws.Noise, draws.Uniform, config, cancel);
        };
    }

    private static async ValueTask<CallResults> EncodeAsync(NetworkSet networks, CallArguments arguments, Tensor<float>? noise, Tensor<float>? uniform, AlitConfig config, CancellationToken cancel)
    {
        var (images, results) = (arguments.Tensor<float>("imgs"), new CallResults());
        var rollouts = await RollAsync(networks, images, noise, uniform, 0, config.Tokenizer.MaxRolloutIters, config, results, cancel).ConfigureAwait(false);
        var threshold = arguments.Literal("threshold", 0.0);
        var (chosen, smallest) = (0, double.MaxValue);
        for (var i = 0; i < rollouts.Count; i++)
        {
            var picture = (await networks.RunAsync("paint", cancel, ("decoder", rollouts[i]["decoder"])).ConfigureAwait(false))["reconstruction"];
            results.Add($"encoder_{i}", rollouts[i]["encoder"]).Add($"latent_{i}", rollouts[i]["latent"]).Add($"decoder_{i}", EveryEighth(rollouts[i]["decoder"])).Add($"reconstruction_{i}", picture);
            if (config.Model.QuantizeLatent) results.Add($"codes_{i}", rollouts[i].Get<long>("codes"));
            var error = AbsoluteError(images, picture);
            if (smallest >= threshold && error < smallest) (chosen, smallest) = (i, error);
        }

        if (!arguments.Literal("return_min_length_embedding", false)) return results;
        return new CallResults().Add("chosen_latent_tokens", rollouts[chosen]["encoder"]).Add("chosen_reconstruction", results.Tensor($"reconstruction_{chosen}"));
    }

    private static async ValueTask<IReadOnlyList<NetworkOutputs>> RollAsync(
        NetworkSet networks, Tensor<float> images, Tensor<float>? noise, Tensor<float>? uniform, ulong seed, int count, AlitConfig config, CallResults results, CancellationToken cancel)
    {
        var (batch, places) = ((int)images.Shape[0], config.Grid * config.Grid);
        (string, Tensor)[] inputs = config.IsQuantizedBase ? [("imgs", images)] : [("imgs", images), ("posterior_noise", noise ?? Tensor.Zeros<float>(batch, config.BaseTokenizer.EmbedDim, config.Grid, config.Grid))];
        var prepared = await networks.RunAsync("prepare", cancel, inputs).ConfigureAwait(false);
        results.AddRange(prepared.ToResults());
        var x = prepared["encoder_input"];
        var rollouts = new List<NetworkOutputs>();
        for (var i = 0; i < count; i++)
        {
            rollouts.Add(await networks.RunAsync("rollout", cancel, ("x", x)).ConfigureAwait(false));
            if (i == count - 1) break;
            var drop = Tensor.Zeros<float>(batch, places);
            // As published: with a continuous base the masking has no effect.
            if (config.IsQuantizedBase && config.Tokenizer.DynamicHalting) Halt(drop, rollouts[i]["decoder"], prepared.Get<long>("base_codes"), uniform?.Slice(i), seed, i, config);
            x = (await networks.RunAsync("extend", cancel, ("x", rollouts[i]["x_encoded"]), ("drop", drop), ("iteration", Tensor.Scalar(i + 1L))).ConfigureAwait(false))["x_extended"];
        }

        return rollouts;
    }

    // A place is masked by a coin that falls with the probability of its true code, when that is not below the threshold.
    private static void Halt(Tensor<float> drop, Tensor<float> logits, Tensor<long> codes, Tensor<float>? uniform, ulong seed, int iteration, AlitConfig config)
    {
        var entries = (int)logits.Shape[2];
        for (var i = 0; i < drop.Length; i++)
        {
            var row = logits.Span.Slice(i * entries, entries);
            var (largest, sum) = (float.MinValue, 0.0);
            foreach (var logit in row) largest = Math.Max(largest, logit);
            foreach (var logit in row) sum += Math.Exp(logit - largest);
            var probability = (float)(Math.Exp(row[(int)codes.Span[i]] - largest) / sum);
            var draw = uniform is null ? (float)Philox.Of(seed, 0, iteration + 1).Uniform((ulong)i) : uniform.Span[i];
            if (draw < probability && probability >= (float)config.Tokenizer.DynamicHaltingThreshold) drop.Span[i] = 1;
        }
    }

    private static double AbsoluteError(Tensor<float> a, Tensor<float> b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++) sum += Math.Abs(a.Span[i] - b.Span[i]);
        return sum / a.Length;
    }

    // Cases keep every eighth place of the decoder's output.
    private static Tensor<float> EveryEighth(Tensor<float> decoder)
    {
        var (batch, places, width) = ((int)decoder.Shape[0], (int)decoder.Shape[1], (int)decoder.Shape[2]);
        var kept = Tensor.Zeros<float>(batch, (places + 7) / 8, width);
        for (var row = 0; row < batch * kept.Shape[1]; row++)
        {
            var (sample, place) = (row / (int)kept.Shape[1], row % (int)kept.Shape[1] * 8);
            decoder.Span.Slice((sample * places + place) * width, width).CopyTo(kept.Span[(row * width)..]);
        }

        return kept;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<AlitConfig>()), copies: ["ema", "model"]));
}
