// D-AR: Diffusion via Autoregressive Models. Gao, Shou. arXiv:2505.23660. github.com/showlab/D-AR: tokenizer/tokenizer_image
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Autoencoders;

/// <summary>Section <c>model</c> of the published tokenizer_v1.yaml.</summary>
public sealed record DArTokenizerConfig
{
    /// <summary>Pixels a patch of the encoder.</summary>
    [Range(1, 256)] public int EncoderPatchSize { get; init; } = 16;
    /// <summary>Blocks of the encoder.</summary>
    [Range(0, 256)] public int NumEncoderLayers { get; init; } = 8;
    /// <summary>Causal blocks over the codes.</summary>
    [Range(0, 256)] public int NumDecoderLayers { get; init; } = 8;
    /// <summary>Whether queries come from a table of 8 channels and a map.</summary>
    public bool QueryLowRank { get; init; } = true;
    /// <summary>Width of the encoder.</summary>
    [Range(1, 1 << 16)] public int EncoderDim { get; init; } = 768;
    /// <summary>Width of the blocks over the codes.</summary>
    [Range(1, 1 << 16)] public int DecoderDim { get; init; } = 768;
    /// <summary>Width of a code.</summary>
    [Range(1, 1 << 16)] public int VqDim { get; init; } = 8;
    /// <summary>Entries of the codebook.</summary>
    [Range(1, 1 << 24)] public int VqCodebookSize { get; init; } = 16384;
    /// <summary>Whether there is a codebook.</summary>
    [AllowedValues(true)] public bool VqEnable { get; init; } = true;
    /// <summary>Steps of the diffusion.</summary>
    [Range(1, 1000)] public int NumDenoisingSteps { get; init; } = 8;
    /// <summary>Groups of codes; each step sees one.</summary>
    [Range(1, 1000)] public int NumQueryGroups { get; init; } = 8;
    /// <summary>Codes of a picture.</summary>
    [Range(1, 1024)] public int NumAllQueries { get; init; } = 256;
    /// <summary>Codes that a step sees; null: as many as a group has.</summary>
    public int? QueriesPerStep { get; init; }
    /// <summary>Smallest side of what the diffusion makes, in pixels.</summary>
    public int SamplingResolution { get; init; } = 256;
    /// <summary>Side that larger pictures are shrunk to; 0 leaves them.</summary>
    public int OutputResolution { get; init; }
    /// <summary>Base of the rotary angles.</summary>
    public double RopeBaseLen { get; init; } = 10000;
    /// <summary>Width of a head: 64 in the authors' code.</summary>
    [Range(4, 1024)] public int HeadDim { get; init; } = 64;
    /// <summary>The diffusion.</summary>
    public DArDiffusionConfig DiffDecoder { get; init; } = new();

    /// <summary>Codes that a step sees.</summary>
    public int StepQueries => QueriesPerStep ?? NumAllQueries / NumQueryGroups;

    /// <summary>The first code that a step sees.</summary>
    public int StepStart(int step)
    {
        var t = (double)step / NumDenoisingSteps;
        return Math.Min(NumAllQueries - StepQueries, (int)(Math.Floor(t * NumQueryGroups + 0.5) / NumQueryGroups * NumAllQueries));
    }
}

/// <summary>Section <c>diff_decoder</c>.</summary>
public sealed record DArDiffusionConfig
{
    /// <summary>Width.</summary>
    [Range(1, 1 << 16)] public int Dim { get; init; } = 768;
    /// <summary>Width of the conditions.</summary>
    [Range(1, 1 << 16)] public int CondDim { get; init; } = 768;
    /// <summary>Pixels a patch.</summary>
    [Range(1, 256)] public int PatchSize { get; init; } = 8;
    /// <summary>Blocks.</summary>
    [Range(1, 256)] public int Depth { get; init; } = 12;
    /// <summary>Standard deviation that pictures are scaled to.</summary>
    public double DataStd { get; init; } = 1;
    /// <summary>Shift of the times towards the noise.</summary>
    public double TimeShift { get; init; } = 1;
    /// <summary>Whether the time modulates what goes into the last map.</summary>
    public bool MlpHead { get; init; }
    /// <summary>Whether all blocks share one embedding of the time.</summary>
    public bool ShareTimeEncoding { get; init; }
    /// <summary>Base of the rotary angles.</summary>
    public double RopeBaseLen { get; init; } = 10000;
}

/// <summary>D-AR's tokenizer: queries over patches to codes, and a diffusion over pixels whose steps look at one group of codes after the other.</summary>
public static class DArTokenizer
{
    private const double Epsilon = 1e-6;
    private static readonly Dim Batch = Dim.Symbol("batch");

    /// <summary>x (B, 3, H, W) in -1..1 -> codes (B, n), quantized (B, C, 1, n); stages <c>patches</c>, <c>encoder_block_i</c>, <c>latent</c>.</summary>
    public static void Encode(Scope model, DArTokenizerConfig config)
    {
        var (g, width, count) = (model.Graph, config.EncoderDim, config.NumAllQueries);
        var map = model.Stage("patches", model["patchify"].Conv(g.Input("x", [Batch, 3, Dim.Symbol("height"), Dim.Symbol("width")]), width, config.EncoderPatchSize, stride: config.EncoderPatchSize));
        var (rows, columns) = (map.Shape[2], map.Shape[3]);
        var patches = map.Reshape(Batch, width, rows * columns).Swap(1, 2);
        var queries = model["query_embedding"].Weight("weight", 1024, config.QueryLowRank ? 8 : width).Take(0, count);
        if (config.QueryLowRank) queries = model["query_linear"].Linear(queries, width);
        var x = ValueShape.Concat(1, patches.LayerNorm(Epsilon), queries.Unsqueeze(0).Expand(Batch, count, width));
        // Queries do not turn: angle 0 at all of their positions.
        var (cos, sin) = Tables(g, rows, columns, config.HeadDim, config.RopeBaseLen);
        var zeros = g.Constant<float>(new float[count * config.HeadDim / 2], count, config.HeadDim / 2);
        var rotary = (ValueShape.Concat(0, cos, zeros + 1), ValueShape.Concat(0, sin, zeros));
        // All see the patches; queries also the queries before them.
        var places = AttentionLayers.Range(g, rows * columns + count);
        var keys = places.Reshape(1, -1);
        var bias = AttentionMasks.Where(keys.Less(g.Extent(rows * columns)).Or(places.Reshape(-1, 1).GreaterOrEqual(keys))).Unsqueeze(0, 1);
        for (var i = 0; i < config.NumEncoderLayers; i++) x = model.Stage($"encoder_block_{i}", Block(model["encoder_layers"][i], x, config.HeadDim, rotary, new() { Heads = width / config.HeadDim, Bias = bias }));

        var tokens = x.Last(1, count).LayerNorm(Epsilon).Swap(1, 2).Unsqueeze(2);                 // (B, D, 1, n)
        var latent = model.Stage("latent", model["quant_in_conv"].Conv(tokens, config.VqDim, 1, bias: false));
        var table = Table(model, config);
        var codes = VectorQuantization.Nearest(latent.ChannelsLast().L2Normalize(), table).Reshape(Batch, count);
        g.Output("codes", codes);
        g.Output("quantized", table.Gather(codes).Swap(1, 2).Unsqueeze(2));
    }

    /// <summary>code_b (B, n) -> condition (B, n, D), each from the codes up to its own.</summary>
    public static void Condition(Scope model, DArTokenizerConfig config)
    {
        var (count, width) = (config.NumAllQueries, config.DecoderDim);
        var entries = Table(model, config).Gather(model.Graph.Input("code_b", ElementType.Int64, [Batch, count])).Swap(1, 2).Unsqueeze(2);
        var x = model["quant_out_conv"].Conv(entries, width, 1, bias: false).Squeeze(2).Swap(1, 2) + model["decoder_embedding"].Weight("weight", 1024, width).Take(0, count);
        for (var i = 0; i < config.NumDecoderLayers; i++) x = Block(model["decoder_layers"][i], x, config.HeadDim, null, new() { Heads = width / config.HeadDim, Causal = true });
        model.Graph.Output("condition", x.LayerNorm(Epsilon));
    }

    /// <summary>The diffusion's network: x (B, 3, H, W) at time t (B), 0 noise and 1 picture, cond (B, k, D) -> velocity (B, 3, H, W); stages <c>sit_block_i</c>.</summary>
    public static void Velocity(Scope net, DArTokenizerConfig tokenizer)
    {
        var (g, config) = (net.Graph, tokenizer.DiffDecoder);
        var patch = config.PatchSize;
        var x = g.Input("x", [Batch, 3, Dim.Symbol("height") * patch, Dim.Symbol("width") * patch]);
        Value t = g.Input("t", [Batch]);
        var cond = net["cond_mlp"].Linear(g.Input("cond", [Batch, Dim.Symbol("queries"), config.CondDim]), config.Dim).LayerNorm(Epsilon);
        Value Time(Scope embed) => embed["mlp.2"].Linear(embed["mlp.0"].Linear((t * 1000).Sinusoid(config.Dim), config.Dim).Silu(), config.Dim);
        var shared = config.ShareTimeEncoding ? Time(net["time_embed"]) : null;

        var map = net["conv_in"].Conv(x.PixelUnshuffle(patch), config.Dim, 1);
        var (rows, columns) = (map.Shape[2], map.Shape[3]);
        var p = map.Reshape(Batch, config.Dim, rows * columns).Swap(1, 2);
        var rotary = Tables(g, rows, columns, tokenizer.HeadDim, config.RopeBaseLen);
        for (var i = 0; i < config.Depth; i++)
        {
            var block = net["blocks"][i];
            p = net.Stage($"sit_block_{i}", DiffusionBlock(block, p, cond, shared ?? Time(block["time_embed"]), rotary, config.Dim, tokenizer.HeadDim));
        }

        p = p.LayerNorm(Epsilon);
        var channels = 3 * patch * patch;
        if (config.MlpHead)
        {
            var (shift, scale) = net["linear_out.adaLN_modulation.1"].Linear((shared ?? throw new GraphException("A head with a time needs the shared embedding of it.") { Where = net.Path }).Silu(), 2 * config.Dim).Chunk2();
            p = net["linear_out.linear"].Linear(p.LayerNorm(Epsilon).Modulate(shift, scale), channels);
        }

        var output = p.Swap(1, 2).Reshape(Batch, p.Shape[2], rows, columns);
        g.Output("velocity", (config.MlpHead ? output : net["conv_out"].Conv(output, channels, 1)).PixelShuffle(patch));
    }

    // Cross-attention to the conditions gives each patch a modulation of its own.
    private static Value DiffusionBlock(Scope block, Value x, Value cond, Value time, (Value, Value) rotary, long width, int headDim)
    {
        var options = new AttentionOptions { Heads = width / headDim };
        var c = block["cond_embed.2"].Linear(block["cond_embed.0"].Linear(cond, width).Silu(), width).LayerNorm(Epsilon);
        var seen = Attention(block["cross_attn"], x.LayerNorm(Epsilon), c, headDim, rotary, null, options);
        var (shift1, scale1, gate1, shift2, scale2, gate2) = block["adaLN_modulation.1"].Linear((seen + time.Unsqueeze(1)).Silu(), 6 * width).Chunk6();
        var h = x.LayerNorm(Epsilon) * (scale1 + 1) + shift1;
        x += gate1 * Attention(block["attention"], h, h, headDim, rotary, rotary, options);
        return x + gate2 * block["mlp"].Mlp(x.LayerNorm(Epsilon) * (scale2 + 1) + shift2, 4 * width, value => value.Silu());
    }

    private static Value Block(Scope block, Value x, int headDim, (Value, Value)? rotary, AttentionOptions options)
    {
        var width = x.Shape[-1].Size;
        var h = block["norm1"].LayerNorm(x, Epsilon);
        x += Attention(block["attention"], h, h, headDim, rotary, rotary, options) * block.Weight("gate1", width);
        return x + block["mlp"].Mlp(block["norm2"].LayerNorm(x, Epsilon), 4 * width, value => value.Silu()) * block.Weight("gate2", width);
    }

    // Queries and keys are normalised in each head before they turn.
    private static Value Attention(Scope attention, Value queries, Value keys, int headDim, (Value Cos, Value Sin)? queryRotary, (Value Cos, Value Sin)? keyRotary, AttentionOptions options)
    {
        var width = queries.Shape[-1].Size;
        Value Heads(string name, Value x, (Value Cos, Value Sin)? rotary)
        {
            var h = attention[name].Linear(x, width);
            h = attention[$"{name}_norm"].LayerNorm(h.Reshape(h.Shape[0], h.Shape[1], options.Heads, headDim), Epsilon).Flatten(2);
            return rotary is var (cos, sin) ? h.Rotary(options.Heads, cos, sin, interleaved: true) : h;
        }

        return attention["proj"].Linear(AttentionLayers.Attention(Heads("q", queries, queryRotary), Heads("k", keys, keyRotary), attention["v"].Linear(keys, width), options), width);
    }

    // Angles of a grid whose sizes a run decides: half of a head for rows, half for columns. Two of (rows columns, W / 2).
    private static (Value Cos, Value Sin) Tables(Graph g, Dim rows, Dim columns, int headDim, double theta)
    {
        var quarter = headDim / 4;
        var (rowCos, rowSin) = PositionLayers.RotaryAngles(g, rows, 2 * quarter, theta);
        var (columnCos, columnSin) = PositionLayers.RotaryAngles(g, columns, 2 * quarter, theta);
        Value Grid(Value byRow, Value byColumn) =>
            ValueShape.Concat(-1, byRow.Unsqueeze(1).Expand(rows, columns, quarter), byColumn.Unsqueeze(0).Expand(rows, columns, quarter)).Reshape(rows * columns, 2 * quarter);
        return (Grid(rowCos, columnCos), Grid(rowSin, columnSin));
    }

    private static Value Table(Scope model, DArTokenizerConfig config) => model["quantize.embedding"].Weight("weight", config.VqCodebookSize, config.VqDim).L2Normalize();
}
