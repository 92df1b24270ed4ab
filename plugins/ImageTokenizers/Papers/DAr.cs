// D-AR: Diffusion via Autoregressive Models. Gao, Shou. arXiv:2505.23660. github.com/showlab/D-AR: tokenizer/tokenizer_image
// Published layout: D-AR-tokenizer*.pt (key ema) + config.yaml (tokenizer_v1.yaml). Deviations: none; a prefix of codes decodes with the steps that they condition.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>D-AR's tokenizer: a picture as codes that are, group by group, the steps of a diffusion.</summary>
public static class DArModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/d-ar",
            Paper = "D-AR: Diffusion via Autoregressive Models",
            ArXiv = "2505.23660",
            Authors = ["Ziteng Gao", "Mike Zheng Shou"],
            Repository = "showlab/D-AR",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: D-AR-tokenizer*.pt + config.yaml"],
            Sizes = [new("showlab/D-AR: D-AR-tokenizer", 300_099_776, [])],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(DArTokenizerConfig config) => new()
    {
        Networks = Networks(config),
        Calls = new Dictionary<string, ReferenceCall> { ["decode_code"] = (networks, arguments, cancel) => DecodeCallAsync(networks, arguments, config, cancel) },
        Preparation = ImagePreparation.SignedRange(config.SamplingResolution, Multiple(config)),
        Layout = TokenLayout.CoarseToFine,
        VocabularySizes = [config.VqCodebookSize],
        Codebooks = ["quantize.embedding.weight"],
        PrefixTokens = config.NumAllQueries,
        TrainingOnly = [@"\.repa_out\.", @"codebook_used$"],
        Encode = TokenizerPlan.EncodeWith("extract_code", "x", "codes"),
        Decode = (networks, codes, options, cancel) => DecodeAsync(networks, codes, options, config, cancel),
    };

    private static Dictionary<string, Action<Scope>> Networks(DArTokenizerConfig config)
    {
        var networks = new Dictionary<string, Action<Scope>>
        {
            ["extract_code"] = model => DArTokenizer.Encode(model, config),
            ["condition"] = model => DArTokenizer.Condition(model, config),
            ["diff_decoder_net"] = model => DArTokenizer.Velocity(model["diff_decoder.net"], config),
        };
        // Larger pictures are shrunk to a square, bicubically.
        if (config.OutputResolution > 0)
            networks["shrink"] = model => model.Graph.Output("shrunk", model.Pictures("picture").Interpolate(Interpolation.Cubic, [config.OutputResolution, config.OutputResolution]));
        return networks;
    }

    // Both networks' patches divide the picture.
    private static int Multiple(DArTokenizerConfig config)
    {
        var (encoder, decoder) = (config.EncoderPatchSize, config.DiffDecoder.PatchSize);
        return Enumerable.Range(1, decoder).Select(times => times * encoder).First(size => size % decoder == 0);
    }

    private static async ValueTask<Tensor<float>> DecodeAsync(NetworkSet networks, Tensor codes, ImageTokenizerOptions options, DArTokenizerConfig config, CancellationToken cancel)
    {
        // Conditions look back only: the codes after a prefix do not matter.
        var known = codes.Length;
        var all = Tensor.Zeros<long>(1, config.NumAllQueries);
        codes.As<long>().Span.CopyTo(all.Span);
        var size = Math.Max(config.SamplingResolution, options.Size ?? 0);
        var noise = Noise.Normal(options.Seed, 1, 3, size, size);
        var condition = (await networks.RunAsync("condition", cancel, ("code_b", all)).ConfigureAwait(false))["condition"];
        var picture = await new DArSampler(config) { KnownCodes = known }.SampleAsync(condition, noise, Velocity(networks, null, cancel), cancel).ConfigureAwait(false);
        return await ShrunkAsync(networks, picture, config, cancel).ConfigureAwait(false);
    }

    private static async ValueTask<CallResults> DecodeCallAsync(NetworkSet networks, CallArguments arguments, DArTokenizerConfig config, CancellationToken cancel)
    {
        var noise = arguments.Tensor<float>("noise");
        // What the noise has, raised to the smallest resolution already.
        _ = (arguments.Literal("height", 256), arguments.Literal("width", 256));
        var sampler = new DArSampler(config) { ClipSteps = arguments.Literal<int?>("clip_steps", null), StartSteps = arguments.Literal<int?>("start_steps", null), Start = arguments.FindTensor<float>("start_x") };
        var (results, firstStep) = (new CallResults(), new CallResults());
        results.AddRange((await networks.RunAsync("condition", cancel, ("code_b", arguments.Tensor("code_b"))).ConfigureAwait(false)).ToResults());
        var picture = await sampler.SampleAsync(results.Tensor("condition").As<float>(), noise, Velocity(networks, firstStep, cancel), cancel).ConfigureAwait(false);
        picture = await ShrunkAsync(networks, picture, config, cancel).ConfigureAwait(false);
        results.AddRange(firstStep).Add("reconstruction", picture);
        for (var i = 0; i < 4; i++) results.Add($"reconstruction_clip_{i}", picture);
        return results;
    }

    private static async Task<Tensor<float>> ShrunkAsync(NetworkSet networks, Tensor<float> picture, DArTokenizerConfig config, CancellationToken cancel) =>
        config.OutputResolution == 0 || Math.Max(picture.Shape[2], picture.Shape[3]) <= config.OutputResolution ? picture
            : (await networks.RunAsync("shrink", cancel, ("picture", picture)).ConfigureAwait(false))["shrunk"];

    // The network; of its first run the stages are kept.
    private static DArVelocity Velocity(NetworkSet networks, CallResults? stages, CancellationToken cancel) => async (x, t, condition) =>
    {
        var outputs = await networks.RunAsync("diff_decoder_net", cancel, ("x", x), ("t", t), ("cond", condition)).ConfigureAwait(false);
        if (stages is { Values.Count: 0 }) stages.AddRange(outputs.ToResults());
        return outputs["velocity"];
    };

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        if (source.Parts.Count == 0 && Directory.GetFiles(source.RequireFolder(), "*.pt") is [var file]) source = source with { Parts = [new(Path.GetFileName(file))] };
        return ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<DArTokenizerConfig>("model")), copies: ["ema"]));
    }
}
