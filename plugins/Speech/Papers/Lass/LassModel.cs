using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Speech;

/// <summary>A mixture of two pictures to the two of them, side by side.</summary>
public sealed class LassModel : IModel, IGenerate<Image, LassOptions>, IReferenceCalls
{
    private const string Autoencoder = "vqvae", Prior = "autoregressive", Sums = "sums";
    private readonly LassAutoencoderConfig _config;
    private readonly LassPriorConfig _prior;
    private readonly Checkpoint _checkpoint;
    private readonly Network _encoder, _decoder, _next;
    private readonly LassLikelihood _likelihood;

    private LassModel(LassAutoencoderConfig config, LassPriorConfig prior, Checkpoint checkpoint, NetworkContext context)
    {
        (_config, _prior, _checkpoint) = (config, prior, checkpoint);
        _encoder = Network.Build(context, "lass encoder", scope => Encode(scope, config));
        _decoder = Network.Build(context, "lass decoder", scope => Decode(scope, config));
        _next = Network.Build(context, "lass prior", scope => Next(scope, prior));
        var counts = checkpoint.Get($"{Sums}.tensor");
        _likelihood = new(WeightConversion.ToFloat32(counts).Span<float>(), config.Codes);
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/lass",
            Paper = "Latent Autoregressive Source Separation",
            ArXiv = "2301.08562",
            Authors = ["Emilian Postolache", "Giorgio Mariani", "Michele Mancusi", "Andrea Santilli", "Luca Cosmo", "Emanuele Rodolà"],
            Repository = "gladia-research-group/latent-autoregressive-source-separation",
            CodeLicense = "none stated",
            Inputs = [Modality.Image],
            Outputs = [Modality.Image],
            Layouts = ["authors (MNIST): vqvae.pt + autoregressive.pt + sums.pt, vqvae.json + autoregressive.json"],
            Sizes = [new("gladia-research-group/latent-autoregressive-source-separation: mnist_256", 1_857_153, [])],
            Deviations = "The refinement of latents by gradient descent after the separation is not here.",
        },
        OpenAsync);

    /// <summary>Every tensor of the networks, <c>name [shape]</c>.</summary>
    internal static IReadOnlyList<string> Inventory(LassAutoencoderConfig config, LassPriorConfig prior) =>
    [
        .. new Action<Scope>[] { scope => Encode(scope, config), scope => Decode(scope, config), scope => Next(scope, prior) }.SelectMany(Network.Inventory).Distinct().Order(StringComparer.Ordinal),
    ];

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = _checkpoint.Tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (product, extent) => product * extent)),
        MappedBytes = Networks.Sum(network => network.Session.Memory.MappedBytes),
        PrivateBytes = Networks.Sum(network => network.Session.Memory.PrivateBytes),
        Digests = _checkpoint.DigestsAsync,
        Properties = [new("codes", $"{_config.Codes}"), new("places", $"{_prior.NPositions}")],
    };

    private static void Encode(Scope scope, LassAutoencoderConfig config)
    {
        var image = scope.Graph.Input("image", [Dim.Symbol("batch"), config.InputDim, Dim.Symbol("height"), Dim.Symbol("width")]);
        var z = scope.Stage("latent", LassNetwork.Encode(scope[Autoencoder]["encoder"], image, config));
        scope.Graph.Output("codes", LassNetwork.Quantize(scope[Autoencoder], z, config));
    }

    private static void Decode(Scope scope, LassAutoencoderConfig config)
    {
        var codes = scope.Graph.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("rows"), Dim.Symbol("columns")]);
        scope.Graph.Output("image", LassNetwork.Decode(scope[Autoencoder], codes, config));
    }

    private static void Next(Scope scope, LassPriorConfig prior) =>
        scope.Graph.Output("prior_logits", LassNetwork.Prior(scope[Prior], scope.Graph.Input("tokens", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("tokens")]), prior));

    private Network[] Networks => [_encoder, _decoder, _next];

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Image>> GenerateAsync(Prompt prompt, LassOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var mixture = Mixture(prompt.Require<Image>());
        var codes = (await _encoder.RunAsync(cancel, ("image", mixture)).ConfigureAwait(false)).Get<long>("codes");
        if (codes.Length > _prior.NPositions)
            throw new MediaException(ErrorCodes.MediaUnsupported, "The picture has more places than the prior knows.") { Expected = $"at most {_prior.NPositions} squares of 4 x 4", Found = $"{codes.Length}" };
        var (first, second) = await SeparateAsync([.. codes.Span.ToArray().Select(code => (int)code)], options, (place, sample) => Philox.Of(seed, sample, place).Uniform(0), cancel).ConfigureAwait(false);
        var (a, b) = (await DecodeAsync(Tensor(first, codes.Shape[1..]), cancel).ConfigureAwait(false), await DecodeAsync(Tensor(second, codes.Shape[1..]), cancel).ConfigureAwait(false));
        var errors = Errors(mixture, a, b);
        var best = errors.IndexOf(errors.Min());
        yield return Generation<Image>.Final(SideBySide(a.Slice(best), b.Slice(best)), 1);
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                return (await _encoder.RunAsync(cancel, ("image", arguments.Tensor("image"))).ConfigureAwait(false)).ToResults();
            case "prior":
                return (await _next.RunAsync(cancel, ("tokens", arguments.Tensor("tokens"))).ConfigureAwait(false)).ToResults();
            case "likelihood":
                var (one, two, log) = _likelihood[arguments.Literal<int>("token")];
                return new CallResults().Add("coords", Tensor([one, two])).Add("log_likelihood", Contracts.Tensor.Create(log, log.Length));
            case "posterior":
                var (first, second) = Starts(arguments);
                var posterior = (await Separator(arguments.Literal("temperature", 1.0), cancel).PosteriorAsync(arguments.Literal<int>("token"), [[first]], [[second]]).ConfigureAwait(false))[0];
                return new CallResults().Add("log_posterior", Contracts.Tensor.Create(posterior, 1, posterior.Length));
            case "separate":
                return await SeparateCallAsync(arguments, cancel).ConfigureAwait(false);
            case "decode":
                var (a, b) = (await DecodeAsync(arguments.Tensor<long>("codes_0"), cancel).ConfigureAwait(false), await DecodeAsync(arguments.Tensor<long>("codes_1"), cancel).ConfigureAwait(false));
                var results = new CallResults().Add("image_0", a).Add("image_1", b);
                return arguments.FindTensor<float>("mixture") is { } mixture && Errors(mixture, a, b) is var errors ? results.Add("mixture_error", Contracts.Tensor.Create([.. errors], errors.Count)) : results;
            case "count":
                ReadOnlySpan<long> Ids(string name) => arguments.Tensor<long>(name).Span;
                return new CallResults().Add("counts", LassLikelihood.Count(Ids("codes_1"), Ids("codes_2"), Ids("codes_mixture"), arguments.Literal("bins", _config.Codes)));
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"LASS has no call '{call}'.") { Expected = "encode, likelihood, posterior, prior, separate, decode, count" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var network in Networks) network.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        Inference.CheckpointPart Part(string name) => new(Path.Combine(folder, $"{name}.pt"), null, $"{name}.");
        var checkpoint = Checkpoint.Open([Part(Autoencoder), Part(Prior), Part(Sums)]);
        var config = PublishedConfig.Read<LassAutoencoderConfig>(Path.Combine(folder, $"{Autoencoder}.json")).Value;
        var prior = PublishedConfig.Read<LassPriorConfig>(Path.Combine(folder, $"{Prior}.json")).Value;
        return ValueTask.FromResult<IModel>(new LassModel(config, prior, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private LassSeparator Separator(double temperature, CancellationToken cancel) => new(_likelihood, async rows =>
    {
        var outputs = (await _next.RunAsync(cancel, ("tokens", Tensor(rows))).ConfigureAwait(false))["prior_logits"];
        return [.. Enumerable.Range(0, rows.Length).Select(row => outputs.Slice(row).Span[^_prior.VocabSize..].ToArray())];
    }, temperature);

    private Task<(int[][] First, int[][] Second)> SeparateAsync(int[] mixture, LassOptions options, Func<int, int, double> uniform, CancellationToken cancel)
    {
        var separator = Separator(options.Temperature, cancel);
        return options.Method == LassMethod.BeamSearch
            ? separator.SearchAsync(mixture, (options.First, options.Second), options.Samples)
            : separator.SampleAsync(mixture, (options.First, options.Second), options.Samples, options.TopK, uniform);
    }

    private async Task<CallResults> SeparateCallAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (mixture, (first, second), method) = (arguments.Tensor<long>("mixture_codes"), Starts(arguments), arguments.Literal("method", "sampled"));
        var options = new LassOptions { Temperature = arguments.Literal("temperature", 1.0), First = first, Second = second };
        Func<int, int, double> uniform = (_, _) => 0;
        if (method == "beamsearch") options = options with { Method = LassMethod.BeamSearch, Samples = arguments.Literal<int>("num_beams") };
        else if (method == "sampled")
        {
            options = options with { Samples = arguments.Literal<int>("num_samples"), TopK = arguments.Has("top_k") ? arguments.Literal<int>("top_k") : null };
            if (options.TopK != 1)
            {
                var draws = arguments.Tensor<float>("uniforms");                                  // (samples, T)
                uniform = (place, sample) => draws[sample, place];
            }
        }
        else throw new ModelZooException(ErrorCodes.VerbUnsupported, $"LASS has no method '{method}'.") { Expected = "sampled, beamsearch" };

        var (a, b) = await SeparateAsync([.. mixture.Span.ToArray().Select(code => (int)code)], options, uniform, cancel).ConfigureAwait(false);
        // A search gives its last beam, which is the best.
        return options.Method == LassMethod.BeamSearch
            ? new CallResults().Add("codes_0", Tensor(a[^1..])).Add("codes_1", Tensor(b[^1..]))
            : new CallResults().Add("codes_0", Tensor(a)).Add("codes_1", Tensor(b));
    }

    private async Task<Tensor<float>> DecodeAsync(Tensor<long> codes, CancellationToken cancel) => (await _decoder.RunAsync(cancel, ("codes", codes)).ConfigureAwait(false))["image"];

    // Squared distance of the mean of both sources from the mixture, for each separation.
    private static List<float> Errors(Tensor<float> mixture, Tensor<float> a, Tensor<float> b)
    {
        var errors = new List<float>();
        for (var row = 0; row < a.Shape[0]; row++)
        {
            ReadOnlySpan<float> m = mixture.Slice(mixture.Shape[0] == 1 ? 0 : row).Span, x = a.Slice(row).Span, y = b.Slice(row).Span;
            var sum = 0.0;
            for (var i = 0; i < m.Length; i++) sum += (m[i] - (x[i] + y[i]) / 2) * (m[i] - (x[i] + y[i]) / 2);
            errors.Add((float)sum);
        }

        return errors;
    }

    // Grey where the autoencoder knows one channel; sides that fours divide.
    private Tensor<float> Mixture(Image image)
    {
        var (height, width) = (image.Height / 4 * 4, image.Width / 4 * 4);
        if (height == 0 || width == 0) throw new MediaException(ErrorCodes.MediaUnsupported, "The picture is too small.") { Expected = "at least 4 x 4", Found = $"{image.Width} x {image.Height}" };
        if (_config.InputDim != 1 && _config.InputDim != image.Channels) throw new MediaException(ErrorCodes.MediaUnsupported, "The picture has other channels than the model.") { Expected = $"{_config.InputDim}", Found = $"{image.Channels}" };
        var mixture = Contracts.Tensor.Zeros<float>(1, _config.InputDim, height, width);
        var colours = Math.Min(image.Channels, 3);
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
            {
                for (var c = 0; c < colours; c++) mixture[0, _config.InputDim == 1 ? 0 : c, y, x] += image.Pixels[c, y, x] / (_config.InputDim == 1 ? colours : 1);
            }
        }

        return mixture;
    }

    private static Image SideBySide(Tensor<float> a, Tensor<float> b)
    {
        var (channels, height, width) = ((int)a.Shape[0], (int)a.Shape[1], (int)a.Shape[2]);
        var both = Contracts.Tensor.Zeros<float>(channels, height, 2 * width);
        for (var row = 0; row < channels * height; row++)
        {
            a.Span.Slice(row * width, width).CopyTo(both.Span[(2 * row * width)..]);
            b.Span.Slice(row * width, width).CopyTo(both.Span[((2 * row + 1) * width)..]);
        }

        return new(both);
    }

    private static (int, int) Starts(CallArguments arguments) => arguments.Literal<int[]>("sos", [0, 0]) is [var first, var second] ? (first, second) : (0, 0);

    private static Tensor<long> Tensor(int[][] rows, params ReadOnlySpan<long> shape) =>
        Contracts.Tensor.Create([.. rows.SelectMany(row => row.Select(id => (long)id))], shape.IsEmpty ? [rows.Length, rows[0].Length] : [rows.Length, .. shape]);
}
