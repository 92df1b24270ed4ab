using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The networks of a dynamic-pooling hourglass: characters to hidden states, boundaries, groups, and back to characters.</summary>
internal sealed class Hourglass : IDisposable
{
    private const string Null = "null_group";
    private readonly HourglassConfig _config;
    private readonly IReadOnlyDictionary<string, Network> _predictors;

    /// <summary>Builds the networks.</summary>
    /// <param name="context">Engine, weights, device.</param>
    /// <param name="config">Published settings.</param>
    /// <param name="ids">Ids of the table and of the output.</param>
    /// <param name="predictors">Published names of the boundary predictors.</param>
    /// <param name="prefix">What stands before the published names; empty for nothing.</param>
    public Hourglass(NetworkContext context, HourglassConfig config, int ids, IEnumerable<string> predictors, string prefix = "")
    {
        _config = config;
        if (prefix.Length > 0) context = context with { Weights = new KeyMap((@"^(?!" + prefix + @"\.).*$", null), (@"^" + prefix + @"\.", "")).Apply(context.Weights) };
        NullGroup = Numbers(context.Weights, Null);
        var (before, pooled, after) = config.Layers;
        Encoder = new(context, "hourglass encoder", config, 0, before, scope => EncoderInput(scope, config, ids), static (scope, x) => scope.Graph.Output("hidden", x));
        Middle = new(context, "hourglass middle", config, 1, pooled, scope => MiddleInput(scope, config), static (scope, x) => scope.Graph.Output("states", x));
        Decoder = new(context, "hourglass decoder", config, 2, after, scope => DecoderInput(scope, config), (scope, x) => DecoderOutput(scope, x, ids));
        _predictors = predictors.ToDictionary(name => name, name => Network.Build(context, $"{name} boundaries", scope => Predictor(scope, name, config)));
    }

    /// <summary>Ids (B, N) int64 under <c>ids</c> -> <c>hidden</c> (B, N, D).</summary>
    public CausalStack Encoder { get; }

    /// <summary>Groups (B, S, D) under <c>groups</c> -> <c>states</c> (B, S, D), and <c>normed</c>, the groups as the layers take them.</summary>
    public CausalStack Middle { get; }

    /// <summary>Characters with their groups' states (B, N, D) under <c>x</c> -> <c>hidden</c> (B, N, D) and <c>logits</c> (B, N, ids).</summary>
    public CausalStack Decoder { get; }

    /// <summary>The group before the first (D).</summary>
    public float[] NullGroup { get; }

    /// <summary>The networks.</summary>
    public IEnumerable<Network> Networks => [.. Encoder.Networks, .. Middle.Networks, .. Decoder.Networks, .. _predictors.Values];

    /// <summary>The graphs that read all tensors of a published size with these predictors; for inventories.</summary>
    public static IReadOnlyList<Action<Scope>> Graphs(HourglassConfig config, int ids, params IEnumerable<string> predictors)
    {
        var (before, pooled, after) = config.Layers;
        return
        [
            scope => CausalStack.Build(scope, config, 0, before, model => EncoderInput(model, config, ids), static (_, _) => { }),
            scope => CausalStack.Build(scope, config, 1, pooled, model => MiddleInput(model, config), static (_, _) => { }),
            scope => CausalStack.Build(scope, config, 2, after, model => DecoderInput(model, config), (model, x) => DecoderOutput(model, x, ids)),
            .. new[] { before, pooled, after }.Select((count, stack) => (Action<Scope>)(scope => CausalStack.BuildDistances(scope, config, stack, count))),
            .. predictors.Select(name => (Action<Scope>)(scope => Predictor(scope, name, config))),
            scope => scope.Weight(Null, 1, 1, config.DModel),
        ];
    }

    /// <summary>Logits of a boundary at each place. hidden (B, N, D) -> (B, N).</summary>
    /// <param name="name">Published name of the predictor, such as <c>script_to_bp_layers.latin</c>.</param>
    /// <param name="hidden">What the encoder gave.</param>
    /// <param name="cancel">Stops the run.</param>
    public async Task<Tensor<float>> PredictAsync(string name, Tensor<float> hidden, CancellationToken cancel) =>
        (await _predictors[name].RunAsync(cancel, ("hidden", hidden)).ConfigureAwait(false))["logits"];

    /// <summary>The relaxed Bernoulli draws that uniform numbers give, or probabilities where the predictor does not draw. logits (B, N) -> (B, N); a boundary is where it is above one half.</summary>
    /// <param name="logits">Of boundaries.</param>
    /// <param name="uniforms">Of the draws (B, N); null takes 1/2 for each, which leaves nothing to chance.</param>
    public Tensor<float> Soft(Tensor<float> logits, Tensor<float>? uniforms = null)
    {
        var soft = Tensor.Zeros<float>(logits.Shape);
        for (var i = 0; i < soft.Length; i++)
        {
            var logit = logits.Span[i];
            if (_config.BoundariesType == "gumbel")
            {
                // As the authors' library has it: probabilities and uniforms stay off 0 and 1.
                var (p, u) = (Clamp(Sigmoid(logit)), Clamp(uniforms?.Span[i] ?? 0.5f));
                logit = (float)((MathF.Log(u) - Log1P(-u) + MathF.Log(p) - Log1P(-p)) / _config.Temp);
            }

            soft.Span[i] = Sigmoid(logit);
        }

        return soft;
    }

    /// <summary>Where soft boundaries are boundaries.</summary>
    public static Tensor<bool> Hard(Tensor<float> soft) => Tensor.Create(Array.ConvertAll(soft.Span.ToArray(), value => value > 0.5f), soft.Shape);

    /// <inheritdoc/>
    public void Dispose()
    {
        Encoder.Dispose();
        Middle.Dispose();
        Decoder.Dispose();
        foreach (var predictor in _predictors.Values) predictor.Dispose();
    }

    private static Value EncoderInput(Scope model, HourglassConfig config, int ids) =>
        model["word_emb"].Embedding(model.Graph.Input("ids", ElementType.Int64, [Dim.Symbol("batch"), Dim.Symbol("length")]), ids, config.DModel);

    private static Value MiddleInput(Scope model, HourglassConfig config)
    {
        var normed = model["down_ln"].LayerNorm(model.Graph.Input("groups", [Dim.Symbol("batch"), Dim.Symbol("count"), config.DModel]));
        model.Graph.Output("normed", normed);
        return normed;
    }

    private static Value DecoderInput(Scope model, HourglassConfig config) => model.Graph.Input("x", [Dim.Symbol("batch"), Dim.Symbol("length"), config.DModel]);

    private static void DecoderOutput(Scope model, Value x, int ids)
    {
        model.Graph.Output("hidden", x);
        model.Graph.Output("logits", model["final_cast"].Linear(x, ids));
    }

    private static void Predictor(Scope model, string name, HourglassConfig config) =>
        model.Graph.Output("logits", HourglassNetwork.Boundaries(model[name], model.Graph.Input("hidden", [Dim.Symbol("batch"), Dim.Symbol("length"), config.DModel]), config));

    /// <summary>The elements of a tensor of the checkpoint.</summary>
    /// <exception cref="CheckpointException">There is none of that name.</exception>
    internal static float[] Numbers(ITensorSource weights, string name) => WeightConversion.ToFloat32(weights.Find(name)
        ?? throw new CheckpointException(ErrorCodes.CheckpointTensorMissing, "The checkpoint lacks a tensor.") { Where = weights.Origin, Expected = name }).Span<float>().ToArray();

    private static float Sigmoid(float x) => 1 / (1 + MathF.Exp(-x));

    private static float Log1P(float x) => (float)double.LogP1(x);

    private static float Clamp(float p) => Math.Clamp(p, Epsilon, 1 - Epsilon);

    // Of single precision: the distance from 1 to the next number.
    private const float Epsilon = 1.1920929e-7f;
}
