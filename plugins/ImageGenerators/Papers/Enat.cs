// ENAT: Rethinking Spatial-temporal Interactions in Token-based Image Synthesis. Ni, Wang, Zhou, Han, Guo, Liu, Yao, Huang. arXiv:2411.06959. github.com/LeapLabTHU/ENAT: libs/models.py, libs/nat_misc.py
// Published layout: nnet_ema.pth + config.json (the arguments of the authors' DiT). Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The arguments of the authors' <c>DiT</c>; defaults are those of ENAT-L.</summary>
public sealed record EnatConfig
{
    /// <summary>Codes along each side.</summary>
    [Range(1, 1024)] public int InputSize { get; init; } = 16;
    /// <summary>Width.</summary>
    [Range(1, 1 << 16)] public int HiddenSize { get; init; } = 1024;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int NumHeads { get; init; } = 16;
    /// <summary>Hidden width of the perceptrons over the width.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Classes; the dropped class follows them.</summary>
    public int NumClasses { get; init; } = 1000;
    /// <summary>Number of codes; the mask follows them.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 1024;
    /// <summary>Rate at which classes were dropped in training; 0 when there is no dropped class.</summary>
    public double ClassDropoutProb { get; init; } = 0.1;
    /// <summary>Blocks that encode visible tokens, and blocks that decode masked ones.</summary>
    [Length(2, 2)] public int[] EncDec { get; init; } = [22, 2];

    internal int Tokens => InputSize * InputSize;
}

/// <summary>Options of ENAT; defaults are the authors' for 256 pixels.</summary>
public sealed record EnatOptions : PictureOptions
{
    /// <summary>Number of steps.</summary>
    [Description("Steps."), Range(1, 1000)] public int Steps { get; init; } = 8;
    /// <summary>Scale of guidance.</summary>
    [Description("Classifier-free guidance at the end; it grows from none at the first step."), Range(0.0, 100.0)] public double Guidance { get; init; } = 2.5;
    /// <summary>Weight of the noise on confidences.</summary>
    [Description("Weight of the noise on confidences at the start."), Range(0.0, 1000.0)] public double MaskTemperature { get; init; } = 1.5;
    /// <summary>Temperature of the codes.</summary>
    [Description("Temperature of the codes at the start."), Range(0.0, 1000.0)] public double SamplingTemperature { get; init; } = 6;
}

/// <summary>Which tokens a pass has: each kind changes the graph.</summary>
/// <param name="Fresh">There are visible tokens to be encoded.</param>
/// <param name="Reused">There are visible tokens whose features of the step before are reused.</param>
/// <param name="Masked">There are masked tokens.</param>
internal readonly record struct EnatPass(bool Fresh, bool Reused, bool Masked);

internal static class EnatNetwork
{
    private static readonly Dim Rows = Dim.Symbol("rows");

    /// <summary>
    /// ids (rows, L), context (rows), places of fresh, reused (with their features of the step before, (rows, reused, D)) and masked tokens, the order of fresh and reused tokens together, and of all tokens
    /// -> features (rows, L, D), logits (rows, L, K).
    /// </summary>
    public static void Build(Scope nat, EnatConfig config, EnatPass pass)
    {
        var (g, width) = (nat.Graph, config.HiddenSize);
        var ids = g.Input("ids", ElementType.Int64, [Rows, config.Tokens]);
        var c = nat["y_embedder.embedding_table"].Embedding(g.Input("context", ElementType.Int64, [Rows]), config.NumClasses + (config.ClassDropoutProb > 0 ? 1 : 0), width).Silu();
        var embed = nat["x_embedder"];
        var words = embed["word_embeddings"].Weight("weight", config.CodebookSize + 1, width);
        var x = nat.Stage("embeddings", embed["LayerNorm"].LayerNorm(words.Gather(ids) + embed["position_embeddings"].Weight("weight", config.Tokens, width), 1e-6));

        var reused = pass.Reused ? Reused(nat, g.Input("reused_features", [Rows, Dim.Symbol("reused"), width]), config) : null;
        Value? visible = null;
        if (pass.Fresh)
        {
            visible = Pick(x, Places(g, "fresh"));
            for (var i = 0; i < config.EncDec[0]; i++) visible = nat.Stage($"enc_block_{i}", Block(nat["blocks"][i], visible, reused, c, config));
        }

        if (reused is not null) visible = visible is null ? reused : Pick(ValueShape.Concat(1, visible, reused), Places(g, "order"));
        Value? masked = pass.Masked ? Pick(x, Places(g, "masked")) : null;
        for (var i = 0; masked is not null && i < config.EncDec[1]; i++) masked = nat.Stage($"dec_block_{i}", Block(nat["blocks"][config.EncDec[0] + i], masked, visible, c, config));

        var all = visible is null ? masked! : masked is null ? visible : ValueShape.Concat(1, visible, masked);
        var features = Pick(all, Places(g, "places", config.Tokens));
        g.Output("features", features);
        var h = nat["mlm_layer.ln"].LayerNorm(nat["mlm_layer.fc"].Linear(nat["norm"].LayerNorm(features), width).Gelu());
        g.Output("logits", (h.MatMul(words.Swap(0, 1)) + nat["mlm_layer"].Weight("bias", 1, 1, config.CodebookSize + 1)).Take(-1, config.CodebookSize));
    }

    private static Value Reused(Scope nat, Value features, EnatConfig config)
    {
        var project = nat["prev_proj"];
        return features + project["mlp"].Mlp(project["norm"].LayerNorm(features, 1e-6), 4 * config.HiddenSize, value => value.Gelu(Gelu.Tanh));
    }

    // x (rows, n, D) looks at others (rows, m, D), which have a modulation and a map of their own, and at itself.
    private static Value Block(Scope block, Value x, Value? others, Value c, EnatConfig config)
    {
        var (attn, width) = (block["attn"], (long)config.HiddenSize);
        var changes = block["adaLN_modulation.1"].Linear(c, 8 * width).Chunk(8, -1);
        var (shift, scale, otherShift, otherScale, gate) = (changes[0], changes[1], changes[2], changes[3], changes[4]);
        var h = x.LayerNorm(1e-6).Modulate(shift, scale);
        var (k, v) = KeysAndValues(attn["kv.B"], h, width);
        if (others is not null)
        {
            var (otherKeys, otherValues) = KeysAndValues(attn["kv.A"], others.LayerNorm(1e-6).Modulate(otherShift, otherScale), width);
            (k, v) = (ValueShape.Concat(1, otherKeys, k), ValueShape.Concat(1, otherValues, v));
        }

        var mixed = AttentionLayers.Attention(attn["q"].Linear(h, width), k, v, new() { Heads = config.NumHeads });
        x += attn["proj"].Linear(mixed, width) * gate.Unsqueeze(1);
        return x + block["mlp"].Mlp(x.LayerNorm(1e-6).Modulate(changes[5], changes[6]), (long)(width * config.MlpRatio), value => value.Gelu(Gelu.Tanh)) * changes[7].Unsqueeze(1);
    }

    private static (Value, Value) KeysAndValues(Scope kv, Value x, long width) => (kv.LinearRows(x, 2 * width, 0, width), kv.LinearRows(x, 2 * width, width, width));

    private static Value Places(Graph g, string name, Dim? count = null) => g.Input(name, ElementType.Int64, [Rows, count ?? Dim.Symbol(name)]);

    // Tokens (rows, n, D) at places (rows, m) -> (rows, m, D).
    private static Value Pick(Value tokens, Value places) => tokens.GatherElements(places.Unsqueeze(2).Expand(places.Shape[0], places.Shape[1], tokens.Shape[2]), 1);
}

/// <summary>ENAT: masked generation that encodes a visible token once and reuses its features.</summary>
public sealed class EnatModel : ImageGenerator<EnatOptions>
{
    private readonly EnatConfig _config;
    private readonly NetworkCache<EnatPass> _networks;

    private EnatModel(ModelSource source, Checkpoint checkpoint, EnatConfig config) : base(source, checkpoint, new(TokenLayout.Grid, [config.CodebookSize]), TokenizerPictures.MaskGit(source, config.CodebookSize))
    {
        _config = config;
        var context = NetworkContext.Of(source, checkpoint);
        _networks = new(pass => Network.Build(context, $"enat/{pass}", nat => EnatNetwork.Build(nat, config, pass), independentRows: true));
        // The pass with all kinds of tokens asks for every tensor.
        _ = _networks[new(true, true, true)];
        checkpoint.ThrowIfUnused(@"^prev_embedder\.");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/enat",
            Paper = "ENAT: Rethinking Spatial-temporal Interactions in Token-based Image Synthesis",
            ArXiv = "2411.06959",
            Authors = ["Zanlin Ni", "Yulin Wang", "Renping Zhou", "Yizeng Han", "Jiayi Guo", "Zhiyuan Liu", "Yuan Yao", "Gao Huang"],
            Repository = "LeapLabTHU/ENAT",
            CodeLicense = "none stated",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: nnet_ema.pth + config.json, tokenizer/ for pictures (maskgit-vqgan-imagenet-f16-256.bin)"],
            Sizes = [new("LeapLabTHU/ENAT: ENAT-L", 565_904_385, [])],
        },
        (source, _) => Generators.Open(source, checkpoint => new EnatModel(source, checkpoint, PublishedConfig.Read<EnatConfig>(source.RequireFolder()).Value)));

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => [_networks];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        var context = arguments.Tensor<long>("context");
        switch (call)
        {
            case "forward":
                var before = arguments.Has("prev_features") ? new Pass(arguments.Tensor<long>("prev_masked_ids"), arguments.Tensor<float>("prev_features")) : null;
                var outputs = await ForwardAsync(arguments.Tensor<long>("masked_ids"), context, before, cancel).ConfigureAwait(false);
                var results = outputs.ToResults();
                foreach (var ending in (string[])["reuse", "no_reuse"]) results.Add($"features_{ending}", outputs["features"]).Add($"logits_{ending}", outputs["logits"]);
                return results;
            case "generate":
                var options = new EnatOptions
                {
                    Steps = arguments.Literal<int>("sample_steps"),
                    Guidance = arguments.Literal("cfg_scale", 0.0),
                    MaskTemperature = arguments.Literal("mask_temp", 0.0),
                    SamplingTemperature = arguments.Literal("samp_temp", 1.0),
                };
                var (fed, tokens) = (new List<Tensor<long>>(), (Tensor<long>?)null);
                await foreach (var step in RunAsync(context.Span.ToArray(), options, Draws.Given(arguments.Tensor<float>("uniforms")), Draws.Given(arguments.Tensor<float>("gumbel")), cancel).ConfigureAwait(false))
                {
                    fed.Add(step.Fed.Reshape(step.Fed.Shape[0], 1, _config.Tokens));
                    tokens = step.Filled;
                }

                return new CallResults().Add("step_masked_ids", TensorParts.Concat(1, fed)).Add("tokens", tokens!.Reshape(tokens.Shape[0], _config.InputSize, _config.InputSize));
            default:
                throw Unsupported(call, "forward", "generate");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, EnatOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.NumClasses, options.Count);
        var uniforms = Draws.Uniform(seed, labels.Length, series: 1);
        void Gumbels(int step, Span<float> destination)
        {
            uniforms(step, destination);
            foreach (ref var number in destination) number = Draws.Gumbel(number);
        }

        var done = 0;
        await foreach (var step in RunAsync(labels, options, Draws.Uniform(seed, labels.Length), Gumbels, cancel).ConfigureAwait(false))
        {
            done++;
            yield return new(done, options.Steps, done == options.Steps ? step.Filled.Reshape(labels.Length, _config.InputSize, _config.InputSize) : null);
        }
    }

    // Ids that went into each step, and what it filled in.
    private async IAsyncEnumerable<(Tensor<long> Fed, Tensor<long> Filled)> RunAsync(long[] labels, EnatOptions options, Draw uniforms, Draw gumbels, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (batch, length) = (labels.Length, _config.Tokens);
        var ids = Tensor.Create(Enumerable.Repeat((long)_config.CodebookSize, batch * length).ToArray(), batch, length);
        var (context, empty) = (Tensor.Create(labels, batch), Tensor.Create(Enumerable.Repeat((long)_config.NumClasses, batch).ToArray(), batch));
        var (numbers, noise) = (new float[ids.Length], new float[ids.Length]);
        Pass? conditional = null, unconditional = null;
        for (var step = 0; step < options.Steps; step++)
        {
            var ratio = (step + 1.0) / options.Steps;
            var with = await ForwardAsync(ids, context, conditional, cancel).ConfigureAwait(false);
            var without = await ForwardAsync(ids, empty, unconditional, cancel).ConfigureAwait(false);
            (conditional, unconditional) = (new(ids, with["features"]), new(ids, without["features"]));
            var logits = Guidance.FromConditional(TensorParts.Concat(0, with["logits"], without["logits"]), (float)((double)step / options.Steps * options.Guidance));
            uniforms(step, numbers);
            gumbels(step, noise);
            var (filled, confidence) = Fill(ids, logits, Math.Max(options.SamplingTemperature * (1 - ratio), 1e-3), numbers);
            for (var i = 0; i < confidence.Length; i++) confidence[i] += (float)(options.MaskTemperature * (1 - ratio) * noise[i]);
            yield return (ids, filled);
            ids = Mask(filled, confidence, (int)Math.Floor(length * Math.Cos(ratio * Math.PI * 0.5)));
        }
    }

    private (Tensor<long> Filled, float[] Confidence) Fill(Tensor<long> ids, Tensor<float> logits, double temperature, float[] uniforms)
    {
        var (filled, confidence, codes) = (Tensor.Create(ids.Span.ToArray(), ids.Shape), new float[ids.Length], _config.CodebookSize);
        for (var i = 0; i < ids.Length; i++)
        {
            confidence[i] = float.PositiveInfinity;
            if (ids.Span[i] != codes) continue;
            var row = logits.Span.Slice(i * codes, codes);
            LogitProcessing.LogSoftmax(row);
            var id = Categorical.Draw(row, (float)temperature, uniforms[i]).Id;
            (filled.Span[i], confidence[i]) = (id, row[id]);
        }

        return (filled, confidence);
    }

    // The least confident are masked again.
    private Tensor<long> Mask(Tensor<long> filled, float[] confidence, int count)
    {
        var ids = Tensor.Create(filled.Span.ToArray(), filled.Shape);
        for (var row = 0; row < filled.Shape[0]; row++)
        {
            var start = row * _config.Tokens;
            foreach (var place in Enumerable.Range(0, _config.Tokens).OrderBy(place => confidence[start + place]).Take(count)) ids[row, place] = _config.CodebookSize;
        }

        return ids;
    }

    // Visible tokens that were visible before are not encoded again: their features of the step before are.
    private Task<NetworkOutputs> ForwardAsync(Tensor<long> ids, Tensor<long> context, Pass? before, CancellationToken cancel)
    {
        bool IsMasked(Tensor<long> tokens, int row, int place) => tokens[row, place] == _config.CodebookSize;
        var rows = Enumerable.Range(0, (int)ids.Shape[0]).ToArray();
        var places = Enumerable.Range(0, _config.Tokens).ToArray();
        var masked = rows.Select(row => places.Where(place => IsMasked(ids, row, place)).ToArray()).ToArray();
        var reused = rows.Select(row => places.Where(place => before is not null && !IsMasked(before.Ids, row, place)).ToArray()).ToArray();
        var fresh = rows.Select(row => places.Where(place => !IsMasked(ids, row, place) && (before is null || IsMasked(before.Ids, row, place))).ToArray()).ToArray();
        if (rows.Any(row => masked[row].Length != masked[0].Length || reused[row].Length != reused[0].Length || fresh[row].Length != fresh[0].Length))
            throw new ModelZooException(ErrorCodes.VerbUnsupported, "Every row has as many masked tokens as the others.") { Where = "masked_ids" };

        var pass = new EnatPass(fresh[0].Length > 0, reused[0].Length > 0, masked[0].Length > 0);
        List<(string, Tensor)> inputs = [("ids", ids), ("context", context.Reshape(context.Length))];
        // Where each visible place stands among fresh and reused tokens, and each place among visible and masked ones.
        var visible = rows.Select(row => fresh[row].Concat(reused[row]).Order().ToArray()).ToArray();
        if (pass.Fresh) inputs.Add(("fresh", Indices(fresh)));
        if (pass.Reused) inputs.Add(("reused_features", Gathered(before!.Features, reused)));
        if (pass is { Fresh: true, Reused: true }) inputs.Add(("order", Indices([.. rows.Select(row => Positions(visible[row], [.. fresh[row], .. reused[row]]))])));
        if (pass.Masked) inputs.Add(("masked", Indices(masked)));
        inputs.Add(("places", Indices([.. rows.Select(row => Positions(places, [.. visible[row], .. masked[row]]))])));
        return _networks[pass].RunAsync(cancel, [.. inputs]);
    }

    private static int[] Positions(int[] wanted, int[] listed) => [.. wanted.Select(place => Array.IndexOf(listed, place))];

    private static Tensor<long> Indices(int[][] rows) => Tensor.Create(rows.SelectMany(row => row).Select(place => (long)place).ToArray(), rows.Length, rows[0].Length);

    private static Tensor<float> Gathered(Tensor<float> features, int[][] places)
    {
        var gathered = Tensor.Zeros<float>(places.Length, places[0].Length, features.Shape[2]);
        for (var row = 0; row < places.Length; row++)
        {
            for (var i = 0; i < places[row].Length; i++) features.Slice(row).Slice(places[row][i]).Span.CopyTo(gathered.Slice(row).Slice(i).Span);
        }

        return gathered;
    }

    // The ids that a pass was given, and its features.
    private sealed record Pass(Tensor<long> Ids, Tensor<float> Features);
}
