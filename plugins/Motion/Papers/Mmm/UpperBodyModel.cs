// MMM: Generative Masked Motion Model. Pinyoanuntapong, Wang, Lee, Chen. arXiv:2312.03596. github.com/exitudio/MMM: the variant that edits the upper body.
// Published layouts: vq/net_last.pth (net) and t2m/net_last.pth (trans), the authors' options as args.json; for use, mean.npy, std.npy and clip/ (transformers' layout) beside them. Deviations: none.
using System.ComponentModel;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>Options of editing the upper body.</summary>
public sealed record UpperBodyOptions : ModelOptions
{
    /// <summary>Whether the likeliest tokens are taken.</summary>
    [Description("Take the likeliest tokens instead of drawing them.")]
    public bool Greedy { get; init; }
}

/// <summary>Motion tokens for the upper and the lower body, and a given motion with another upper body.</summary>
public sealed class UpperBodyModel : MotionModel, IGenerate<Contracts.Motion, UpperBodyOptions>
{
    // The authors fix it, whatever the length.
    private const int Steps = 20;

    private readonly MmmConfig _config;
    private readonly Network _encoder, _decoder, _transformer;

    private UpperBodyModel(ModelSource source, MmmConfig config, Checkpoint checkpoint, NetworkContext context)
        : base(source, checkpoint, new(config.Features, config.Unit, [config.NbCode, config.NbCode], TokenLayout.Frames))
    {
        _config = config;
        _encoder = Network.Build(context, "mmm upper body encoder", scope => Encoder(scope, config));
        _decoder = Network.Build(context, "mmm upper body decoder", scope => Decoder(scope, config));
        _transformer = Network.Build(context, "mmm upper body transformer", scope => Transformer(scope, config), independentRows: true);
        checkpoint.ThrowIfUnused(@"^trans\.trans_base\.vqvae\.", @"\.attn\.mask$", @"\.pos_embedding\.weight$", @"^vq\.(mean|std)_upper$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        MmmModel.Architecture.Card with
        {
            Id = "motion/mmm-upper-body", Sizes = [new("exitudio/MMM: HumanML3D, upper body", 271_804_785, [])], Deviations = "HumanML3D's 22 joints only, as the authors' masks.",
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<Network> Networks => [_encoder, _decoder, _transformer];

    /// <summary>The networks without a checkpoint, for the approved inventory.</summary>
    internal static void Build(Scope scope, MmmConfig config)
    {
        Encoder(scope, config);
        Decoder(scope, config);
        Transformer(scope, config);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Contracts.Motion>> GenerateAsync(Prompt prompt, UpperBodyOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var caption = await CaptionAsync(prompt.RequireText(), cancel).ConfigureAwait(false);
        var codes = await EncodeAsync(Normalize(prompt.Require<Contracts.Motion>()), cancel).ConfigureAwait(false);
        var (count, slots) = ((int)codes.Shape[1], _config.BlockSize - 1);
        if (count >= slots) throw new MediaException(ErrorCodes.MediaUnsupported, "The motion is longer than the model takes.") { Expected = $"at most {(slots - 1) * _config.Unit} frames", Found = $"{count * _config.Unit}" };
        var run = new MaskedSampling { Codes = _config.NbCode, Slots = slots, Lengths = [count], MaxSteps = Steps, StopEarly = false, Draws = options.Greedy ? null : Draws.Seeded(seed) };
        var lower = Enumerable.Range(0, slots).Select(i => i < count ? codes[1, i] : (long)(i == count ? run.End : run.Pad)).ToArray();
        long[] upper = [];
        await foreach (var step in SampleAsync(run, Tensor.Create(lower, 1, slots), caption, cancel).ConfigureAwait(false))
        {
            upper = step.Outputs[0][..count];
            yield return Generation<Contracts.Motion>.Progress(step.Step + 1, Steps);
        }

        var edited = Tensor.Create([.. upper.Select(id => (int)id), .. codes.Slice(1).Span], 2, count);
        yield return Generation<Contracts.Motion>.Final(ToMotion(await DecodeAsync(edited, cancel).ConfigureAwait(false), int.MaxValue), Steps);
    }

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "shift_upper_down" or "encode":
                return (await _encoder.RunAsync(cancel, ("motion", arguments.Tensor("motion")), ("mean", arguments.Tensor("mean")), ("std", arguments.Tensor("std"))).ConfigureAwait(false)).ToResults();
            case "decode":
                return (await _decoder.RunAsync(cancel, ("codes", arguments.Tensor("codes")), ("mean", arguments.Tensor("mean")), ("std", arguments.Tensor("std"))).ConfigureAwait(false)).ToResults();
            case "logits":
                var keys = arguments.Tensor<long>("token_mask").ToRows().Select(row => (long[])[1, .. row]).ToArray().ToTensor();
                return (await LogitsAsync(arguments.Tensor<long>("upper_tokens"), arguments.Tensor<long>("lower_tokens"), Features(arguments), keys, cancel).ConfigureAwait(false)).ToResults();
            case "sample":
                var run = new MaskedSampling
                {
                    Codes = _config.NbCode,
                    Slots = _config.BlockSize - 1,
                    Lengths = Array.ConvertAll(arguments.Tensor("lengths").ToNumbers(), frames => (frames + 3) / 4),
                    MaxSteps = arguments.Literal("max_steps", Steps),
                    StopEarly = false,
                    Draws = Draws.Of(arguments),
                };
                long[][] rows = [];
                await foreach (var step in SampleAsync(run, arguments.Tensor<long>("lower_tokens"), Features(arguments), cancel).ConfigureAwait(false)) rows = step.Outputs;
                return new CallResults().Add("sampled_upper_tokens", rows.ToTensor());
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"MMM's upper body has no call '{call}'.") { Expected = "shift_upper_down, encode, decode, logits, sample" };
        }
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<int>> EncodeAsync(Tensor<float> motion, CancellationToken cancel)
    {
        var (mean, deviation) = DataSet();
        var codes = (await _encoder.RunAsync(cancel, ("motion", motion), ("mean", mean), ("std", deviation)).ConfigureAwait(false)).Get<long>("codes");
        return codes.Slice(0).Transposed().ToTokens();
    }

    /// <inheritdoc/>
    protected override async Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel)
    {
        if (codes.Shape[0] != 2) throw new MediaException(ErrorCodes.TokensInvalid, "Both halves of the body are needed.") { Expected = "(2, tokens)", Found = codes.ToString() };
        var (mean, deviation) = DataSet();
        return (await _decoder.RunAsync(cancel, ("codes", codes.ToCodes().Slice(0).Transposed()), ("mean", mean), ("std", deviation)).ConfigureAwait(false))["motion"];
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var file = Path.Combine(source.RequireFolder(), "args.json");
        var config = PublishedConfig.Read<MmmConfig>(file).Value;
        if (config.Features != 263) throw new ModelZooException(ErrorCodes.ConfigInvalid, "The upper body is known of HumanML3D's skeleton alone.") { Where = $"{file}: dataname", Expected = "t2m", Found = config.Dataname };
        var checkpoint = PublishedParts.Open(source, new("vq", "vq/net_last.pth", "net"), new("trans", "t2m/net_last.pth", "trans"));
        return ValueTask.FromResult<IModel>(new UpperBodyModel(source, config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private static void Encoder(Scope scope, MmmConfig config)
    {
        var vq = scope["vq"];
        var motion = scope.Graph.Input("motion", [Dim.Symbol("batch"), Dim.Symbol("frames"), config.Features]);
        var shifted = UpperBodyNetwork.ShiftDown(vq, motion, scope.Graph.Input("mean", [config.Features]), scope.Graph.Input("std", [config.Features]));
        vq.Stage("shifted", shifted);
        scope.Graph.Output("codes", UpperBodyNetwork.Encode(vq, shifted, config));
    }

    private static void Decoder(Scope scope, MmmConfig config)
    {
        var codes = scope.Graph.Input("codes", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("tokens"), 2]);
        var (mean, deviation) = (scope.Graph.Input("mean", [config.Features]), scope.Graph.Input("std", [config.Features]));
        scope.Graph.Output("motion", UpperBodyNetwork.Decode(scope["vq"], codes, mean, deviation, config));
    }

    private static void Transformer(Scope scope, MmmConfig config)
    {
        Dim batch = Dim.Symbol("batch"), count = Dim.Symbol("tokens");
        var g = scope.Graph;
        var (upper, lower) = (g.Input("upper", ElementType.Int64, [batch, count]), g.Input("lower", ElementType.Int64, [batch, count]));
        var (sentence, words) = (g.Input("sentence", [batch, config.ClipDim]), g.Input("words", [batch, Dim.Symbol("words"), config.ClipDim]));
        var keys = g.Input("keys", ElementType.Int64, [batch, count + 1]);
        var trans = scope["trans"];
        g.Output("logits", MmmNetwork.Transform(trans, UpperBodyNetwork.Embed(trans["trans_base"], upper, lower, config), sentence, words, keys, config));
    }

    private (Tensor<float> Mean, Tensor<float> Deviation) DataSet() =>
        (Tensor.Create([.. Statistics.Mean], _config.Features), Tensor.Create([.. Statistics.Deviation], _config.Features));

    private IAsyncEnumerable<MaskedStep> SampleAsync(MaskedSampling run, Tensor<long> lower, CaptionFeatures caption, CancellationToken cancel) =>
        MaskedSampler.RunAsync(run, async ids => MmmModel.WithoutFirst((await LogitsAsync(ids, lower, caption, run.Keys(), cancel).ConfigureAwait(false))["logits"]));

    private Task<NetworkOutputs> LogitsAsync(Tensor<long> upper, Tensor<long> lower, CaptionFeatures caption, Tensor<long> keys, CancellationToken cancel) =>
        _transformer.RunAsync(cancel, ("upper", upper), ("lower", lower), ("sentence", caption.Sentence), ("words", caption.Words), ("keys", keys));

    private static CaptionFeatures Features(CallArguments arguments) => new(arguments.Tensor<float>("text_embedding"), arguments.Tensor<float>("word_embedding"));
}
