// D-AR: Diffusion via Autoregressive Models. Gao, Shou. arXiv:2505.23660. github.com/showlab/D-AR: autoregressive/models
// Published layout: D-AR-*.pt (key model) + config.json (the authors' ModelArgs). Deviations: none; conditions are classes.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The authors' <c>ModelArgs</c>; defaults are those of D-AR-L.</summary>
public sealed record DArConfig : LlamaArguments
{
    /// <summary>Blocks.</summary>
    [Range(1, 256)] public int NLayer { get; init; } = 24;
    /// <summary>Classes; the dropped class follows them.</summary>
    public int NumClasses { get; init; } = 1000;
    /// <summary>Rate at which classes were dropped in training; 0 when there is no dropped class.</summary>
    public double ClassDropoutProb { get; init; } = 0.1;
    /// <summary>Kind of condition.</summary>
    [AllowedValues("c2i")] public string ModelType { get; init; } = "c2i";
    /// <summary>Entries of the codebook.</summary>
    [Range(1, 1 << 24)] public int VocabSize { get; init; } = 16384;
    /// <summary>Positions of the condition.</summary>
    [AllowedValues(1)] public int ClsTokenNum { get; init; } = 1;
}

/// <summary>Options of D-AR; defaults are those of the authors' script.</summary>
public sealed record DArOptions : PictureOptions
{
    /// <summary>Scale of guidance at the first code.</summary>
    [Description("Classifier-free guidance at the first code; 1 for none."), Range(0.0, 100.0)] public double Guidance { get; init; } = 4;
    /// <summary>Scale of guidance at the last code.</summary>
    [Description("Guidance at the last code, reached in equal steps; that of the first when left out."), Range(0.0, 100.0)] public double? GuidanceEnd { get; init; }
    /// <summary>Codes that are guided.</summary>
    [Description("Number of codes after the second from which on there is no guidance; -1 for never."), Range(-1, 1 << 20)] public int GuidanceInterval { get; init; } = -1;
    /// <summary>Temperature.</summary>
    [Description("Temperature; 0 takes the most probable id."), Range(0.0, 100.0)] public double Temperature { get; init; } = 1;
    /// <summary>Ids that a place may take.</summary>
    [Description("Keep the k most probable ids; 0 for all."), Range(0, 1 << 24)] public int TopK { get; init; }
    /// <summary>Mass of the ids that a place may take.</summary>
    [Description("Keep the most probable ids up to this mass."), Range(0.0, 1.0)] public double TopP { get; init; } = 1;

    internal TokenSampling Choice => new() { Temperature = (float)Temperature, TopK = TopK, TopP = (float)TopP };

    /// <summary>Scales of guidance of so many codes: a first scale of one is raised a little where a later one is above it.</summary>
    internal double[] Schedule(int count)
    {
        var (start, end) = (Guidance, GuidanceEnd ?? Guidance);
        if (start == 1 && end > 1) start += 1e-3;
        return [.. Enumerable.Range(0, count).Select(i => count == 1 ? start : (float)start + i * ((float)end - (float)start) / (count - 1))];
    }
}

internal static class DArNetwork
{
    private static readonly Dim Rows = Dim.Symbol("rows");

    /// <summary>The teacher-forced pass: class cond (rows), codes idx (rows, n) -> logits (rows, 1 + n, K).</summary>
    public static void Forward(Scope model, DArConfig config)
    {
        var x = ValueShape.Concat(1, Class(model, config), Codes(model, config));
        model.Graph.Output("logits", Logits(model, x, AttentionLayers.Range(model.Graph, x.Shape[1]), config, (_, q, k, v, options) => AttentionLayers.Attention(q, k, v, options)));
    }

    /// <summary>The first position: cond (rows) -> x (rows, 1, D).</summary>
    public static void Start(Scope model, DArConfig config) => model.Graph.Output("x", Class(model, config));

    /// <summary>The position of a code: idx (rows, 1) -> x (rows, 1, D).</summary>
    public static void Next(Scope model, DArConfig config) => model.Graph.Output("x", Codes(model, config));

    /// <summary>A position after those in the cache: x (rows, 1, D) -> logits (rows, 1, K).</summary>
    public static void Step(Scope model, DArConfig config)
    {
        var x = model.Graph.Input("x", [Rows, 1, config.Dim]);
        var cache = config.Sizes.Cache(model.Graph, Rows, 1);
        model.Graph.Output("logits", Logits(model, x, cache.Positions, config, cache.Attention));
    }

    private static Value Class(Scope model, DArConfig config) =>
        model["cls_embedding.embedding_table"].Embedding(model.Graph.Input("cond", ElementType.Int64, [Rows]), config.NumClasses + (config.ClassDropoutProb > 0 ? 1 : 0), config.Dim).Unsqueeze(1);

    private static Value Codes(Scope model, DArConfig config) => model["tok_embeddings"].Embedding(model.Graph.Input("idx", ElementType.Int64, [Rows, Dim.Symbol("length")]), config.VocabSize, config.Dim);

    // Rotary positions count from the class on.
    private static Value Logits(Scope model, Value x, Value positions, DArConfig config, Func<int, Value, Value, Value, AttentionOptions, Value> attention)
    {
        var rotary = PositionLayers.RotaryAngles(model.Graph, [config.BlockSize + config.ClsTokenNum], [config.Dim / config.NHead], config.RopeBase).At(positions);
        for (var i = 0; i < config.NLayer; i++)
        {
            var layer = i;
            x = model.Stage($"block_{i}", model["layers"][i].LlamaBlock(x, config.Sizes, rotary, (q, k, v, options) => attention(layer, q, k, v, options)));
        }

        return model["output"].Linear(model.Stage("hidden", model["norm"].RmsNorm(x, config.NormEps)), config.VocabSize, bias: false);
    }
}

/// <summary>D-AR: a class to codes that are the steps of a diffusion.</summary>
public sealed class DArModel : ImageGenerator<DArOptions>
{
    private readonly DArConfig _config;
    private readonly Network _forward, _start, _next, _step;

    private DArModel(ModelSource source, Checkpoint checkpoint, DArConfig config) : base(source, checkpoint, new(TokenLayout.CoarseToFine, [config.VocabSize]), DArPictures.Find(source))
    {
        _config = config;
        var context = NetworkContext.Of(source, checkpoint);
        _forward = Network.Build(context, "d-ar/forward", model => DArNetwork.Forward(model, config));
        _start = Network.Build(context, "d-ar/start", model => DArNetwork.Start(model, config), independentRows: true);
        _next = Network.Build(context, "d-ar/next", model => DArNetwork.Next(model, config), independentRows: true);
        _step = Network.Build(context with { Stages = false }, "d-ar/step", model => DArNetwork.Step(model, config));
        checkpoint.ThrowIfUnused("^freqs_cis$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/d-ar",
            Paper = "D-AR: Diffusion via Autoregressive Models",
            ArXiv = "2505.23660",
            Authors = ["Ziteng Gao", "Mike Zheng Shou"],
            Repository = "showlab/D-AR",
            CodeLicense = "MIT",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: D-AR-*.pt + config.json, tokenizer/*.pt + config.yaml"],
            Sizes = [new("showlab/D-AR: D-AR-L", 342_910_976, [])],
        },
        (source, _) => Generators.Open(source, checkpoint => new DArModel(source, checkpoint, PublishedConfig.Read<DArConfig>(source.RequireFolder()).Value), "model"));

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_forward, _start, _next, _step];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "forward":
                return (await _forward.RunAsync(cancel, ("cond", arguments.Tensor("cond")), ("idx", arguments.Tensor("idx"))).ConfigureAwait(false)).ToResults();
            case "generate":
                var labels = arguments.Tensor<long>("cond").Span.ToArray();
                var draws = arguments.Literal("sample_logits", true);
                var temperature = arguments.Literal("temperature", 1.0);
                var scales = Scales(arguments.Json("cfg_scale"));
                var options = new DArOptions
                {
                    Guidance = scales[0],
                    GuidanceEnd = scales[^1],
                    GuidanceInterval = arguments.Literal("cfg_interval", -1),
                    Temperature = draws ? Math.Max(temperature, 1e-5) : 0,
                    TopK = arguments.Literal("top_k", 0),
                    TopP = arguments.Literal("top_p", 1.0),
                };
                var uniforms = draws ? Draws.Given(arguments.Tensor<float>("uniforms")) : (_, _) => { };
                var codes = Tensor.Zeros<long>(labels.Length, arguments.Literal<int>("max_new_tokens"));
                await foreach (var _ in RunAsync(labels, options, uniforms, codes, cancel).ConfigureAwait(false)) { }
                // The reference numbers its results by the call.
                var results = new CallResults().Add("tokens", codes);
                for (var i = 0; i < 16; i++) results.Add($"tokens_{i}", codes);
                return results;
            default:
                throw Unsupported(call, "forward", "generate");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, DArOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.NumClasses, options.Count);
        var codes = Tensor.Zeros<long>(labels.Length, _config.BlockSize);
        await foreach (var done in RunAsync(labels, options, Draws.Uniform(seed, labels.Length), codes, cancel).ConfigureAwait(false))
            yield return new(done, _config.BlockSize, done == _config.BlockSize ? codes : null);
    }

    // Writes the codes (B, n) one after the other; gives how many there are.
    private async IAsyncEnumerable<int> RunAsync(long[] labels, DArOptions options, Draw uniforms, Tensor<long> codes, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (batch, count, choice) = (labels.Length, (int)codes.Shape[1], options.Choice);
        var scales = options.Schedule(count);
        // Whether there is an unconditional half is decided by the first scale.
        var doubled = scales[0] > 1;
        long[] rows = doubled ? [.. labels, .. labels.Select(_ => (long)_config.NumClasses)] : labels;
        var x = (await _start.RunAsync(cancel, ("cond", Tensor.Create(rows, rows.Length))).ConfigureAwait(false))["x"];
        var numbers = new float[batch];
        using var state = _step.Begin(rows.Length);
        for (var place = 0; place < count; place++)
        {
            var logits = (await state.StepAsync(cancel, ("x", x)).ConfigureAwait(false))["logits"];
            var guided = doubled && scales[place] > 1 && (options.GuidanceInterval < 0 || place - 1 <= options.GuidanceInterval);
            if (guided) logits = Guidance.FromUnconditional(logits, (float)scales[place]);
            uniforms(place, numbers);
            for (var i = 0; i < batch; i++) codes[i, place] = choice.Choose(logits.Slice(i).Span, [], numbers[i]);
            yield return place + 1;
            if (place + 1 == count) break;
            var next = codes.Part(1, place, place + 1);
            x = (await _next.RunAsync(cancel, ("idx", doubled ? next.Doubled() : next)).ConfigureAwait(false))["x"];
        }
    }

    // A number, or two numbers in a text with a comma between.
    private static double[] Scales(JsonElement literal) => literal.ValueKind == JsonValueKind.Number
        ? [literal.GetDouble()]
        : [.. literal.GetString()!.Split(',').Select(text => double.Parse(text, CultureInfo.InvariantCulture))];
}
