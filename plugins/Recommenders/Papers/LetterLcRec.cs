// Learnable Item Tokenization for Generative Recommendation (LETTER), its LC-Rec form. Wang, Bao, Lin, Zhang, Li, Feng, Ng, Chua. arXiv:2405.07314. github.com/HonghuiBao2000/LETTER (LETTER-LC-Rec)
// LC-Rec: Adapting Large Language Models by Integrating Collaborative Semantics for Recommendation. Zheng et al. arXiv:2311.09049.
// Published layout: a LlamaForCausalLM folder (config.json + model.safetensors, the LoRA adapter merged) whose added tokens are the items'; NAME.index.json, added_tokens.json.
// Deviations: the words around a history are read as token ids from prompt.json beside the weights, {"before": [..], "between": [..], "after": [..]}, since the plugin brings no text tokenizer.
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.LanguageModels;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>The prompt around a history, as token ids: of the authors' words, the separator last.</summary>
public sealed record LcRecPrompt
{
    /// <summary>What stands before the items.</summary>
    [MinLength(1)] public int[] Before { get; init; } = [];
    /// <summary>What stands between two items.</summary>
    public int[] Between { get; init; } = [];
    /// <summary>What stands after the items; ends with the separator ("Response:").</summary>
    [MinLength(1)] public int[] After { get; init; } = [];
}

/// <summary>The prompt is read once and its keys and values are kept; what the beams add is a few tokens, computed anew each step.</summary>
internal static class LcRecNetwork
{
    /// <summary>ids (B, N), mask (B, N) with 0 for padding, positions (B, N) -> logits (B, N, V); every layer's keys and values are outputs too.</summary>
    public static void Prompt(Scope model, LlamaConfig config, bool keep)
    {
        var g = model.Graph;
        Shape shape = [Dim.Symbol("batch"), Dim.Symbol("length")];
        var (ids, mask, positions) = (g.Input("ids", ElementType.Int64, shape), g.Input("mask", ElementType.Int64, shape), g.Input("positions", ElementType.Int64, shape));
        var bias = AttentionMasks.Padding(mask) + AttentionMasks.Causal(g, shape[1], shape[1]);                              // (B, 1, N, N)
        var h = Llama.Decode(model["model"], Llama.Embed(model["model"], ids, config), config, positions, (layer, q, k, v, options) =>
        {
            if (keep) Keep(g, layer, k, v);
            return AttentionLayers.Attention(q, k, v, options with { Causal = false, Bias = bias });
        });
        g.Output("logits", Llama.Logits(model, h, config));
    }

    /// <summary>Tokens after a prompt of one user, in beams. ids (beams, L), prompt keys and values (1, N, kv) -> logits of the last place (beams, V).</summary>
    public static void Continue(Scope model, LlamaConfig config)
    {
        var g = model.Graph;
        Dim beams = Dim.Symbol("beams"), added = Dim.Symbol("added"), length = Dim.Symbol("length");
        var ids = g.Input("ids", ElementType.Int64, [beams, added]);
        var positions = g.Input("positions", ElementType.Int64, [beams, added]);
        long width = config.KeyValueHeads * config.HeadWidth;
        var kept = Enumerable.Range(0, config.NumHiddenLayers).Select(layer => (Keys: g.Input($"keys_{layer}", [1, length, width]), Values: g.Input($"values_{layer}", [1, length, width]))).ToArray();
        Value After(Value before, Value x) => ValueShape.Concat(1, before.Expand(beams, length, width), x);
        var h = Llama.Decode(model["model"], Llama.Embed(model["model"], ids, config), config, positions, (layer, q, k, v, options) =>
            AttentionLayers.Attention(q, After(kept[layer].Keys, k), After(kept[layer].Values, v), options), oneByOne: true);
        g.Output("logits", Llama.Logits(model, h.Last(1, 1).Squeeze(1), config));
    }

    private static void Keep(Graph g, int layer, Value k, Value v)
    {
        g.Output($"keys_{layer}", k);
        g.Output($"values_{layer}", v);
    }
}

/// <summary>Histories in, ranked items out: a language model continues the prompt, each token being some item's at that place.</summary>
public sealed class LetterLcRecModel : IModel, IGenerate<Items, RecommendOptions>, IEvaluate, IReferenceCalls
{
    private const float NoItem = -1000;
    private readonly string _folder;
    private readonly LlamaConfig _config;
    private readonly Checkpoint _checkpoint;
    private readonly ItemIndex? _index;
    private readonly Lazy<Network> _prompt, _continue, _forward;

    private LetterLcRecModel(string folder, LlamaConfig config, Checkpoint checkpoint, NetworkContext context)
    {
        (_folder, _config, _checkpoint) = (folder, config, checkpoint);
        _index = ItemIndex.Find(folder, config.EosTokenId);
        _prompt = new(() => Network.Build(context, "lc-rec prompt", scope => LcRecNetwork.Prompt(scope, config, keep: true)));
        _continue = new(() => Network.Build(context, "lc-rec continuation", scope => LcRecNetwork.Continue(scope, config)));
        _forward = new(() => Network.Build(context, "lc-rec", scope => LcRecNetwork.Prompt(scope, config, keep: false)));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "recommenders/letter-lcrec",
            Paper = "Learnable Item Tokenization for Generative Recommendation",
            ArXiv = "2405.07314",
            Authors = ["Wenjie Wang", "Honghui Bao", "Xinyu Lin", "Jizhi Zhang", "Yongqi Li", "Fuli Feng", "See-Kiong Ng", "Tat-Seng Chua"],
            Repository = "HonghuiBao2000/LETTER",
            CodeLicense = "none stated",
            Inputs = [Modality.Items],
            Outputs = [Modality.Items],
            Layouts = ["transformers: LlamaForCausalLM, NAME.index.json, added_tokens.json, prompt.json"],
            Sizes = [new("HonghuiBao2000/LETTER: LETTER-LC-Rec, LLaMA-7B", 6_738_415_616, [])],
            Deviations = "The words around a history are token ids in prompt.json.",
        },
        (source, _) =>
        {
            var folder = source.RequireFolder();
            var checkpoint = source.OpenCheckpoint();
            return ValueTask.FromResult<IModel>(new LetterLcRecModel(folder, PublishedConfig.Read<LlamaConfig>(folder).Value, checkpoint, NetworkContext.Of(source, checkpoint)));
        });

    /// <inheritdoc/>
    public ModelFacts Facts => ItemFacts.Of(_checkpoint, Built, _index is null ? [] : [new("items", $"{_index.Count}"), new("tokens of an item", $"{_index.Levels}")]);

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Items;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => ItemFacts.Metrics;

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<RecommendOptions>();

    private IEnumerable<Network> Built => new[] { _prompt, _continue, _forward }.Where(network => network.IsValueCreated).Select(network => network.Value);

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Items>> GenerateAsync(Prompt prompt, RecommendOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        yield return Generation<Items>.Final(await RecommendAsync(prompt.Require<Items>(), options, cancel).ConfigureAwait(false), 1);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var asked = options.Expect<RecommendOptions>();
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var ranked = await RecommendAsync(example.Media.Expect<Items>(), asked, cancel).ConfigureAwait(false);
            yield return new(example.Id, example.Target is Items target ? new Items([.. target.Ids.Select(_index!.Canonical)]) : null, ranked) { Label = example.Label };
        }
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        var (ids, mask) = (arguments.Tensor<long>("input_ids"), arguments.FindTensor<long>("attention_mask"));
        mask ??= Filled(ids.Shape);
        switch (call)
        {
            case "forward":
                var logits = (await _forward.Value.RunAsync(cancel, ("ids", ids), ("mask", mask), ("positions", Positions(mask))).ConfigureAwait(false))["logits"];
                for (var i = 0; i < mask.Length; i++)
                {
                    if (mask.Span[i] == 0) logits.Span.Slice(i * (int)logits.Shape[2], (int)logits.Shape[2]).Clear();
                }

                return new CallResults().Add("logits", logits);
            case "generate":
                return await GenerateCallAsync(ids, mask, arguments, cancel).ConfigureAwait(false);
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"LETTER-LC-Rec has no call '{call}'.") { Expected = "forward, generate" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var network in Built) network.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<Items> RecommendAsync(Items history, RecommendOptions options, CancellationToken cancel)
    {
        var index = _index ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "The folder has no item index.") { Where = _folder, Expected = "NAME.index.json and added_tokens.json" };
        var words = PublishedConfig.Read<LcRecPrompt>(Path.Combine(_folder, "prompt.json")).Value;
        int[] prompt = [.. words.Before, .. history.NotEmpty().TakeLast(options.History).SelectMany((item, i) => i == 0 ? index.Tokens(item) : [.. words.Between, .. index.Tokens(item)]), .. words.After];
        var found = await SearchAsync(prompt, PlaceSets(index.Sequences, _config.EosTokenId), 0, options.Beams, index.Levels + 1, cancel).ConfigureAwait(false);
        // A token set a place allows combinations that are no item: as published, they are left out.
        return FoundItems.Rank(found, hypothesis => index.Name(hypothesis.Tokens[..^1]));
    }

    private async Task<CallResults> GenerateCallAsync(Tensor<long> ids, Tensor<long> mask, CallArguments arguments, CancellationToken cancel)
    {
        var items = arguments.Tensor<long>("items").ToRows();
        var (beams, end) = (arguments.Literal("num_beams", 20), arguments.Literal("eos_token_id", _config.EosTokenId));
        var separator = arguments.Tensor<long>("separator").Span.ToArray().Select(id => (int)id).ToArray();
        var (limit, early) = (arguments.Literal("max_new_tokens", 10), arguments.Literal("early_stopping", true));
        var (found, names) = (new List<IReadOnlyList<BeamHypothesis>>(), new TokenTrie(items));
        for (var user = 0; user < ids.Shape[0]; user++)
        {
            int[] prompt = [.. Enumerable.Range(0, (int)ids.Shape[1]).Where(t => mask[user, t] != 0).Select(t => (int)ids[user, t])];
            found.Add(await SearchAsync(prompt, PlaceSets(items, end), AfterSeparator(prompt, separator), beams, limit, cancel, early).ConfigureAwait(false));
        }

        long Item(BeamHypothesis hypothesis) => names.Find([.. hypothesis.Tokens.TakeWhile(token => token != end)]);
        // Sequences that are no item go last, in their order.
        var ranked = found.Select(list => (IReadOnlyList<BeamHypothesis>)[.. list.OrderByDescending(hypothesis => Item(hypothesis) >= 0 ? hypothesis.Score : NoItem)]).ToArray();
        return new CallResults()
            .Add("sequences", FoundItems.Sequences(found, ids.ToRows()))
            .Add("sequences_scores", FoundItems.Table(found, hypothesis => (float)hypothesis.Score))
            .Add("item_of_sequence", FoundItems.Table(found, Item))
            .Add("item_ranking", FoundItems.Table(ranked, Item));
    }

    private async Task<IReadOnlyList<BeamHypothesis>> SearchAsync(int[] prompt, IReadOnlyList<IReadOnlySet<int>> sets, int start, int beams, int limit, CancellationToken cancel, bool early = true)
    {
        var search = new BeamSearch(beams, limit)
        {
            Constraint = new TokenSets(sets, start),
            EndTokens = new HashSet<int>(sets[^1]),
            EarlyStopping = early ? EarlyStopping.Immediately : EarlyStopping.Heuristic,
        };
        var before = Tensor.Create(Array.ConvertAll(prompt, id => (long)id), 1, prompt.Length);
        var mask = Filled(before.Shape);
        var read = await _prompt.Value.RunAsync(cancel, ("ids", before), ("mask", mask), ("positions", Positions(mask))).ConfigureAwait(false);
        var kept = Enumerable.Range(0, _config.NumHiddenLayers).SelectMany(layer => (string[])[$"keys_{layer}", $"values_{layer}"]).Select(name => (name, (Tensor)read[name])).ToArray();
        var model = new RecomputingModel(async (sequences, stop) =>
        {
            var (rows, added) = (sequences.Shape[0], (int)sequences.Shape[1]);
            var positions = Tensor.Zeros<long>(rows, added);
            for (var i = 0; i < positions.Length; i++) positions.Span[i] = prompt.Length - 1 + i % added;
            return (await _continue.Value.RunAsync(stop, [("ids", sequences), ("positions", positions), .. kept]).ConfigureAwait(false))["logits"];
        });
        // The last token of the prompt is fed again, so that the first step is like the others.
        for (var i = 0; i < kept.Length; i++) kept[i].Item2 = WithoutLast((Tensor<float>)kept[i].Item2);
        return await search.SearchAsync(model, [prompt[^1]], beams, cancel).ConfigureAwait(false);
    }

    // Any id that some item has at a place, and the end token after the last.
    private static IReadOnlyList<IReadOnlySet<int>> PlaceSets(IReadOnlyList<int[]> items, int end) =>
        [.. Enumerable.Range(0, items[0].Length).Select(level => (IReadOnlySet<int>)items.Select(item => item[level]).ToHashSet()), new HashSet<int> { end }];

    // Tokens of the prompt after the last separator.
    private static int AfterSeparator(int[] prompt, int[] separator)
    {
        for (var after = 0; after + separator.Length <= prompt.Length; after++)
        {
            if (prompt.AsSpan()[^(after + separator.Length)..^after].SequenceEqual(separator)) return after;
        }

        throw new ModelZooException(ErrorCodes.VerbUnsupported, "A prompt lacks the separator.") { Where = "separator", Found = string.Join(", ", separator) };
    }

    private static Tensor<float> WithoutLast(Tensor<float> kept) => new(kept.Memory[..^(int)kept.Shape[2]], [1, kept.Shape[1] - 1, kept.Shape[2]]);

    private static Tensor<long> Filled(ReadOnlySpan<long> shape)
    {
        var ones = Tensor.Zeros<long>(shape);
        ones.Span.Fill(1);
        return ones;
    }

    // Positions count the tokens that are not padding; padding has 1, as published.
    private static Tensor<long> Positions(Tensor<long> mask)
    {
        var positions = Tensor.Zeros<long>(mask.Shape);
        for (var row = 0; row < mask.Shape[0]; row++)
        {
            var count = 0L;
            for (var t = 0; t < mask.Shape[1]; t++) positions[row, t] = mask[row, t] == 0 ? 1 : count++;
        }

        return positions;
    }
}
