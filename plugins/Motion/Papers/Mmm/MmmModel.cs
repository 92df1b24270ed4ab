// MMM: Generative Masked Motion Model. Pinyoanuntapong, Wang, Lee, Chen. arXiv:2312.03596. github.com/exitudio/MMM
// Published layouts: vq/net_last.pth (net) and t2m/net_last.pth (trans), the authors' options as args.json; for use, mean.npy, std.npy and clip/ (transformers' layout) beside them. Deviations: none.
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>Motion tokens, and motions from words: whole, in between given frames, or one after the other.</summary>
public sealed class MmmModel : MotionModel, IGenerate<Contracts.Motion, MmmOptions>
{
    private readonly MmmConfig _config;
    private readonly VqVae _tokenizer;
    private readonly Network _transformer;

    private MmmModel(ModelSource source, MmmConfig config, Checkpoint checkpoint, NetworkContext context)
        : base(source, checkpoint, new(config.Features, config.Unit, [config.NbCode], TokenLayout.Flat))
    {
        _config = config;
        _tokenizer = new(context, "mmm", config);
        _transformer = Network.Build(context, "mmm transformer", scope => Transformer(scope, config), independentRows: true);
        checkpoint.ThrowIfUnused(@"^trans\.trans_base\.vqvae\.", @"\.attn\.mask$", @"\.pos_embedding\.weight$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "motion/mmm",
            Paper = "MMM: Generative Masked Motion Model",
            ArXiv = "2312.03596",
            Authors = ["Ekkasit Pinyoanuntapong", "Pu Wang", "Minwoo Lee", "Chen Chen"],
            Repository = "exitudio/MMM",
            CodeLicense = "CC-BY-NC-ND-4.0",
            Inputs = [Modality.Motion, Modality.Text],
            Outputs = [Modality.Tokens, Modality.Motion],
            Layouts = ["authors: args.json + vq/net_last.pth + t2m/net_last.pth"],
            Sizes = [new("exitudio/MMM: HumanML3D", 254_749_575, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_tokenizer.Encoder, _tokenizer.Decoder, _transformer];

    /// <summary>The networks without a checkpoint, for the approved inventory.</summary>
    internal static void Build(Scope scope, MmmConfig config)
    {
        VqVae.Build(scope, config);
        Transformer(scope, config);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Contracts.Motion>> GenerateAsync(Prompt prompt, MmmOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var captions = prompt.RequireText().Split('|', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        // Without words a motion is of any kind.
        if (captions.Length == 0) captions = [""];
        var given = prompt.Media.Count > 0 ? prompt.Require<Contracts.Motion>() : null;
        if (given is null) ExpectNoEdit(options.EditFrom, options.EditTo);
        var draws = options.Greedy ? null : Draws.Seeded(seed);
        var parts = new List<long[]>();
        for (var i = 0; i < captions.Length; i++)
        {
            var caption = await CaptionAsync(captions[i], cancel).ConfigureAwait(false);
            var run = given is null ? Whole(options, draws) : await EditAsync(given, options, draws, cancel).ConfigureAwait(false);
            MaskedStep? last = null;
            await foreach (var step in SampleAsync(run, caption, cancel).ConfigureAwait(false))
            {
                last = step;
                yield return Generation<Contracts.Motion>.Progress(i * options.Steps + step.Step + 1, captions.Length * options.Steps);
            }

            parts.Add(last!.Outputs[0][..run.Lengths[0]]);
            if (i > 0) parts.Insert(parts.Count - 1, await TransitionAsync(parts[^2], parts[^1], caption, options, draws, cancel).ConfigureAwait(false));
        }

        long[] ids = [.. parts.SelectMany(part => part)];
        var motion = await _tokenizer.DecodeAsync(ids, cancel).ConfigureAwait(false);
        yield return Generation<Contracts.Motion>.Final(ToMotion(motion, captions.Length == 1 && given is null ? options.Frames : int.MaxValue), captions.Length * options.Steps);
    }

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => call switch
    {
        "encode" => (await _tokenizer.EncodeAsync(arguments.Tensor("motion"), cancel).ConfigureAwait(false)).ToResults(),
        "forward" => await _tokenizer.ForwardAsync(arguments.Tensor("motion"), cancel).ConfigureAwait(false),
        "decode" => await DecodeCallAsync(arguments, cancel).ConfigureAwait(false),
        "logits" => (await LogitsAsync(arguments.Tensor<long>("tokens"), Features(arguments), TokenKeys(arguments), cancel).ConfigureAwait(false)).ToResults(),
        "sample" or "inbetween" => await CollectAsync(Sampling(arguments), Features(arguments), cancel).ConfigureAwait(false),
        "inpaint" => await CollectAsync(Inpainting(arguments), Features(arguments), cancel).ConfigureAwait(false),
        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, $"MMM has no call '{call}'.") { Expected = "encode, forward, decode, logits, sample, inbetween, inpaint" },
    };

    /// <inheritdoc/>
    protected override Task<Tensor<int>> EncodeAsync(Tensor<float> motion, CancellationToken cancel) => _tokenizer.TokensAsync(motion, cancel);

    /// <inheritdoc/>
    protected override Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel) => _tokenizer.DecodeAsync(codes.ToCodes(), cancel);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<MmmConfig>(Path.Combine(source.RequireFolder(), "args.json")).Value;
        var checkpoint = PublishedParts.Open(source, new("vq", "vq/net_last.pth", "net"), new("trans", "t2m/net_last.pth", "trans"));
        return ValueTask.FromResult<IModel>(new MmmModel(source, config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private static void Transformer(Scope scope, MmmConfig config)
    {
        Dim batch = Dim.Symbol("batch"), count = Dim.Symbol("tokens");
        var g = scope.Graph;
        var tokens = g.Input("tokens", ElementType.Int64, [batch, count]);
        var sentence = g.Input("sentence", [batch, config.ClipDim]);
        var words = g.Input("words", [batch, Dim.Symbol("words"), config.ClipDim]);
        var keys = g.Input("keys", ElementType.Int64, [batch, count + 1]);
        g.Output("logits", MmmNetwork.Logits(scope["trans"], tokens, sentence, words, keys, config));
    }

    private MaskedSampling Whole(MmmOptions options, Draws? draws) => Limited(new()
    {
        Codes = _config.NbCode,
        Slots = _config.BlockSize - 1,
        Lengths = [(options.Frames + _config.Unit - 1) / _config.Unit],
        MaxSteps = options.Steps,
        Draws = draws,
    });

    // Frames in between are made anew, those around them are kept.
    private async Task<MaskedSampling> EditAsync(Contracts.Motion given, MmmOptions options, Draws? draws, CancellationToken cancel)
    {
        var codes = (await EncodeAsync(Normalize(given), cancel).ConfigureAwait(false)).Span.ToArray();
        var run = Limited(new() { Codes = _config.NbCode, Slots = _config.BlockSize - 1, Lengths = [codes.Length], MaxSteps = options.Steps, Draws = draws });
        int Token(int frame) => (int)Math.Round((double)frame / _config.Unit);
        var (from, to) = (Token(options.EditFrom ?? (int)given.Features.Shape[0] / 4), Token(options.EditTo ?? (int)given.Features.Shape[0] * 3 / 4));
        if (from >= to || to > codes.Length) throw new OptionsException(ErrorCodes.OptionRange, "There are no such frames to make anew.") { Where = "edit_from, edit_to", Expected = $"0..{codes.Length * _config.Unit}", Found = $"{options.EditFrom}..{options.EditTo}" };
        return run with { Condition = [[.. Enumerable.Range(0, run.Slots).Select(i => i < codes.Length && (i < from || i >= to) ? codes[i] : (long)run.Mask)]] };
    }

    // Half of either motion stays, a few tokens between them are made in one step.
    private async Task<long[]> TransitionAsync(long[] left, long[] right, CaptionFeatures caption, MmmOptions options, Draws? draws, CancellationToken cancel)
    {
        static int Half(int count) => count / 2 is var half && half >= 24 ? half - 1 : half;
        var (before, after, gap) = (Half(left.Length), Half(right.Length), options.TransitionTokens);
        var run = Limited(new() { Codes = _config.NbCode, Slots = _config.BlockSize - 1, Lengths = [before + gap + after], MaxSteps = 1, Draws = draws });
        long[] condition = [.. left[^before..], .. Enumerable.Repeat((long)run.Mask, gap), .. right[..after]];
        run = run with { Condition = [[.. condition, .. Enumerable.Repeat((long)run.Mask, run.Slots - condition.Length)]] };
        long[] made = [];
        await foreach (var step in SampleAsync(run, caption, cancel).ConfigureAwait(false)) made = step.Outputs[0][before..(before + gap)];
        return made;
    }

    private MaskedSampling Limited(MaskedSampling run) => run.Lengths[0] < run.Slots
        ? run
        : throw new OptionsException(ErrorCodes.OptionRange, "The motion is longer than the model makes.") { Where = "frames", Expected = $"at most {(run.Slots - 1) * _config.Unit}", Found = $"{run.Lengths[0] * _config.Unit}" };

    private IAsyncEnumerable<MaskedStep> SampleAsync(MaskedSampling run, CaptionFeatures caption, CancellationToken cancel)
    {
        var keys = run.Keys();
        return MaskedSampler.RunAsync(run, async ids => WithoutFirst((await LogitsAsync(ids, caption, keys, cancel).ConfigureAwait(false))["logits"]));
    }

    private Task<NetworkOutputs> LogitsAsync(Tensor<long> ids, CaptionFeatures caption, Tensor<long> keys, CancellationToken cancel) =>
        _transformer.RunAsync(cancel, ("tokens", ids), ("sentence", caption.Sentence), ("words", caption.Words), ("keys", keys));

    private async Task<CallResults> CollectAsync(MaskedSampling run, CaptionFeatures caption, CancellationToken cancel)
    {
        var steps = new List<MaskedStep>();
        await foreach (var step in SampleAsync(run, caption, cancel).ConfigureAwait(false)) steps.Add(step);
        return new CallResults()
            .Add("step_tokens", steps.SelectMany(step => step.Inputs).ToArray().ToTensor().Reshape(steps.Count, run.Lengths.Length, run.Slots))
            .Add("sampled_tokens", steps[^1].Outputs.ToTensor());
    }

    private MaskedSampling Sampling(CallArguments arguments) => new()
    {
        Codes = _config.NbCode,
        Slots = _config.BlockSize - 1,
        Lengths = Array.ConvertAll(arguments.Tensor("lengths").ToNumbers(), frames => (frames + 3) / 4),
        MaxSteps = arguments.Literal("max_steps", 10),
        Condition = arguments.FindTensor<long>("token_cond")?.ToRows(),
        Draws = Draws.Of(arguments),
    };

    private MaskedSampling Inpainting(CallArguments arguments)
    {
        var (first, last, gap) = (arguments.Tensor<long>("first_tokens").ToRows()[0], arguments.Tensor<long>("last_tokens").ToRows()[0], arguments.Literal("inpaint_len", 2));
        var slots = _config.BlockSize - 1;
        var mask = (long)_config.NbCode + 2;
        long[] condition = [.. first, .. Enumerable.Repeat(mask, gap), .. last];
        return new()
        {
            Codes = _config.NbCode,
            Slots = slots,
            Lengths = [condition.Length],
            MaxSteps = 20,
            Condition = [[.. condition, .. Enumerable.Repeat(mask, slots - condition.Length)]],
            RestoreCondition = true,
            StopEarly = false,
            Draws = Draws.Of(arguments),
        };
    }

    // Each motion is decoded alone, as long as it is; what follows is zero.
    private async Task<CallResults> DecodeCallAsync(CallArguments arguments, CancellationToken cancel)
    {
        var codes = arguments.Tensor<long>("codes");
        if (!arguments.Has("lengths")) return new CallResults().Add("motion", await _tokenizer.DecodeAsync(codes, cancel).ConfigureAwait(false));
        var lengths = arguments.Tensor("lengths").ToNumbers();
        var motion = Tensor.Zeros<float>(lengths.Length, lengths.Max(), _config.Features);
        for (var i = 0; i < lengths.Length; i++)
        {
            var own = codes.Slice(i).Span[..((lengths[i] + 3) / 4)].ToArray();
            var decoded = await _tokenizer.DecodeAsync(own, cancel).ConfigureAwait(false);
            decoded.Span[..Math.Min(lengths[i] * _config.Features, decoded.Length)].CopyTo(motion.Slice(i).Span);
        }

        return new CallResults().Add("motion", motion);
    }

    private static CaptionFeatures Features(CallArguments arguments) => new(arguments.Tensor<float>("text_embedding"), arguments.Tensor<float>("word_embedding"));

    // The caption is seen by all.
    private static Tensor<long> TokenKeys(CallArguments arguments)
    {
        var mask = arguments.Tensor<long>("token_mask");
        return mask.ToRows().Select(row => (long[])[1, .. row]).ToArray().ToTensor();
    }

    /// <summary>Scores (B, 1 + N, K) without those of the caption's place.</summary>
    internal static Tensor<float> WithoutFirst(Tensor<float> logits)
    {
        var (rows, columns, width) = ((int)logits.Shape[0], (int)logits.Shape[1] - 1, (int)logits.Shape[2]);
        var rest = Tensor.Zeros<float>(rows, columns, width);
        for (var i = 0; i < rows; i++) logits.Slice(i).Span[width..].CopyTo(rest.Slice(i).Span);
        return rest;
    }
}
