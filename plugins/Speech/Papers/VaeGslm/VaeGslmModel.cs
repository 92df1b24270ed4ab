using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.Speech;

/// <summary>Options of VAE-GSLM.</summary>
public sealed record VaeGslmOptions : ModelOptions
{
    /// <summary>Frames to add.</summary>
    [Description("Frames to add; fifty are a second in the published models.")]
    [Range(1, 100000)]
    public int Length { get; init; } = 250;

    /// <summary>Factor on the deviation of new latents.</summary>
    [Description("Factor on the deviation of new latents.")]
    [Range(0.0, 10.0)]
    public double Temperature { get; init; } = 1;

    /// <summary>Temperature of the tokens' probabilities; 0 takes the most likely.</summary>
    [Description("Temperature of the tokens' probabilities; 0 takes the most likely.")]
    [Range(0.0, 10.0)]
    public double TokenTemperature { get; init; } = 1;

    /// <summary>Factor on the deviation of the prompt's latents.</summary>
    [Description("Factor on the deviation of the prompt's latents.")]
    [Range(0.0, 10.0)]
    public double EncoderTemperature { get; init; } = 1;

    /// <summary>Steps of the diffusion; null is all of them.</summary>
    [Description("Steps of the diffusion; all when left out.")]
    [Range(1, 100000)]
    public int? Steps { get; init; }
}

/// <summary>A spoken prompt, as tokens and mels, to its continuation.</summary>
public sealed class VaeGslmModel : TensorsModel<VaeGslmOptions>
{
    private readonly VaeGslmConfig _config;
    private readonly int _mels;
    private readonly VaeGslmSampler _sampler;
    private readonly Network _encoder, _likelihood, _step, _denoiser;

    private VaeGslmModel(VaeGslmConfig config, int mels, Checkpoint checkpoint, NetworkContext context) : base(checkpoint)
    {
        (_config, _mels, _sampler) = (config, mels, new(config.Decoder.Diffusion));
        _encoder = Network.Build(context, "vae-gslm encoder", scope => Encoder(scope, mels, config));
        _likelihood = Network.Build(context, "vae-gslm likelihood", scope => Likelihood(scope, config));
        _step = Network.Build(context with { Stages = false }, "vae-gslm step", scope => Step(scope, config));
        _denoiser = Network.Build(context, "vae-gslm denoiser", scope => Denoiser(scope, mels, config));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        VaeGslmVocoderModel.Architecture.Card with { Id = "speech/vae-gslm", Outputs = [Modality.Tensors], Sizes = [new("b04901014/vae-gslm: vae-gslm", 226_957_564, [])] },
        OpenAsync);

    /// <summary>Every tensor, <c>name [shape]</c>.</summary>
    internal static IReadOnlyList<string> Inventory(VaeGslmConfig config, int mels) =>
    [
        .. new Action<Scope>[] { scope => Encoder(scope, mels, config), scope => Likelihood(scope, config), scope => Denoiser(scope, mels, config) }.SelectMany(Network.Inventory).Distinct().Order(StringComparer.Ordinal),
    ];

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_encoder, _likelihood, _step, _denoiser];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (call is not ("likelihood" or "continue")) throw new ModelZooException(ErrorCodes.VerbUnsupported, $"VAE-GSLM has no call '{call}'.") { Expected = "likelihood, continue" };
        var (tokens, mel) = (Flat(arguments.Tensor<long>("tokens")), arguments.Tensor<float>("mel"));
        if (call == "likelihood")
        {
            var encoded = await _encoder.RunAsync(cancel, ("mel", mel)).ConfigureAwait(false);
            var outputs = await _likelihood.RunAsync(cancel, ("tokens", tokens), ("latents", encoded["latent_mean"]), ("initial_state", arguments.Tensor("initial_state"))).ConfigureAwait(false);
            return encoded.ToResults().AddRange(outputs.ToResults());
        }

        if (arguments.Literal("token_choice", "argmax") != "argmax") throw new ModelZooException(ErrorCodes.VerbUnsupported, "Draws of tokens are not part of a call.") { Expected = "argmax" };
        Tensor<float> Draw(string name) => arguments.Tensor<float>($"continue_{name}");
        int? steps = arguments.Has("sampling_timesteps") ? arguments.Literal<int>("sampling_timesteps") : null;
        var length = arguments.Literal<int>("length");
        // All are read before the run: what is not read counts as not known.
        var decoding = Enumerable.Range(0, _sampler.Draws(steps)).Select(i => arguments.Has($"continue_noise_decode_{i}") ? Draw($"noise_decode_{i}") : null).ToArray();
        var draws = new Draws(Draw("noise_encoder"), Draw("initial_state"), [.. Enumerable.Range(0, length).Select(i => Draw($"noise_step_{i}"))], Draw("noise_decode_start"), i => decoding[i]!);
        var temperatures = new VaeGslmOptions { Length = length, Temperature = arguments.Literal("temperature", 1.0), EncoderTemperature = arguments.Literal("encoder_temperature", 1.0), Steps = steps };
        return await ContinueAsync(tokens, mel, draws, temperatures, (_, logits) => TensorPrimitives.IndexOfMax(logits), cancel).ConfigureAwait(false);
    }

    /// <summary>Tensors <c>tokens</c> (1, T) and <c>mel</c> (1, T, mels) in the model's scale to those of the prompt and its continuation, for the vocoder.</summary>
    protected override async Task<Dictionary<string, Tensor>> MakeAsync(Prompt prompt, VaeGslmOptions options, ulong seed, CancellationToken cancel)
    {
        var (tokens, mel) = (Flat(Require<long>(prompt, "tokens")), Require<float>(prompt, "mel"));
        if (mel.Shape[0] != 1 || mel.Shape[2] != _mels || tokens.Shape[0] != 1 || tokens.Shape[1] != mel.Shape[1])
            throw new MediaException(ErrorCodes.MediaUnsupported, "Tokens and mels must be those of one recording.") { Expected = $"tokens (1, T), mel (1, T, {_mels})", Found = $"{tokens}, {mel}" };
        var (frames, total) = (mel.Shape[1], mel.Shape[1] + options.Length);
        Tensor<float> Normal(int draw, params ReadOnlySpan<long> shape)
        {
            var noise = Tensor.Zeros<float>(shape);
            Philox.Of(seed, 0, draw).FillNormal(noise.Span);
            return noise;
        }

        var uniform = new double[_config.Tokens.EmbeddingDim];
        Philox.Of(seed, 1, 0).FillUniform(uniform);
        // One draw has one number of its own: 0, 1, the steps, the decoder's start, its steps; tokens are drawn from another sample's stream.
        var draws = new Draws(Normal(0, 1, frames, _config.LatentDim), Tensor.Create([.. uniform.Select(value => (float)value)], 1, 1, uniform.Length),
            [.. Enumerable.Range(0, options.Length).Select(i => Normal(2 + i, 1, 1, _config.LatentDim))], Normal(1, 1, total, _mels), i => Normal(2 + options.Length + i, 1, total, _mels));
        var results = await ContinueAsync(tokens, mel, draws, options, (step, logits) => options.TokenTemperature == 0
            ? TensorPrimitives.IndexOfMax(logits) : Categorical.Draw(logits, (float)options.TokenTemperature, Philox.Of(seed, 2, step).Uniform(0)).Id, cancel).ConfigureAwait(false);
        return new() { ["mel"] = results.Tensor("mel_out"), ["tokens"] = results.Tensor("tokens_out"), ["latents"] = results.Tensor("latents") };
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var config = PublishedConfig.Read<VaeGslmConfig>(Path.Combine(folder, "hp.yaml"), "model").Value;
        var checkpoint = source.Parts.Count > 0 ? source.OpenCheckpoint() : Checkpoint.Open(Path.Combine(folder, "last-cpt.ckpt"));
        var mels = (int)checkpoint.Get("encoder.0.linear.weight").Shape[1];
        return ValueTask.FromResult<IModel>(new VaeGslmModel(config, mels, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private static void Encoder(Scope scope, int mels, VaeGslmConfig config)
    {
        var mel = scope.Graph.Input("mel", [Dim.Symbol("batch"), Dim.Symbol("frames"), mels]);
        var (mean, deviation) = VaeGslmNetwork.Encode(scope, mel, config);
        scope.Graph.Output("latent_mean", mean);
        scope.Graph.Output("latent_logstd", deviation);
        if (config.UtteranceEncoder is not null) scope.Graph.Output("utterance", VaeGslmNetwork.Utterance(scope, mel, config));
    }

    // The initial state is a draw from 0..1 that becomes one from -1..1.
    private static (Value Tokens, Value Latents, Value Stream) Stream(Scope scope, VaeGslmConfig config)
    {
        var (g, batch, frames) = (scope.Graph, Dim.Symbol("batch"), Dim.Symbol("frames"));
        var (tokens, latents) = (g.Input("tokens", ElementType.Int64, [batch, frames]), g.Input("latents", [batch, frames, config.LatentDim]));
        return (tokens, latents, ValueShape.Concat(1, g.Input("initial_state", [batch, 1, config.Tokens.EmbeddingDim]) * 2 - 1, VaeGslmNetwork.Fuse(scope, tokens, latents, config)));
    }

    private static void Likelihood(Scope scope, VaeGslmConfig config)
    {
        var (g, (tokens, latents, stream)) = (scope.Graph, Stream(scope, config));
        var (states, split, mean, deviation, logits) = VaeGslmNetwork.Predict(scope, stream.Take(1, tokens.Shape[1]), config);
        g.Output("transformer_latent", states);
        g.Output("prior_mean", mean);
        g.Output("prior_logstd", deviation);
        if (config.Transformer.Flow is not null)
        {
            var (sample, scales) = VaeGslmNetwork.Forward(scope, latents, split, config);
            g.Output("flow_sample", sample);
            g.Output("flow_logdet", scales);
        }

        g.Output("token_logits", logits);
        g.Output("token_log_likelihood", logits.LogSoftmax().GatherElements(tokens.Unsqueeze(-1), 2).Squeeze(-1).Mean(1));
    }

    // The next latent and the next token's logits.
    private static void Step(Scope scope, VaeGslmConfig config)
    {
        var (g, (_, _, stream)) = (scope.Graph, Stream(scope, config));
        var (_, split, mean, deviation, logits) = VaeGslmNetwork.Predict(scope, stream, config);
        var sample = mean.Last(1, 1) + g.Input("noise", [Dim.Symbol("batch"), 1, config.LatentDim]) * deviation.Last(1, 1).Exp() * g.Input("temperature", [1]);
        g.Output("latent", config.Transformer.Flow is null ? sample : VaeGslmNetwork.Reverse(scope, sample, split.Last(1, 1), config));
        g.Output("logits", logits.Last(1, 1).Squeeze(1));
    }

    private static void Denoiser(Scope scope, int mels, VaeGslmConfig config)
    {
        var (g, batch, frames) = (scope.Graph, Dim.Symbol("batch"), Dim.Symbol("frames"));
        var (x, t) = (g.Input("x", [batch, frames, mels]), g.Input("t", ElementType.Int64, [batch]));
        var condition = VaeGslmNetwork.Fuse(scope, g.Input("tokens", ElementType.Int64, [batch, frames]), g.Input("latents", [batch, frames, config.LatentDim]), config);
        if (config.UtteranceEncoder is { } utterance)
            condition = ValueShape.Concat(-1, condition, g.Input("utterance", [batch, utterance.EmbeddingDim]).Unsqueeze(1).Expand(batch, frames, utterance.EmbeddingDim));
        g.Output("predicted", VaeGslmNetwork.Denoise(scope, x, t, condition, config));
    }

    private sealed record Draws(Tensor<float> Encoder, Tensor<float> Initial, IReadOnlyList<Tensor<float>> Steps, Tensor<float> Start, Func<int, Tensor<float>> Decoder);

    private delegate int Choose(int step, ReadOnlySpan<float> logits);

    private async Task<CallResults> ContinueAsync(Tensor<long> tokens, Tensor<float> mel, Draws draws, VaeGslmOptions options, Choose choose, CancellationToken cancel)
    {
        var encoded = await _encoder.RunAsync(cancel, ("mel", mel)).ConfigureAwait(false);
        var latents = Sampled(encoded["latent_mean"], encoded["latent_logstd"], draws.Encoder, (float)options.EncoderTemperature);
        var (batch, temperature) = ((int)mel.Shape[0], Tensor.Create([(float)options.Temperature], 1));
        for (var step = 0; step < options.Length; step++)
        {
            var noise = Tensor.Zeros<float>(batch, 1, _config.LatentDim);
            // The first step's draw covers the prompt too, whose places are not used.
            for (var row = 0; row < batch; row++) draws.Steps[step].Slice(row).Span[^_config.LatentDim..].CopyTo(noise.Slice(row).Span);
            var outputs = await _step.RunAsync(cancel, ("tokens", tokens), ("latents", latents), ("initial_state", draws.Initial), ("noise", noise), ("temperature", temperature)).ConfigureAwait(false);
            latents = Appended(latents, outputs["latent"]);
            tokens = Appended(tokens, Tensor.Create([.. Enumerable.Range(0, batch).Select(row => (long)choose(step, outputs["logits"].Slice(row).Span))], batch, 1));
        }

        (string, Tensor)[] given = [("tokens", tokens), ("latents", latents)];
        if (_config.UtteranceEncoder is not null) given = [.. given, ("utterance", encoded["utterance"])];
        var decoded = await _sampler.SampleAsync(draws.Start, options.Steps, draws.Decoder, async (x, t) =>
        {
            var times = new long[batch];
            Array.Fill(times, t);
            return (await _denoiser.RunAsync(cancel, [("x", x), ("t", Tensor.Create(times, batch)), .. given]).ConfigureAwait(false))["predicted"];
        }).ConfigureAwait(false);
        TensorPrimitives.Multiply(decoded.Span, (float)_config.Decoder.Diffusion.InputScale, decoded.Span);
        return encoded.ToResults().Add("tokens_out", tokens).Add("latents", latents).Add("mel_out", decoded);
    }

    private static Tensor<float> Sampled(Tensor<float> mean, Tensor<float> deviation, Tensor<float> noise, float temperature)
    {
        var sample = Tensor.Zeros<float>(mean.Shape);
        for (var i = 0; i < sample.Length; i++) sample.Span[i] = mean.Span[i] + noise.Span[i] * MathF.Exp(deviation.Span[i]) * temperature;
        return sample;
    }

    // (B, T, ..) and (B, 1, ..) one after the other in time.
    private static Tensor<T> Appended<T>(Tensor<T> x, Tensor<T> next) where T : unmanaged
    {
        var whole = Tensor.Zeros<T>([x.Shape[0], x.Shape[1] + 1, .. x.Shape[2..]]);
        for (var row = 0; row < x.Shape[0]; row++)
        {
            var target = whole.Slice(row).Span;
            x.Slice(row).Span.CopyTo(target);
            next.Slice(row).Span.CopyTo(target[(target.Length - next.Slice(row).Length)..]);
        }

        return whole;
    }

    private static Tensor<long> Flat(Tensor<long> tokens) => tokens.Reshape(tokens.Shape[0], tokens.Shape[1]);
}
