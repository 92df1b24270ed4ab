// GigaTok: Scaling Visual Tokenizers to 3 Billion Parameters for Autoregressive Image Generation. Xiong, Liew, Huang, Feng, Liu. arXiv:2504.08736. github.com/SilentView/GigaTok: autoregressive/models/gpt_1d.py
// Published layout: *.pt (key model), the constructor's arguments as config.json. Deviations: none; tokens are decoded by image-tokenizers/gigatok.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The authors' <c>ModelArgs</c>.</summary>
public sealed record GigaTokArConfig : LlamaArguments
{
    /// <summary>The authors' defaults.</summary>
    public GigaTokArConfig() => (Dim, NHead) = (768, 12);

    /// <summary>Blocks.</summary>
    [Range(1, 1024)] public int NLayer { get; init; } = 12;
    /// <summary>Number of classes; the id after them is no class.</summary>
    [Range(1, 1 << 24)] public int NumClasses { get; init; } = 1000;
    /// <summary>Kind of condition.</summary>
    [AllowedValues("c2i")] public string ModelType { get; init; } = "c2i";
    /// <summary>Number of codes.</summary>
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 16384;
    /// <summary>Positions of the condition.</summary>
    [AllowedValues(1)] public int ClsTokenNum { get; init; } = 1;
    /// <summary>Whether positions are rotary; else learned.</summary>
    public bool Rope { get; init; }
    /// <summary>Whether queries and keys are normalised.</summary>
    public bool UseQkNorm { get; init; }
    /// <summary>Whether the class modulates every block.</summary>
    [JsonPropertyName("use_adaLN")] public bool UseAdaLn { get; init; }
    /// <summary>Whether the class modulates the blocks through one map that they share, each with its own offset.</summary>
    [JsonPropertyName("use_simple_adaLN")] public bool UseSimpleAdaLn { get; init; }

    internal override LlamaSizes Sizes => base.Sizes with { QkNorm = UseQkNorm };
}

/// <summary>Options of GigaTok's generator.</summary>
public sealed record GigaTokArOptions : PictureOptions
{
    /// <summary>Scale of guidance.</summary>
    [Description("Scale of classifier-free guidance; 1 for none."), Range(0.0, 100.0)] public double Guidance { get; init; } = 4;
    /// <summary>Course of guidance.</summary>
    [Description("How guidance changes over the tokens."), AllowedValues("constant", "linear", "linear_re", "triangular", "rectangular", "step")] public string GuidanceSchedule { get; init; } = "constant";
    /// <summary>Where guidance sets in.</summary>
    [Description("Share of the tokens after which the step and the rectangular schedule guide; as in the authors' code when left out."), Range(0.0, 1.0)] public double? WindowStart { get; init; }
    /// <summary>Where guidance ends.</summary>
    [Description("Share of the tokens up to which the rectangular schedule guides."), Range(0.0, 1.0)] public double WindowEnd { get; init; } = 1;
    /// <summary>Where guidance is dropped.</summary>
    [Description("Number of the last token after the first that is guided; -1 guides all."), Range(-1, 1 << 20)] public int GuidanceInterval { get; init; } = -1;
    /// <summary>Temperature.</summary>
    [Description("Temperature; 0 takes the most probable id."), Range(0.0, 100.0)] public double Temperature { get; init; } = 1;
    /// <summary>Ids that a place may take.</summary>
    [Description("Keep the k most probable ids; 0 for all."), Range(0, 1 << 24)] public int TopK { get; init; }
    /// <summary>Mass of the ids that a place may take.</summary>
    [Description("Keep the most probable ids up to this mass."), Range(0.0, 1.0)] public double TopP { get; init; } = 1;
}

internal static class GigaTokArNetwork
{
    /// <summary>The id that stands for the class, at the start of a sequence.</summary>
    public const long Class = -1;

    // As published: the table of rotary positions is made with the number of conditions (1) in place of its base, and with the default number of positions without an angle, whose queries and keys are zero.
    private const int BlindPositions = 120;

    /// <summary>New positions after those in the cache: labels (B), ids (B, n), the first of a sequence being <see cref="Class"/> -> logits (B, n, K).</summary>
    public static void Step(Scope gpt, GigaTokArConfig config)
    {
        var (g, batch, width) = (gpt.Graph, Dim.Symbol("batch"), (long)config.Dim);
        var table = gpt["cls_embedding.embedding_table"].Weight("weight", config.NumClasses + 1, width);
        var labels = g.Input("labels", ElementType.Int64, [batch]);
        var (ids, none) = (g.Input("ids", ElementType.Int64, [batch, Dim.Symbol("count")]), g.Constant([0L]));
        var tokens = gpt.Stage("embedded", gpt["tok_embeddings"].Embedding(ids.Max(none), config.VocabSize, width));
        var x = ids.GreaterOrEqual(none).Unsqueeze(2).Where(tokens, table.Gather(labels).Unsqueeze(1));
        var cache = config.Sizes.Cache(g, batch, x.Shape[1]);
        var condition = table.Gather(labels).Unsqueeze(1);                                 // (B, 1, D)
        (Value, Value)? rotary = null;
        if (config.Rope)
        {
            var (cos, sin) = PositionLayers.RotaryAngles(g, config.BlockSize, width / config.NHead, config.ClsTokenNum);
            rotary = (cos.Pad(0, BlindPositions, 0), sin.Pad(0, BlindPositions, 0)).At(cache.Positions);
        }
        else
        {
            var positions = gpt.Weight("positional_embedding", config.BlockSize + 1, width);
            x += positions.Gather(cache.Positions);
            condition += positions.Take(0, 1);
        }

        for (var i = 0; i < config.NLayer; i++)
        {
            var (layer, block) = (i, gpt["layers"][i]);
            x = gpt.Stage($"block_{i}", block.LlamaBlock(x, config.Sizes, rotary, (q, k, v, options) => cache.Attention(layer, q, k, v, options), Modulation(gpt, block, condition, config)));
        }

        x = gpt["norm"].RmsNorm(x, config.NormEps);
        if (config.UseAdaLn || config.UseSimpleAdaLn)
        {
            var (shift, scale) = gpt["final_adaLN"].Linear(condition.Silu(), 2 * width).Chunk2();
            x = x * (scale + 1) + shift;
        }

        g.Output("logits", gpt["output"].Linear(x, config.VocabSize, bias: false));
    }

    // Shift, scale and gate of both halves of a block: (B, 1, 6 D); null when the class does not modulate.
    private static Value? Modulation(Scope gpt, Scope block, Value condition, GigaTokArConfig config) =>
        config.UseSimpleAdaLn ? gpt["adaLN.1"].Linear(condition.Silu(), 6 * config.Dim) + block.Weight("ada_gss", 1, 1, 6, config.Dim).Reshape(1, 1, 6 * config.Dim)
        : config.UseAdaLn ? block["adaLN"].Linear(condition.Silu(), 6 * config.Dim)
        : null;

    /// <summary>The published names of modulations are those of a sequence of SiLU and linear map.</summary>
    public static KeyMap Keys { get; } = new((@"^(layers\.\d+)\.[^.]*ada[^.]*(?:\.\d+)?\.(weight|bias)$", "$1.adaLN.$2"), (@"^final_ada[^.]*(?:\.\d+)?\.(weight|bias)$", "final_adaLN.$1"));
}

/// <summary>GigaTok's generator: a class to a sequence of tokens.</summary>
public sealed class GigaTokArModel : ImageGenerator<GigaTokArOptions>
{
    private readonly GigaTokArConfig _config;
    private readonly Network _network;

    private GigaTokArModel(ModelSource source, Checkpoint checkpoint, GigaTokArConfig config) : base(source, checkpoint, new(TokenLayout.Flat, [config.VocabSize]), decoder: null, paints: false)
    {
        _config = config;
        _network = Network.Build(NetworkContext.Of(source, GigaTokArNetwork.Keys.Apply(checkpoint)), "gigatok generator", scope => GigaTokArNetwork.Step(scope, config));
        checkpoint.ThrowIfUnused("freqs_cis$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/gigatok-ar",
            Paper = "GigaTok: Scaling Visual Tokenizers to 3 Billion Parameters for Autoregressive Image Generation",
            ArXiv = "2504.08736",
            Authors = ["Tianwei Xiong", "Jun Hao Liew", "Zilong Huang", "Jiashi Feng", "Xihui Liu"],
            Repository = "SilentView/GigaTok",
            CodeLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens],
            Layouts = ["authors: *.pt + config.json (constructor arguments)"],
            Sizes =
            [
                new("SilentView/GigaTok: GPT_B256", 111_085_824, []),
                new("SilentView/GigaTok: GPT_XL256", 775_028_480, []),
                new("SilentView/GigaTok: GPT_XXL256", 1_411_367_424, []),
            ],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_network];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        var labels = arguments.Tensor<long>("labels").Span.ToArray();
        switch (call)
        {
            case "forward":
                using (var state = _network.Begin(labels.Length))
                {
                    var ids = TensorParts.Concat(1, Starts(labels.Length), arguments.Tensor<long>("ids"));
                    var outputs = await state.StepAsync(cancel, ("labels", Tensor.Create(labels, labels.Length)), ("ids", ids)).ConfigureAwait(false);
                    var results = outputs.ToResults().Return(outputs["logits"]);
                    return outputs.Has("embedded") ? results.Add("tok_embeddings", outputs["embedded"].Part(1, 1, (int)ids.Shape[1])) : results;
                }

            case "generate":
                var draws = arguments.Literal("sample_logits", true);
                var options = new GigaTokArOptions
                {
                    Guidance = arguments.Literal("cfg_scale", 1.0),
                    GuidanceSchedule = arguments.Literal("cfg_schedule", "constant"),
                    WindowStart = arguments.Has("window_start") ? arguments.Literal<double>("window_start") : null,
                    WindowEnd = arguments.Literal("window_end", 1.0),
                    GuidanceInterval = arguments.Literal("cfg_interval", -1),
                    Temperature = draws ? Math.Max(arguments.Literal("temperature", 1.0), 1e-5) : 0,
                    TopK = arguments.Literal("top_k", 0),
                    TopP = arguments.Literal("top_p", 1.0),
                };
                Tensor<long>? last = null;
                await foreach (var made in RunAsync(labels, arguments.Literal<int>("max_new_tokens"), options, draws ? Draws.Given(arguments.Tensor<float>("exponential")) : (_, _) => { }, cancel).ConfigureAwait(false)) last = made;
                return new CallResults().Return(last!);
            default:
                throw Unsupported(call, "forward", "generate");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, GigaTokArOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.NumClasses, options.Count);
        var step = 0;
        await foreach (var ids in RunAsync(labels, _config.BlockSize, options, Draws.Exponential(seed, labels.Length), cancel).ConfigureAwait(false))
            yield return new(++step, _config.BlockSize, step == _config.BlockSize ? ids : null);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        Generators.Open(source, checkpoint => new GigaTokArModel(source, checkpoint, PublishedConfig.Read<GigaTokArConfig>(source.RequireFolder()).Value), "model", "state_dict");

    private static Tensor<long> Starts(int rows) => Tensor.Create(Enumerable.Repeat(GigaTokArNetwork.Class, rows).ToArray(), rows, 1);

    // The ids (B, n) after each step.
    private async IAsyncEnumerable<Tensor<long>> RunAsync(long[] labels, int count, GigaTokArOptions options, Draw exponentials, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (rows, guided) = (labels.Length, options.Guidance > 1);
        long[] classes = guided ? [.. labels, .. labels.Select(_ => (long)_config.NumClasses)] : labels;
        var batch = classes.Length;
        var sampling = new TokenSampling { Temperature = (float)options.Temperature, TopK = options.TopK, TopP = (float)options.TopP };
        var (ids, draw) = (Tensor.Zeros<long>(rows, count), new float[rows * _config.VocabSize]);
        var next = Starts(batch);
        using var state = _network.Begin(batch);
        for (var step = 0; step < count; step++)
        {
            var logits = (await state.StepAsync(cancel, ("labels", Tensor.Create(classes, batch)), ("ids", next)).ConfigureAwait(false))["logits"];
            if (guided) logits = options.GuidanceInterval > -1 && step - 1 > options.GuidanceInterval ? logits.Part(0, 0, rows) : Guidance.FromUnconditional(logits, Scale(step, count, options));
            exponentials(step, draw);
            next = Tensor.Zeros<long>(batch, 1);
            for (var i = 0; i < rows; i++)
            {
                var row = logits.Slice(i).Span;
                sampling.Process(row, []);
                ids[i, step] = sampling.Temperature == 0 ? LogitProcessing.ArgMax(row) : ExponentialRace.Choose(row, draw.AsSpan(i * _config.VocabSize, _config.VocabSize));
            }

            for (var i = 0; i < batch; i++) next[i, 0] = ids[i % rows, step];
            yield return ids;
        }
    }

    // The first token has the whole scale; the others are counted from one among those after it.
    private static float Scale(int step, int count, GigaTokArOptions options)
    {
        var (most, ratio) = (options.Guidance, count > 1 ? (double)step / (count - 1) : 1);
        double Growing(double share) => 1 + (most - 1) * share + 1e-4;
        return (float)(step == 0 ? most : options.GuidanceSchedule switch
        {
            "constant" => most,
            "linear" => Growing(ratio),
            "linear_re" => Growing(1 - ratio),
            "triangular" => Growing(ratio < 0.5 ? ratio / 0.5 : (1 - ratio) / 0.5),
            "rectangular" => ratio >= (options.WindowStart ?? 0.05) && ratio <= options.WindowEnd ? most : 1.0001,
            "step" => ratio >= (options.WindowStart ?? 0) ? most : 1.0001,
            var other => throw new OptionsException(ErrorCodes.OptionRange, "There is no such course of guidance.") { Where = "cfg_schedule", Expected = "constant, linear, linear_re, triangular, rectangular or step", Found = other },
        });
    }
}
