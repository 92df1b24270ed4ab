// RecGPT: A Foundation Model for Sequential Recommendation. Jiang, Ren, Xia, Luo, Lin, Huang. arXiv:2506.06270. github.com/HKUDS/RecGPT
// Published layout: two flat state dicts, vae_len4_fsq*.pt (the item tokenizer) and recgpt_layer_3_weight.pt; sizes are constants of the authors' code, and of config.json where one is beside the weights; a data set's
// item_text_embeddings.npy (items, 768). Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>Constants of the authors' code.</summary>
public sealed record RecGptConfig
{
    [Range(1, 1 << 20)] public int EmbSize { get; init; } = 768;
    [Range(1, 64)] public int SeqLen { get; init; } = 4;
    [Length(1, 64)] public int[] Levels { get; init; } = [8, 8, 8, 6, 5];
    [Range(1, 1024)] public int NumHeadsAe { get; init; } = 8;
    public int? PaddingId { get; init; }
    public Gpt2Config Gpt2 { get; init; } = new();

    /// <summary>Number of codes.</summary>
    internal int Codes => Levels.Aggregate(1, (product, levels) => product * levels);

    internal int Padding => PaddingId ?? Codes;
}

/// <summary>GPT-2's own configuration.</summary>
public sealed record Gpt2Config
{
    [Range(1, 1 << 20)] public int NEmbd { get; init; } = 768;
    [Range(1, 1024)] public int NHead { get; init; } = 12;
    [Range(1, 1024)] public int NLayer { get; init; } = 3;
    [Range(1, 1 << 20)] public int NPositions { get; init; } = 1024;
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 50257;
    public int? NInner { get; init; }
    public double LayerNormEpsilon { get; init; } = 1e-5;
    public string ActivationFunction { get; init; } = "gelu_new";
}

/// <summary>Options of recommending with RecGPT.</summary>
public sealed record RecGptOptions : ModelOptions
{
    /// <summary>Items that are ranked.</summary>
    [Description("Items to rank; those that no beam reached are left out.")]
    [Range(1, 20)]
    public int Count { get; init; } = 20;
}

/// <summary>The item tokenizer: an embedding cut in parts, each a code of finite scalar quantization. Scopes are the authors'.</summary>
internal static class RecGptTokenizer
{
    /// <summary>x (items, E) -> codes (items, parts); the encoder's transformer is published but not used.</summary>
    public static void Encode(Scope scope, RecGptConfig config)
    {
        var (g, width) = (scope.Graph, config.EmbSize / config.SeqLen);
        var split = scope.Stage("split", g.Input("item_embeddings", [Dim.Symbol("items"), config.EmbSize]).Reshape(Dim.Symbol("items"), config.SeqLen, width));
        var projected = scope.Stage("projected", scope["quantizer.project_in"].Linear(split, config.Levels.Length));          // (items, parts, channels)
        var bounded = scope.Stage("bounded", Bound(projected, config.Levels));
        // The code is computed from the rounded value over half the levels, in single precision.
        var (half, basis) = (Channels(g, config.Levels, level => level / 2), Channels(g, Basis(config.Levels), digit => digit));
        var value = bounded.Round() / half;
        g.Output("codes", ((value * half + half) * basis).Sum(-1).Cast(ElementType.Int64));
        g.Output("quantized", scope["quantizer.project_out"].Linear(value, width));
    }

    /// <summary>codes (..) -> vectors (.., E / parts).</summary>
    public static Value Vectors(Scope scope, Value codes, RecGptConfig config)
    {
        var g = codes.Graph;
        Value Whole(int[] values) => g.Constant<long>([.. values.Select(value => (long)value)], values.Length);
        var quotients = codes.Unsqueeze(-1) / Whole(Basis(config.Levels));
        var digits = g.Node(codes.Path, "Mod", [quotients, Whole(config.Levels)], ElementType.Int64, quotients.Shape).Cast(ElementType.Float32);
        var half = Channels(g, config.Levels, level => level / 2);
        return scope["quantizer.project_out"].Linear((digits - half) / half, config.EmbSize / config.SeqLen);
    }

    /// <summary>quantized (items, parts, E / parts) -> (items, E).</summary>
    public static Value Decode(Scope decoder, Value quantized, RecGptConfig config)
    {
        var width = config.EmbSize / config.SeqLen;
        var h = quantized + decoder["position_emb"].Weight("weight", config.SeqLen, width);
        for (var i = 0; i < 2; i++)
        {
            var (layer, attention) = (decoder["transformer_layers"][i], decoder["transformer_layers"][i]["attention"]);
            var x = layer["input_sublayer.norm"].LayerNorm(h);
            Value Map(int part) => attention["linear_layers"][part].Linear(x, width);
            h += attention["output_linear"].Linear(AttentionLayers.Attention(Map(0), Map(1), Map(2), new() { Heads = config.NumHeadsAe }), width);
            h += layer["feed_forward"].Mlp(layer["output_sublayer.norm"].LayerNorm(h), 4 * width, y => y.Gelu(), "w_1", "w_2");
        }

        var last = h.At(1, config.SeqLen - 1);
        return decoder["linear_layer.2"].Linear(decoder["linear_layer.0"].Linear(last, config.EmbSize).Relu(), config.EmbSize);
    }

    // tanh(z + shift) half - offset. As published the shift is a tangent, not its inverse.
    private static Value Bound(Value z, int[] levels)
    {
        static float Half(int level) => (level - 1) * (float)(1 - 1e-3) / 2;
        static float Offset(int level) => level % 2 == 0 ? 0.5f : 0;
        return (z + Channels(z.Graph, levels, level => MathF.Tan(Offset(level) / Half(level)))).Tanh() * Channels(z.Graph, levels, Half) - Channels(z.Graph, levels, Offset);
    }

    private static Value Channels(Graph g, int[] values, Func<int, float> value) => g.Constant<float>([.. values.Select(value)], values.Length);

    private static int[] Basis(int[] levels) => [.. levels.Select((_, i) => levels.Take(i).Aggregate(1, (product, level) => product * level))];
}

/// <summary>GPT-2 over the items' codes, whose parts see each other. Scopes are the authors'.</summary>
internal static class RecGptNetwork
{
    /// <summary>tokens (B, N) int64, parts of the items' embeddings (B, N, E / parts), present (B, N) -> logits of the last item's places (B, parts, codes + 1).</summary>
    public static void Build(Scope model, RecGptConfig config)
    {
        var (g, gpt, width) = (model.Graph, model["gpt2model"], config.Gpt2.NEmbd);
        Dim batch = Dim.Symbol("batch"), length = Dim.Symbol("length");
        var tokens = g.Input("tokens", ElementType.Int64, [batch, length]);
        var parts = g.Input("parts", [batch, length, config.EmbSize / config.SeqLen]);
        var present = g.Input("present", [batch, length, 1]);
        var known = tokens.Less(g.Constant([config.Codes + 1L])).Cast(ElementType.Int64);                                     // ids beyond the padding have no embedding
        var embedded = model["norm_seq"].LayerNorm(gpt["wte"].Embedding(tokens * known, config.Gpt2.VocabSize, width)) * known.Cast(ElementType.Float32).Unsqueeze(-1);
        var input = model.Stage("embeddings", embedded + model["norm_aux"].LayerNorm(model["linear_layer"].Linear(parts, width, bias: false)) * present);

        var mask = tokens.Same(g.Constant([(long)config.Padding])).Not();
        var real = mask.Cast(ElementType.Float32).Unsqueeze(-1);
        var h = input + gpt["wpe"].Weight("weight", config.Gpt2.NPositions, width).Take(0, length);
        model.Stage("gpt_input", h);
        var bias = AttentionMasks.BlockCausal(g, length, config.SeqLen).Reshape(1, 1, length, length) + AttentionMasks.Padding(mask.Cast(ElementType.Int64));
        for (var i = 0; i < config.Gpt2.NLayer; i++)
        {
            h = Block(gpt["h"][i], h, bias, config.Gpt2);
            model.Stage($"block_{i}", h * real);
        }

        h = gpt["ln_f"].LayerNorm(h, config.Gpt2.LayerNormEpsilon);
        model.Stage("last_hidden_state", h * real);
        g.Output("logits", model["pred_head"].Linear(h.Last(1, config.SeqLen), config.Codes + 1, bias: false));
    }

    // x += attention(norm(x)); x += mlp(norm(x)). Maps are stored (in, out).
    private static Value Block(Scope block, Value h, Value bias, Gpt2Config config)
    {
        var width = h.Shape[-1].Size;
        var (q, k, v) = block["attn.c_attn"].LinearInOut(block["ln_1"].LayerNorm(h, config.LayerNormEpsilon), 3 * width).Chunk3();
        h += block["attn.c_proj"].LinearInOut(AttentionLayers.Attention(q, k, v, new() { Heads = config.NHead, Bias = bias }), width);
        var inner = Activations.Named(config.ActivationFunction)(block["mlp.c_fc"].LinearInOut(block["ln_2"].LayerNorm(h, config.LayerNormEpsilon), config.NInner ?? 4 * width));
        return h + block["mlp.c_proj"].LinearInOut(inner, width);
    }
}

/// <summary>Histories in, ranked items out, for items that were never trained on: they are their text embeddings.</summary>
public sealed class RecGptModel : IModel, ITokenize<NamedTensors, NoOptions>, IGenerate<Items, RecGptOptions>, IEvaluate, IReferenceCalls
{
    private const int MaxHistory = 255, RankingLength = 8;
    private const float Unreached = -1000;
    private readonly string _folder;
    private readonly RecGptConfig _config;
    private readonly Checkpoint _checkpoint;
    private readonly Network _encode, _vectors, _decode, _gpt;
    private readonly TokenSpace _space;
    private volatile Catalogue? _catalogue;

    private RecGptModel(string id, string folder, RecGptConfig config, Checkpoint checkpoint, NetworkContext context)
    {
        (_folder, _config, _checkpoint) = (folder, config, checkpoint);
        _space = new(id, TokenLayout.Grid, [.. Enumerable.Repeat(config.Codes, config.SeqLen)], checkpoint.Digest);
        _encode = Network.Build(context, "recgpt tokenizer", scope => RecGptTokenizer.Encode(scope, config));
        _vectors = Network.Build(context, "recgpt codes", scope => scope.Graph.Output("code_vectors", RecGptTokenizer.Vectors(scope, scope.Graph.Input("codes", ElementType.Int64, [Dim.Symbol("codes")]), config)));
        _decode = Network.Build(context, "recgpt item decoder", scope => scope.Graph.Output("reconstruction",
            RecGptTokenizer.Decode(scope["decoder"], scope.Graph.Input("quantized", [Dim.Symbol("items"), config.SeqLen, config.EmbSize / config.SeqLen]), config)));
        _gpt = Network.Build(context, "recgpt", scope => RecGptNetwork.Build(scope, config));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "recommenders/recgpt-fsq",
            Paper = "RecGPT: A Foundation Model for Sequential Recommendation",
            ArXiv = "2506.06270",
            Authors = ["Yangqin Jiang", "Xubin Ren", "Lianghao Xia", "Da Luo", "Kangyi Lin", "Chao Huang"],
            Repository = "HKUDS/RecGPT",
            CodeLicense = "none stated",
            Inputs = [Modality.Items, Modality.Tensors],
            Outputs = [Modality.Items, Modality.Tokens, Modality.Tensors],
            Layouts = ["authors: vae_len4_fsq*.pt + recgpt_layer_3_weight.pt, item_text_embeddings.npy"],
            Sizes = [new("HKUDS/RecGPT: layer 3", 74_228_165, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => ItemFacts.Of(_checkpoint, [_encode, _vectors, _decode, _gpt], new("embedding", $"{_config.EmbSize} numbers"), new("tokens of an item", $"{_config.SeqLen} of {_config.Codes}"));

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Items;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => ItemFacts.Metrics;

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<RecGptOptions>();

    /// <inheritdoc/>
    public async ValueTask<Tokens> TokenizeAsync(NamedTensors media, NoOptions options, CancellationToken cancel = default) =>
        ItemTokens.Of(_space, (await _encode.RunAsync(cancel, ("item_embeddings", ItemTokens.Embeddings(media, _config.EmbSize))).ConfigureAwait(false)).Get<long>("codes"));

    /// <inheritdoc/>
    public async ValueTask<NamedTensors> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default)
    {
        var codes = ItemTokens.Codes(_space, tokens);
        var vectors = (await _vectors.RunAsync(cancel, ("codes", codes.Reshape(codes.Length))).ConfigureAwait(false))["code_vectors"];
        return ItemTokens.Media((await _decode.RunAsync(cancel, ("quantized", vectors.Reshape(codes.Shape[0], _config.SeqLen, vectors.Shape[1]))).ConfigureAwait(false))["reconstruction"]);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Items>> GenerateAsync(Prompt prompt, RecGptOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        yield return Generation<Items>.Final(await RecommendAsync(prompt.Require<Items>(), options, cancel).ConfigureAwait(false), 1);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var ranked = await RecommendAsync(example.Media.Expect<Items>(), options.Expect<RecGptOptions>(), cancel).ConfigureAwait(false);
            yield return new(example.Id, example.Target, ranked) { Label = example.Label };
        }
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                return (await _encode.RunAsync(cancel, ("item_embeddings", arguments.Tensor("item_embeddings"))).ConfigureAwait(false)).ToResults();
            case "indices_to_codes":
                var codes = arguments.Tensor<long>("codes");
                var vectors = (await _vectors.RunAsync(cancel, ("codes", codes.Reshape(codes.Length))).ConfigureAwait(false))["code_vectors"];
                return new CallResults().Add("code_vectors", vectors.Reshape([.. codes.Shape, vectors.Shape[1]]));
            case "decode":
                return (await _decode.RunAsync(cancel, ("quantized", arguments.Tensor("quantized"))).ConfigureAwait(false)).ToResults();
            case "predict":
                var catalogue = new Catalogue(arguments.Tensor<float>("item_embeddings"), arguments.Tensor<long>("item_codes"));
                var outputs = await PredictAsync(catalogue, arguments.Tensor<long>("tokens"), arguments.Tensor<long>("lengths"), arguments.Tensor<long>("item_history"), cancel).ConfigureAwait(false);
                return Scores(outputs.ToResults(), Search(outputs["logits"], catalogue), (int)catalogue.Embeddings.Shape[0]);
            case "attention_mask":
                return new CallResults().Add("mask", BlockMask(arguments.Literal<int>("length")));
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"RecGPT has no call '{call}'.") { Expected = "encode, indices_to_codes, decode, predict, attention_mask" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var network in (Network[])[_encode, _vectors, _decode, _gpt]) network.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        string Usual(string pattern) => Directory.EnumerateFiles(folder, pattern).Order(StringComparer.Ordinal).Select(Path.GetFileName).FirstOrDefault() ?? pattern;
        var checkpoint = PublishedFiles.Open(source, Usual("vae_*.pt"), Usual("recgpt_*.pt"));
        var config = File.Exists(Path.Combine(folder, "config.json")) ? PublishedConfig.Read<RecGptConfig>(folder).Value : new();
        return ValueTask.FromResult<IModel>(new RecGptModel(source.Id.ToString(), folder, config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    // Sequences are cut to the longest of the batch; they stand at the right.
    private async Task<NetworkOutputs> PredictAsync(Catalogue catalogue, Tensor<long> tokens, Tensor<long> lengths, Tensor<long> history, CancellationToken cancel)
    {
        var (users, width, per) = ((int)tokens.Shape[0], _config.EmbSize / _config.SeqLen, _config.SeqLen);
        var length = (int)lengths.Span.ToArray().Max();
        var (cut, parts, present) = (Tensor.Zeros<long>(users, length), Tensor.Zeros<float>(users, length, width), Tensor.Zeros<float>(users, length, 1));
        for (var user = 0; user < users; user++)
        {
            tokens.Slice(user).Span[^length..].CopyTo(cut.Slice(user).Span);
            var items = history.Slice(user).Span[^(length / per)..];
            for (var i = 0; i < items.Length; i++)
            {
                var known = Math.Clamp(items[i], 0, catalogue.Embeddings.Shape[0] - 1);
                catalogue.Embeddings.Slice((int)known).Span.CopyTo(parts.Slice(user).Span[(i * per * width)..]);
                if (items[i] >= 0) present.Slice(user).Span.Slice(i * per, per).Fill(1);
            }
        }

        return await _gpt.RunAsync(cancel, ("tokens", cut), ("parts", parts), ("present", present)).ConfigureAwait(false);
    }

    // All codes of the next item come at once: sequences that are some item's are kept, ten of the first code, five continuations of each, the best twenty of all.
    private static IReadOnlyList<IReadOnlyList<(int Item, float Score)>> Search(Tensor<float> logits, Catalogue catalogue)
    {
        const int First = 10, Width = 5, Kept = 20;
        const float Temperature = 0.1f;
        var results = new List<IReadOnlyList<(int, float)>>();
        for (var user = 0; user < logits.Shape[0]; user++)
        {
            var beams = new List<(int[] Codes, float Score)> { ([], 0) };
            for (var level = 0; level < logits.Shape[1]; level++)
            {
                var row = logits.Slice(user).Slice(level).Span.ToArray();
                LogitProcessing.Temperature(row, Temperature);
                LogitProcessing.LogSoftmax(row);
                var next = beams.SelectMany(beam => catalogue.Names.Allowed(beam.Codes).OrderByDescending(code => row[code]).ThenBy(code => code).Take(level == 0 ? First : Width)
                    .Select(code => (Codes: (int[])[.. beam.Codes, code], Score: beam.Score + row[code])));
                beams = [.. next.OrderByDescending(beam => beam.Score).Take(Kept)];
            }

            results.Add([.. beams.Select(beam => (catalogue.Names.Find(beam.Codes), beam.Score))]);
        }

        return results;
    }

    private static CallResults Scores(CallResults results, IReadOnlyList<IReadOnlyList<(int Item, float Score)>> found, int items)
    {
        var (scores, length) = (Tensor.Zeros<float>(found.Count, items), Math.Min(RankingLength, items));
        var ranking = Tensor.Zeros<long>(found.Count, length);
        scores.Span.Fill(Unreached);
        for (var user = 0; user < found.Count; user++)
        {
            foreach (var (item, score) in found[user]) scores[user, item] = score;
            foreach (var (place, (item, _)) in scores.Slice(user).Span.ToArray().Index().OrderByDescending(item => item.Item).Take(length).Index()) ranking[user, place] = item;
        }

        return results.Add("item_scores", scores).Add("ranking", ranking);
    }

    private Tensor<long> BlockMask(int length)
    {
        var mask = Tensor.Zeros<long>(length, length);
        for (var query = 0; query < length; query++)
        {
            for (var key = 0; key < length; key++) mask[query, key] = key / _config.SeqLen <= query / _config.SeqLen ? 1 : 0;
        }

        return mask;
    }

    // One history at a time: padding would move the places of shorter ones, which have embeddings of their own.
    private async Task<Items> RecommendAsync(Items history, RecGptOptions options, CancellationToken cancel)
    {
        var catalogue = _catalogue ??= await CatalogueAsync(cancel).ConfigureAwait(false);
        var items = history.NotEmpty().TakeLast(Math.Min(MaxHistory, _config.Gpt2.NPositions / _config.SeqLen)).Select(id => (long)ItemFeatures.Number(id, 0, catalogue.Embeddings.Shape[0])).ToArray();
        long[] tokens = [.. items.SelectMany(item => catalogue.Codes.Slice((int)item).Span.ToArray())];
        var outputs = await PredictAsync(catalogue, Tensor.Create(tokens, 1, tokens.Length), Tensor.Create([(long)tokens.Length], 1), Tensor.Create(items, 1, items.Length), cancel).ConfigureAwait(false);
        var found = Search(outputs["logits"], catalogue)[0].Take(options.Count).ToArray();
        return new([.. found.Select(item => item.Item.ToString(CultureInfo.InvariantCulture))], [.. found.Select(item => (double)item.Score)]);
    }

    private async Task<Catalogue> CatalogueAsync(CancellationToken cancel)
    {
        var embeddings = ItemFeatures.Read(Path.Combine(_folder, "item_text_embeddings.npy"), _config.EmbSize);
        return new(embeddings, (await _encode.RunAsync(cancel, ("item_embeddings", embeddings)).ConfigureAwait(false)).Get<long>("codes"));
    }

    // The items of a data set: the last one counts where several have the same codes.
    private sealed record Catalogue(Tensor<float> Embeddings, Tensor<long> Codes)
    {
        public TokenTrie Names { get; } = new(Codes.ToRows());
    }
}
