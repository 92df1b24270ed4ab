// Learnable Item Tokenization for Generative Recommendation (LETTER), its TIGER form. Wang, Bao, Lin, Zhang, Li, Feng, Ng, Chua. arXiv:2405.07314. github.com/HonghuiBao2000/LETTER (LETTER-TIGER)
// TIGER: Recommender Systems with Generative Retrieval. Rajput et al. arXiv:2305.05065.
// Published layout: a T5ForConditionalGeneration folder (config.json + model.safetensors), the item index NAME.index.json ({"item": ["<a_1>", ...]}) and the tokenizer's vocab.json. Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>Options of recommending.</summary>
public sealed record RecommendOptions : ModelOptions
{
    /// <summary>Beams, which are also the items that are returned.</summary>
    [Description("Width of the beam search: so many items are ranked.")]
    [Range(1, 500)]
    public int Beams { get; init; } = 20;

    /// <summary>Longest history.</summary>
    [Description("How many of the last items the model sees.")]
    [Range(1, 1000)]
    public int History { get; init; } = 20;
}

/// <summary>The published configuration: T5's, with its special tokens.</summary>
public sealed record LetterTigerConfig
{
    [Range(0, int.MaxValue)] public int DecoderStartTokenId { get; init; }
    [Range(0, int.MaxValue)] public int EosTokenId { get; init; } = 1;
    [Range(0, int.MaxValue)] public int PadTokenId { get; init; }
}

/// <summary>Histories in, ranked items out: the next item's tokens are generated under the constraint that they are some item's.</summary>
public sealed class LetterTigerModel : IModel, IGenerate<Items, RecommendOptions>, IEvaluate, IReferenceCalls
{
    private const int EvaluationBatch = 16;
    private readonly T5Config _t5;
    private readonly LetterTigerConfig _config;
    private readonly Checkpoint _checkpoint;
    private readonly ItemIndex? _index;
    private readonly Network _encoder;
    private readonly NetworkCache<int> _decoders;

    private LetterTigerModel(string folder, Checkpoint checkpoint, NetworkContext context)
    {
        _checkpoint = checkpoint;
        _t5 = PublishedConfig.Read<T5Config>(folder).Value;
        _config = PublishedConfig.Read<LetterTigerConfig>(folder).Value;
        _index = ItemIndex.Find(folder, _config.EosTokenId);
        var (batch, length) = (Dim.Symbol("batch"), Dim.Symbol("length"));
        _encoder = Network.Build(context, "tiger encoder", scope =>
        {
            var (ids, mask) = (scope.Graph.Input("input_ids", ElementType.Int64, [batch, length]), scope.Graph.Input("attention_mask", ElementType.Int64, [batch, length]));
            var states = T5Encoder.Encode(scope, ids, _t5, mask).LastHiddenState;
            scope.Graph.Output("states", states);
            scope.Graph.Output("encoder_last_hidden_state", states * mask.Cast(ElementType.Float32).Unsqueeze(-1));
        });
        _decoders = new(beams => Network.Build(context, "tiger decoder", scope =>
        {
            var g = scope.Graph;
            var ids = g.Input("ids", ElementType.Int64, [beams * batch, Dim.Symbol("prefix")]);
            var states = g.Input("states", [batch, length, _t5.DModel]);
            g.Output("logits", T5Decoder.Logits(scope, ids, states, g.Input("attention_mask", ElementType.Int64, [batch, length]), _t5, beams));
        }));
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "recommenders/letter-tiger",
            Paper = "Learnable Item Tokenization for Generative Recommendation",
            ArXiv = "2405.07314",
            Authors = ["Wenjie Wang", "Honghui Bao", "Xinyu Lin", "Jizhi Zhang", "Yongqi Li", "Fuli Feng", "See-Kiong Ng", "Tat-Seng Chua"],
            Repository = "HonghuiBao2000/LETTER",
            CodeLicense = "none stated",
            Inputs = [Modality.Items],
            Outputs = [Modality.Items],
            Layouts = ["T5: config.json + model.safetensors, NAME.index.json, vocab.json"],
            Sizes = [new("HonghuiBao2000/LETTER: LETTER-TIGER", 8_572_032, [])],
        },
        (source, _) =>
        {
            var checkpoint = source.OpenCheckpoint();
            return ValueTask.FromResult<IModel>(new LetterTigerModel(source.RequireFolder(), checkpoint, NetworkContext.Of(source, checkpoint)));
        });

    /// <inheritdoc/>
    public ModelFacts Facts => ItemFacts.Of(_checkpoint, [_encoder, .. _decoders.Built], _index is null ? [] : [new("items", $"{_index.Count}"), new("tokens of an item", $"{_index.Levels}")]);

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Items>> GenerateAsync(Prompt prompt, RecommendOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var ranked = await RecommendAsync([prompt.Require<Items>()], options, cancel).ConfigureAwait(false);
        yield return Generation<Items>.Final(ranked[0], 1);
    }

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Items;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => ItemFacts.Metrics;

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<RecommendOptions>();

    /// <inheritdoc/>
    public int BatchSize(ModelOptions options) => EvaluationBatch;

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var asked = options.Expect<RecommendOptions>();
        await foreach (var batch in examples.Chunk(EvaluationBatch).WithCancellation(cancel).ConfigureAwait(false))
        {
            var ranked = await RecommendAsync([.. batch.Select(example => example.Media.Expect<Items>())], asked, cancel).ConfigureAwait(false);
            // Items of equal tokens cannot be told apart: as published, one counts for the other.
            for (var i = 0; i < batch.Length; i++) yield return new(batch[i].Id, batch[i].Target is Items target ? new Items([.. target.Ids.Select(_index!.Canonical)]) : null, ranked[i]) { Label = batch[i].Label };
        }
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        var (ids, mask) = (arguments.Tensor<long>("input_ids"), arguments.Tensor<long>("attention_mask"));
        var encoded = await _encoder.RunAsync(cancel, ("input_ids", ids), ("attention_mask", mask)).ConfigureAwait(false);
        switch (call)
        {
            case "forward":
                var decoded = await DecodeAsync(1, arguments.Tensor("decoder_input_ids"), encoded["states"], mask, cancel).ConfigureAwait(false);
                return new CallResults().Add("encoder_last_hidden_state", encoded["encoder_last_hidden_state"]).AddRange(decoded.ToResults());
            case "generate":
                var (beams, items) = (arguments.Literal("num_beams", 20), arguments.Tensor<long>("items").ToRows());
                // Items have one length, so that stopping early and the token limit change nothing.
                var levels = items[0].Length;
                if (arguments.Literal("max_new_tokens", levels + 1) <= levels) throw new ModelZooException(ErrorCodes.VerbUnsupported, "The limit leaves no room for an item.") { Where = "max_new_tokens" };
                _ = arguments.Literal("early_stopping", true);
                var trie = new TokenTrie(items, _config.EosTokenId);
                var found = await SearchAsync(trie, levels, beams, encoded["states"], mask, cancel).ConfigureAwait(false);
                return new CallResults()
                    .Add("sequences", FoundItems.Sequences(found, [.. found.Select(_ => (int[])[_config.DecoderStartTokenId])]))
                    .Add("sequences_scores", FoundItems.Table(found, hypothesis => (float)hypothesis.Score))
                    .Add("item_ranking", FoundItems.Table(found, hypothesis => (long)trie.Find(hypothesis.Tokens[..^1])));
            case "score_items":
                return new CallResults().Add("item_log_probability", await ScoreAsync(arguments.Tensor<long>("items"), encoded["states"], mask, cancel).ConfigureAwait(false));
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"LETTER-TIGER has no call '{call}'.") { Expected = "forward, generate, score_items" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _encoder.Dispose();
        _decoders.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<IReadOnlyList<Items>> RecommendAsync(IReadOnlyList<Items> histories, RecommendOptions options, CancellationToken cancel)
    {
        var index = _index ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "The folder has no item index.") { Expected = "NAME.index.json and vocab.json" };
        var rows = histories.Select(history => history.NotEmpty().TakeLast(options.History).SelectMany(index.Tokens).Append(_config.EosTokenId).ToArray()).ToArray();
        var length = rows.Max(row => row.Length);
        var (ids, mask) = (Tensor.Zeros<long>(rows.Length, length), Tensor.Zeros<long>(rows.Length, length));
        ids.Span.Fill(_config.PadTokenId);
        for (var i = 0; i < rows.Length; i++)
        {
            for (var t = 0; t < rows[i].Length; t++) (ids[i, t], mask[i, t]) = (rows[i][t], 1);
        }

        var encoded = await _encoder.RunAsync(cancel, ("input_ids", ids), ("attention_mask", mask)).ConfigureAwait(false);
        var ranked = await SearchAsync(index.Trie, index.Levels, options.Beams, encoded["states"], mask, cancel).ConfigureAwait(false);
        return [.. ranked.Select(list => FoundItems.Rank(list, found => index.Name(found.Tokens[..^1])))];
    }

    // Trie-constrained beam search; the end token is generated too and counts as length.
    private async Task<IReadOnlyList<IReadOnlyList<BeamHypothesis>>> SearchAsync(TokenTrie trie, int levels, int beams, Tensor<float> states, Tensor<long> mask, CancellationToken cancel)
    {
        var model = new RecomputingModel(async (prefixes, stop) => (await DecodeAsync(beams, prefixes, states, mask, stop).ConfigureAwait(false))["logits"]);
        var search = new BeamSearch(beams, levels + 1) { Constraint = trie, EndTokens = new HashSet<int> { _config.EosTokenId } };
        var start = Tensor.Create([.. Enumerable.Repeat(_config.DecoderStartTokenId, (int)states.Shape[0])], states.Shape[0], 1);
        return await search.SearchAsync(model, start, beams, cancel).ConfigureAwait(false);
    }

    private Task<NetworkOutputs> DecodeAsync(int beams, Tensor ids, Tensor states, Tensor mask, CancellationToken cancel) =>
        _decoders[beams].RunAsync(cancel, ("ids", ids), ("states", states), ("attention_mask", mask));

    // The sum of every token's log probability, end token included, for every item: no search.
    private async Task<Tensor<float>> ScoreAsync(Tensor<long> items, Tensor<float> states, Tensor<long> mask, CancellationToken cancel)
    {
        var (users, count, levels) = ((int)states.Shape[0], (int)items.Shape[0], (int)items.Shape[1]);
        var prefixes = Tensor.Zeros<long>(users * count, levels + 1);
        for (var row = 0; row < users * count; row++)
        {
            prefixes[row, 0] = _config.DecoderStartTokenId;
            items.Slice(row % count).Span.CopyTo(prefixes.Slice(row).Span[1..]);
        }

        var logits = (await DecodeAsync(count, prefixes, states, mask, cancel).ConfigureAwait(false))["logits"];
        var scores = Tensor.Zeros<float>(users, count);
        for (var row = 0; row < users * count; row++)
        {
            var sum = 0.0;
            for (var t = 0; t <= levels; t++)
            {
                var values = logits.Slice(row).Slice(t).Span;
                LogitProcessing.LogSoftmax(values);
                sum += values[t < levels ? (int)items[row % count, t] : _config.EosTokenId];
            }

            scores.Span[row] = (float)sum;
        }

        return scores;
    }
}
