// Taming Transformers for High-Resolution Image Synthesis. Esser, Rombach, Ommer. arXiv:2012.09841. github.com/CompVis/taming-transformers: taming/modules/transformer/mingpt.py, taming/models/cond_transformer.py
// Published layout: config.yaml + last.ckpt (key state_dict) with transformer.* and first_stage_model.*. Deviations: none; the permuters other than the identity and the Gumbel quantizer are not here.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Section <c>model.params</c> of the published file.</summary>
public sealed record TamingConfig
{
    /// <summary>The transformer.</summary>
    public TamingSection<MinGptConfig> TransformerConfig { get; init; } = new();
    /// <summary>The tokenizer whose codes it writes; null when only the transformer is published.</summary>
    public TamingSection<TamingFirstStage>? FirstStageConfig { get; init; }
    /// <summary>The order of codes.</summary>
    public TamingPermuter? PermuterConfig { get; init; }
    /// <summary>Whether there is no condition but the first token.</summary>
    public bool Unconditional { get; init; }
    /// <summary>The first token without a condition.</summary>
    public int SosToken { get; init; }
}

/// <summary>A class of the authors' code with its arguments.</summary>
/// <typeparam name="T">The arguments.</typeparam>
public sealed record TamingSection<T> where T : new()
{
    /// <summary>The class.</summary>
    public string Target { get; init; } = "";
    /// <summary>Its arguments.</summary>
    public T Params { get; init; } = new();
}

/// <summary>The order in which codes are written.</summary>
public sealed record TamingPermuter
{
    /// <summary>The class.</summary>
    public string Target { get; init; } = "";
}

/// <summary>The arguments of <c>mingpt.GPT</c>.</summary>
public sealed record MinGptConfig
{
    /// <summary>Number of ids.</summary>
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 16384;
    /// <summary>The most positions.</summary>
    [Range(1, 1 << 20)] public int BlockSize { get; init; } = 256;
    /// <summary>Blocks.</summary>
    [Range(1, 256)] public int NLayer { get; init; } = 12;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int NHead { get; init; } = 8;
    /// <summary>Width.</summary>
    [Range(1, 1 << 16)] public int NEmbd { get; init; } = 256;
    /// <summary>First positions that see each other whole.</summary>
    public int NUnmasked { get; init; }
}

/// <summary>The arguments of the tokenizer.</summary>
public sealed record TamingFirstStage
{
    /// <summary>Width of a code.</summary>
    public int EmbedDim { get; init; } = 256;
    /// <summary>Entries of the codebook.</summary>
    public int NEmbed { get; init; } = 1024;
    /// <summary>Encoder and decoder.</summary>
    public LdmAutoencoderConfig Ddconfig { get; init; } = new();
}

/// <summary>Options of the generator; defaults are those of the authors' sampling script.</summary>
public sealed record TamingOptions : PictureOptions
{
    /// <summary>Temperature.</summary>
    [Description("Temperature; 0 takes the most probable id."), Range(0.0, 100.0)] public double Temperature { get; init; } = 1;
    /// <summary>Ids that a place may take.</summary>
    [Description("Keep the k most probable ids; 0 for all."), Range(0, 1 << 24)] public int TopK { get; init; } = 250;
    /// <summary>Mass of the ids that a place may take.</summary>
    [Description("Keep the most probable ids up to this mass."), Range(0.0, 1.0)] public double TopP { get; init; } = 1;
    /// <summary>Codes along each side.</summary>
    [Description("Codes along each side of the picture; as many as the model takes when left out."), Range(1, 1024)] public int? Side { get; init; }
}

internal static class MinGptNetwork
{
    private static readonly Dim Rows = Dim.Symbol("rows"), Length = Dim.Symbol("length");

    /// <summary>All positions at once: idx (rows, n), after embeddings (rows, m, D) where they are given -> logits (rows, m + n, K).</summary>
    public static void Forward(Scope gpt, MinGptConfig config, bool embeddings)
    {
        var x = Tokens(gpt, config);
        if (embeddings) x = ValueShape.Concat(1, gpt.Graph.Input("embeddings", [Rows, Dim.Symbol("embeddings"), config.NEmbd]), x);
        var bias = Mask(gpt.Graph, config, 0, x.Shape[1]);
        gpt.Graph.Output("logits", Logits(gpt, x, 0, config, (_, q, k, v, options) => AttentionLayers.Attention(q, k, v, options with { Bias = bias })));
    }

    /// <summary>Positions after those in the cache: idx (rows, n) -> logits (rows, K) of what follows the last.</summary>
    public static void Step(Scope gpt, MinGptConfig config)
    {
        var x = Tokens(gpt, config);
        var cache = new GrowingCache(gpt.Graph, Rows, config.NLayer, config.NEmbd);
        var bias = Mask(gpt.Graph, config, GrowingCache.Past, Length);
        gpt.Graph.Output("logits", Logits(gpt, x, GrowingCache.Past, config, (layer, q, k, v, options) => cache.Attention(layer, q, k, v, options with { Bias = bias })).At(1, Length - 1));
    }

    private static Value Tokens(Scope gpt, MinGptConfig config) => gpt["tok_emb"].Embedding(gpt.Graph.Input("idx", ElementType.Int64, [Rows, Length]), config.VocabSize, config.NEmbd);

    private static Value Logits(Scope gpt, Value x, Dim past, MinGptConfig config, Func<int, Value, Value, Value, AttentionOptions, Value> attention)
    {
        var width = config.NEmbd;
        x = gpt.Stage("embedded", x + gpt.Weight("pos_emb", 1, config.BlockSize, width).Slice(1, past, past + x.Shape[1]));
        for (var i = 0; i < config.NLayer; i++)
        {
            var (block, layer) = (gpt["blocks"][i], i);
            var (attn, h) = (block["attn"], block["ln1"].LayerNorm(x));
            x += attn["proj"].Linear(attention(layer, attn["query"].Linear(h, width), attn["key"].Linear(h, width), attn["value"].Linear(h, width), new() { Heads = config.NHead }), width);
            x = gpt.Stage($"block_{i}", x + block["mlp"].Mlp(block["ln2"].LayerNorm(x), 4 * width, value => value.Gelu(), "0", "2"));
        }

        return gpt["head"].Linear(gpt.Stage("ln_f", gpt["ln_f"].LayerNorm(x)), config.VocabSize, bias: false);
    }

    // Keys up to the query's own position; the first n_unmasked positions see each other whole. (1, 1, n, past + n).
    private static Value Mask(Graph g, MinGptConfig config, Dim past, Dim count)
    {
        var keys = AttentionLayers.Range(g, past + count).Reshape(1, -1);
        var queries = (past == 0 ? AttentionLayers.Range(g, count) : AttentionLayers.Range(g, count) + g.Extent(past)).Reshape(-1, 1);
        var seen = queries.GreaterOrEqual(keys);
        if (config.NUnmasked > 0)
        {
            var limit = g.Constant([(long)config.NUnmasked]);
            seen = seen.Or(queries.Less(limit).And(keys.Less(limit)));
        }

        return AttentionMasks.Where(seen).Unsqueeze(0, 1);
    }
}

/// <summary>The transformer over VQGAN's codes: a class, or the codes of a condition, to a picture.</summary>
public sealed class TamingTransformerModel : ImageGenerator<TamingOptions>
{
    private readonly TamingConfig _config;
    private readonly NetworkCache<bool> _forward;
    private readonly Network _step;

    private TamingTransformerModel(ModelSource source, Checkpoint checkpoint, TamingConfig config, IPictureDecoder? decoder)
        : base(source, checkpoint, new(TokenLayout.Grid, [config.TransformerConfig.Params.VocabSize]), decoder)
    {
        (_config, var context) = (config, NetworkContext.Of(source, checkpoint));
        _step = Network.Build(context with { Stages = false }, "taming/step", scope => MinGptNetwork.Step(scope["transformer"], Gpt));
        _forward = new(embeddings => Network.Build(context, "taming/forward", scope => MinGptNetwork.Forward(scope["transformer"], Gpt, embeddings)));
        checkpoint.ThrowIfUnused(@"^(first_stage_model|cond_stage_model)\.", @"\.attn\.mask$", "^(global_step|epoch)$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/taming-transformer",
            Paper = "Taming Transformers for High-Resolution Image Synthesis",
            ArXiv = "2012.09841",
            Authors = ["Patrick Esser", "Robin Rombach", "Björn Ommer"],
            Repository = "CompVis/taming-transformers",
            CodeLicense = "MIT",
            Inputs = [Modality.Text, Modality.Tokens],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.yaml + last.ckpt, its first_stage_model for pictures"],
            Sizes = [new("CompVis/taming-transformers: drin_transformer", 304_932_864, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_step, _forward];

    private MinGptConfig Gpt => _config.TransformerConfig.Params;

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "forward":
                (string, Tensor)[] inputs = arguments.Has("embeddings") ? [("idx", arguments.Tensor("idx")), ("embeddings", arguments.Tensor("embeddings"))] : [("idx", arguments.Tensor("idx"))];
                return (await _forward[inputs.Length > 1].RunAsync(cancel, inputs).ConfigureAwait(false)).ToResults();
            case "sample_with_past":
                var (prefix, steps) = (arguments.Tensor<long>("x"), arguments.Literal<int>("steps"));
                var draws = arguments.Literal("sample_logits", true);
                var (temperature, topK) = (arguments.Literal("temperature", 1.0), arguments.Literal<int?>("top_k", null));
                // The authors look at top_p only beside a top_k; without a draw the most probable id is left whatever was cut.
                var topP = arguments.Literal("top_p", 1.0);
                var choice = new TokenSampling { Temperature = draws ? (float)temperature : 0, TopK = topK ?? 0, TopP = topK is null ? 1 : (float)topP };
                var uniforms = draws ? Draws.Given(arguments.Tensor<float>("uniforms")) : (_, _) => { };
                Tensor<long>? last = null;
                await foreach (var codes in RunAsync(prefix, steps, choice, uniforms, cancel).ConfigureAwait(false)) last = codes;
                var results = new CallResults();
                foreach (var name in (string[])["tokens", "tokens_greedy", "tokens_topk", "tokens_topp", "tokens_topk_topp", "tokens_sampled"]) results.Add(name, last!);
                return results;
            default:
                throw Unsupported(call, "forward", "sample_with_past");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, TamingOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var prefix = Prefix(prompt, options.Count);
        var (batch, room) = ((int)prefix.Shape[0], Gpt.BlockSize - (int)prefix.Shape[1] + 1);
        var side = options.Side ?? (int)Math.Sqrt(room);
        if (side * side > room) throw new OptionsException(ErrorCodes.OptionRange, "The model has no room for so many codes.") { Where = "side", Expected = $"1..{(int)Math.Sqrt(room)}", Found = side.ToString() };
        var choice = new TokenSampling { Temperature = (float)options.Temperature, TopK = options.TopK, TopP = (float)options.TopP };
        var (step, steps) = (0, side * side);
        await foreach (var codes in RunAsync(prefix, steps, choice, Draws.Uniform(seed, batch), cancel).ConfigureAwait(false))
            yield return new(++step, steps, step == steps ? codes.Reshape(batch, side, side) : null);
    }

    // The codes (rows, n) after each step.
    private async IAsyncEnumerable<Tensor<long>> RunAsync(Tensor<long> prefix, int steps, TokenSampling choice, Draw uniforms, [EnumeratorCancellation] CancellationToken cancel)
    {
        var rows = (int)prefix.Shape[0];
        var codes = Tensor.Zeros<long>(rows, steps);
        var numbers = new float[rows];
        using var state = new GrowingState(_step, rows);
        var next = prefix;
        for (var step = 0; step < steps; step++)
        {
            var logits = (await state.StepAsync(cancel, ("idx", next)).ConfigureAwait(false))["logits"].As<float>();
            uniforms(step, numbers);
            next = Tensor.Zeros<long>(rows, 1);
            for (var row = 0; row < rows; row++) codes[row, step] = next[row, 0] = choice.Choose(logits.Slice(row).Span, [], numbers[row]);
            yield return codes;
        }
    }

    // The condition's codes, the class, or the first token of pictures without a condition.
    private Tensor<long> Prefix(Prompt prompt, int count)
    {
        if (_config.Unconditional) return Tensor.Create(Enumerable.Repeat((long)_config.SosToken, count).ToArray(), count, 1);
        if (prompt.Media.OfType<Tokens>().FirstOrDefault() is not { } condition)
        {
            var labels = ClassPrompt.Labels(prompt, Gpt.VocabSize, count);
            return Tensor.Create(labels, labels.Length, 1);
        }

        long[] ids = [.. condition.Ids.Span.ToArray().Select(id => (long)id)];
        if (ids.Any(id => id >= Gpt.VocabSize)) throw new MediaException(ErrorCodes.TokensInvalid, "A code of the condition is outside the vocabulary.") { Expected = $"0..{Gpt.VocabSize - 1}", Found = ids.Max().ToString() };
        return Tensor.Create(Enumerable.Repeat(ids, count).SelectMany(row => row).ToArray(), count, ids.Length);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<TamingConfig>(source.RequireFolder(), "model.params").Value;
        if (config.PermuterConfig is { Target: var target } && !target.EndsWith(".Identity", StringComparison.Ordinal))
            throw new ModelZooException(ErrorCodes.ConfigInvalid, "That order of codes is not here.") { Where = "permuter_config", Expected = "taming.modules.transformer.permuter.Identity", Found = target };
        return Generators.Open(source, checkpoint => new TamingTransformerModel(source, checkpoint, config, Decoder(source, checkpoint, config.FirstStageConfig?.Params)), "state_dict");
    }

    // VQGAN's decoder, where the checkpoint holds it.
    private static PictureNetwork? Decoder(ModelSource source, Checkpoint checkpoint, TamingFirstStage? vqgan)
    {
        if (vqgan is null || !checkpoint.Tensors.Any(tensor => tensor.Name == "first_stage_model.quantize.embedding.weight")) return null;
        return PictureNetwork.Build(NetworkContext.Of(source, checkpoint), "taming/picture", root =>
        {
            var scope = root["first_stage_model"];
            var codes = scope.Graph.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("rows"), Dim.Symbol("columns")]);
            var z = scope["quantize.embedding"].Weight("weight", vqgan.NEmbed, vqgan.EmbedDim).Gather(codes).ChannelsFirst();
            return LdmAutoencoder.Decoder(scope["decoder"], scope["post_quant_conv"].Conv(z, vqgan.Ddconfig.ZChannels, 1), vqgan.Ddconfig) * 0.5 + 0.5;
        });
    }
}
