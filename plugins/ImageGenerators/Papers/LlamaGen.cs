// Autoregressive Model Beats Diffusion: Llama for Scalable Image Generation. Sun, Jiang, Chen, Zhang, Peng, Luo, Yuan. arXiv:2406.06525. github.com/FoundationVision/LlamaGen
// Published layouts: c2i_*.pt, t2i_*.pt (key model), the constructor's arguments as config.json; for pictures tokenizer/ (vq_ds16_*.pt and its config.json) beside them.
// Deviations: captions are given as T5 features (named tensor "caption"), since the authors prepare them beforehand too.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The authors' <c>ModelArgs</c>.</summary>
public sealed record LlamaGenConfig : LlamaArguments
{
    /// <summary>The authors' defaults.</summary>
    public LlamaGenConfig() => (Dim, NHead) = (4096, 32);

    /// <summary>Blocks.</summary>
    [Range(1, 1024)] public int NLayer { get; init; } = 32;
    /// <summary>Number of classes.</summary>
    [Range(1, 1 << 24)] public int NumClasses { get; init; } = 1000;
    /// <summary>Width of a caption's features.</summary>
    [Range(1, 65536)] public int CaptionDim { get; init; } = 2048;
    /// <summary>Rate at which training drops conditions; 0 leaves no embedding for none.</summary>
    public double ClassDropoutProb { get; init; } = 0.1;
    /// <summary><c>c2i</c>: from classes; <c>t2i</c>: from captions.</summary>
    [AllowedValues("c2i", "t2i")] public string ModelType { get; init; } = "c2i";
    /// <summary>Number of codes.</summary>
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 16384;
    /// <summary>Positions of the condition.</summary>
    [Range(1, 65536)] public int ClsTokenNum { get; init; } = 1;
}

/// <summary>Options of LlamaGen; the defaults are the authors' for sampling.</summary>
public sealed record LlamaGenOptions : PictureOptions
{
    /// <summary>Scale of guidance.</summary>
    [Description("Scale of classifier-free guidance; 1 for none."), Range(0.0, 100.0)] public double Guidance { get; init; } = 4;
    /// <summary>Steps after which guidance stops.</summary>
    [Description("Number of the last token that is guided; -1 guides all."), Range(-1, 1 << 20)] public int GuidanceInterval { get; init; } = -1;
    /// <summary>Temperature.</summary>
    [Description("Temperature; 0 takes the most probable id."), Range(0.0, 100.0)] public double Temperature { get; init; } = 1;
    /// <summary>Ids that a place may take.</summary>
    [Description("Keep the k most probable ids; 0 for all."), Range(0, 1 << 24)] public int TopK { get; init; } = 2000;
    /// <summary>Mass of the ids that a place may take.</summary>
    [Description("Keep the most probable ids up to this mass."), Range(0.0, 1.0)] public double TopP { get; init; } = 1;
}

internal static class LlamaGenNetwork
{
    /// <summary>
    /// New positions after those in the cache: cond (B, c), or features (B, c, E) of captions, then idx (B, n), either of which may be empty -> logits (B, c + n, K). With captions visible (B, c + n): 0 hides a key from all others.
    /// </summary>
    public static void Step(Scope gpt, LlamaGenConfig config)
    {
        var (g, batch, width) = (gpt.Graph, Dim.Symbol("batch"), (long)config.Dim);
        var (conditions, count) = (Dim.Symbol("conditions"), Dim.Symbol("count"));
        var cond = config.ModelType == "c2i" ? Class(gpt["cls_embedding"], g.Input("cond", ElementType.Int64, [batch, conditions]), config) : Caption(gpt["cls_embedding"], g.Input("cond", [batch, conditions, config.CaptionDim]), width);
        var x = ValueShape.Concat(1, cond, gpt["tok_embeddings"].Embedding(g.Input("idx", ElementType.Int64, [batch, count]), config.VocabSize, width));
        gpt.Stage("embeddings", x);
        var visible = config.ModelType == "c2i" ? null : g.Input("visible", [batch, x.Shape[1]]);
        var cache = config.Sizes.Cache(g, batch, x.Shape[1], visible);
        var rotary = LlamaLayers.GridTables(g, config.Side, config.Dim / config.NHead, config.ClsTokenNum, config.RopeBase).At(cache.Positions);
        for (var i = 0; i < config.NLayer; i++)
        {
            var layer = i;
            x = gpt.Stage($"block_{i}", gpt["layers"][i].LlamaBlock(x, config.Sizes, rotary, (q, k, v, options) => cache.Attention(layer, q, k, v, options)));
        }

        g.Output("logits", gpt["output"].Linear(gpt.Stage("hidden", gpt["norm"].RmsNorm(x, config.NormEps)), config.VocabSize, bias: false));
    }

    private static Value Class(Scope embedding, Value labels, LlamaGenConfig config) => embedding["embedding_table"].Embedding(labels, config.NumClasses + (config.ClassDropoutProb > 0 ? 1 : 0), config.Dim);

    // Products of matrices: after the first step there are no captions, and rows that are not there cannot be taken apart again.
    private static Value Caption(Scope embedding, Value features, long width)
    {
        Value Map(string name, Value x) => x.MatMul(embedding[name].Weight("weight", width, x.Shape[-1].Size).Swap(0, 1));
        return Map("cap_proj.fc2", Map("cap_proj.fc1", features).Gelu(Gelu.Tanh));
    }
}

/// <summary>LlamaGen: a class or a caption to a grid of codes, one after the other.</summary>
public sealed class LlamaGenModel : ImageGenerator<LlamaGenOptions>
{
    private readonly LlamaGenConfig _config;
    private readonly Network _network;
    private readonly Tensor<float>? _noCaption;

    private LlamaGenModel(ModelSource source, Checkpoint checkpoint, LlamaGenConfig config) : base(source, checkpoint, new(TokenLayout.Grid, [config.VocabSize]), TokenizerPictures.LlamaGen(source))
    {
        _config = config;
        _network = Network.Build(NetworkContext.Of(source, checkpoint), "llamagen", scope => LlamaGenNetwork.Step(scope, config));
        if (!FromClasses)
        {
            // As many rows as the authors' constructor gives it, whatever the number of positions.
            var nothing = WeightConversion.ToFloat32(checkpoint.Get("cls_embedding.uncond_embedding")).Span<float>().ToArray();
            _noCaption = Tensor.Create(nothing, 1, nothing.Length / config.CaptionDim, config.CaptionDim);
        }

        checkpoint.ThrowIfUnused("^freqs_cis$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/llamagen",
            Paper = "Autoregressive Model Beats Diffusion: Llama for Scalable Image Generation",
            ArXiv = "2406.06525",
            Authors = ["Peize Sun", "Yi Jiang", "Shoufa Chen", "Shilong Zhang", "Bingyue Peng", "Ping Luo", "Zehuan Yuan"],
            Repository = "FoundationVision/LlamaGen",
            CodeLicense = "MIT",
            WeightsLicense = "MIT",
            Inputs = [Modality.Text, Modality.Tensors],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: *.pt + config.json (constructor arguments), tokenizer/ for pictures"],
            Sizes =
            [
                new("FoundationVision/LlamaGen: c2i_B_256", 110_888_448, []),
                new("FoundationVision/LlamaGen: c2i_L_256", 342_910_976, []),
                new("FoundationVision/LlamaGen: c2i_XL_384", 774_699_520, []),
                new("FoundationVision/LlamaGen: c2i_XXL_384", 1_410_972_672, []),
                new("FoundationVision/LlamaGen: c2i_3B_384", 3_096_659_200, []),
                new("FoundationVision/LlamaGen: t2i_XL_stage1_256", 777_678_080, []),
            ],
            Deviations = "Captions are given as T5 features.",
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_network];

    private bool FromClasses => _config.ModelType == "c2i";

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        var condition = arguments.Tensor("cond");
        switch (call)
        {
            case "forward":
                var idx = arguments.Tensor<long>("idx");
                using (var state = _network.Begin((int)idx.Shape[0]))
                {
                    return (await StepAsync(state, Shaped(condition), idx, null, cancel).ConfigureAwait(false)).ToResults();
                }

            case "generate":
                var draws = arguments.Literal("sample_logits", true);
                var sampling = new TokenSampling
                {
                    Temperature = draws ? Math.Max(arguments.Literal("temperature", 1f), 1e-5f) : 0,
                    TopK = arguments.Literal("top_k", 0),
                    TopP = arguments.Literal("top_p", 1f),
                };
                var run = new Run(Shaped(condition), arguments.Literal<int>("max_new_tokens"), arguments.Literal("cfg_scale", 1.0), arguments.Literal("cfg_interval", -1), sampling, draws ? Draws.Given(arguments.Tensor<float>("uniforms")) : (_, _) => { })
                { Mask = Numbers(arguments, "emb_masks") };
                Tensor<long>? last = null;
                await foreach (var tokens in RunAsync(run, cancel).ConfigureAwait(false)) last = tokens;
                return new CallResults().Return(last!);
            default:
                throw Unsupported(call, "forward", "generate");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, LlamaGenOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (condition, mask) = Condition(prompt, options.Count);
        var rows = (int)condition.Shape[0];
        var sampling = new TokenSampling { Temperature = (float)options.Temperature, TopK = options.TopK, TopP = (float)options.TopP };
        var run = new Run(condition, _config.BlockSize, options.Guidance, options.GuidanceInterval, sampling, Draws.Uniform(seed, rows)) { Mask = mask };
        var (step, side) = (0, (long)_config.Side);
        await foreach (var tokens in RunAsync(run, cancel).ConfigureAwait(false))
            yield return new(++step, _config.BlockSize, step == _config.BlockSize ? tokens.Reshape(rows, side, side) : null);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        Generators.Open(source, checkpoint => new LlamaGenModel(source, checkpoint, PublishedConfig.Read<LlamaGenConfig>(source.RequireFolder()).Value), "model", "state_dict");

    // The codes (B, n) after each step.
    private async IAsyncEnumerable<Tensor<long>> RunAsync(Run run, [EnumeratorCancellation] CancellationToken cancel)
    {
        var guided = run.Guidance > 1;
        var rows = (int)run.Condition.Shape[0];
        var (condition, batch) = (guided ? WithNothing(run.Condition) : run.Condition, (guided ? 2 : 1) * rows);
        var (tokens, uniforms, idx) = (Tensor.Zeros<long>(rows, run.Count), new float[rows], Tensor.Zeros<long>(batch, 0));
        using var state = _network.Begin(batch);
        for (var step = 0; step < run.Count; step++)
        {
            var logits = LastPosition((await StepAsync(state, condition, idx, step == 0 ? run.Mask : null, cancel).ConfigureAwait(false))["logits"]);
            // The first token comes with the condition; the interval counts those after it.
            if (guided) logits = run.Interval > -1 && step - 1 > run.Interval ? logits.Part(0, 0, rows) : Guidance.FromUnconditional(logits, (float)run.Guidance);
            run.Uniforms(step, uniforms);
            idx = Tensor.Zeros<long>(batch, 1);
            for (var i = 0; i < rows; i++) tokens[i, step] = run.Sampling.Choose(logits.Slice(i).Span, [], uniforms[i]);
            for (var i = 0; i < batch; i++) idx[i, 0] = tokens[i % rows, step];
            condition = Empty(batch);
            yield return tokens;
        }
    }

    private Task<NetworkOutputs> StepAsync(KeyValueState state, Tensor condition, Tensor<long> idx, Tensor<float>? mask, CancellationToken cancel) => FromClasses
        ? state.StepAsync(cancel, ("cond", condition), ("idx", idx))
        : state.StepAsync(cancel, ("cond", condition), ("idx", idx), ("visible", Visible(state.Rows, mask, condition.Shape[1] + idx.Shape[1])));

    private static Tensor<float> LastPosition(Tensor<float> logits) => logits.Part(1, (int)logits.Shape[1] - 1, (int)logits.Shape[1]).Reshape(logits.Shape[0], logits.Shape[2]);

    // The condition as the network takes it: classes (B, 1), captions (B, T, E).
    private Tensor Shaped(Tensor condition) => FromClasses ? condition.Reshape(condition.Shape[0], 1) : condition.As<float>().Part(1, 0, Math.Min((int)condition.Shape[1], _config.ClsTokenNum));

    private Tensor Empty(int rows) => FromClasses ? Tensor.Zeros<long>(rows, 0) : Tensor.Zeros<float>(rows, 0, _config.CaptionDim);

    private Tensor WithNothing(Tensor condition)
    {
        var rows = (int)condition.Shape[0];
        if (FromClasses) return Tensor.Create<long>([.. condition.As<long>().Span, .. Enumerable.Repeat((long)_config.NumClasses, rows)], 2 * rows, 1);
        return TensorParts.Concat(0, [condition.As<float>(), .. Enumerable.Repeat(_noCaption!.Part(1, 0, (int)condition.Shape[1]), rows)]);
    }

    private static Tensor<float> Visible(int batch, Tensor<float>? mask, long keys)
    {
        var visible = Tensor.Zeros<float>(batch, keys);
        visible.Span.Fill(1);
        for (var i = 0; i < batch && mask is not null; i++) mask.Slice(i % (int)mask.Shape[0]).Span.CopyTo(visible.Slice(i).Span);
        return visible;
    }

    private static Tensor<float>? Numbers(CallArguments arguments, string name) => !arguments.Has(name) ? null
        : arguments.Tensor(name) is Tensor<long> whole ? Tensor.Create(Array.ConvertAll(whole.Span.ToArray(), value => (float)value), whole.Shape)
        : arguments.Tensor<float>(name);

    // Features of a caption may be fewer than the model's positions: the authors put them last and hide what is before.
    private (Tensor Condition, Tensor<float>? Mask) Condition(Prompt prompt, int count)
    {
        if (FromClasses)
        {
            var labels = ClassPrompt.Labels(prompt, _config.NumClasses, count);
            return (Tensor.Create(labels, labels.Length, 1), null);
        }

        var caption = prompt.Require<NamedTensors>().Values.GetValueOrDefault("caption")?.As<float>();
        if (caption is not { Rank: 2 } || caption.Shape[1] != _config.CaptionDim || caption.Shape[0] > _config.ClsTokenNum)
            throw new MediaException(ErrorCodes.MediaUnsupported, "The prompt needs a caption's features.") { Where = "caption", Expected = $"(at most {_config.ClsTokenNum} words, {_config.CaptionDim}) of the T5 encoder", Found = caption?.ToString() ?? "none" };
        var (features, mask) = (Tensor.Zeros<float>(count, _config.ClsTokenNum, _config.CaptionDim), Tensor.Zeros<float>(count, _config.ClsTokenNum));
        var before = _config.ClsTokenNum - (int)caption.Shape[0];
        for (var i = 0; i < count; i++)
        {
            caption.Span.CopyTo(features.Slice(i).Span[(before * _config.CaptionDim)..]);
            mask.Slice(i).Span[before..].Fill(1);
        }

        return (features, mask);
    }

    private sealed record Run(Tensor Condition, int Count, double Guidance, int Interval, TokenSampling Sampling, Draw Uniforms)
    {
        public Tensor<float>? Mask { get; init; }
    }
}
