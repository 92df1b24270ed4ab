// Think Before You Move: Latent Motion Reasoning for Text-to-Motion Generation. Qian, Wang, Feng, Xu, Lu, Liu, Sun, Chen, Liu, Wang. arXiv:2512.24100. github.com/chenhaoqcdyq/lmr-codes
// Published layouts: dual_tokenizer/checkpoint.pth (net) and GPT/checkpoint.pth (trans), each with train_config.json; for use, meta/mean.npy, meta/std.npy and clip/ (transformers' layout) beside them.
// Deviations: sequences are computed anew for each token instead of with a cache, which gives the same.
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>A causal transformer with embeddings and heads of their own for the thought and for the motion. Scopes are the authors'.</summary>
internal static class LmrNetwork
{
    /// <summary>Scores of the next token after the caption and each token. tokens (B, N), sentence (B, C), keys (B, 1 + N) of either half -> (B, 1 + N, ids + 1).</summary>
    public static Value Logits(Scope trans, Value tokens, Value sentence, Value trunkKeys, Value headKeys, LmrConfig config)
    {
        var (trunk, head) = (trans["trans_base"], trans["trans_head"]);
        Value Embed(int kind) => trunk["tok_emb"][kind].Embedding(tokens, config.Vocabulary + 2, config.EmbedDimGpt);
        Value Score(string name, int kind, Value h) => head[name].Linear(head["ln_f"][kind].LayerNorm(h), config.Vocabulary + 1, bias: false);

        var x = ValueShape.Concat(1, trunk["cond_emb"].Linear(sentence, config.EmbedDimGpt).Unsqueeze(1), Thinking(tokens, config).Where(Embed(0), Embed(1)));
        x = trans.Stage("embedding", x + trunk["pos_embed"].Weight("embed", config.BlockSize, 1, config.EmbedDimGpt).Squeeze(1).Take(0, x.Shape[1]));
        x = trans.Stage("trans_base", TransformerBlock.Stack(trunk["blocks"], x, config.NumLayers, Attention(trunkKeys, config), config.FfRate, "block_0"));
        x = TransformerBlock.Stack(head["blocks"], x, config.NumLayers, Attention(headKeys, config), config.FfRate);
        // The caption's place counts here.
        return Thinking(x.At(2, 0), config).Where(Score("sem_heads", 0, x), Score("recon_heads", 1, x));
    }

    private static AttentionOptions Attention(Value keys, LmrConfig config) => new() { Heads = config.NHeadGpt, Causal = true, Bias = AttentionMasks.Padding(keys) };

    // Places within the thought: (1, N, 1).
    private static Value Thinking(Value sequence, LmrConfig config) =>
        AttentionLayers.Range(sequence.Graph, sequence.Shape[1]).Less(sequence.Graph.Constant([(long)config.Semantics])).Unsqueeze(0, 2);
}

/// <summary>Motion tokens, one a frame, and motions from words that are thought over first.</summary>
public sealed class LmrModel : MotionModel, IGenerate<Contracts.Motion, LmrOptions>
{
    private readonly LmrConfig _config;
    private readonly VqVae _tokenizer;
    private readonly Network _transformer;

    private LmrModel(ModelSource source, LmrTokenizerConfig tokenizer, LmrConfig config, Checkpoint checkpoint, NetworkContext context)
        : base(source, checkpoint, new(tokenizer.Features, tokenizer.Unit, [tokenizer.NbCode], TokenLayout.Flat))
    {
        _config = config;
        _tokenizer = new(context, "lmr", tokenizer);
        _transformer = Network.Build(context, "lmr transformer", scope => Transformer(scope, config), independentRows: true);
        checkpoint.ThrowIfUnused(@"\.attn\.mask$", @"\.pos_embedding\.weight$", @"\.uncond_embedding$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "motion/lmr",
            Paper = "Think Before You Move: Latent Motion Reasoning for Text-to-Motion Generation",
            ArXiv = "2512.24100",
            Authors = ["Yijie Qian", "Juncheng Wang", "Yuxiang Feng", "Chao Xu", "Wang Lu", "Yang Liu", "Baigui Sun", "Yiqiang Chen", "Yong Liu", "Shujun Wang"],
            Repository = "chenhaoqcdyq/lmr-codes",
            CodeLicense = "MIT",
            Inputs = [Modality.Motion, Modality.Text],
            Outputs = [Modality.Tokens, Modality.Motion],
            Layouts = ["authors: dual_tokenizer and GPT, each with train_config.json + checkpoint.pth"],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_tokenizer.Encoder, _tokenizer.Decoder, _transformer];

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Contracts.Motion>> GenerateAsync(Prompt prompt, LmrOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var caption = await CaptionAsync(prompt.RequireText(), cancel).ConfigureAwait(false);
        var run = new LmrSampling(_config.Vocabulary, _config.Semantics, options.MinFrames, options.TopP, null, null, options.Greedy ? null : Draws.Seeded(seed));
        long[] ids = [];
        await foreach (var rows in SampleAsync(run, caption.Sentence, (float)options.Guidance, cancel).ConfigureAwait(false))
        {
            ids = [.. rows[0].Ids.Skip(_config.Semantics).TakeWhile(id => id < _config.Vocabulary)];
            yield return Generation<Contracts.Motion>.Progress(rows[0].Ids.Count, _config.BlockSize);
        }

        yield return Generation<Contracts.Motion>.Final(ToMotion(await _tokenizer.DecodeAsync(Array.ConvertAll(ids, ToCode), cancel).ConfigureAwait(false), int.MaxValue), _config.BlockSize);
    }

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                return (await _tokenizer.EncodeAsync(arguments.Tensor("motion"), cancel).ConfigureAwait(false)).ToResults();
            case "decode" or "motion":
                return new CallResults().Add(call == "decode" ? "decoded" : "motion", await _tokenizer.DecodeAsync(arguments.Tensor("codes"), cancel).ConfigureAwait(false));
            case "logits":
                var tokens = arguments.Tensor<long>("tokens");
                var all = Keys((int)tokens.Shape[0], (int)tokens.Shape[1], _ => null);
                var thoughts = arguments.Has("semantic_lengths") ? arguments.Tensor("semantic_lengths").ToNumbers() : null;
                return (await LogitsAsync(tokens, arguments.Tensor<float>("text_embedding"), all, Keys((int)tokens.Shape[0], (int)tokens.Shape[1], row => thoughts?[row]), cancel).ConfigureAwait(false)).ToResults();
            case "sample":
                double? Option(string name) => arguments.Has(name) ? arguments.Literal<double>(name) : null;
                var draws = arguments.Literal("if_categorial", false) ? Draws.Given(arguments.FindTensor<float>("uniform")) : null;
                var run = new LmrSampling(_config.Vocabulary, _config.Semantics, arguments.Literal("min_motion_len", 0), arguments.Literal("topp", 0.96), Option("temperature_sem"), Option("temperature_motion"), draws);
                LmrRow[] last = [];
                await foreach (var rows in SampleAsync(run, arguments.Tensor<float>("text_embedding"), arguments.Literal("cond_scale", 1f), cancel).ConfigureAwait(false)) last = rows;
                return new CallResults().Add("sampled_tokens", last.Select(row => row.Ids.ToArray()).ToArray().ToTensor());
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"LMR has no call '{call}'.") { Expected = "encode, decode, motion, logits, sample" };
        }
    }

    /// <inheritdoc/>
    protected override Task<Tensor<int>> EncodeAsync(Tensor<float> motion, CancellationToken cancel) => _tokenizer.TokensAsync(motion, cancel);

    /// <inheritdoc/>
    protected override Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel) => _tokenizer.DecodeAsync(codes.ToCodes(), cancel);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        PublishedPart[] parts = [new("vq", "dual_tokenizer/checkpoint.pth", "net"), new("trans", "GPT/checkpoint.pth", "trans")];
        string Options(int part) => Path.Combine(source.RequireFolder(), Path.GetDirectoryName(source.Parts.Count > part ? source.Parts[part].File : parts[part].File)!, "train_config.json");
        var (tokenizer, config) = (PublishedConfig.Read<LmrTokenizerConfig>(Options(0)).Value, PublishedConfig.Read<LmrConfig>(Options(1)).Value);
        var checkpoint = PublishedParts.Open(source, parts);
        return ValueTask.FromResult<IModel>(new LmrModel(source, tokenizer, config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private static void Transformer(Scope scope, LmrConfig config)
    {
        Dim batch = Dim.Symbol("batch"), count = Dim.Symbol("tokens");
        var g = scope.Graph;
        var (tokens, sentence) = (g.Input("tokens", ElementType.Int64, [batch, count]), g.Input("sentence", [batch, config.ClipDim]));
        var (trunk, head) = (g.Input("trunk_keys", ElementType.Int64, [batch, count + 1]), g.Input("head_keys", ElementType.Int64, [batch, count + 1]));
        g.Output("logits", LmrNetwork.Logits(scope["trans"], tokens, sentence, trunk, head, config));
    }

    // The rows after each token. What the caption says is guided against silence, whose padding after the thought is seen, as published.
    private async IAsyncEnumerable<LmrRow[]> SampleAsync(LmrSampling run, Tensor<float> sentence, float scale, [EnumeratorCancellation] CancellationToken cancel)
    {
        var rows = Enumerable.Range(0, (int)sentence.Shape[0]).Select(_ => new LmrRow(run)).ToArray();
        var (silent, width) = (Tensor.Zeros<float>(sentence.Shape), _config.Vocabulary + 1);
        for (var k = 0; k < _config.BlockSize && !rows.All(row => row.Finished); k++)
        {
            // What stands after the last token changes nothing before it: a sequence is never empty.
            var tokens = rows.Select(row => k == 0 ? [0] : row.Ids.ToArray()).ToArray().ToTensor();
            var count = (int)tokens.Shape[1];
            var (seen, all) = (Keys(rows.Length, count, row => rows[row].Thought), Keys(rows.Length, count, _ => null));
            var logits = (await LogitsAsync(tokens, sentence, seen, seen, cancel).ConfigureAwait(false))["logits"];
            if (scale != 1) logits = ResidualMotionModel.Guide(logits, (await LogitsAsync(tokens, silent, all, all, cancel).ConfigureAwait(false))["logits"], scale);
            var uniform = run.Draws?.Next(rows.Length * width) ?? [];
            for (var i = 0; i < rows.Length; i++) rows[i].Append(logits.Slice(i).Span.Slice(k * width, width), uniform.Length == 0 ? [] : uniform.AsSpan(i * width, width));
            yield return rows;
        }
    }

    private Task<NetworkOutputs> LogitsAsync(Tensor<long> tokens, Tensor<float> sentence, Tensor<long> trunk, Tensor<long> head, CancellationToken cancel) =>
        _transformer.RunAsync(cancel, ("tokens", tokens), ("sentence", sentence), ("trunk_keys", trunk), ("head_keys", head));

    // The padding between a thought's end and the motion is not seen. (rows, 1 + count)
    private Tensor<long> Keys(int rows, int count, Func<int, int?> thought) =>
        Tensor.Create(Enumerable.Range(0, rows).SelectMany(row => Enumerable.Range(-1, count + 1).Select(i => thought(row) is { } length && i > length && i < _config.Semantics ? 0L : 1)).ToArray(), rows, count + 1);

    // With ids of their own, motion codes follow the thought's and a separator.
    private long ToCode(long id) => _config.TestNb != 0 && id > _config.NbCode ? id - _config.NbCode - 1 : id;
}
