// MoMask: Generative Masked Modeling of 3D Human Motions. Guo, Mu, Javed, Wang, Cheng. arXiv:2312.00063. github.com/EricGuo5513/momask-codes
// Published layouts: a folder each for residual tokenizer, masked transformer and residual transformer, with opt.txt and model/*.tar; for use, mean.npy, std.npy and clip/ (transformers' layout) beside them.
// Deviations: the length estimator is not used: the length is an option.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>Options of generating with MoMask; defaults are the authors'.</summary>
public sealed record MoMaskOptions : ModelOptions
{
    /// <summary>Length in frames.</summary>
    [Description("Frames to make, 20 a second; the length of the given motion when one is edited.")]
    [Range(4, 100000)]
    public int Frames { get; init; } = 80;

    /// <summary>Number of steps.</summary>
    [Description("Steps of decoding the first layer.")]
    [Range(1, 1000)]
    public int Steps { get; init; } = 10;

    /// <summary>Guidance of the first layer.</summary>
    [Description("Guidance of the first layer; 1 is none.")]
    [Range(0, 100)]
    public double Guidance { get; init; } = 4;

    /// <summary>Guidance of the other layers.</summary>
    [Description("Guidance of the residual layers; 1 is none.")]
    [Range(0, 100)]
    public double ResidualGuidance { get; init; } = 5;

    /// <summary>Temperature of the draws.</summary>
    [Description("Temperature of the draws of the first layer.")]
    [Range(0, 100)]
    public double Temperature { get; init; } = 1;

    /// <summary>First frame that is made anew.</summary>
    [Description("Editing a given motion: first frame to make anew.")]
    [Range(0, 100000)]
    public int? EditFrom { get; init; }

    /// <summary>Frame after the last that is made anew.</summary>
    [Description("Editing a given motion: frame after the last to make anew.")]
    [Range(1, 100000)]
    public int? EditTo { get; init; }
}

/// <summary>Motion tokens in layers, and motions from words.</summary>
public sealed class MoMaskModel : ResidualMotionModel, IGenerate<Contracts.Motion, MoMaskOptions>
{
    private readonly Network _transformer;

    private MoMaskModel(ModelSource source, ResidualMotionConfig config, Checkpoint checkpoint, NetworkContext context) : base(source, config, checkpoint, context)
    {
        _transformer = Network.Build(context, "momask transformer", scope => Transformer(scope, config), independentRows: true);
        checkpoint.ThrowIfUnused(@"clip_model\.");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "motion/momask",
            Paper = "MoMask: Generative Masked Modeling of 3D Human Motions",
            ArXiv = "2312.00063",
            Authors = ["Chuan Guo", "Yuxuan Mu", "Muhammad Gohar Javed", "Sen Wang", "Li Cheng"],
            Repository = "EricGuo5513/momask-codes",
            CodeLicense = "MIT",
            Inputs = [Modality.Motion, Modality.Text],
            Outputs = [Modality.Tokens, Modality.Motion],
            Layouts = ["authors: rvq, trans and res, each with opt.txt + model/*.tar"],
            Sizes =
            [
                new("EricGuo5513/momask-codes: HumanML3D", 50_262_663, []),
                new("EricGuo5513/momask-codes: KIT-ML", 50_225_787, []),
            ],
            Deviations = "The length estimator is not used: the length is an option.",
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override Network Base => _transformer;

    /// <summary>The tensors of a size, for the approved inventory.</summary>
    internal static IReadOnlyList<string> Inventory(ResidualMotionConfig config) => Inventory(config, Transformer);

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Contracts.Motion>> GenerateAsync(Prompt prompt, MoMaskOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var sentence = (await CaptionAsync(prompt.RequireText(), cancel).ConfigureAwait(false)).Sentence;
        var draws = Draws.Seeded(seed);
        var run = new MoMaskRun { Codes = Config.Tokenizer.NbCode, Lengths = [options.Frames / Format.Unit], Steps = options.Steps, Sampling = new((float)options.Guidance, options.Temperature, 0.9, draws) };
        if (prompt.Media.Count == 0) ExpectNoEdit(options.EditFrom, options.EditTo);
        else run = await EditAsync(run, prompt.Require<Contracts.Motion>(), options, cancel).ConfigureAwait(false);
        var (step, ids) = (0, Array.Empty<long[]>());
        await foreach (var (_, outputs) in SampleAsync(run, sentence, cancel).ConfigureAwait(false))
        {
            ids = outputs;
            yield return Generation<Contracts.Motion>.Progress(++step, options.Steps + 1);
        }

        var (tokens, _) = await FillAsync(ids.ToTensor(), sentence, run.Lengths, new((float)options.ResidualGuidance, 1, 0.9, draws), layers: -1, cancel).ConfigureAwait(false);
        yield return Generation<Contracts.Motion>.Final(await ToMotionAsync(tokens, cancel).ConfigureAwait(false), options.Steps + 1);
    }

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (await CallSharedAsync(call, arguments, cancel).ConfigureAwait(false) is { } shared) return shared;
        switch (call)
        {
            case "logits":
                return (await LogitsAsync(arguments.Tensor<long>("tokens"), arguments.Tensor<float>("text_embedding"), Keys(arguments), cancel).ConfigureAwait(false)).ToResults();
            case "guided_logits":
                return new CallResults().Add("guided_logits", await GuidedAsync(arguments.Tensor<long>("tokens"), arguments.Tensor<float>("text_embedding"), Keys(arguments), new(arguments, 3), cancel).ConfigureAwait(false));
            case "generate" or "edit":
                var run = new MoMaskRun
                {
                    Codes = Config.Tokenizer.NbCode,
                    Lengths = arguments.Tensor("lengths").ToNumbers(),
                    Steps = arguments.Literal<int>("timesteps"),
                    Sampling = new(arguments, 3),
                    Tokens = call == "edit" ? arguments.Tensor<long>("tokens").ToRows() : null,
                    EditMask = call == "edit" ? arguments.FindTensor<long>("edit_mask")?.ToRows().Select(row => Array.ConvertAll(row, id => id != 0)).ToArray() : null,
                };
                // Gumbel noise and a categorical draw are the same here.
                _ = arguments.Literal("gsample", true);
                var (inputs, outputs) = (new List<long[]>(), Array.Empty<long[]>());
                await foreach (var step in SampleAsync(run, arguments.Tensor<float>("text_embedding"), cancel).ConfigureAwait(false))
                {
                    inputs.AddRange(step.Inputs);
                    outputs = step.Outputs;
                }

                return new CallResults()
                    .Add("step_tokens", inputs.ToArray().ToTensor().Reshape(run.Steps, run.Lengths.Length, inputs[0].Length))
                    .Add(call == "edit" ? "edited_tokens" : "base_tokens", outputs.ToTensor());
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"MoMask has no call '{call}'.") { Expected = "encode, forward, decode, motion, logits, guided_logits, generate, edit, residual, residual_logits" };
        }
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = ResidualMotionConfig.Read(source);
        var checkpoint = PublishedParts.Open(source, ResidualMotionConfig.Parts);
        return ValueTask.FromResult<IModel>(new MoMaskModel(source, config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private static void Transformer(Scope scope, ResidualMotionConfig config)
    {
        Dim batch = Dim.Symbol("batch"), count = Dim.Symbol("tokens");
        var g = scope.Graph;
        var (tokens, sentence) = (g.Input("tokens", ElementType.Int64, [batch, count]), g.Input("sentence", [batch, ResidualMotionConfig.ClipDim]));
        var bias = g.Input("bias", [batch, 1, 1, count + 1]);
        g.Output("logits", MoMaskNetwork.Masked(scope["trans"], tokens, sentence, bias, config.Tokenizer, config.Base));
    }

    private async Task<MoMaskRun> EditAsync(MoMaskRun run, Contracts.Motion given, MoMaskOptions options, CancellationToken cancel)
    {
        var first = (await EncodeAsync(Normalize(given), cancel).ConfigureAwait(false)).Slice(0).Span.ToArray();
        var frames = first.Length * Format.Unit;
        var (from, to) = (options.EditFrom ?? frames / 4, options.EditTo ?? frames * 3 / 4);
        if (from >= to || to > frames) throw new OptionsException(ErrorCodes.OptionRange, "There are no such frames to make anew.") { Where = "edit_from, edit_to", Expected = $"0..{frames}", Found = $"{from}..{to}" };
        return run with
        {
            Lengths = [first.Length],
            Tokens = [Array.ConvertAll(first, id => (long)id)],
            EditMask = [[.. Enumerable.Range(0, first.Length).Select(i => i >= from / Format.Unit && i < (to + Format.Unit - 1) / Format.Unit)]],
        };
    }

    private IAsyncEnumerable<(long[][] Inputs, long[][] Outputs)> SampleAsync(MoMaskRun run, Tensor<float> sentence, CancellationToken cancel)
    {
        var keys = Padding(run.Lengths, run.Tokens?[0].Length ?? run.Lengths.Max(), heading: 1);
        return MoMaskSampler.RunAsync(run, ids => GuidedAsync(ids, sentence, keys, run.Sampling, cancel));
    }

    private async Task<Tensor<float>> GuidedAsync(Tensor<long> ids, Tensor<float> sentence, Tensor<float> keys, LayerSampling sampling, CancellationToken cancel)
    {
        var silent = Tensor.Zeros<float>(sentence.Shape);
        var conditional = (await LogitsAsync(ids, sampling.Unconditional ? silent : sentence, keys, cancel).ConfigureAwait(false))["logits"];
        return sampling.Unconditional || sampling.Scale == 1 ? conditional : Guide(conditional, (await LogitsAsync(ids, silent, keys, cancel).ConfigureAwait(false))["logits"], sampling.Scale);
    }

    private Task<NetworkOutputs> LogitsAsync(Tensor<long> ids, Tensor<float> sentence, Tensor<float> keys, CancellationToken cancel) =>
        _transformer.RunAsync(cancel, ("tokens", ids), ("sentence", sentence), ("bias", keys));

    private static Tensor<float> Keys(CallArguments arguments) => Padding(arguments.Tensor("lengths").ToNumbers(), (int)arguments.Tensor("tokens").Shape[1], heading: 1);
}
