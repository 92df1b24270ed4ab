// BAMM: Bidirectional Autoregressive Motion Model. Pinyoanuntapong, Saleem, Wang, Lee, Das, Chen. arXiv:2403.19435. github.com/exitudio/BAMM
// Published layouts: a folder each for residual tokenizer, transformer and residual transformer, with opt.txt and model/*.tar; for use, mean.npy, std.npy and clip/ (transformers' layout) beside them. Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>Options of generating with BAMM; defaults are the authors'.</summary>
public sealed record BammOptions : ModelOptions
{
    /// <summary>Length in frames.</summary>
    [Description("Frames to make, 20 a second; the model ends the motion itself when left out.")]
    [Range(4, 196)]
    public int? Frames { get; init; }

    /// <summary>Guidance of the first pass.</summary>
    [Description("Guidance of the first pass; 1 is none.")]
    [Range(0, 100)]
    public double Guidance { get; init; } = 4;

    /// <summary>Guidance of the other layers.</summary>
    [Description("Guidance of the residual layers; 1 is none.")]
    [Range(0, 100)]
    public double ResidualGuidance { get; init; } = 5;

    /// <summary>Whether the likeliest tokens are taken.</summary>
    [Description("Take the likeliest tokens of the first layer instead of drawing them.")]
    public bool Greedy { get; init; }
}

/// <summary>Motion tokens in layers, and motions from words, whose length the model knows.</summary>
public sealed class BammModel : ResidualMotionModel, IGenerate<Contracts.Motion, BammOptions>
{
    // Constants of the authors' code.
    private const int Steps = 49, Slots = Steps + 1;
    private const float SecondScale = 3;

    private readonly Network _transformer;

    private BammModel(ModelSource source, ResidualMotionConfig config, Checkpoint checkpoint, NetworkContext context) : base(source, config, checkpoint, context)
    {
        _transformer = Network.Build(context, "bamm transformer", scope => Transformer(scope, config), independentRows: true);
        checkpoint.ThrowIfUnused(@"clip_model\.");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "motion/bamm",
            Paper = "BAMM: Bidirectional Autoregressive Motion Model",
            ArXiv = "2403.19435",
            Authors = ["Ekkasit Pinyoanuntapong", "Muhammad Usama Saleem", "Pu Wang", "Minwoo Lee", "Srijan Das", "Chen Chen"],
            Repository = "exitudio/BAMM",
            CodeLicense = "none stated",
            Inputs = [Modality.Motion, Modality.Text],
            Outputs = [Modality.Tokens, Modality.Motion],
            Layouts = ["authors: rvq, trans and res, each with opt.txt + model/*.tar"],
            Sizes = [new("exitudio/BAMM: HumanML3D", 50_263_560, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override Network Base => _transformer;

    private int End => Config.Tokenizer.NbCode;

    private int Pad => End + 1;

    /// <summary>The tensors of a size, for the approved inventory.</summary>
    internal static IReadOnlyList<string> Inventory(ResidualMotionConfig config) => Inventory(config, Transformer);

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Contracts.Motion>> GenerateAsync(Prompt prompt, BammOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var sentence = (await CaptionAsync(prompt.RequireText(), cancel).ConfigureAwait(false)).Sentence;
        var draws = options.Greedy ? null : Draws.Seeded(seed);
        Passes? last = null;
        await foreach (var passes in GenerateTokensAsync(sentence, (float)options.Guidance, options.Frames is { } frames ? [Math.Clamp(frames / Format.Unit, 1, Steps)] : null, draws, cancel).ConfigureAwait(false))
        {
            last = passes;
            yield return Generation<Contracts.Motion>.Progress(passes.Step, 2 * Steps + 1);
        }

        var first = Tensor.Create(last!.Base[0][..last.Lengths[0]], 1, last.Lengths[0]);
        var (tokens, _) = await FillAsync(first, sentence, last.Lengths, new((float)options.ResidualGuidance, 1, 0.9, Draws.Seeded(~seed)), layers: -1, cancel).ConfigureAwait(false);
        yield return Generation<Contracts.Motion>.Final(await ToMotionAsync(tokens, cancel).ConfigureAwait(false), 2 * Steps + 1);
    }

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (await CallSharedAsync(call, arguments, cancel).ConfigureAwait(false) is { } shared) return shared;
        switch (call)
        {
            case "logits":
                return (await LogitsAsync(arguments.Tensor<long>("tokens").ToRows(), arguments.Tensor<float>("text_embedding"), arguments.FindTensor<long>("condition_tokens")?.ToRows(), cancel).ConfigureAwait(false)).ToResults();
            case "guided_logits":
                return new CallResults().Add("guided_logits", await GuidedAsync(arguments.Tensor<long>("tokens").ToRows(), arguments.Tensor<float>("text_embedding"), arguments.FindTensor<long>("condition_tokens")?.ToRows(), arguments.Literal("cond_scale", 3f), cancel).ConfigureAwait(false));
            case "generate":
                Passes? last = null;
                var lengths = arguments.Literal("is_predict_len", true) ? null : arguments.Tensor("lengths").ToNumbers();
                await foreach (var passes in GenerateTokensAsync(arguments.Tensor<float>("text_embedding"), arguments.Literal<float>("cond_scale"), lengths, Sampling(arguments), cancel).ConfigureAwait(false)) last = passes;
                return new CallResults().Add("first_pass_tokens", last!.First.ToTensor()).Add("second_pass_tokens", last.Second.ToTensor()).Add("base_tokens", last.Base.ToTensor())
                    .Add("token_lengths", Tensor.Create(Array.ConvertAll(last.Lengths, length => (long)length), last.Lengths.Length));
            case "edit":
                return new CallResults().Add("edited_tokens", (await EditAsync(arguments.Tensor<long>("condition_tokens").ToRows(), Sampling(arguments), cancel).ConfigureAwait(false)).ToTensor());
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"BAMM has no call '{call}'.") { Expected = "encode, forward, decode, motion, logits, guided_logits, generate, edit, residual, residual_logits" };
        }
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = ResidualMotionConfig.Read(source);
        var checkpoint = PublishedParts.Open(source, ResidualMotionConfig.Parts);
        return ValueTask.FromResult<IModel>(new BammModel(source, config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private static void Transformer(Scope scope, ResidualMotionConfig config)
    {
        Dim batch = Dim.Symbol("batch"), count = Dim.Symbol("tokens");
        var g = scope.Graph;
        var (tokens, sentence) = (g.Input("tokens", ElementType.Int64, [batch, count]), g.Input("sentence", [batch, ResidualMotionConfig.ClipDim]));
        var bias = g.Input("bias", [batch, 1, count + 1, count + 1]);
        g.Output("logits", MoMaskNetwork.Bidirectional(scope["trans"], tokens, sentence, bias, config.Tokenizer, config.Base));
    }

    /// <summary>What the two passes have made so far.</summary>
    private sealed record Passes(int Step, long[][] First, long[][] Second, long[][] Base, int[] Lengths);

    // The first pass makes all tokens, and the length unless that is given; the second makes the first half anew, knowing the second half and the end.
    private async IAsyncEnumerable<Passes> GenerateTokensAsync(Tensor<float> sentence, float scale, int[]? lengths, Draws? draws, [EnumeratorCancellation] CancellationToken cancel)
    {
        var rows = Enumerable.Range(0, (int)sentence.Shape[0]).Select(_ => Enumerable.Repeat((long)Pad, Slots).ToArray()).ToArray();
        for (var k = 0; k < Steps; k++)
        {
            Put(rows, k, await GuidedAsync(rows, sentence, null, scale, cancel).ConfigureAwait(false), withEnd: lengths is null, draws);
            yield return new(k + 1, rows, [], [], []);
        }

        var first = Copy(rows);
        lengths ??= [.. rows.Select(Length)];
        for (var row = 0; row < rows.Length; row++) rows[row][lengths[row]] = End;
        var conditions = rows.Select((ids, row) => ids.Select((id, i) => id == End || (i < lengths[row] && i >= Math.Max(1, (int)Math.Round(0.5 * lengths[row]))) ? id : Pad).ToArray()).ToArray();
        for (var k = 0; k < Steps; k++)
        {
            Put(rows, k, await GuidedAsync(rows, sentence, conditions, SecondScale, cancel).ConfigureAwait(false), withEnd: false, draws);
            yield return new(Steps + k + 1, first, rows, [], lengths);
        }

        var second = Copy(rows);
        Restore(rows, conditions);
        yield return new(2 * Steps, first, second, rows, lengths);
    }

    // Where the motion ends; one that ends at once becomes a token long. What follows the end is padding.
    private int Length(long[] ids)
    {
        if (ids[0] >= End) (ids[0], ids[1]) = (0, End);
        var length = Array.FindIndex(ids, id => id >= End);
        Array.Fill(ids, Pad, length + 1, ids.Length - length - 1);
        return length;
    }

    private async Task<long[][]> EditAsync(long[][] conditions, Draws? draws, CancellationToken cancel)
    {
        var rows = Copy(conditions);
        var silent = Tensor.Zeros<float>(rows.Length, ResidualMotionConfig.ClipDim);
        for (var k = 0; k < rows[0].Length; k++)
        {
            Put(rows, k, (await LogitsAsync(rows, silent, conditions, cancel).ConfigureAwait(false))["logits"], withEnd: false, draws);
            Restore(rows, conditions);
        }

        return rows;
    }

    private void Put(long[][] rows, int k, Tensor<float> logits, bool withEnd, Draws? draws)
    {
        var (width, columns) = ((int)logits.Shape[1], (int)logits.Shape[2]);
        var uniform = draws?.Next(rows.Length * width) ?? [];
        for (var row = 0; row < rows.Length; row++)
        {
            var own = new float[withEnd ? width : width - 1];
            for (var id = 0; id < own.Length; id++) own[id] = logits.Span[(row * width + id) * columns + k];
            var max = own.Max();
            var log = MathF.Log(own.Sum(logit => MathF.Exp(logit - max)));
            for (var id = 0; id < own.Length; id++) own[id] = own[id] - max - log;
            rows[row][k] = Draws.Choose(own, uniform.Length == 0 ? [] : uniform.AsSpan(row * width, own.Length));
        }
    }

    private void Restore(long[][] rows, long[][] conditions)
    {
        for (var row = 0; row < rows.Length; row++)
        {
            for (var i = 0; i < rows[row].Length; i++)
            {
                if (conditions[row][i] != Pad) rows[row][i] = conditions[row][i];
            }
        }
    }

    private async Task<Tensor<float>> GuidedAsync(long[][] rows, Tensor<float> sentence, long[][]? conditions, float scale, CancellationToken cancel)
    {
        var conditional = (await LogitsAsync(rows, sentence, conditions, cancel).ConfigureAwait(false))["logits"];
        return Guide(conditional, (await LogitsAsync(rows, Tensor.Zeros<float>(sentence.Shape), conditions, cancel).ConfigureAwait(false))["logits"], scale);
    }

    private Task<NetworkOutputs> LogitsAsync(long[][] rows, Tensor<float> sentence, long[][]? conditions, CancellationToken cancel) =>
        _transformer.RunAsync(cancel, ("tokens", rows.ToTensor()), ("sentence", sentence), ("bias", Bias(rows, conditions)));

    // Causal; with conditions, everyone sees the caption and them, and they see only each other. (B, 1, 1 + N, 1 + N)
    private Tensor<float> Bias(long[][] rows, long[][]? conditions)
    {
        var size = rows[0].Length + 1;
        var bias = Tensor.Zeros<float>(rows.Length, 1, size, size);
        for (var row = 0; row < rows.Length; row++)
        {
            bool Known(int place) => conditions is not null && (place == 0 || conditions[row][place - 1] != Pad);
            for (var query = 0; query < size; query++)
            {
                for (var key = 0; key < size; key++)
                {
                    if (!Known(key) && (key > query || Known(query))) bias[row, 0, query, key] = AttentionLayers.Masked;
                }
            }
        }

        return bias;
    }

    private static Draws? Sampling(CallArguments arguments) => arguments.Literal("sampling", "categorical") == "argmax" ? null : Draws.Given(arguments.FindTensor<float>("uniform"));

    private static long[][] Copy(long[][] rows) => [.. rows.Select(row => row.ToArray())];
}
