// Generative Multimodal Pretraining with Discrete Diffusion Timestep Tokens. Pan, Lin, Yue, Ao, Jia, Zhao, Li, Tang, Zhang. arXiv:2504.14666. github.com/selftok-team/SelftokTokenizer
// Published layout: tokenizer_ckpt.pth, the authors' yaml, and Stable Diffusion 3's vae/. Deviations: the one-step renderer, a second decoder, is not here.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>Selftok: each token tells what one more step of a diffusion adds.</summary>
public static class SelftokModel
{
    private const int Steps = 50;

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/selftok",
            Paper = "Generative Multimodal Pretraining with Discrete Diffusion Timestep Tokens",
            ArXiv = "2504.14666",
            Authors = ["Kaihang Pan", "Wang Lin", "Zhongqi Yue", "Tenglong Ao", "Liyu Jia", "Wei Zhao", "Juncheng Li", "Siliang Tang", "Hanwang Zhang"],
            Repository = "selftok-team/SelftokTokenizer",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: tokenizer_ckpt.pth and vae/diffusion_pytorch_model.safetensors"],
            Sizes = [new("selftok-team/SelftokTokenizer: 256-eval", 2_306_010_451, [])],
            Deviations = "The one-step renderer is not here.",
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(SelftokConfig config)
    {
        var (network, sizes, side) = (new SelftokNetwork(config), config.Tokenizer.Params, config.LatentSize);
        var decoder = new SelftokDecoder(config);
        return new()
        {
            Networks = new Dictionary<string, Action<Scope>> { ["paint"] = network.Paint },
            SizedNetworks = new Dictionary<string, SizedNetwork>
            {
                ["encoding"] = new(network.Encode, side, side),
                [SelftokDecoder.Training] = new((model, rows, columns) => network.Velocity(model, rows, columns, sizes.ContextSeeXt), side, side),
                [decoder.Sampling] = new((model, rows, columns) => network.Velocity(model, rows, columns, tokensSeePicture: true), side, side),
            },
            Calls = new Dictionary<string, ReferenceCall> { ["encoding"] = decoder.EncodeAsync, ["velocity"] = decoder.VelocityAsync, ["decoding"] = decoder.DecodeAsync },
            Preparation = ImagePreparation.SignedRange(sizes.ImageSize, config.Vae.Downsampling * config.Fixed.Encoder.PatchSize, isFixed: true),
            Layout = TokenLayout.Flat,
            VocabularySizes = [sizes.QuantizerConfig.CodebookSize],
            Codebooks = ["encoder.quantizer._codebook.embed"],
            PrefixTokens = sizes.K,
            TrainingOnly = [@"^diffusion\.", $@"^model\.joint_blocks\.{config.Fixed.Decoder.Depth - 1}\.context_block\.t_embedder\.", @"^model\.y_embedder\.", @"^encoder\.final_layer_norm2?\.", @"^encoder\.final_layer_norm3\.", @"^encoder\.quantizer\.(continuous|steps|count)$", @"^encoder\.quantizer\._codebook\.(?!embed$)"],
            Encode = async (networks, picture, _, cancel) => (await networks.RunAsync("encoding", side, side, cancel, ("image", picture)).ConfigureAwait(false)).Get<long>("codes"),
            Decode = async (networks, codes, options, cancel) =>
            {
                var noise = Tensor.Zeros<float>(1, sizes.InChannels, side, side);
                new PhiloxNoise(options.Seed, 1).Fill(noise.Span);
                var latents = await decoder.SampleAsync(networks, codes.As<long>(), noise, Steps, cancel).ConfigureAwait(false);
                var picture = (await networks.RunAsync("paint", cancel, ("latents", latents)).ConfigureAwait(false))["reconstruction"];
                for (var i = 0; i < picture.Length; i++) picture.Span[i] = 2 * picture.Span[i] - 1;
                return picture;
            },
        };
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(
        source.Parts.Count > 0 ? source : source with { Parts = [new("tokenizer_ckpt.pth"), new("vae/diffusion_pytorch_model.safetensors")] }, _ => Plan(source.ReadConfig<SelftokConfig>())));
}

/// <summary>The authors' calls: tokens, one velocity, and the steps from noise to a picture.</summary>
internal sealed class SelftokDecoder(SelftokConfig config)
{
    /// <summary>The network as training uses it.</summary>
    public const string Training = "denoise";

    private readonly SelftokTimes _times = new(config.Tokenizer.Params), _samplingTimes = new(config.Tokenizer.Params with { T2K = 1 });
    private readonly int _tokens = config.Tokenizer.Params.K;

    /// <summary>The network that samples: as published, its tokens see the picture and its times are not scaled, whatever training did.</summary>
    public string Sampling { get; } = config.Tokenizer.Params.ContextSeeXt ? Training : "sample";

    public async ValueTask<CallResults> EncodeAsync(NetworkSet networks, CallArguments arguments, CancellationToken cancel)
    {
        var (image, factor) = (arguments.Tensor("image"), config.Vae.Downsampling);
        return (await networks.RunAsync("encoding", image.Shape[2] / factor, image.Shape[3] / factor, arguments, cancel).ConfigureAwait(false)).ToResults();
    }

    public async ValueTask<CallResults> VelocityAsync(NetworkSet networks, CallArguments arguments, CancellationToken cancel)
    {
        var t = arguments.Tensor<float>("t");
        var last = Tensor.Create(t.Span.ToArray().Select(time => (long)_times.LastVisible(time)).ToArray(), t.Shape);
        var results = await DenoiseAsync(networks, Training, _times, arguments.Tensor<long>("codes"), arguments.Tensor<float>("noised_latents"), t, _tokens, cancel).ConfigureAwait(false);
        return results.ToResults().Add("prefix_index", last);
    }

    public async ValueTask<CallResults> DecodeAsync(NetworkSet networks, CallArguments arguments, CancellationToken cancel)
    {
        var latents = await SampleAsync(networks, arguments.Tensor<long>("codes"), arguments.Tensor<float>("noise"), arguments.Literal<int>("steps"), cancel).ConfigureAwait(false);
        return new CallResults().Add("latents", latents).AddRange((await networks.RunAsync("paint", cancel, ("latents", latents)).ConfigureAwait(false)).ToResults());
    }

    /// <summary>Euler steps from noise (t = 1) to latents (t = 0). codes (B, any number up to K), noise (B, C, h, w) -> (B, C, h, w).</summary>
    public async Task<Tensor<float>> SampleAsync(NetworkSet networks, Tensor<long> codes, Tensor<float> noise, int steps, CancellationToken cancel)
    {
        var (batch, kept) = ((int)codes.Shape[0], (int)codes.Shape[1]);
        var padded = Tensor.Zeros<long>(batch, _tokens);
        for (var i = 0; i < codes.Length; i++) padded.Span[i / kept * _tokens + i % kept] = codes.Span[i];
        var x = Tensor.Create(noise.Span.ToArray(), noise.Shape);
        var predictsVelocity = config.Tokenizer.Params.NoiseScheduleConfig.Parameterization == "velocity";
        for (var step = 0; step < steps; step++)
        {
            cancel.ThrowIfCancellationRequested();
            var (time, next) = (Time(step, steps), Time(step + 1, steps));
            var velocity = (await DenoiseAsync(networks, Sampling, _samplingTimes, padded, x, Tensor.Create(Enumerable.Repeat(time, batch).ToArray(), batch), kept, cancel).ConfigureAwait(false))["velocity"];
            for (var i = 0; i < x.Length; i++) x.Span[i] = predictsVelocity ? x.Span[i] - (time - next) * velocity.Span[i] : velocity.Span[i] + next * (x.Span[i] - velocity.Span[i]) / time;
        }

        return x;
    }

    // Equal steps from 1 to 0 as the authors' library numbers them: the first half from the start, the second from the end. Tokens appear at whole thousandths, so the last digit counts.
    private static float Time(int step, int steps) => step < (steps + 1) / 2 ? 1 - 1f / steps * step : 1f / steps * (steps - step);

    private Task<NetworkOutputs> DenoiseAsync(NetworkSet networks, string network, SelftokTimes times, Tensor<long> codes, Tensor<float> latents, Tensor<float> t, int kept, CancellationToken cancel)
    {
        var visible = Tensor.Create(t.Span.ToArray().Select(time => Math.Min(times.LastVisible(time) + 1L, kept)).ToArray(), t.Shape);
        return networks.RunAsync(network, latents.Shape[2], latents.Shape[3], cancel, ("codes", codes), ("noised_latents", latents), ("t", t), ("visible", visible));
    }
}
