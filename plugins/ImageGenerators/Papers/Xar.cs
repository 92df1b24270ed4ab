// Beyond Next-Token: Next-X Prediction for Autoregressive Visual Generation. Ren, Yu, He, Shen, Yuille, Chen. arXiv:2502.20388. github.com/OliverRensu/xAR
// Published layout: checkpoint-last.pth (key model_ema), the constructor's arguments as config.json; for pictures vae/kl16.ckpt beside them. Deviations: none.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>The arguments of the authors' <c>xAR</c>; the grid of 16 x 16 latents in cells of 8 x 8 is fixed in their code. Both stacks have one width, since they share the condition; <c>mlp_ratio</c> counts in units of 3/2 of it.</summary>
public sealed record XarConfig : MarArguments;

/// <summary>Options of xAR; the defaults are the authors' for sampling.</summary>
public sealed record XarOptions : PictureOptions
{
    /// <summary>Steps of each cell.</summary>
    [Description("Denoising steps of each cell."), Range(2, 1000)] public int Steps { get; init; } = 50;
    /// <summary>Scale of guidance.</summary>
    [Description("Scale of classifier-free guidance at the last cell, 1 for none; it grows from the first."), Range(0.0, 100.0)] public double Guidance { get; init; } = 2.7;
}

internal static class XarNetwork
{
    /// <summary>Latents along each side, and of a cell.</summary>
    public const int Side = 16, CellSide = 8, Cell = CellSide * CellSide, Cells = 4, Classes = 1000;

    private const double Epsilon = 1e-6;

    /// <summary>
    /// The last cells up to the current one: x (B, n, C), label (B), time (B, n), in 0..1000 -> velocity of the last cell (B, 64, C). Cells in the cache are complete; the current one is not kept.
    /// </summary>
    public static void Velocity(Scope xar, XarConfig config)
    {
        var (g, batch, count, width) = (xar.Graph, Dim.Symbol("batch"), Dim.Symbol("count"), (long)config.EncoderEmbedDim);
        var x = xar["z_proj"].Linear(g.Input("x", [batch, count, config.VaeEmbedDim]), width);
        var label = xar["class_emb"].Embedding(g.Input("label", ElementType.Int64, [batch]), Classes + 1, width).Unsqueeze(1);
        var time = g.Input("time", [batch, count]).Sinusoid(256).Reshape(batch, count, 256);
        var condition = (label + xar["time_embed.mlp.2"].Linear(xar["time_embed.mlp.0"].Linear(time, width).Silu(), width)).Silu();   // (B, n, D)

        var (past, all) = (GrowingCache.Past, GrowingCache.Past + count);
        var cache = new GrowingCache(g, batch, config.EncoderDepth + config.DecoderDepth, width) { Forgotten = Cell };
        var bias = CellCausal(g, past, count);
        Value Positions(string name) => xar.Weight(name, 1, Side * Side, width).Slice(1, past, all);
        Value Run(string name, Value h, int depth, long heads, int first)
        {
            var (cos, sin) = Angles(g, width / heads);
            var angles = (cos.Slice(0, past, all), sin.Slice(0, past, all));
            for (var i = 0; i < depth; i++)
            {
                var layer = first + i;
                h = xar.Stage($"{name}_block_{i}", Block(xar[$"{name}_blocks"][i], h, condition, heads, angles, config, (q, k, v) => cache.Attention(layer, q, k, v, new() { Heads = heads, Bias = bias })));
            }

            return xar[$"{name}_norm"].RmsNorm(h, Epsilon);
        }

        x = xar.Stage("z_proj_ln", xar["z_proj_ln"].RmsNorm(x + Positions("encoder_pos_embed_learned"), Epsilon));
        x = Run("encoder", x, config.EncoderDepth, config.EncoderNumHeads, 0);
        x = xar["decoder_embed"].Linear(x, width) + Positions("decoder_pos_embed_learned");
        x = Run("decoder", x, config.DecoderDepth, config.DecoderNumHeads, config.EncoderDepth);
        g.Output("velocity", xar["pred"].Linear(x.Last(1, Cell), config.VaeEmbedDim));
    }

    private static Value Block(Scope block, Value x, Value condition, long heads, (Value Cos, Value Sin) angles, XarConfig config, Func<Value, Value, Value, Value> attend)
    {
        var width = x.Shape[-1].Size;
        var (gate1, gate2, scale1, scale2, shift1, shift2) = block["ada_lin.1"].Linear(condition, 6 * width).Chunk6();
        var (q, k, v) = block["attn.qkv"].Qkv(x.RmsNorm(null, Epsilon) * (scale1 + 1) + shift1, width);
        Value Turned(Value y) => y.Rotary(heads, angles.Cos, angles.Sin, interleaved: true);
        x += block["attn.proj"].Linear(attend(Turned(q), Turned(k), v), width) * gate1;
        // The authors hand their gated layer, timm's SwiGLU, the exact GELU.
        return x + block["mlp"].GatedMlp(x.RmsNorm(null, Epsilon) * (scale2 + 1) + shift2, (long)(width * config.MlpRatio * 2 / 3), value => value.Gelu(), "fc1_g", "fc1_x", "fc2", bias: true) * gate2;
    }

    // The grid's angles, cell by cell: half of a head turns by the row, half by the column.
    private static (Value Cos, Value Sin) Angles(Graph graph, long headWidth)
    {
        var (cos, sin) = PositionLayers.RotaryAngles(graph, [Side, Side], [headWidth / 2, headWidth / 2]);
        var places = graph.Constant<long>([.. CellPlaces.Select(place => (long)place)], Side * Side);
        return (cos.Gather(places), sin.Gather(places));
    }

    /// <summary>Where the tokens, cell by cell, stand in the grid, row by row.</summary>
    public static IEnumerable<int> CellPlaces => Enumerable.Range(0, Side * Side).Select(i =>
    {
        var (cell, inner, cellsAcross) = (i / Cell, i % Cell, Side / CellSide);
        return (cell / cellsAcross * CellSide + inner / CellSide) * Side + cell % cellsAcross * CellSide + inner % CellSide;
    });

    // A cell sees itself and those before it.
    private static Value CellCausal(Graph g, Dim past, Dim count)
    {
        Value Number(Value positions) => positions.FloorDivide(Cell);
        var queries = Number(AttentionLayers.Range(g, count) + g.Extent(past)).Reshape(-1, 1);
        return AttentionMasks.Where(queries.GreaterOrEqual(Number(AttentionLayers.Range(g, past + count)).Reshape(1, -1))).Unsqueeze(0, 1);
    }
}

/// <summary>xAR: a class to latents, cell by cell, each by a flow.</summary>
public sealed class XarModel : ImageGenerator<XarOptions>
{
    private const double LatentScale = 0.2325;

    private readonly XarConfig _config;
    private readonly Network _network;
    private GrowingState? _referenceState;

    private XarModel(ModelSource source, Checkpoint checkpoint, XarConfig config) : base(source, checkpoint, SampleSpace.Latents, TokenizerPictures.Kl(source, config.VaeEmbedDim, LatentScale))
    {
        _config = config;
        _network = Network.Build(NetworkContext.Of(source, checkpoint), "xar", scope => XarNetwork.Velocity(scope, config));
        checkpoint.ThrowIfUnused("^mask$", @"\.rope\.freqs(_cos|_sin)?$");
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-generators/xar",
            Paper = "Beyond Next-Token: Next-X Prediction for Autoregressive Visual Generation",
            ArXiv = "2502.20388",
            Authors = ["Sucheng Ren", "Qihang Yu", "Ju He", "Xiaohui Shen", "Alan Yuille", "Liang-Chieh Chen"],
            Repository = "OliverRensu/xAR",
            CodeLicense = "none stated",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tensors, Modality.Image],
            Layouts = ["authors: checkpoint-last.pth + config.json (constructor arguments), vae/kl16.ckpt for pictures"],
            Sizes =
            [
                new("OliverRen/xAR: xAR-B", 172_638_224, []),
                new("OliverRen/xAR: xAR-L", 608_397_968, []),
                new("OliverRen/xAR: xAR-H", 1_186_024_096, []),
            ],
        },
        OpenAsync);

    /// <inheritdoc/>
    protected override IEnumerable<IDisposable> Networks => _referenceState is null ? [_network] : [_referenceState, _network];

    /// <inheritdoc/>
    public override async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "clusterify":
                return new CallResults().Return(Cells(arguments.Tensor<float>("latents")));
            case "sample_inference":
                return await InferenceAsync(arguments, cancel).ConfigureAwait(false);
            case "sample_tokens":
                var labels = arguments.Tensor<long>("label").Span.ToArray();
                var noise = arguments.Tensor<float>("noise");
                var options = new XarOptions { Steps = arguments.Literal("num_steps", 50), Guidance = arguments.Literal("cfg", 1.0) };
                Tensor<float>? latents = null;
                await foreach (var (_, sample) in RunAsync(labels, options, (cell, draw, destination) => noise.Slice(cell).Slice(draw).Span.CopyTo(destination), cancel).ConfigureAwait(false)) latents = sample;
                return new CallResults().Return(latents!);
            default:
                throw Unsupported(call, "clusterify", "sample_inference", "sample_tokens");
        }
    }

    /// <inheritdoc/>
    protected override async IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, XarOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel)
    {
        var labels = ClassPrompt.Labels(prompt, _config.ClassNum, options.Count);
        var steps = XarNetwork.Cells * options.Steps;
        await foreach (var (step, latents) in RunAsync(labels, options, (cell, draw, destination) => Draws.Normal(seed, labels.Length, cell)(draw, destination), cancel).ConfigureAwait(false))
            yield return new(step, steps, latents);
    }

    private delegate void CellNoise(int cell, int draw, Span<float> destination);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => Generators.Open(source, checkpoint =>
    {
        var config = PublishedConfig.Read<XarConfig>(source.RequireFolder()).Value;
        if (config.DecoderEmbedDim != config.EncoderEmbedDim)
            throw new CheckpointException(ErrorCodes.ConfigInvalid, "Encoder and decoder have one width.") { Where = "decoder_embed_dim", Expected = config.EncoderEmbedDim.ToString(), Found = config.DecoderEmbedDim.ToString() };
        return new XarModel(source, checkpoint, config);
    }, "model_ema", "model");

    // Calls follow each other on one cache, which begins with the first cell.
    private async Task<CallResults> InferenceAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (x, label) = (arguments.Tensor<float>("x"), arguments.Tensor<long>("label"));
        var (rows, count) = ((int)x.Shape[0], (int)x.Shape[1]);
        if (!arguments.Literal("update_cache", false) && count > XarNetwork.Cell) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Complete cells are always kept.") { Where = "update_cache", Expected = "true" };
        if (arguments.Literal("scale_index", 0) == 0)
        {
            _referenceState?.Dispose();
            _referenceState = new(_network, rows);
        }

        var outputs = await _referenceState!.StepAsync(cancel, ("x", x), ("label", label), ("time", Times(arguments.Tensor<float>("time").Span.ToArray(), rows, count))).ConfigureAwait(false);
        return outputs.Aggregate(new CallResults(), (results, output) => results.Add(output.Key, output.Value)).Return(outputs["velocity"]);
    }

    // Euler-Maruyama over each cell, t from 1 to 0.04 and a last step to 0 without noise; states are double. The latents come with the last step.
    private async IAsyncEnumerable<(int Step, Tensor<float>? Latents)> RunAsync(long[] labels, XarOptions options, CellNoise noise, [EnumeratorCancellation] CancellationToken cancel)
    {
        var (rows, guided, size) = (labels.Length, options.Guidance > 1, XarNetwork.Cell * _config.VaeEmbedDim);
        var label = Tensor.Create<long>(guided ? [.. labels, .. labels.Select(_ => (long)XarNetwork.Classes)] : labels, (guided ? 2 : 1) * rows);
        var cells = new List<Tensor<float>>();
        var (draw, done) = (new float[rows * size], 0);
        using var state = new GrowingState(_network, label.Length);
        for (var cell = 0; cell < XarNetwork.Cells; cell++)
        {
            noise(cell, 0, draw);
            var x = Array.ConvertAll(draw, value => (double)value);
            var scale = (options.Guidance - 1) * cell / (XarNetwork.Cells - 1) + 1;
            for (var step = 0; step < options.Steps; step++)
            {
                var (t, next) = (Time(step, options.Steps), step == options.Steps - 1 ? 0 : Time(step + 1, options.Steps));
                var current = Tensor.Create(Array.ConvertAll(x, value => (float)value), rows, XarNetwork.Cell, _config.VaeEmbedDim);
                var entersCell = step == 0 && cell > 0;
                var input = entersCell ? TensorParts.Concat(1, cells[^1], current) : current;
                float[] times = entersCell ? [.. Enumerable.Repeat(0f, label.Length), .. Enumerable.Repeat((float)t, label.Length)] : [.. Enumerable.Repeat((float)t, label.Length)];
                var outputs = await state.StepAsync(cancel, ("x", guided ? input.Doubled() : input), ("label", label), ("time", Times(times, label.Length, (int)input.Shape[1]))).ConfigureAwait(false);
                var drift = Drift(outputs["velocity"].As<float>(), x, t, guided, scale);
                if (next > 0) noise(cell, step + 1, draw);
                var deviation = next > 0 ? Math.Sqrt(2 * t) * Math.Sqrt(Math.Abs(next - t)) : 0;
                for (var i = 0; i < x.Length; i++) x[i] += drift[i] * (next - t) + deviation * draw[i];
                done++;
                if (done < XarNetwork.Cells * options.Steps) yield return (done, null);
            }

            cells.Add(Tensor.Create(Array.ConvertAll(x, value => (float)value), rows, XarNetwork.Cell, _config.VaeEmbedDim));
        }

        yield return (done, Latents(TensorParts.Concat(1, cells)));
    }

    private static double Time(int step, int steps) => steps == 1 ? 1 : 1 - 0.96 * step / (steps - 1);

    // The velocity less half of the diffusion 2 t times the score, which the linear path gives from the velocity.
    private static double[] Drift(Tensor<float> velocity, double[] x, double t, bool guided, double scale)
    {
        double One(int i, int own)
        {
            double v = velocity.Span[i];
            return v - t * ((-(1 - t) * v - x[own]) / (t * t + (1 - t) * t));
        }

        return [.. Enumerable.Range(0, x.Length).Select(i => guided ? One(x.Length + i, i) + scale * (One(i, i) - One(x.Length + i, i)) : One(i, i))];
    }

    // One time for each cell and sample, (cells, B), to one for each token; a time is a whole thousandth.
    private static Tensor<float> Times(float[] times, int rows, int count)
    {
        var result = Tensor.Zeros<float>(rows, count);
        for (var i = 0; i < result.Length; i++) result.Span[i] = MathF.Truncate(times[i % count / XarNetwork.Cell * rows + i / count] * 1000);
        return result;
    }

    // Latents (B, C, 16, 16) to tokens (B, 256, C), cell by cell, and back.
    private static Tensor<float> Cells(Tensor<float> latents)
    {
        var cells = Tensor.Zeros<float>(latents.Shape[0], latents.Shape[2] * latents.Shape[3], latents.Shape[1]);
        Exchange(latents, cells, toCells: true);
        return cells;
    }

    private static Tensor<float> Latents(Tensor<float> cells)
    {
        var latents = Tensor.Zeros<float>(cells.Shape[0], cells.Shape[2], XarNetwork.Side, XarNetwork.Side);
        Exchange(latents, cells, toCells: false);
        return latents;
    }

    private static void Exchange(Tensor<float> latents, Tensor<float> cells, bool toCells)
    {
        var (channels, count) = ((int)cells.Shape[2], (int)cells.Shape[1]);
        int[] places = [.. XarNetwork.CellPlaces];
        for (var i = 0; i < cells.Length; i++)
        {
            var (sample, token, channel) = (i / (count * channels), i / channels % count, i % channels);
            ref var latent = ref latents.Span[(sample * channels + channel) * count + places[token]];
            if (toCells) cells.Span[i] = latent;
            else latent = cells.Span[i];
        }
    }
}
