using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Speech;

/// <summary>Options of Mellotron.</summary>
public sealed record MellotronOptions : ModelOptions
{
    /// <summary>Number of the speaker.</summary>
    [Description("Number of the speaker.")]
    [Range(0, 1 << 20)]
    public int Speaker { get; init; }

    /// <summary>Number of the style token, where no style_mel is given.</summary>
    [Description("Number of the style token, where the prompt holds no style_mel.")]
    [Range(0, 65535)]
    public int StyleToken { get; init; }
}

/// <summary>Phones, pitch, a style and a speaker to log-mel frames for a vocoder.</summary>
public sealed class MellotronModel : TensorsModel<MellotronOptions>
{
    private static readonly string[] Symbols =
    [
        .. "!'\",.:;? #%&*+-/[]()_@©°½—₩€$áçéêëñöøćž0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".Select(letter => letter.ToString()),
        .. ArpabetPhones.Dictionary.Select(phone => "@" + phone),
    ];

    private readonly MellotronConfig _config;
    private readonly NetworkCache<bool> _memories, _steps;
    private readonly Network _pitch, _postnet;

    private MellotronModel(MellotronConfig config, Checkpoint checkpoint, NetworkContext context) : base(checkpoint)
    {
        _config = config;
        _memories = new(isToken => Network.Build(context, "mellotron memory", scope => Memory(scope, isToken, config)));
        _steps = new(isGiven => Network.Build(context, "mellotron decoder", scope => Step(scope, isGiven, config)));
        _pitch = Network.Build(context, "mellotron pitch", scope => Pitch(scope, config));
        _postnet = Network.Build(context, "mellotron postnet", scope => Postnet(scope, config));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/mellotron",
            Paper = "Mellotron: Multispeaker expressive voice synthesis by conditioning on rhythm, pitch and global style tokens",
            ArXiv = "1910.11997",
            Authors = ["Rafael Valle", "Jason Li", "Ryan Prenger", "Bryan Catanzaro"],
            Repository = "NVIDIA/mellotron",
            CodeLicense = "BSD-3-Clause",
            Inputs = [Modality.Text, Modality.Tensors],
            Outputs = [Modality.Tensors],
            Layouts = ["authors: *.pt (state_dict) + hparams.json"],
            Sizes = [new("NVIDIA/mellotron: mellotron_libritts", 31_951_170, [])],
        },
        OpenAsync);

    /// <summary>Every tensor, <c>name [shape]</c>.</summary>
    internal static IReadOnlyList<string> Inventory(MellotronConfig config) =>
    [
        .. new Action<Scope>[] { scope => Memory(scope, isToken: false, config), scope => Step(scope, isGiven: false, config), scope => Pitch(scope, config), scope => Postnet(scope, config) }
            .SelectMany(Network.Inventory).Distinct().Order(StringComparer.Ordinal),
    ];

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [.. _memories.Built, .. _steps.Built, _pitch, _postnet];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (call is not ("inference" or "inference_noattention" or "forward")) throw new ModelZooException(ErrorCodes.VerbUnsupported, $"Mellotron has no call '{call}'.") { Expected = "inference, inference_noattention, forward" };
        var (text, speaker, f0, masks) = (arguments.Tensor<long>("text"), arguments.Literal<long>("speaker_id"), arguments.Tensor<float>("f0"), arguments.Tensor<float>("prenet_masks"));
        var target = call == "forward" ? arguments.Tensor<float>("mel_target") : null;
        var style = target ?? arguments.FindTensor<float>("style_mel");
        var memory = await MemoryAsync(text, speaker, style, style is null ? arguments.Literal<long>("style_token") : 0, cancel).ConfigureAwait(false);
        var given = call == "inference_noattention" ? arguments.Tensor<float>("attention_map") : null;
        // Teacher forcing runs the prenet on all frames at once: its masks are (layers, frames, width) there.
        Tensor<float> Mask(int step, int layer) => target is null ? masks.Slice(step).Slice(layer) : masks.Slice(layer).Slice(step);
        return await DecodeAsync(memory, f0, new(step => Joined(Mask(step, 0), Mask(step, 1)), target, given), cancel).ConfigureAwait(false);
    }

    /// <summary>Words, with phones in braces such as <c>{HH AH0 L OW1}</c>; tensors <c>f0</c> (1, 1, T) in hertz and <c>style_mel</c> (1, mels, T) where given -> <c>mel</c> (1, mels, T), <c>alignment</c> (1, T, N).</summary>
    protected override async Task<Dictionary<string, Tensor>> MakeAsync(Prompt prompt, MellotronOptions options, ulong seed, CancellationToken cancel)
    {
        if (options.Speaker >= _config.NSpeakers) throw new OptionsException(ErrorCodes.OptionRange, "The model has fewer speakers.") { Where = "speaker", Expected = $"0..{_config.NSpeakers - 1}", Found = $"{options.Speaker}" };
        if (options.StyleToken >= _config.TokenNum) throw new OptionsException(ErrorCodes.OptionRange, "The model has fewer style tokens.") { Where = "style-token", Expected = $"0..{_config.TokenNum - 1}", Found = $"{options.StyleToken}" };
        var ids = Ids(prompt.RequireText());
        var memory = await MemoryAsync(Tensor.Create(ids, 1, ids.Length), options.Speaker, Find<float>(prompt, "style_mel"), options.StyleToken, cancel).ConfigureAwait(false);
        var results = await DecodeAsync(memory, Find<float>(prompt, "f0") ?? Tensor.Zeros<float>(1, 1, 1), new(step => Dropout(seed, step), null, null), cancel).ConfigureAwait(false);
        return new() { ["mel"] = results.Tensor("mel_postnet"), ["alignment"] = results.Tensor("alignment") };
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var config = Path.Combine(folder, "hparams.json") is var file && File.Exists(file) ? PublishedConfig.Read<MellotronConfig>(file).Value : new();
        var checkpoint = source.Parts.Count > 0 ? source.OpenCheckpoint() : Checkpoint.Open(folder, "state_dict");
        return ValueTask.FromResult<IModel>(new MellotronModel(config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private static void Memory(Scope scope, bool isToken, MellotronConfig config)
    {
        var g = scope.Graph;
        var text = MellotronNetwork.Encode(scope, g.Input("text", ElementType.Int64, [1, Dim.Symbol("tokens")]), config);
        var style = isToken
            ? MellotronNetwork.StyleToken(scope, g.Input("style_token", ElementType.Int64, [1]), config)
            : MellotronNetwork.StyleOf(scope, g.Input("style_mel", [1, config.NMelChannels, Dim.Symbol("frames")]), config);
        var (memory, processed) = MellotronNetwork.Memory(scope, text, style, g.Input("speaker", ElementType.Int64, [1]), config);
        g.Output("memory", memory);
        g.Output("processed_memory", processed);
    }

    private static void Pitch(Scope scope, MellotronConfig config) => scope.Graph.Output("prenet_f0", MellotronNetwork.Pitch(scope, scope.Graph.Input("f0", [1, 1, Dim.Symbol("frames")]), config));

    private static void Postnet(Scope scope, MellotronConfig config) => scope.Graph.Output("mel_postnet", MellotronNetwork.Postnet(scope, scope.Graph.Input("mel", [1, config.NMelChannels, Dim.Symbol("frames")]), config));

    private static void Step(Scope scope, bool isGiven, MellotronConfig config)
    {
        var (g, tokens) = (scope.Graph, Dim.Symbol("tokens"));
        Value State(string name, Dim width) => g.Input($"last_{name}", [1, width]);
        var state = new MellotronNetwork.State(
            State("attention_hidden", config.AttentionRnnDim), State("attention_cell", config.AttentionRnnDim), State("decoder_hidden", config.DecoderRnnDim), State("decoder_cell", config.DecoderRnnDim),
            State("context", config.MemoryDim), State("weights", tokens), State("cumulative", tokens));
        var (memory, processed) = (g.Input("memory", [1, tokens, config.MemoryDim]), g.Input("processed_memory", [1, tokens, config.AttentionDim]));
        var (frame, masks, pitch) = (g.Input("frame", [1, config.NMelChannels]), g.Input("masks", [2, 1, config.PrenetDim]), g.Input("pitch", [1, config.PrenetF0Dim]));
        var (mel, gate, next) = MellotronNetwork.Step(scope, frame, masks, pitch, memory, processed, state, isGiven ? g.Input("given_weights", [1, tokens]) : null, config);
        foreach (var (name, value) in new[]
        {
            ("mel", mel), ("gate", gate), ("next_attention_hidden", next.AttentionHidden), ("next_attention_cell", next.AttentionCell), ("next_decoder_hidden", next.DecoderHidden),
            ("next_decoder_cell", next.DecoderCell), ("next_context", next.Context), ("next_weights", next.Weights), ("next_cumulative", next.Cumulative),
        }) g.Output(name, value);
    }

    // Masks of the prenet's dropout by step, the mel whose frames are fed back in place of the decoder's own, and attention weights (steps, 1, tokens).
    private sealed record Course(Func<int, Tensor<float>> Masks, Tensor<float>? Target, Tensor<float>? Weights);

    private Task<NetworkOutputs> MemoryAsync(Tensor<long> text, long speaker, Tensor<float>? style, long token, CancellationToken cancel) => _memories[style is null].RunAsync(cancel,
        ("text", text), ("speaker", Tensor.Create([speaker], 1)), style is null ? ("style_token", Tensor.Create([token], 1)) : ("style_mel", style));

    private async Task<CallResults> DecodeAsync(NetworkOutputs memory, Tensor<float> f0, Course course, CancellationToken cancel)
    {
        var pitch = (await _pitch.RunAsync(cancel, ("f0", f0)).ConfigureAwait(false))["prenet_f0"];
        var tokens = memory["memory"].Shape[1];
        var state = new Dictionary<string, Tensor>
        {
            ["attention_hidden"] = Tensor.Zeros<float>(1, _config.AttentionRnnDim), ["attention_cell"] = Tensor.Zeros<float>(1, _config.AttentionRnnDim),
            ["decoder_hidden"] = Tensor.Zeros<float>(1, _config.DecoderRnnDim), ["decoder_cell"] = Tensor.Zeros<float>(1, _config.DecoderRnnDim),
            ["context"] = Tensor.Zeros<float>(1, _config.MemoryDim), ["weights"] = Tensor.Zeros<float>(1, tokens), ["cumulative"] = Tensor.Zeros<float>(1, tokens),
        };
        var (frame, mels, gates, alignment) = (Tensor.Zeros<float>(1, _config.NMelChannels), new List<float[]>(), new List<float>(), new List<float>());
        var most = (int)(course.Target?.Shape[2] ?? course.Weights?.Shape[0] ?? _config.MaxDecoderSteps);
        while (mels.Count < most)
        {
            var step = mels.Count;
            var inputs = new List<(string, Tensor)> { ("frame", frame), ("masks", course.Masks(step)), ("pitch", Column(pitch, step)), ("memory", memory["memory"]), ("processed_memory", memory["processed_memory"]) };
            inputs.AddRange(state.Select(pair => ($"last_{pair.Key}", pair.Value)));
            if (course.Weights is not null) inputs.Add(("given_weights", course.Weights.Slice(step).Reshape(1, tokens)));
            var outputs = await _steps[course.Weights is not null].RunAsync(cancel, [.. inputs]).ConfigureAwait(false);
            foreach (var name in state.Keys.ToArray()) state[name] = outputs[$"next_{name}"];
            mels.Add(outputs["mel"].Span.ToArray());
            gates.Add(outputs["gate"].Span[0]);
            alignment.AddRange(outputs["next_weights"].Span);
            frame = course.Target is null ? outputs["mel"] : Column(course.Target, step);
            if (course is { Target: null, Weights: null } && 1 / (1 + MathF.Exp(-gates[^1])) > _config.GateThreshold) break;
        }

        var mel = Tensor.Zeros<float>(1, _config.NMelChannels, mels.Count);
        for (var t = 0; t < mels.Count; t++)
        {
            for (var channel = 0; channel < _config.NMelChannels; channel++) mel[0, channel, t] = mels[t][channel];
        }

        return memory.ToResults().Add("prenet_f0", pitch).Add("mel", mel).Add("gate", Tensor.Create([.. gates], 1, gates.Count)).Add("alignment", Tensor.Create([.. alignment], 1, mels.Count, tokens))
            .AddRange((await _postnet.RunAsync(cancel, ("mel", mel)).ConfigureAwait(false)).ToResults());
    }

    // Frame t of (1, C, T) as (1, C); zeros past the end.
    private static Tensor<float> Column(Tensor<float> x, int t)
    {
        var column = Tensor.Zeros<float>(1, x.Shape[1]);
        for (var channel = 0; channel < x.Shape[1] && t < x.Shape[2]; channel++) column[0, channel] = x[0, channel, t];
        return column;
    }

    private Tensor<float> Joined(Tensor<float> first, Tensor<float> second) => Tensor.Create([.. first.Span, .. second.Span], 2, 1, _config.PrenetDim);

    // Half of the units, by a fair coin each.
    private Tensor<float> Dropout(ulong seed, int step)
    {
        var coins = new double[2 * _config.PrenetDim];
        Philox.Of(seed, 0, step).FillUniform(coins);
        return Tensor.Create([.. coins.Select(coin => coin < 0.5 ? 1f : 0f)], 2, 1, _config.PrenetDim);
    }

    // Letters one by one, phones between braces.
    private long[] Ids(string text)
    {
        var ids = new List<long>();
        foreach (var (part, isPhones) in text.Split('{').SelectMany((piece, i) => i == 0 ? [(piece, false)] : piece.Split('}', 2) is [var inside, var outside] ? [(inside, true), (outside, false)] : new[] { (piece, true) }))
        {
            var symbols = isPhones ? part.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(phone => "@" + phone) : part.Select(letter => letter.ToString());
            ids.AddRange(symbols.Select(symbol => Array.IndexOf(Symbols, symbol) is var id and >= 0 && id < _config.NSymbols ? (long)id
                : throw new MediaException(ErrorCodes.MediaMalformed, "The model does not know this symbol.") { Found = symbol.TrimStart('@'), Expected = "letters, punctuation, and phones in braces" }));
        }

        return ids.Count > 0 ? [.. ids] : throw new MediaException(ErrorCodes.MediaMalformed, "There are no words.") { Expected = "words, or phones in braces such as {HH AH0 L OW1}" };
    }
}
