// T2M-GPT: Generating Human Motion from Textual Descriptions with Discrete Representations. Zhang, Zhang, Cun, Huang, Zhang, Zhao, Lu, Shen. arXiv:2301.06052. github.com/Mael-zys/T2M-GPT
// Published layouts: VQVAE/net_last.pth (net) and VQTransformer/net_best_fid.pth (trans), the authors' options as args.json; for use, mean.npy, std.npy and clip/ (transformers' layout) beside them. Deviations: none.
using System.ComponentModel;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>The authors' command line, as <c>args.json</c>; defaults are those of the published model.</summary>
public sealed record T2mGptConfig : GeneratorArgs;

/// <summary>Options of generating with T2M-GPT.</summary>
public sealed record T2mGptOptions : ModelOptions
{
    /// <summary>Whether the likeliest tokens are taken.</summary>
    [Description("Take the likeliest tokens instead of drawing them.")]
    public bool Greedy { get; init; }
}

/// <summary>A causal transformer over the tokens of a VQ-VAE. Scopes are the authors'.</summary>
internal static class T2mGptNetwork
{
    /// <summary>Scores of the next token after the caption and after each token, the end among them. tokens (B, N), sentence (B, C) -> (B, 1 + N, codes + 1).</summary>
    public static Value Logits(Scope trans, Value tokens, Value sentence, T2mGptConfig config)
    {
        var (trunk, head) = (trans["trans_base"], trans["trans_head"]);
        var x = ValueShape.Concat(1, trunk["cond_emb"].Linear(sentence, config.EmbedDimGpt).Unsqueeze(1), trunk["tok_emb"].Embedding(tokens, config.NbCode + 2, config.EmbedDimGpt));
        x = trans.Stage("embedding", x + trunk["pos_embed"].Weight("embed", config.BlockSize, 1, config.EmbedDimGpt).Squeeze(1).Take(0, x.Shape[1]));
        var attention = new AttentionOptions { Heads = config.NHeadGpt, Causal = true };
        x = trans.Stage("trans_base", TransformerBlock.Stack(trunk["blocks"], x, config.NumLayers, attention, config.FfRate, "block_0"));
        x = TransformerBlock.Stack(head["blocks"], x, config.NumLayers, attention, config.FfRate);
        return head["head"].Linear(head["ln_f"].LayerNorm(x), config.NbCode + 1, bias: false);
    }
}

/// <summary>Motion tokens, and motions from words, token by token.</summary>
public sealed class T2mGptModel : MotionModel, IGenerate<Contracts.Motion, T2mGptOptions>
{
    private readonly T2mGptConfig _config;
    private readonly VqVae _tokenizer;
    private readonly Network _transformer;

    private T2mGptModel(ModelSource source, T2mGptConfig config, Checkpoint checkpoint, NetworkContext context)
        : base(source, checkpoint, new(config.Features, config.Unit, [config.NbCode], TokenLayout.Flat))
    {
        _config = config;
        _tokenizer = new(context, "t2m-gpt", config);
        _transformer = Network.Build(context, "t2m-gpt transformer", scope => Transformer(scope, config), independentRows: true);
        checkpoint.ThrowIfUnused(@"\.attn\.mask$", @"\.pos_embedding\.weight$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "motion/t2m-gpt",
            Paper = "T2M-GPT: Generating Human Motion from Textual Descriptions with Discrete Representations",
            ArXiv = "2301.06052",
            Authors = ["Jianrong Zhang", "Yangsong Zhang", "Xiaodong Cun", "Shaoli Huang", "Yong Zhang", "Hongwei Zhao", "Hongtao Lu", "Xi Shen"],
            Repository = "Mael-zys/T2M-GPT",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Motion, Modality.Text],
            Outputs = [Modality.Tokens, Modality.Motion],
            Layouts = ["authors: args.json + VQVAE/net_last.pth + VQTransformer/net_best_fid.pth"],
            Sizes =
            [
                new("Mael-zys/T2M-GPT: HumanML3D", 248_062_215, []),
                new("Mael-zys/T2M-GPT: KIT-ML", 248_025_339, []),
            ],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_tokenizer.Encoder, _tokenizer.Decoder, _transformer];

    /// <summary>The networks without a checkpoint, for the approved inventory.</summary>
    internal static void Build(Scope scope, T2mGptConfig config)
    {
        VqVae.Build(scope, config);
        Transformer(scope, config);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Contracts.Motion>> GenerateAsync(Prompt prompt, T2mGptOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var caption = await CaptionAsync(prompt.RequireText(), cancel).ConfigureAwait(false);
        long[] ids = [];
        await foreach (var rows in SampleAsync(caption.Sentence, options.Greedy ? null : Draws.Seeded(seed), cancel).ConfigureAwait(false))
        {
            ids = rows[0];
            yield return Generation<Contracts.Motion>.Progress(ids.Length, _config.BlockSize - 1);
        }

        if (ids.Length == 0) throw new ModelZooException(ErrorCodes.MediaMalformed, "The model ended the motion at once.") { Remedy = "Try another seed or other words." };
        yield return Generation<Contracts.Motion>.Final(ToMotion(await _tokenizer.DecodeAsync(ids, cancel).ConfigureAwait(false), int.MaxValue), _config.BlockSize - 1);
    }

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "encode":
                return (await _tokenizer.EncodeAsync(arguments.Tensor("motion"), cancel).ConfigureAwait(false)).ToResults();
            case "forward":
                return await _tokenizer.ForwardAsync(arguments.Tensor("motion"), cancel).ConfigureAwait(false);
            case "decode":
                return new CallResults().Add("decoded", await _tokenizer.DecodeAsync(arguments.Tensor("codes"), cancel).ConfigureAwait(false));
            case "logits":
                return (await _transformer.RunAsync(cancel, ("tokens", arguments.Tensor("tokens")), ("sentence", arguments.Tensor("text_embedding"))).ConfigureAwait(false)).ToResults();
            case "sample" or "generate":
                var draws = arguments.Literal("if_categorial", false) ? Draws.Given(arguments.FindTensor<float>("uniform")) : null;
                long[][] rows = [];
                await foreach (var step in SampleAsync(arguments.Tensor<float>("text_embedding"), draws, cancel).ConfigureAwait(false)) rows = step;
                var results = new CallResults().Add("sampled_tokens", rows.ToTensor());
                return call == "sample" ? results : results.Add("motion", await _tokenizer.DecodeAsync(rows.ToTensor(), cancel).ConfigureAwait(false));
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"T2M-GPT has no call '{call}'.") { Expected = "encode, forward, decode, logits, sample, generate" };
        }
    }

    /// <inheritdoc/>
    protected override Task<Tensor<int>> EncodeAsync(Tensor<float> motion, CancellationToken cancel) => _tokenizer.TokensAsync(motion, cancel);

    /// <inheritdoc/>
    protected override Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel) => _tokenizer.DecodeAsync(codes.ToCodes(), cancel);

    // The sequences so far, after each token. The first row's end ends all, and the last of a full sequence is dropped, as the authors do.
    private async IAsyncEnumerable<long[][]> SampleAsync(Tensor<float> sentence, Draws? draws, [EnumeratorCancellation] CancellationToken cancel)
    {
        var rows = Enumerable.Range(0, (int)sentence.Shape[0]).Select(_ => Array.Empty<long>()).ToArray();
        var width = _config.NbCode + 1;
        for (var k = 0; k < _config.BlockSize - 1; k++)
        {
            // What stands after the last token changes nothing before it: a sequence is never empty.
            var tokens = rows.Select(row => k == 0 ? [0] : row).ToArray().ToTensor();
            var logits = (await _transformer.RunAsync(cancel, ("tokens", tokens), ("sentence", sentence)).ConfigureAwait(false))["logits"];
            var uniform = draws?.Next(rows.Length * width) ?? [];
            var next = rows.Select((_, i) => (long)Draws.Choose(logits.Slice(i).Span.Slice(k * width, width), uniform.Length == 0 ? [] : uniform.AsSpan(i * width, width))).ToArray();
            if (next[0] == _config.NbCode) yield break;
            rows = [.. rows.Select((row, i) => (long[])[.. row, next[i]])];
            yield return rows;
        }
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<T2mGptConfig>(Path.Combine(source.RequireFolder(), "args.json")).Value;
        var checkpoint = PublishedParts.Open(source, new("vq", "VQVAE/net_last.pth", "net"), new("trans", "VQTransformer/net_best_fid.pth", "trans"));
        return ValueTask.FromResult<IModel>(new T2mGptModel(source, config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private static void Transformer(Scope scope, T2mGptConfig config)
    {
        var tokens = scope.Graph.Input("tokens", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("tokens")]);
        var sentence = scope.Graph.Input("sentence", [Dim.Symbol("batch"), config.ClipDim]);
        scope.Graph.Output("logits", T2mGptNetwork.Logits(scope["trans"], tokens, sentence, config));
    }
}
