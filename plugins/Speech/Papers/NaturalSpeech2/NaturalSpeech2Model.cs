using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Speech;

/// <summary>Options of NaturalSpeech 2.</summary>
public sealed record NaturalSpeech2Options : ModelOptions
{
    /// <summary>Steps of the diffusion.</summary>
    [Description("Steps of the diffusion; the authors' script takes 200.")]
    [Range(1, 1000)]
    public int Steps { get; init; } = 200;
}

/// <summary>Phones and a voice to speech.</summary>
public sealed class NaturalSpeech2Model : IModel, IGenerate<Audio, NaturalSpeech2Options>, IReferenceCalls
{
    private const double Bandwidth = 12;
    private const float StartScale = 1.2f;
    private readonly NaturalSpeech2Config _config;
    private readonly Checkpoint _checkpoint;
    private readonly (Checkpoint Weights, EncodecConfig Config, EncodecCodec Codec)? _codec;
    private readonly NetworkCache<int> _voices, _quantizers;
    private readonly Network _phones, _pitch, _denoiser;

    private NaturalSpeech2Model(NaturalSpeech2Config config, Checkpoint checkpoint, NetworkContext context, (Checkpoint, EncodecConfig, EncodecCodec)? codec)
    {
        (_config, _checkpoint, _codec) = (config, checkpoint, codec);
        _voices = new(codebooks => Network.Build(context, "naturalspeech2 voice", scope => Voice(scope, codebooks, config)));
        _quantizers = new(codebooks => Network.Build(context, "naturalspeech2 quantizer", scope => Quantizer(scope, codebooks, config)));
        _phones = Network.Build(context, "naturalspeech2 phones", scope => Phones(scope, config));
        _pitch = Network.Build(context, "naturalspeech2 pitch", scope => Pitch(scope, config));
        _denoiser = Network.Build(context, "naturalspeech2 denoiser", scope => Denoiser(scope, config));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/naturalspeech2",
            Paper = "NaturalSpeech 2: Latent Diffusion Models are Natural and Zero-Shot Speech and Singing Synthesizers",
            ArXiv = "2304.09116",
            Authors = ["Kai Shen", "Zeqian Ju", "Xu Tan", "Yanqing Liu", "Yichong Leng", "Lei He", "Tao Qin", "Sheng Zhao", "Jiang Bian"],
            Repository = "open-mmlab/Amphion",
            CodeLicense = "MIT",
            Inputs = [Modality.Text, Modality.Audio],
            Outputs = [Modality.Audio],
            Layouts = ["Amphion: ns2.json + pytorch_model.bin, with EnCodec 24 kHz in the folder encodec_24khz"],
            Sizes = [new("amphion/naturalspeech2_libritts", 380_308_097, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = _checkpoint.Tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (product, extent) => product * extent)),
        MappedBytes = Networks.Sum(network => network.Session.Memory.MappedBytes),
        PrivateBytes = Networks.Sum(network => network.Session.Memory.PrivateBytes),
        Digests = _checkpoint.DigestsAsync,
        Properties = [new("phones", $"{_config.PriorEncoder.VocabSize}"), new("codec", _codec is null ? "not in the folder" : "EnCodec 24 kHz")],
    };

    private IEnumerable<Network> Networks => [.. _voices.Built, .. _quantizers.Built, _phones, _pitch, _denoiser];

    /// <summary>Every tensor of a configuration but for the codec's, without any weights.</summary>
    internal static IReadOnlyList<string> Inventory(NaturalSpeech2Config config, int codebooks) => Network.Inventory(scope =>
    {
        Voice(scope, codebooks, config);
        Phones(scope, config);
        Pitch(scope, config);
        Denoiser(scope, config);
    });

    /// <summary>Speaks phones (such as <c>HH AH0 L OW1</c>) in the voice of a recording.</summary>
    public async IAsyncEnumerable<Generation<Audio>> GenerateAsync(Prompt prompt, NaturalSpeech2Options options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var phones = ArpabetPhones.Ids(prompt.RequireText(), _config.PriorEncoder.VocabSize);
        if (_codec is not var (_, codecConfig, codec))
            throw new CheckpointException(ErrorCodes.CheckpointMissing, "Speech is made by EnCodec, which is not beside the model.") { Expected = "a folder encodec_24khz with config.json and weights", Remedy = "Put facebook/encodec_24khz there." };
        var sound = Resampler.Convert(prompt.Require<Audio>(), codecConfig.SamplingRate, 1);
        var codes = (await codec.EncodeAsync(sound.Samples.Reshape(1, 1, sound.Length), codecConfig.QuantizersFor(Bandwidth), null, cancel).ConfigureAwait(false)).Chunks[0];
        var mask = Tensor.Zeros<float>(1, codes.Shape[2]);
        mask.Span.Fill(1);
        var condition = await ConditionAsync(codes, mask, Tensor.Create(phones, 1, phones.Length), cancel).ConfigureAwait(false);
        var noise = Noise.Normal(seed, 1, _config.LatentDim, condition.Frames.Shape[1]);
        var (latent, step) = (noise, 0);
        await foreach (var state in SampleAsync(noise, condition, options.Steps, null, cancel).ConfigureAwait(false))
        {
            latent = state;
            if (++step < options.Steps) yield return Generation<Audio>.Progress(step, options.Steps);
        }

        var samples = await codec.DecodeLatentAsync(latent, cancel).ConfigureAwait(false);
        yield return Generation<Audio>.Final(new(samples.Slice(0), codecConfig.SamplingRate), options.Steps);
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "inference":
                var condition = await ConditionAsync(arguments.Tensor<long>("ref_code"), arguments.Tensor<float>("ref_mask"), arguments.Tensor<long>("phone_id"), cancel).ConfigureAwait(false);
                Tensor<float>? last = null;
                await foreach (var state in SampleAsync(arguments.Tensor<float>("noise"), condition, arguments.Literal("inference_steps", 1000), condition.Stages, cancel).ConfigureAwait(false)) last = state;
                return condition.Stages.Add("x0", last!);
            case "latent_to_code":
                return (await _quantizers[arguments.Literal("nq", 16)].RunAsync(cancel, ("latent", arguments.Tensor("latent"))).ConfigureAwait(false)).ToResults();
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"NaturalSpeech 2 has no call '{call}'.") { Expected = "inference, latent_to_code" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var network in Networks) network.Dispose();
        if (_codec is var (weights, _, codec))
        {
            codec.Dispose();
            weights.Dispose();
        }

        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var config = PublishedConfig.Read<NaturalSpeech2Config>(Path.Combine(folder, "ns2.json"), "model").Value;
        var checkpoint = source.OpenCheckpoint();
        var context = NetworkContext.Of(source, NaturalSpeech2Network.Keys.Apply(checkpoint));
        (Checkpoint, EncodecConfig, EncodecCodec)? codec = null;
        if (Path.Combine(folder, "encodec_24khz") is var beside && Directory.Exists(beside))
        {
            var (weights, sizes) = (Checkpoint.Open(beside), PublishedConfig.Read<EncodecConfig>(beside).Value);
            codec = (weights, sizes, new(sizes, context with { Weights = SeaNet.AuthorsKeys.Apply(weights), Stages = false }));
        }

        return ValueTask.FromResult<IModel>(new NaturalSpeech2Model(config, checkpoint, context, codec));
    }

    private static void Voice(Scope scope, int codebooks, NaturalSpeech2Config config)
    {
        var (batch, frames) = (Dim.Symbol("batch"), Dim.Symbol("frames"));
        var codes = scope.Graph.Input("ref_code", ElementType.Int64, [batch, codebooks, frames]);
        var (voice, queries) = NaturalSpeech2Network.Voice(scope, NaturalSpeech2Network.Latents(scope, codes, config), scope.Graph.Input("ref_mask", [batch, frames]), config);
        scope.Graph.Output("voice", voice);
        scope.Graph.Output("queries", queries);
    }

    private static void Quantizer(Scope scope, int codebooks, NaturalSpeech2Config config)
    {
        var latent = scope.Graph.Input("latent", [Dim.Symbol("batch"), config.LatentDim, Dim.Symbol("frames")]);
        scope.Graph.Output("codes", ValueShape.Stack(0, EuclideanQuantizer.Quantize(latent, NaturalSpeech2Network.Codebooks(scope, codebooks, config))));
    }

    private static (Value Voice, Value Mask) VoiceInputs(Scope scope, NaturalSpeech2Config config) =>
        (scope.Graph.Input("voice", [Dim.Symbol("batch"), Dim.Symbol("reference"), config.PromptEncoder.EncoderHidden]), scope.Graph.Input("ref_mask", [Dim.Symbol("batch"), Dim.Symbol("reference")]));

    private static void Phones(Scope scope, NaturalSpeech2Config config)
    {
        var phones = scope.Graph.Input("phone_id", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("phones")]);
        var (voice, mask) = VoiceInputs(scope, config);
        var (encoding, durations) = NaturalSpeech2Network.Phones(scope, phones, voice, mask, config);
        scope.Graph.Output("encoding", encoding);
        scope.Graph.Output("dur_pred_log", durations);
    }

    // Every phone as often as it lasts; rows that are shorter end in zeros.
    private static void Pitch(Scope scope, NaturalSpeech2Config config)
    {
        var (g, batch, frames, width) = (scope.Graph, Dim.Symbol("batch"), Dim.Symbol("frames"), config.PriorEncoder.Encoder.EncoderHidden);
        var encoding = g.Input("encoding", [batch, Dim.Symbol("phones"), width]);
        var (places, filled) = (g.Input("places", ElementType.Int64, [batch, frames]), g.Input("filled", [batch, frames]));
        var (voice, mask) = VoiceInputs(scope, config);
        var regulated = encoding.GatherElements(places.Unsqueeze(-1).Expand(batch, frames, width), 1) * filled.Unsqueeze(-1);
        g.Output("prior_out", NaturalSpeech2Network.Pitched(scope, regulated, voice, mask, config));
    }

    private static void Denoiser(Scope scope, NaturalSpeech2Config config)
    {
        var (g, batch, frames, net) = (scope.Graph, Dim.Symbol("batch"), Dim.Symbol("frames"), config.Diffusion.Wavenet);
        var x = g.Input("x", [batch, net.InputSize, frames]);
        var (t, condition) = (g.Input("t", [batch]), g.Input("condition", [batch, frames, config.PriorEncoder.Encoder.EncoderHidden]));
        var queries = g.Input("queries", [batch, config.QueryEmb.QueryTokenNum, config.QueryEmb.HiddenSize]);
        g.Output("predicted", NaturalSpeech2Network.WaveNet(scope["diffusion.diff_estimator"], x, t, condition, queries, net));
    }

    private sealed record Condition(Tensor<float> Frames, Tensor<float> Queries, CallResults Stages);

    private async Task<Condition> ConditionAsync(Tensor<long> codes, Tensor<float> mask, Tensor<long> phones, CancellationToken cancel)
    {
        var voice = await _voices[(int)codes.Shape[1]].RunAsync(cancel, ("ref_code", codes), ("ref_mask", mask)).ConfigureAwait(false);
        var read = await _phones.RunAsync(cancel, ("phone_id", phones), ("voice", voice["voice"]), ("ref_mask", mask)).ConfigureAwait(false);
        var durations = Durations(read["dur_pred_log"]);
        var (places, filled, lengths) = Regulate(durations);
        var pitched = await _pitch.RunAsync(cancel, ("encoding", read["encoding"]), ("places", places), ("filled", filled), ("voice", voice["voice"]), ("ref_mask", mask)).ConfigureAwait(false);
        var stages = voice.ToResults().AddRange(read.ToResults()).Add("dur_pred_round", durations).Add("mel_len", lengths).AddRange(pitched.ToResults());
        return new(pitched["prior_out"], voice["queries"], stages);
    }

    private async IAsyncEnumerable<Tensor<float>> SampleAsync(Tensor<float> noise, Condition condition, int steps, CallResults? stages, [EnumeratorCancellation] CancellationToken cancel)
    {
        var start = Tensor.Create(noise.Span.ToArray(), noise.Shape);
        System.Numerics.Tensors.TensorPrimitives.Divide(start.Span, StartScale, start.Span);
        var states = NaturalSpeech2Sampler.SampleAsync(start, steps, _config.Diffusion, async (x, t) =>
        {
            var times = new float[x.Shape[0]];
            Array.Fill(times, t);
            var outputs = await _denoiser.RunAsync(cancel, ("x", x), ("t", Tensor.Create(times, times.Length)), ("condition", condition.Frames), ("queries", condition.Queries)).ConfigureAwait(false);
            if (stages is not null && stages.Find("x0_pred_step_0") is null)
            {
                foreach (var (name, value) in outputs.ToResults().Values) stages.Add(name == "predicted" ? "x0_pred_step_0" : $"{name}_step_0", (Tensor)value);
            }

            return outputs["predicted"];
        });
        await foreach (var state in states.ConfigureAwait(false)) yield return state;
    }

    // max(0, round(e^x - 1)), halves to even.
    private static Tensor<long> Durations(Tensor<float> logarithms)
    {
        var durations = Tensor.Zeros<long>(logarithms.Shape);
        for (var i = 0; i < durations.Length; i++) durations.Span[i] = (long)Math.Max(0, MathF.Round(MathF.Exp(logarithms.Span[i]) - 1));
        return durations;
    }

    private static (Tensor<long> Places, Tensor<float> Filled, Tensor<long> Lengths) Regulate(Tensor<long> durations)
    {
        var (batch, phones) = ((int)durations.Shape[0], (int)durations.Shape[1]);
        var lengths = Enumerable.Range(0, batch).Select(row => durations.Slice(row).Span.ToArray().Sum()).ToArray();
        if (lengths.Max() == 0) throw new MediaException(ErrorCodes.MediaMalformed, "The phones last no frame at all.") { Remedy = "Give more phones, or another recording." };
        var (places, filled) = (Tensor.Zeros<long>(batch, lengths.Max()), Tensor.Zeros<float>(batch, lengths.Max()));
        for (var row = 0; row < batch; row++)
        {
            var frame = 0;
            for (var phone = 0; phone < phones; phone++)
            {
                for (var i = 0; i < durations[row, phone]; i++) (places[row, frame], filled[row, frame++]) = (phone, 1);
            }
        }

        return (places, filled, Tensor.Create(lengths, batch));
    }
}
