// DualSpeechLM: Towards Unified Speech Understanding and Generation via Dual Speech Token Modeling with Large Language Models. Wang et al. arXiv:2508.08961. github.com/lavendery/UUG
// Layout: config.json (Phi-3) + acoustic_decoder.json (the constants of the authors' code) + model.safetensors; no weights are published yet. Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.LanguageModels;
using ModelZoo.Networks.Sampling;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.Speech;

/// <summary>What the authors' code has as constants.</summary>
public sealed record DualSpeechLmDecoderConfig
{
    [Range(1, 65536)] public int DecoderDim { get; init; } = 1024;
    [Range(1, 1 << 20)] public int TargetVocabSize { get; init; } = 4096;
    [Range(1, 65536)] public int SpeakerDim { get; init; } = 512;
    [Range(1, 1024)] public int DecoderLayers { get; init; } = 6;
    [Range(1, 1024)] public int DecoderHeads { get; init; } = 8;
    [Range(1, 1 << 20)] public int BlockSize { get; init; } = 2048;

    /// <summary>Acoustic tokens and four special ones.</summary>
    internal int Tokens => TargetVocabSize + 4;

    /// <summary>The token that begins acoustic tokens.</summary>
    internal int Start => TargetVocabSize + 2;

    /// <summary>The token that ends them.</summary>
    internal int End => TargetVocabSize + 3;
}

/// <summary>Options of DualSpeechLM.</summary>
public sealed record DualSpeechLmOptions : ModelOptions
{
    /// <summary>Most acoustic tokens.</summary>
    [Description("Most acoustic tokens.")]
    [Range(1, 100000)]
    public int MaxLength { get; init; } = 2000;

    /// <summary>Tokens to draw from.</summary>
    [Description("Only the most likely tokens are drawn from; 1 takes the most likely.")]
    [Range(1, 1 << 20)]
    public int TopK { get; init; } = 10;
}

/// <summary>A language model over text and understanding tokens, and a decoder from its states to acoustic tokens.</summary>
internal static class DualSpeechLmNetwork
{
    /// <summary>ids (B, N) -> states (B, N, D), logits (B, N, V), and the states as the decoder takes them (B, N, d).</summary>
    public static (Value States, Value Logits, Value Condition) Language(Scope model, Value ids, LlamaConfig config, DualSpeechLmDecoderConfig decoder)
    {
        var states = Llama.Decode(model["model"], Llama.Embed(model["model"], ids, config), config);
        var projection = model["llama_decoder_proj"];
        return (states, Llama.Logits(model, states, config), projection["fc2"].Linear(projection["fc1"].Linear(states, config.HiddenSize).Relu(), decoder.DecoderDim));
    }

    /// <summary>condition (B, N, d), speaker (B, s), tokens so far (B, T) -> logits of the next ones (B, T, tokens).</summary>
    public static Value Acoustic(Scope model, Value condition, Value speaker, Value tokens, DualSpeechLmDecoderConfig config)
    {
        var (gpt, width, g) = (model["lm_decoder.transformer"], config.DecoderDim, condition.Graph);
        Value Positions(Scope table, Dim count) => table.Weight("weight", config.BlockSize, width).Take(0, count);
        var prefix = ValueShape.Concat(1, model["speaker_module"].Linear(speaker, width, bias: false).Unsqueeze(1), condition);
        var count = prefix.Shape[1];
        prefix += Positions(model["lm_decoder.pos_condition"], count);
        var head = model["gpt_head"].Weight("weight", config.Tokens, width);
        var h = ValueShape.Concat(1, prefix, head.Gather(tokens) + Positions(gpt["wpe"], tokens.Shape[1]));
        // The condition is seen whole, by itself too; tokens see it and those before them.
        var (rows, columns) = (AttentionLayers.Range(g, h.Shape[1]).Reshape(-1, 1), AttentionLayers.Range(g, h.Shape[1]).Reshape(1, -1));
        var mask = AttentionMasks.Where(rows.GreaterOrEqual(columns).Or(columns.Less(g.Extent(count)))).Unsqueeze(0, 1);
        for (var i = 0; i < config.DecoderLayers; i++)
        {
            var block = gpt["h"][i];
            var (q, k, v) = block["attn.c_attn"].Qkv(block["ln_1"].LayerNorm(h), width);
            h += block["attn.c_proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = config.DecoderHeads, Bias = mask }), width);
            h += block["mlp"].Mlp(block["ln_2"].LayerNorm(h), 4 * width, x => x.Gelu(Gelu.Tanh), "c_fc", "c_proj");
            if (i == 0) model.Stage("decoder_block_0", h);
        }

        return model.Linear(gpt["ln_f"].LayerNorm(h.From(1, count)), head, null);
    }
}

/// <summary>Token ids of text and understanding tokens, and a speaker's vector, to acoustic tokens.</summary>
public sealed class DualSpeechLmModel : TensorsModel<DualSpeechLmOptions>
{
    private readonly DualSpeechLmDecoderConfig _decoderConfig;
    private readonly Network _language, _decoder;

    private DualSpeechLmModel(LlamaConfig config, DualSpeechLmDecoderConfig decoder, Checkpoint checkpoint, NetworkContext context) : base(checkpoint)
    {
        _decoderConfig = decoder;
        _language = Network.Build(context, "dualspeechlm language model", scope =>
        {
            var (states, logits, condition) = DualSpeechLmNetwork.Language(scope, scope.Graph.Input("input_ids", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("tokens")]), config, decoder);
            scope.Graph.Output("last_hidden_state", states);
            scope.Graph.Output("logits", logits);
            scope.Graph.Output("condition", condition);
        });
        _decoder = Network.Build(context, "dualspeechlm decoder", scope =>
        {
            var (g, batch) = (scope.Graph, Dim.Symbol("batch"));
            var condition = g.Input("condition", [batch, Dim.Symbol("states"), decoder.DecoderDim]);
            var tokens = g.Input("tokens", ElementType.Int64, [batch, Dim.Symbol("tokens")]);
            g.Output("acoustic_logits", DualSpeechLmNetwork.Acoustic(scope, condition, g.Input("speaker_embedding", [batch, decoder.SpeakerDim]), tokens, decoder));
        });
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "speech/dualspeechlm",
            Paper = "DualSpeechLM: Towards Unified Speech Understanding and Generation via Dual Speech Token Modeling with Large Language Models",
            ArXiv = "2508.08961",
            Authors = ["Yuanyuan Wang", "Dongchao Yang", "Yiwen Shao", "Hangting Chen", "Jiankun Zhao", "Zhiyong Wu", "Helen Meng", "Xixin Wu"],
            Repository = "lavendery/UUG",
            CodeLicense = "none stated",
            Inputs = [Modality.Tensors],
            Outputs = [Modality.Tensors],
            Layouts = ["authors: config.json + acoustic_decoder.json + model.safetensors"],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_language, _decoder];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (call is not ("forward" or "generate_acoustic")) throw new ModelZooException(ErrorCodes.VerbUnsupported, $"DualSpeechLM has no call '{call}'.") { Expected = "forward, generate_acoustic" };
        var (ids, speaker) = (arguments.Tensor<long>("input_ids"), arguments.FindTensor<float>("speaker_embedding"));
        var language = await LanguageAsync(ids, cancel).ConfigureAwait(false);
        if (call == "generate_acoustic")
        {
            if (arguments.Literal("sampling", "argmax") != "argmax") throw new ModelZooException(ErrorCodes.VerbUnsupported, "Draws are not part of a call.") { Expected = "argmax" };
            var tokens = await ContinueAsync(language["condition"], speaker!, arguments.Literal("max_length", 2000), logits => TensorPrimitives.IndexOfMax(logits), cancel).ConfigureAwait(false);
            return new CallResults().Add("acoustic_tokens", tokens);
        }

        var results = language.ToResults();
        if (!arguments.Has("target_audio_ids")) return results;
        var target = arguments.Tensor<long>("target_audio_ids");
        var given = Tensor.Zeros<long>(target.Shape[0], target.Shape[1] - 1);
        for (var row = 0; row < target.Shape[0]; row++) target.Slice(row).Span[..^1].CopyTo(given.Slice(row).Span);
        return results.AddRange((await AcousticAsync(language["condition"], speaker!, given, cancel).ConfigureAwait(false)).ToResults());
    }

    /// <summary>Tensors <c>input_ids</c> (1, N) and <c>speaker_embedding</c> (1, s) to <c>acoustic_tokens</c> (1, T), the start token first.</summary>
    protected override async Task<Dictionary<string, Tensor>> MakeAsync(Prompt prompt, DualSpeechLmOptions options, ulong seed, CancellationToken cancel)
    {
        var condition = (await LanguageAsync(Require<long>(prompt, "input_ids"), cancel).ConfigureAwait(false))["condition"];
        var place = 0;
        var tokens = await ContinueAsync(condition, Require<float>(prompt, "speaker_embedding"), options.MaxLength, logits =>
        {
            var least = logits.ToArray().OrderDescending().ElementAt(Math.Min(options.TopK, logits.Length) - 1);
            return Categorical.Draw([.. logits.ToArray().Select(value => value < least ? float.NegativeInfinity : value)], 1, Philox.Of(seed, 0, place++).Uniform(0)).Id;
        }, cancel).ConfigureAwait(false);
        return new() { ["acoustic_tokens"] = tokens };
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        // The authors' copy of Phi-3 has a window in its configuration and does not use it.
        var config = PublishedConfig.Read<LlamaConfig>(folder).Value with { SlidingWindow = null };
        var decoder = Path.Combine(folder, "acoustic_decoder.json") is var file && File.Exists(file) ? PublishedConfig.Read<DualSpeechLmDecoderConfig>(file).Value : new();
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new DualSpeechLmModel(config, decoder, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private delegate int Choose(ReadOnlySpan<float> logits);

    private Task<NetworkOutputs> LanguageAsync(Tensor<long> ids, CancellationToken cancel) => _language.RunAsync(cancel, ("input_ids", ids));

    private Task<NetworkOutputs> AcousticAsync(Tensor<float> condition, Tensor<float> speaker, Tensor<long> tokens, CancellationToken cancel) =>
        _decoder.RunAsync(cancel, ("condition", condition), ("speaker_embedding", speaker), ("tokens", tokens));

    // One sequence: from the start token until the end token, which is kept, or until there are enough.
    private async Task<Tensor<long>> ContinueAsync(Tensor<float> condition, Tensor<float> speaker, int most, Choose choose, CancellationToken cancel)
    {
        if (condition.Shape[0] != 1) throw new MediaException(ErrorCodes.MediaUnsupported, "One sequence at a time.") { Expected = "a batch of 1", Found = $"{condition.Shape[0]}" };
        if (condition.Shape[1] + 1 > _decoderConfig.BlockSize) throw new MediaException(ErrorCodes.MediaUnsupported, "The prompt is too long for the decoder.") { Expected = $"at most {_decoderConfig.BlockSize - 1} tokens", Found = $"{condition.Shape[1]}" };
        most = Math.Min(most, _decoderConfig.BlockSize);
        var tokens = new List<long> { _decoderConfig.Start };
        while (tokens.Count <= most && tokens[^1] != _decoderConfig.End)
        {
            var logits = (await AcousticAsync(condition, speaker, Tensor.Create([.. tokens], 1, tokens.Count), cancel).ConfigureAwait(false))["acoustic_logits"];
            tokens.Add(choose(logits.Span[^_decoderConfig.Tokens..]));
        }

        return Tensor.Create([.. tokens], 1, tokens.Count);
    }
}
