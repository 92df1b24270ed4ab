// UniGRec: Unified Generative Recommendation with Soft Identifiers for End-to-End Optimization. Li, Zhang, Bai, Zhu, Xue, Zhao, Wang, Yang, Rabinovich, He. arXiv:2601.17438. github.com/Jialei-03/UniGRec
// Published layout: final_model.pth ({model_state_dict, rqvae_config, t5_config}); rqvae_config.json and t5_config.json with the same values where they are beside it, config.json with the run's arguments. Item embeddings, which
// the authors pass as a parquet file, are read from item_emb.npy. Deviations: none; the adapters beside the two networks are part of training only.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>Arguments of the run.</summary>
public sealed record UniGRecConfig
{
    public bool UseCodeOffset { get; init; }
    [Range(1, 1 << 20)] public int CodebookSize { get; init; } = 256;
    [Range(0, 1 << 20)] public int MaxCollision { get; init; } = 100;
    [Range(1e-9, 1e9)] public double? Tau { get; init; }
    [Range(1, 1000)] public int MaxLen { get; init; } = 20;
}

/// <summary>The tokenizer's <c>rqvae_config</c>.</summary>
public sealed record UniGRecTokenizerConfig
{
    [Range(1, 1 << 20)] public int InDim { get; init; } = 768;
    [Length(1, 64)] public int[] NumEmbList { get; init; } = [256, 256, 256];
    [Range(1, 1 << 16)] public int EDim { get; init; } = 32;
    public int[] Layers { get; init; } = [512, 256, 128, 64];
    public bool Bn { get; init; }
    public string? NormType { get; init; }
    [AllowedValues("soft", "standard", "Soft", "Standard")] public string VqType { get; init; } = "soft";
    public string Distance { get; init; } = "l2";
    [Range(1e-9, 1e9)] public double Temperature { get; init; } = 0.01;

    /// <summary>Whether levels take the nearest row and do not mix.</summary>
    internal bool IsHard => VqType.Equals("standard", StringComparison.OrdinalIgnoreCase);
}

/// <summary>Options of recommending with UniGRec.</summary>
public sealed record UniGRecOptions : ModelOptions
{
    /// <summary>Width of the search.</summary>
    [Description("Width of the beam search: so many items are ranked.")]
    [Range(1, 500)]
    public int Beams { get; init; } = 30;

    /// <summary>Whether the search is the authors'.</summary>
    [Description("Search as in the authors' evaluation: any token of a place's range, so that combinations that are no item take places and are left out of the ranking.")]
    public bool Ranges { get; init; }
}

/// <summary>A residual quantizer whose levels mix all rows, and T5 over what they mix. Scopes are the authors'.</summary>
internal static class UniGRecNetwork
{
    /// <summary>x (items, in) -> (items, e).</summary>
    public static Value Encode(Scope rqvae, Value x, UniGRecTokenizerConfig config) => Mlp(rqvae["encoder.mlp_layers"], x, [.. config.Layers, config.EDim], config);

    /// <summary>z (items, e) -> (items, in).</summary>
    public static Value Decode(Scope rqvae, Value z, UniGRecTokenizerConfig config) => Mlp(rqvae["decoder.mlp_layers"], z, [.. config.Layers.Reverse(), config.InDim], config);

    /// <summary>z (items, e) -> the distribution of each level (items, K) and the sum of the levels' vectors (items, e). Each level takes the mixed row from what is left, section 3.1.</summary>
    public static (Value[] Levels, Value Quantized) Mix(Scope rqvae, Value z, Value temperature, UniGRecTokenizerConfig config)
    {
        var (levels, sum, rest) = (new Value[config.NumEmbList.Length], (Value?)null, z);
        for (var i = 0; i < levels.Length; i++)
        {
            var rows = rqvae["rq.vq_layers"][i]["embedding"].Weight("weight", config.NumEmbList[i], config.EDim);
            var distance = Distance(rest, rows, config.Distance);
            levels[i] = (-distance / temperature).Softmax();
            // A hard quantizer's rows come by the smallest distance; the soft one's are mixed.
            var row = config.IsHard ? rows.Gather(distance.ArgMin(1)) : levels[i].MatMul(rows);
            sum = sum is null ? row : sum + row;
            rest -= row;
            if (config.IsHard) levels[i] = -distance;
        }

        return (levels, sum!);
    }

    /// <summary>Distributions of each level (B, L, K) to embeddings of the tokens (B, 3 L, D); padding has row 0. mask (B, 3 L).</summary>
    public static Value Embed(Scope t5, Value[] levels, Value mask, T5Config config, UniGRecConfig arguments)
    {
        var table = t5["shared"].Weight("weight", config.VocabSize, config.DModel);
        var mixed = levels.Select((level, i) =>
        {
            var first = 1 + (arguments.UseCodeOffset ? i * arguments.CodebookSize : 0);
            return level.MatMul(table.Slice(0, first, first + level.Shape[-1]));
        }).ToArray();
        var tokens = ValueShape.Stack(2, mixed);
        var real = mask.Cast(ElementType.Float32).Unsqueeze(-1);
        return tokens.Reshape(tokens.Shape[0], tokens.Shape[1] * levels.Length, config.DModel) * real + table.Take(0, 1).Unsqueeze(0) * (1 - real);
    }

    private static Value Distance(Value x, Value rows, string kind) => kind.ToLowerInvariant() switch
    {
        "l2" => x.Square().Sum(1, keep: true) + rows.Square().Sum(1).Unsqueeze(0) - 2 * x.MatMul(rows.Swap(0, 1)),
        "dot" => -x.MatMul(rows.Swap(0, 1)),
        "cos" => -x.L2Normalize().MatMul(rows.L2Normalize().Swap(0, 1)),
        _ => throw new ModelZooException(ErrorCodes.ConfigInvalid, "There is no distance of that name.") { Where = "distance", Expected = "l2, dot, cos", Found = kind },
    };

    private static Value Mlp(Scope layers, Value x, int[] widths, UniGRecTokenizerConfig config) => ItemMlp.Build(layers, x, widths, (config.NormType ?? "none").ToLowerInvariant() switch
    {
        "batchnorm" => ItemMlp.BatchNorm,
        "layernorm" => ItemMlp.LayerNorm,
        _ => config is { Bn: true, NormType: null or "none" } ? ItemMlp.BatchNorm : null,
    }, normLast: false);
}

/// <summary>Histories in, ranked items out; items are tokenized from their embeddings when the model is first used.</summary>
public sealed class UniGRecModel : IModel, ITokenize<NamedTensors, NoOptions>, IGenerate<Items, UniGRecOptions>, IEvaluate, IReferenceCalls
{
    private const int EvaluationBatch = 16;
    private readonly string _folder;
    private readonly UniGRecConfig _config;
    private readonly UniGRecTokenizerConfig _tokenizer;
    private readonly T5Config _t5;
    private readonly Checkpoint _checkpoint;
    private readonly Network _encode, _decode, _history;
    private readonly NetworkCache<int> _decoders;
    private readonly RqCodebooks _codebooks;
    private readonly TokenSpace _space;
    private volatile Catalogue? _items;
    private volatile Tensor<long>? _codes;

    private UniGRecModel(string id, string folder, UniGRecConfig config, UniGRecTokenizerConfig tokenizer, T5Config t5, Checkpoint checkpoint, NetworkContext context)
    {
        (_folder, _config, _tokenizer, _t5, _checkpoint) = (folder, config, tokenizer, t5, checkpoint);
        var (items, batch, length) = (Dim.Symbol("items"), Dim.Symbol("batch"), Dim.Symbol("length"));
        _codebooks = RqCodebooks.Of(checkpoint, "rqvae.rq", tokenizer.NumEmbList, tokenizer.EDim);
        _space = new(id, TokenLayout.Grid, [.. tokenizer.NumEmbList], checkpoint.Digest);
        _encode = Network.Build(context, "unigrec tokenizer", scope =>
        {
            var g = scope.Graph;
            var latent = UniGRecNetwork.Encode(scope["rqvae"], g.Input("item_embeddings", [items, tokenizer.InDim]), tokenizer);
            g.Output("latent", latent);
            var (levels, quantized) = UniGRecNetwork.Mix(scope["rqvae"], latent, g.Input("tau", []), tokenizer);
            for (var i = 0; i < levels.Length; i++) g.Output($"soft_{i}", levels[i]);
            g.Output("codes", ValueShape.Stack(1, [.. levels.Select(level => level.ArgMax(1))]));
            g.Output("quantized", quantized);
        });
        _decode = Network.Build(context, "unigrec item decoder", scope => scope.Graph.Output("reconstruction", UniGRecNetwork.Decode(scope["rqvae"], scope.Graph.Input("quantized", [items, tokenizer.EDim]), tokenizer)));
        _history = Network.Build(context, "unigrec encoder", scope =>
        {
            var g = scope.Graph;
            var (history, mask) = (g.Input("history_embeddings", [batch, length, tokenizer.InDim]), g.Input("attention_mask", ElementType.Int64, [batch, length]));
            var latent = UniGRecNetwork.Encode(scope["rqvae"], history.Reshape(batch * length, tokenizer.InDim), tokenizer);
            var (levels, _) = UniGRecNetwork.Mix(scope["rqvae"], latent, g.Input("tau", []), tokenizer);
            var tokens = mask.RepeatInterleave(1, levels.Length);
            var h = UniGRecNetwork.Embed(scope["t5.t5"], [.. levels.Select(level => level.Reshape(batch, length, level.Shape[1]))], tokens, t5, config);
            g.Output("encoder_embeddings", h);
            g.Output("mask", tokens);
            var states = T5Encoder.EncodeEmbeddings(scope["t5.t5"], h, t5, tokens).LastHiddenState;
            g.Output("states", states);
            scope.Stage("encoder_last_hidden_state", states * tokens.Cast(ElementType.Float32).Unsqueeze(-1));
        });
        _decoders = new(beams => Network.Build(context, "unigrec decoder", scope =>
        {
            var g = scope.Graph;
            var ids = g.Input("ids", ElementType.Int64, [beams * batch, Dim.Symbol("prefix")]);
            var states = g.Input("states", [batch, length, t5.DModel]);
            g.Output("logits", T5Decoder.Logits(scope["t5.t5"], ids, states, g.Input("mask", ElementType.Int64, [batch, length]), t5, beams));
        }));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "recommenders/unigrec",
            Paper = "UniGRec: Unified Generative Recommendation with Soft Identifiers for End-to-End Optimization",
            ArXiv = "2601.17438",
            Authors = ["Jialei Li", "Yang Zhang", "Yimeng Bai", "Shuai Zhu", "Ziqi Xue", "Xiaoyan Zhao", "Dingxian Wang", "Frank Yang", "Andrew Rabinovich", "Xiangnan He"],
            Repository = "Jialei-03/UniGRec",
            CodeLicense = "BSD-3-Clause",
            Inputs = [Modality.Items, Modality.Tensors],
            Outputs = [Modality.Items, Modality.Tokens, Modality.Tensors],
            Layouts = ["authors: final_model.pth (model_state_dict, rqvae_config, t5_config), item_emb.npy"],
            Sizes = [new("Jialei-03/UniGRec", 5_209_760, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => ItemFacts.Of(_checkpoint, [_encode, _decode, _history, .. _decoders.Built], new("embedding", $"{_tokenizer.InDim} numbers"), new("codebooks", string.Join(" x ", _tokenizer.NumEmbList)));

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Items;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => ItemFacts.Metrics;

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<UniGRecOptions>();

    // The second stage of training holds the tokenizer at the temperature of the run, not at that of its own configuration.
    private double Tau => _config.Tau ?? _tokenizer.Temperature;

    // The first id of the fourth token, which tells items of equal codes apart.
    private int FirstCollision => (_config.UseCodeOffset ? _tokenizer.NumEmbList.Length * _config.CodebookSize : _config.CodebookSize) + 1;

    /// <inheritdoc/>
    public async ValueTask<Tokens> TokenizeAsync(NamedTensors media, NoOptions options, CancellationToken cancel = default) =>
        ItemTokens.Of(_space, (await TokenizeAsync(ItemTokens.Embeddings(media, _tokenizer.InDim), Tau, cancel).ConfigureAwait(false)).Get<long>("codes"));

    /// <inheritdoc/>
    public async ValueTask<NamedTensors> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default) =>
        ItemTokens.Media((await _decode.RunAsync(cancel, ("quantized", _codebooks.Lookup(ItemTokens.Codes(_space, tokens)))).ConfigureAwait(false))["reconstruction"]);

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Items>> GenerateAsync(Prompt prompt, UniGRecOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        yield return Generation<Items>.Final((await RecommendAsync([prompt.Require<Items>()], options, cancel).ConfigureAwait(false))[0], 1);
    }

    /// <inheritdoc/>
    public int BatchSize(ModelOptions options) => EvaluationBatch;

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await foreach (var batch in examples.Chunk(EvaluationBatch).WithCancellation(cancel).ConfigureAwait(false))
        {
            var ranked = await RecommendAsync([.. batch.Select(example => example.Media.Expect<Items>())], options.Expect<UniGRecOptions>(), cancel).ConfigureAwait(false);
            for (var i = 0; i < batch.Length; i++) yield return new(batch[i].Id, batch[i].Target, ranked[i]) { Label = batch[i].Label };
        }
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "get_indices":
                return (await TokenizeAsync(arguments.Tensor("item_embeddings"), Tau, cancel).ConfigureAwait(false)).ToResults();
            case "encode_soft" when !_tokenizer.IsHard:
                return (await TokenizeAsync(arguments.Tensor("item_embeddings"), arguments.Literal("tau", 1.0), cancel).ConfigureAwait(false)).ToResults();
            case "decode":
                return (await _decode.RunAsync(cancel, ("quantized", arguments.Tensor("quantized"))).ConfigureAwait(false)).ToResults();
            case "build_codes":
                // As in the authors' evaluation, labels are looked up among the items that were numbered last.
                return new CallResults().Add("item_codes", _codes = await NumberAsync(arguments.Tensor("item_embeddings"), cancel).ConfigureAwait(false));
            case "labels":
                return Labels(arguments.Tensor<long>("item_ids"));
            case "forward":
                var encoded = await ReadAsync(arguments.Tensor("history_embeddings"), arguments.Tensor("attention_mask"), arguments.Literal("tau", 0.5), cancel).ConfigureAwait(false);
                return encoded.ToResults().AddRange((await DecodeAsync(1, arguments.Tensor("decoder_input_ids"), encoded, cancel).ConfigureAwait(false)).ToResults());
            case "generate":
                var read = await ReadAsync(arguments.Tensor("history_embeddings"), arguments.Tensor("attention_mask"), arguments.Literal("tau", 0.5), cancel).ConfigureAwait(false);
                var (length, collisions) = (arguments.Literal("max_length", 5), arguments.Literal("max_collision", 100));
                var places = arguments.Literal("use_code_range_constraint", true) ? Places(collisions, length) : null;
                var found = await SearchAsync(read, arguments.Literal("num_beams", 10), length, places, cancel).ConfigureAwait(false);
                return new CallResults()
                    .Add("sequences", FoundItems.Sequences(found, [.. found.Select(_ => (int[])[0])]))
                    .Add("sequences_scores", FoundItems.Table(found, hypothesis => (float)hypothesis.Score));
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"UniGRec has no call '{call}'.") { Expected = "get_indices, encode_soft (soft quantizers), decode, build_codes, labels, forward, generate" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var network in (Network[])[_encode, _decode, _history]) network.Dispose();
        _decoders.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var checkpoint = source.Parts.Count > 0 ? source.OpenCheckpoint() : Checkpoint.Open(Path.Combine(folder, "final_model.pth"), "model_state_dict");
        T Config<T>(string name) => File.Exists(Path.Combine(folder, name + ".json"))
            ? PublishedConfig.Read<T>(Path.Combine(folder, name + ".json")).Value
            : PublishedConfig.Bind<T>(Checkpoint.Open(checkpoint.Files[0], name).Values, checkpoint.Files[0]).Value;
        var t5 = Config<T5Config>("t5_config");
        // The vocabulary tells whether levels have ids of their own, where nothing else does.
        var arguments = File.Exists(Path.Combine(folder, "config.json")) ? PublishedConfig.Read<UniGRecConfig>(folder).Value : new() { UseCodeOffset = t5.VocabSize > 3 * 256 };
        return ValueTask.FromResult<IModel>(new UniGRecModel(source.Id.ToString(), folder, arguments, Config<UniGRecTokenizerConfig>("rqvae_config"), t5, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private Task<NetworkOutputs> TokenizeAsync(Tensor embeddings, double tau, CancellationToken cancel) => _encode.RunAsync(cancel, ("item_embeddings", embeddings), ("tau", Tensor.Scalar((float)tau)));

    private Task<NetworkOutputs> ReadAsync(Tensor history, Tensor mask, double tau, CancellationToken cancel)
    {
        if (_tokenizer.IsHard) throw new ModelZooException(ErrorCodes.VerbUnsupported, "A tokenizer with hard codes reads no histories: the authors draw its soft ones at random.") { Where = "rqvae_config: vq_type", Expected = "soft", Found = _tokenizer.VqType };
        return _history.RunAsync(cancel, ("history_embeddings", history), ("attention_mask", mask), ("tau", Tensor.Scalar((float)tau)));
    }

    private Task<NetworkOutputs> DecodeAsync(int beams, Tensor ids, NetworkOutputs read, CancellationToken cancel) =>
        _decoders[beams].RunAsync(cancel, ("ids", ids), ("states", read["states"]), ("mask", read.Get<long>("mask")));

    // The codes and, fourth, the place among the items before with the same codes: (items, levels + 1).
    private async Task<Tensor<long>> NumberAsync(Tensor embeddings, CancellationToken cancel)
    {
        var codes = (await TokenizeAsync(embeddings, Tau, cancel).ConfigureAwait(false)).Get<long>("codes");
        var (items, levels) = ((int)codes.Shape[0], (int)codes.Shape[1]);
        var (numbered, seen) = (Tensor.Zeros<long>(items, levels + 1), new Dictionary<string, int>());
        for (var item = 0; item < items; item++)
        {
            var own = codes.Slice(item).Span;
            own.CopyTo(numbered.Slice(item).Span);
            var key = string.Join('-', own.ToArray());
            numbered[item, levels] = seen[key] = seen.TryGetValue(key, out var last) ? last + 1 : 0;
        }

        return numbered;
    }

    private int[] Tokens(ReadOnlySpan<long> codes)
    {
        var tokens = new int[codes.Length];
        for (var i = 0; i < tokens.Length; i++) tokens[i] = (int)codes[i] + (i == tokens.Length - 1 ? FirstCollision : 1 + (_config.UseCodeOffset ? i * _config.CodebookSize : 0));
        return tokens;
    }

    // Items count from 1.
    private CallResults Labels(Tensor<long> ids)
    {
        var codes = _codes ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, "No items are numbered yet.") { Remedy = "Call build_codes first." };
        var (count, width) = ((int)ids.Shape[0], (int)codes.Shape[1] + 1);
        var (inputs, labels) = (Tensor.Zeros<long>(count, width), Tensor.Zeros<long>(count, width));
        for (var i = 0; i < count; i++)
        {
            foreach (var (place, token) in Tokens(codes.Slice((int)ids.Span[i] - 1).Span).Index()) (inputs[i, place + 1], labels[i, place]) = (token, token);
        }

        return new CallResults().Add("decoder_input_ids", inputs).Add("labels", labels);
    }

    // A range for each place; what comes after the fourth is free.
    private TokenSets Places(int maxCollision, int maxLength)
    {
        IReadOnlySet<int> Range(int first, int count) => Enumerable.Range(first, Math.Max(0, Math.Min(count, (int)_t5.VocabSize - first))).ToHashSet();
        var places = Enumerable.Range(0, _tokenizer.NumEmbList.Length).Select(i => Range(1 + (_config.UseCodeOffset ? i * _config.CodebookSize : 0), _config.CodebookSize)).ToList();
        places.Add(Range(FirstCollision, maxCollision + 1));
        while (places.Count < maxLength - 1) places.Add(Range(0, (int)_t5.VocabSize));
        return new(places);
    }

    private async Task<IReadOnlyList<IReadOnlyList<BeamHypothesis>>> SearchAsync(NetworkOutputs read, int beams, int maxLength, ITokenConstraint? constraint, CancellationToken cancel)
    {
        var users = read["states"].Shape[0];
        var model = new RecomputingModel(async (prefixes, stop) => (await DecodeAsync(beams, prefixes, read, stop).ConfigureAwait(false))["logits"]);
        var search = new BeamSearch(beams, maxLength - 1) { Constraint = constraint };
        return await search.SearchAsync(model, Tensor.Zeros<int>(users, 1), beams, cancel).ConfigureAwait(false);
    }

    private async Task<IReadOnlyList<Items>> RecommendAsync(IReadOnlyList<Items> histories, UniGRecOptions options, CancellationToken cancel)
    {
        var items = _items ??= await CatalogueAsync(cancel).ConfigureAwait(false);
        var rows = histories.Select(history => history.NotEmpty().TakeLast(_config.MaxLen).Select(id => ItemFeatures.Number(id, 1, items.Embeddings.Shape[0])).ToArray()).ToArray();
        var (length, width) = (rows.Max(row => row.Length), _tokenizer.InDim);
        var (history, mask) = (Tensor.Zeros<float>(rows.Length, length, width), Tensor.Zeros<long>(rows.Length, length));
        for (var i = 0; i < rows.Length; i++)
        {
            for (var (t, place) = (0, length - rows[i].Length); t < rows[i].Length; t++, place++)
            {
                items.Embeddings.Slice(rows[i][t] - 1).Span.CopyTo(history.Slice(i).Slice(place).Span);
                mask[i, place] = 1;
            }
        }

        var read = await ReadAsync(history, mask, Tau, cancel).ConfigureAwait(false);
        var tokens = _tokenizer.NumEmbList.Length + 2;
        var found = await SearchAsync(read, options.Beams, tokens, options.Ranges ? Places(_config.MaxCollision, tokens) : items.Names, cancel).ConfigureAwait(false);
        return [.. found.Select(list => FoundItems.Rank(list, hypothesis => items.Names.Find(hypothesis.Tokens) is >= 0 and var item ? (item + 1).ToString(CultureInfo.InvariantCulture) : null))];
    }

    private async Task<Catalogue> CatalogueAsync(CancellationToken cancel)
    {
        var embeddings = ItemFeatures.Read(Path.Combine(_folder, "item_emb.npy"), _tokenizer.InDim);
        var codes = await NumberAsync(embeddings, cancel).ConfigureAwait(false);
        return new(embeddings, new([.. Enumerable.Range(0, (int)codes.Shape[0]).Select(item => Tokens(codes.Slice(item).Span))]));
    }

    private sealed record Catalogue(Tensor<float> Embeddings, TokenTrie Names);
}
