// Expressive Neural Voice Cloning. Neekhara, Hussain, Dubnov, Koushanfar, McAuley. arXiv:2102.00151. No public code: the specification beside the parity cases says what is computed.
// Layout: config.json + model.safetensors with the speaker encoder and what joins its vector to Mellotron's memory; the synthesis itself is Mellotron (speech/mellotron). Deviations: none from the specification.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Numerics;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.Speech;

/// <summary>Sizes.</summary>
public sealed record ExpressiveVoiceCloningConfig
{
    [Range(1, 4096)] public int Mels { get; init; } = 40;
    [Range(1, 65536)] public int Hidden { get; init; } = 256;
    [Range(1, 16)] public int Layers { get; init; } = 3;
    [Range(1, 65536)] public int Embedding { get; init; } = 256;
    [Range(1, 65536)] public int SpeakerDim { get; init; } = 128;
    [Range(1, 65536)] public int PartialFrames { get; init; } = 160;
    [Range(1, 65536)] public int PartialHop { get; init; } = 80;
    [Range(1, 65536)] public int EncoderDim { get; init; } = 512;
    [Range(1, 65536)] public int GstTokens { get; init; } = 10;
    [Range(1, 1024)] public int GstHeads { get; init; } = 8;
    [Range(1, 65536)] public int GstDim { get; init; } = 256;

    /// <summary>First frames of an utterance's windows: one every hop until one reaches the end; the last goes when less than three quarters of it are covered, unless it is the only one.</summary>
    public IReadOnlyList<int> WindowStarts(int frames)
    {
        var starts = new List<int> { 0 };
        while (starts[^1] + PartialFrames < frames) starts.Add(starts[^1] + PartialHop);
        if (starts.Count > 1 && frames - starts[^1] < 0.75 * PartialFrames) starts.RemoveAt(starts.Count - 1);
        return starts;
    }
}

/// <summary>A speaker's vector from its voice, and the three conditions of the synthesis side by side.</summary>
internal static class ExpressiveVoiceCloningNetwork
{
    /// <summary>mel (B, T, mels) -> the top LSTM's states (B, T, h) and the speaker's vector (B, e) of length one.</summary>
    public static (Value States, Value Vector) Speaker(Scope encoder, Value mel, ExpressiveVoiceCloningConfig config)
    {
        var states = encoder["lstm"].Lstm(mel.Transpose(1, 0, 2), config.Hidden, config.Layers).Transpose(1, 0, 2);
        return (states, encoder["linear"].Linear(states.At(1, states.Shape[1] - 1), config.Embedding).Relu().L2Normalize());
    }

    /// <summary>states (B, L, d), weights of the style tokens (B, heads, tokens), vector (B, e) -> style (B, g), projected vector (B, s), memory (B, L, d + g + s).</summary>
    public static (Value Style, Value Projected, Value Memory) Condition(Scope model, Value states, Value weights, Value vector, ExpressiveVoiceCloningConfig config)
    {
        long heads = config.GstHeads, width = config.GstDim / config.GstHeads;
        var values = model["gst.W_value"].Linear(model["gst"].Weight("tokens", config.GstTokens, width).Tanh(), config.GstDim, bias: false);  // (tokens, g)
        var mixed = weights.Unsqueeze(2).MatMul(values.Reshape(1, config.GstTokens, heads, width).Transpose(0, 2, 1, 3));              // (B, heads, 1, g / heads)
        var style = mixed.Reshape(states.Shape[0], config.GstDim);
        var projected = config.SpeakerDim == config.Embedding ? vector : model["speaker_proj"].Linear(vector, config.SpeakerDim);
        Value Repeated(Value condition) => condition.Unsqueeze(1).Expand(states.Shape[0], states.Shape[1], condition.Shape[1]);
        return (style, projected, ValueShape.Concat(-1, states, Repeated(style), Repeated(projected)));
    }
}

/// <summary>Recordings of a voice to the vector that stands for it; its pitch; the memory that the synthesis attends to.</summary>
public sealed class ExpressiveVoiceCloningModel : TensorsModel<NoOptions>
{
    private const int SamplingRate = 16000, WindowLength = 400, Hop = 160;
    private readonly ExpressiveVoiceCloningConfig _config;
    private readonly Network _speaker;
    private readonly NetworkCache<bool> _conditions;

    private ExpressiveVoiceCloningModel(ExpressiveVoiceCloningConfig config, Checkpoint checkpoint, NetworkContext context) : base(checkpoint)
    {
        _config = config;
        _speaker = Network.Build(context, "speaker encoder", scope =>
        {
            var mel = scope.Graph.Input("mel", [Dim.Symbol("batch"), Dim.Symbol("frames"), config.Mels]);
            var (states, vector) = ExpressiveVoiceCloningNetwork.Speaker(scope["speaker_encoder"], mel, config);
            scope.Graph.Output("lstm_output", states);
            scope.Graph.Output("window_embedding", vector);
        });
        _conditions = new(_ => Network.Build(context, "conditions", scope =>
        {
            var (g, batch) = (scope.Graph, Dim.Symbol("batch"));
            var states = g.Input("encoder_states", [batch, Dim.Symbol("tokens"), config.EncoderDim]);
            var (style, projected, memory) = ExpressiveVoiceCloningNetwork.Condition(scope, states, g.Input("style_weights", [batch, config.GstHeads, config.GstTokens]), g.Input("speaker_embedding", [batch, config.Embedding]), config);
            g.Output("style", style);
            g.Output("speaker_projection", projected);
            g.Output("memory", memory);
        }));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/expressive-voice-cloning",
            Paper = "Expressive Neural Voice Cloning",
            ArXiv = "2102.00151",
            Authors = ["Paarth Neekhara", "Shehzeen Hussain", "Shlomo Dubnov", "Farinaz Koushanfar", "Julian McAuley"],
            Inputs = [Modality.Audio],
            Outputs = [Modality.Tensors],
            Layouts = ["config.json + model.safetensors"],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_speaker, .. _conditions.Built];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "speaker_window":
                return (await _speaker.RunAsync(cancel, ("mel", arguments.Tensor("mel"))).ConfigureAwait(false)).ToResults();
            case "speaker_utterance":
                return Numbered(await UtteranceAsync(arguments.Tensor<float>("mel"), cancel).ConfigureAwait(false));
            case "speaker":
                var utterances = new List<Tensor<float>>();
                while (arguments.Has($"utterance_{utterances.Count}")) utterances.Add(arguments.Tensor<float>($"utterance_{utterances.Count}"));
                return new CallResults().Add("speaker_embedding", Mean(utterances));
            case "rescale_pitch":
                return new CallResults().Add("f0_rescaled", RescalePitch(arguments.Tensor<float>("f0"), arguments.Tensor<float>("target_mean"), arguments.Tensor<float>("target_std")));
            case "condition":
                (string, Tensor) Input(string name) => (name, arguments.Tensor(name));
                return (await _conditions[true].RunAsync(cancel, Input("encoder_states"), Input("style_weights"), Input("speaker_embedding")).ConfigureAwait(false)).ToResults();
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"The model has no call '{call}'.") { Expected = "speaker_window, speaker_utterance, speaker, rescale_pitch, condition" };
        }
    }

    /// <summary>f0 (B, T), zeros where unvoiced, given the target's mean and deviation (B) over voiced frames; never below zero.</summary>
    internal static Tensor<float> RescalePitch(Tensor<float> f0, Tensor<float> mean, Tensor<float> deviation)
    {
        var rescaled = Tensor.Zeros<float>(f0.Shape);
        for (var row = 0; row < f0.Shape[0]; row++)
        {
            var voiced = f0.Slice(row).Span.ToArray().Where(value => value > 0).Select(value => (double)value).ToArray();
            if (voiced.Length == 0) continue;
            var center = voiced.Average();
            var spread = Math.Sqrt(voiced.Average(value => (value - center) * (value - center)));
            for (var t = 0; t < f0.Shape[1]; t++)
            {
                if (f0[row, t] > 0) rescaled[row, t] = (float)Math.Max(0, (spread == 0 ? 0 : (f0[row, t] - center) / spread) * deviation.Span[row] + mean.Span[row]);
            }
        }

        return rescaled;
    }

    /// <inheritdoc/>
    protected override async Task<Dictionary<string, Tensor>> MakeAsync(Prompt prompt, NoOptions options, ulong seed, CancellationToken cancel)
    {
        prompt.Require<Audio>();
        var utterances = new List<Tensor<float>>();
        foreach (var recording in prompt.Media.OfType<Audio>()) utterances.Add((await UtteranceAsync(Mel(recording), cancel).ConfigureAwait(false)).Tensor("utterance_embedding").As<float>());
        return new() { ["speaker_embedding"] = Mean(utterances) };
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<ExpressiveVoiceCloningConfig>(source.RequireFolder()).Value;
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new ExpressiveVoiceCloningModel(config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    // mel (1, frames, mels): windows, the last followed by zeros, and the mean of their vectors at length one.
    private async Task<CallResults> UtteranceAsync(Tensor<float> mel, CancellationToken cancel)
    {
        var (frames, window) = ((int)mel.Shape[1], _config.PartialFrames);
        var starts = _config.WindowStarts(frames);
        var windows = Tensor.Zeros<float>(starts.Count, window, _config.Mels);
        for (var i = 0; i < starts.Count; i++)
            mel.Span.Slice(starts[i] * _config.Mels, Math.Min(window, frames - starts[i]) * _config.Mels).CopyTo(windows.Slice(i).Span);
        var vectors = (await _speaker.RunAsync(cancel, ("mel", windows)).ConfigureAwait(false))["window_embedding"];
        return new CallResults().Add("window_starts", Tensor.Create([.. starts.Select(start => (long)start)], starts.Count)).Add("window_embeddings", vectors)
            .Add("utterance_embedding", Mean([.. Enumerable.Range(0, starts.Count).Select(vectors.Slice)]));
    }

    // The reference numbers the utterances of a speaker; a call knows one and answers to every number.
    private static CallResults Numbered(CallResults results)
    {
        const int MostUtterances = 32;
        var numbered = new CallResults().AddRange(results);
        for (var number = 0; number < MostUtterances; number++)
        {
            foreach (var (name, value) in results.Values) numbered.Add($"{name}_{number}", (Tensor)value);
        }

        return numbered;
    }

    private static Tensor<float> Mean(IReadOnlyList<Tensor<float>> vectors)
    {
        var sum = new float[vectors[0].Length];
        foreach (var vector in vectors) TensorPrimitives.Add(sum, vector.Span, sum);
        TensorPrimitives.Divide(sum, vectors.Count, sum);
        TensorPrimitives.Divide(sum, Math.Max(TensorPrimitives.Norm(sum), 1e-12f), sum);
        return Tensor.Create(sum, sum.Length);
    }

    // 25 ms windows every 10 ms, power in Slaney mels, no logarithm: (1, frames, mels).
    private Tensor<float> Mel(Audio recording)
    {
        var audio = Resampler.Convert(recording, SamplingRate, 1);
        if (audio.Length == 0) throw new MediaException(ErrorCodes.MediaMalformed, "The sound is empty.") { Expected = "at least one sample" };
        var mel = MelSpectrograms.Librosa([.. audio.Samples.Span.ToArray().Select(value => (double)value)], MelFilters.Slaney(SamplingRate, WindowLength, _config.Mels, 0, SamplingRate / 2.0), new Stft(WindowLength, Hop, Windows.Hann(WindowLength)));
        var frames = Tensor.Zeros<float>(1, mel.GetLength(1), _config.Mels);
        for (var t = 0; t < mel.GetLength(1); t++)
        {
            for (var m = 0; m < _config.Mels; m++) frames[0, t, m] = (float)mel[m, t];
        }

        return frames;
    }
}
