// Order-agnostic Identifier for Large Language Model-based Generative Recommendation (SETRec). Lin, Shi, Wang, Feng, Wang, Ng, Chua. arXiv:2502.10833. github.com/Linxyhaha/SETRec
// What both forms share: an item is a set of vectors (one of collaborative filtering, some of its text), the language model gives as many at once, and items are scored by inner products.
// Published layout: the language model's folder, adapter.pth ({tokenizer, input_proj, input_embeds[, query]}); the run's arguments, which the authors pass by hand, in setrec.json.
// Deviations: the prompt's token ids are read from setrec.json (instruction_ids, response_ids), since the plugin brings no text tokenizer; LoRA adapters are to be merged.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>Arguments of the authors' scripts.</summary>
public sealed record SetRecConfig
{
    [Range(1, 256)] public int NQuery { get; init; } = 2;
    [Range(1, 1)] public int NCf { get; init; } = 1;
    [Range(0, 255)] public int NSem { get; init; } = 1;
    [Range(1, 1 << 20)] public int InputDim { get; init; } = 64;
    [Range(1, 1 << 20)] public int InDim { get; init; } = 768;
    public int[] Layers { get; init; } = [512, 256, 128];
    public bool Bn { get; init; }
    /// <summary>Token ids of the words before the items: "What would user be likely to purchase next after buying items".</summary>
    public int[]? InstructionIds { get; init; }
    /// <summary>Token ids of the words after them: "?;".</summary>
    public int[]? ResponseIds { get; init; }
}

/// <summary>Options of recommending with SETRec.</summary>
public sealed record SetRecOptions : ModelOptions
{
    /// <summary>Items that are ranked.</summary>
    [Description("Items to rank.")]
    [Range(1, 1000)]
    public int Count { get; init; } = 20;

    /// <summary>Longest history.</summary>
    [Description("How many of the last items the model sees.")]
    [Range(1, 1000)]
    public int History { get; init; } = 50;

    /// <summary>Weight of the semantic tokens.</summary>
    [Description("Weight of the semantic tokens; one minus it is that of the collaborative token.")]
    [Range(0.0, 1.0)]
    public double Beta { get; init; } = 0.4;
}

/// <summary>The item tokenizer, and what both language models take and give. Scopes are the authors'.</summary>
internal static class SetRecNetwork
{
    /// <summary>Autoencoder over text features (items, in) and projection of embeddings (items, input): the tokens of each item (items, 1 + sem, D).</summary>
    public static void Tokenize(Scope adapter, SetRecConfig config, int width)
    {
        var g = adapter.Graph;
        var items = Dim.Symbol("items");
        var cf = adapter["input_proj"].Linear(g.Input("item_embeddings", [items, config.InputDim]), width);
        g.Output("cf_tokens", cf);
        if (config.NSem == 0)
        {
            g.Output("tokens", cf.Unsqueeze(1));
            return;
        }

        Func<Scope, Value, Value>? norm = config.Bn ? ItemMlp.BatchNorm : null;
        var flat = ItemMlp.Build(adapter["tokenizer.encoder.mlp_layers"], g.Input("item_features", [items, config.InDim]), [.. config.Layers, config.NSem * width], norm);
        var semantic = flat.Reshape(items, config.NSem, width);
        g.Output("semantic_tokens", semantic.Swap(0, 1));
        g.Output("reconstruction", ItemMlp.Build(adapter["tokenizer.decoder.mlp_layers"], flat, [.. config.Layers.Reverse(), config.InDim], norm));
        g.Output("tokens", ValueShape.Concat(1, cf.Unsqueeze(1), semantic));
    }

    /// <summary>The prompt with the items' tokens in it: (B, instruction + items tokens + response, D), and its mask.</summary>
    public static (Value Input, Value Mask) Prompt(Scope words, long vocabulary, SetRecConfig config, int width)
    {
        var g = words.Graph;
        Dim batch = Dim.Symbol("batch"), history = Dim.Symbol("history");
        Value Words(string name) => words.Embedding(g.Input(name, ElementType.Int64, [Dim.Symbol(name)]), vocabulary, width).Unsqueeze(0).Expand(batch, Dim.Symbol(name), width);
        Value Ones(Value embedded) => g.Scalar(ElementType.Int64, 1).Expand(batch, embedded.Shape[1]);
        var ids = g.Input("item_ids", ElementType.Int64, [batch, history]);
        var tokens = g.Input("tokens", [Dim.Symbol("known"), config.NQuery, width]).Gather(ids).Reshape(batch, history * config.NQuery, width);
        var (before, after) = (Words("instruction_ids"), Words("response_ids"));
        var mask = g.Input("item_mask", ElementType.Int64, [batch, history * config.NQuery]);
        return (ValueShape.Concat(1, before, tokens, after), ValueShape.Concat(1, Ones(before), mask, Ones(after)));
    }

    /// <summary>Inner products of the queries (B, Q, D) with the tokens of every item, weighted: (B, items).</summary>
    public static Value Scores(Value queries, SetRecConfig config)
    {
        var g = queries.Graph;
        var known = g.Input("known_tokens", [Dim.Symbol("items"), config.NQuery, queries.Shape[2]]);
        var each = queries.Swap(0, 1).MatMul(known.Transpose(1, 2, 0));                                                     // (Q, B, items)
        return (each * g.Input("weights", [config.NQuery, 1, 1])).Sum(0);
    }
}

/// <summary>Histories in, ranked items out: no search, every item is scored.</summary>
public abstract class SetRecModel : IModel, IGenerate<Items, SetRecOptions>, IEvaluate, IReferenceCalls
{
    private const int RankingLength = 10;
    private readonly string _folder;
    private readonly Checkpoint _checkpoint;
    private readonly Network _tokenizer;
    private volatile Tensor<float>? _tokens;

    private protected SetRecModel(string folder, SetRecConfig config, int width, Checkpoint checkpoint, NetworkContext context)
    {
        (_folder, Config, _checkpoint) = (folder, config, checkpoint);
        if (config.NQuery != 1 + config.NSem) throw new ModelZooException(ErrorCodes.ConfigInvalid, "Queries and tokens of an item differ in number.") { Where = Path.Combine(folder, "setrec.json"), Expected = $"n_query {1 + config.NSem}", Found = $"{config.NQuery}" };
        _tokenizer = Network.Build(context, "setrec tokenizer", scope => SetRecNetwork.Tokenize(scope, config, width));
    }

    /// <inheritdoc/>
    public ModelFacts Facts => ItemFacts.Of(_checkpoint, [_tokenizer, LanguageModel], new("items", $"{Embeddings.Shape[0] - 1}"), new("tokens of an item", $"{Config.NQuery} vectors"));

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Items;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => ItemFacts.Metrics;

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<SetRecOptions>();

    /// <summary>The language model with the prompt and the scores around it.</summary>
    protected abstract Network LanguageModel { get; }

    private protected SetRecConfig Config { get; }

    // (items + 1, input); the first is the padding item.
    private Tensor<float> Embeddings
    {
        get
        {
            var data = WeightConversion.ToFloat32(_checkpoint.Get("input_embeds.0.weight"));
            return Tensor.Create(data.Span<float>().ToArray(), [.. data.Shape]);
        }
    }

    /// <summary>A weight of the scores as the model holds it.</summary>
    private protected virtual float HeldWeight(double weight) => (float)weight;

    /// <summary>Inputs of the language model beyond the prompt's, which follow from the lengths and the mask.</summary>
    private protected abstract IEnumerable<(string Name, Tensor Tensor)> Places(int instruction, int response, Tensor<long> itemMask);

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Items>> GenerateAsync(Prompt prompt, SetRecOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        yield return Generation<Items>.Final(await RecommendAsync(prompt.Require<Items>(), options, cancel).ConfigureAwait(false), 1);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var ranked = await RecommendAsync(example.Media.Expect<Items>(), options.Expect<SetRecOptions>(), cancel).ConfigureAwait(false);
            yield return new(example.Id, example.Target, ranked) { Label = example.Label };
        }
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "tokenize":
                var tokenized = await TokenizeAsync(arguments.FindTensor<float>("item_features"), arguments.Tensor<float>("item_embeddings"), cancel).ConfigureAwait(false);
                // As in the authors' model, items stay tokenized for the predictions that follow.
                _tokens = await WithPaddingAsync(tokenized["tokens"], cancel).ConfigureAwait(false);
                return tokenized.ToResults();
            case "predict":
                var mask = arguments.Tensor<long>("item_mask");
                var outputs = await PredictAsync(arguments.Tensor<long>("item_ids"), mask, arguments.Tensor<long>("instruction_ids"), arguments.Tensor<long>("response_ids"), arguments.Literal("beta", 0.4), cancel).ConfigureAwait(false);
                return outputs.ToResults().Add("ranking", Ranking(outputs["scores"]));
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"SETRec has no call '{call}'.") { Expected = "tokenize, predict" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _tokenizer.Dispose();
        LanguageModel.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    // One history at a time, as published: padding would move the places of shorter ones.
    private async Task<Items> RecommendAsync(Items history, SetRecOptions options, CancellationToken cancel)
    {
        static Tensor<long> Ids(int[]? ids, string what) => ids is { Length: > 0 } ? Tensor.Create(Array.ConvertAll(ids, id => (long)id), ids.Length)
            : throw new CheckpointException(ErrorCodes.CheckpointMissing, "The prompt's token ids are not there.") { Where = "setrec.json", Expected = what };
        _tokens ??= await PublishedTokensAsync(cancel).ConfigureAwait(false);
        var known = _tokens.Shape[0] - 1;
        var items = history.NotEmpty().TakeLast(options.History).Select(id => (long)ItemFeatures.Number(id, 1, known)).ToArray();
        var mask = Tensor.Zeros<long>(1, items.Length * Config.NQuery);
        mask.Span.Fill(1);
        var outputs = await PredictAsync(Tensor.Create(items, 1, items.Length), mask, Ids(Config.InstructionIds, "instruction_ids"), Ids(Config.ResponseIds, "response_ids"), options.Beta, cancel).ConfigureAwait(false);
        var order = outputs["scores"].Span.ToArray().Index().OrderByDescending(item => item.Item).Take(options.Count).ToArray();
        return new([.. order.Select(item => (item.Index + 1).ToString(CultureInfo.InvariantCulture))], [.. order.Select(item => (double)item.Item)]);
    }

    private Task<NetworkOutputs> PredictAsync(Tensor<long> ids, Tensor<long> mask, Tensor<long> instruction, Tensor<long> response, double beta, CancellationToken cancel)
    {
        var tokens = _tokens ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, "No items are tokenized yet.") { Remedy = "Call tokenize first." };
        var known = new Tensor<float>(tokens.Memory[(tokens.Length / (int)tokens.Shape[0])..], [tokens.Shape[0] - 1, .. tokens.Shape[1..]]);
        var weights = Tensor.Create([HeldWeight(1 - beta), .. Enumerable.Repeat(HeldWeight(beta), Config.NSem)], Config.NQuery, 1, 1);
        return LanguageModel.RunAsync(cancel,
            [("item_ids", ids), ("item_mask", mask), ("instruction_ids", instruction), ("response_ids", response), ("tokens", tokens), ("known_tokens", known), ("weights", weights),
             .. Places((int)instruction.Shape[0], (int)response.Shape[0], mask)]);
    }

    private Task<NetworkOutputs> TokenizeAsync(Tensor<float>? features, Tensor<float> embeddings, CancellationToken cancel) => Config.NSem == 0
        ? _tokenizer.RunAsync(cancel, ("item_embeddings", embeddings))
        : _tokenizer.RunAsync(cancel, ("item_embeddings", embeddings), ("item_features", features ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, "Semantic tokens need the items' text features.") { Where = "item_features" }));

    // The padding item: the projection of its zero embedding, and zeros.
    private async Task<Tensor<float>> WithPaddingAsync(Tensor<float> tokens, CancellationToken cancel)
    {
        var nothing = await TokenizeAsync(Config.NSem == 0 ? null : Tensor.Zeros<float>(1, Config.InDim), Tensor.Zeros<float>(1, Config.InputDim), cancel).ConfigureAwait(false);
        var all = Tensor.Zeros<float>(tokens.Shape[0] + 1, tokens.Shape[1], tokens.Shape[2]);
        nothing["cf_tokens"].Span.CopyTo(all.Span);
        tokens.Span.CopyTo(all.Span[(int)(tokens.Shape[1] * tokens.Shape[2])..]);
        return all;
    }

    // From the adapter's embeddings and the published features, NAME.emb-ENCODER-tdcb.npy.
    private async Task<Tensor<float>> PublishedTokensAsync(CancellationToken cancel)
    {
        var embeddings = Embeddings;
        var items = new Tensor<float>(embeddings.Memory[(int)embeddings.Shape[1]..], [embeddings.Shape[0] - 1, embeddings.Shape[1]]);
        var file = Directory.EnumerateFiles(_folder, "*.emb-*.npy").Order(StringComparer.Ordinal).FirstOrDefault();
        if (file is null && Config.NSem > 0) throw new CheckpointException(ErrorCodes.CheckpointMissing, "The items' text features are not there.") { Where = _folder, Expected = "NAME.emb-ENCODER-tdcb.npy" };
        var tokens = await TokenizeAsync(file is null ? null : ItemFeatures.Read(file, Config.InDim), items, cancel).ConfigureAwait(false);
        return await WithPaddingAsync(tokens["tokens"], cancel).ConfigureAwait(false);
    }

    private static Tensor<long> Ranking(Tensor<float> scores)
    {
        var (users, length) = ((int)scores.Shape[0], Math.Min(RankingLength, (int)scores.Shape[1]));
        return Tensor.Create([.. Enumerable.Range(0, users).SelectMany(user => scores.Slice(user).Span.ToArray().Index().OrderByDescending(item => item.Item).Take(length).Select(item => (long)item.Index))], users, length);
    }
}
