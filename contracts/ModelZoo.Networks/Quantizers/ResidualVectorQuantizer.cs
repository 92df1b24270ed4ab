using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Quantizers;

// SoundStream: An End-to-End Neural Audio Codec. Zeghidour et al. arXiv:2107.03312, algorithm 1. Implicit codebooks: Huijben et al., arXiv:2401.14732.
// Layout of lucidrains/vector-quantize-pytorch: ResidualVQ.

/// <summary>The settings of <c>ResidualVQ</c> that matter once it is trained.</summary>
public sealed record ResidualVectorQuantizerConfig
{
    /// <summary>Width of the input.</summary>
    [Range(1, 65536)] public long Dim { get; init; } = 1;
    /// <summary>Number of levels; null is as many as codebook sizes.</summary>
    [Range(1, 1024)] public int? NumQuantizers { get; init; }
    /// <summary>Number of codes: one number, or one for each level.</summary>
    public JsonElement CodebookSize { get; init; }
    /// <summary>Width of a code; null is the input's.</summary>
    public long? CodebookDim { get; init; }
    /// <summary>Whether all levels use the first one's codebook.</summary>
    public bool SharedCodebook { get; init; }
    /// <summary>Whether inputs are (B, D, H, W).</summary>
    public bool AcceptImageFmap { get; init; }
    /// <summary>Whether later levels' codebooks are computed from what the earlier ones gave.</summary>
    public bool ImplicitNeuralCodebook { get; init; }
    /// <summary>Settings of the networks that compute them.</summary>
    public ImplicitCodebookConfig MlpKwargs { get; init; } = new();
    /// <summary>Whether the nearest code is that at the smallest angle.</summary>
    public bool UseCosineSim { get; init; }
    /// <summary>Groups of channels that are quantized on their own; null is no groups.</summary>
    [Range(1, 1024)] public int? Groups { get; init; }
    /// <summary>Whether padding becomes what stands for no code at all; it stays as it was otherwise.</summary>
    public bool ReturnZerosForMaskedPadding { get; init; } = true;
    /// <summary>Whether codes are brought to the mean and variance of what each level is given.</summary>
    public bool AffineParam { get; init; }
    /// <summary>Share that the remembered statistics keep.</summary>
    [Range(0.0, 1.0)] public double AffineParamBatchDecay { get; init; } = 0.99;
    /// <summary>Noise in place of the nearest code; not offered.</summary>
    [AllowedValues(false)] public bool Diveq { get; init; }
    /// <summary>Sequences as (B, D, N); not offered.</summary>
    [AllowedValues(true)] public bool ChannelLast { get; init; } = true;
    /// <summary>Codes tried at each level: the nearest alone.</summary>
    [Range(1, 1)] public int Beams => EvalBeamSize ?? BeamSize ?? 1;
    /// <summary>Codes tried at each level; null is <see cref="BeamSize"/>.</summary>
    public int? EvalBeamSize { get; init; }
    /// <summary>Codes tried at each level in training.</summary>
    public int? BeamSize { get; init; }

    /// <summary>Number of codes of each level.</summary>
    public IReadOnlyList<long> CodebookSizes => CodebookSize.ValueKind == JsonValueKind.Array
        ? [.. CodebookSize.EnumerateArray().Select(size => size.GetInt64())]
        : [.. Enumerable.Repeat(CodebookSize.GetInt64(), NumQuantizers ?? 1)];

    /// <summary>Width of a code.</summary>
    public long CodeWidth => CodebookDim ?? Dim;

    /// <summary>The settings of one group.</summary>
    public ResidualVectorQuantizerConfig OfGroup() => this with { Groups = null, Dim = Dim / (Groups ?? 1) };
}

/// <summary>A network that computes a codebook from another and a condition.</summary>
public sealed record ImplicitCodebookConfig
{
    /// <summary>Width within; null is the code's.</summary>
    public long? DimHidden { get; init; }
    /// <summary>Number of residual layers.</summary>
    [Range(1, 64)] public int Depth { get; init; } = 4;
}

/// <summary>Residual vector quantization: each level quantizes what the levels before it left.</summary>
public static class ResidualVectorQuantizer
{
    /// <summary>Quantizes. x (B, N, D) or (B, D, H, W) -> codes (B, .., levels).</summary>
    public static Quantization Quantize(Scope rvq, Value x, ResidualVectorQuantizerConfig config)
    {
        if (config.Groups is { } groups) return GroupedQuantizer.Quantize(rvq, x, groups, config.AcceptImageFmap, (group, part) => Quantize(group, part, config.OfGroup()));
        var rows = x.ToSequence(config.AcceptImageFmap);
        var projected = config.CodeWidth == config.Dim ? rows : rvq["project_in"].Linear(rows, config.CodeWidth);
        var residual = projected;                                                                                                // (B, N, D')
        Value? sum = null;
        (Value, Value, Value)? moved = null;
        List<Value> ids = [], codes = [];
        foreach (var (level, size) in config.CodebookSizes.Index())
        {
            var (id, code) = Level(rvq, residual, sum, level, size, config, ref moved);
            residual -= code;
            sum = sum is null ? code : sum + code;
            ids.Add(id);
            codes.Add(code);
        }

        // As published, codes that were moved are shown as they are in the codebooks.
        var all = ValueShape.Stack(-1, [.. ids]);
        var shown = (config.AffineParam ? Lookup(rvq, all, config) : codes).Select(code => code.PlacesFromSequence(x.Shape, config.AcceptImageFmap));
        return new(projected, all.IdsFromSequence(x.Shape, config.AcceptImageFmap), ProjectOut(rvq, sum!, config).FromSequence(x.Shape, config.AcceptImageFmap))
        { AllCodes = ValueShape.Stack(0, [.. shown]), Unquantized = ProjectOut(rvq, projected, config).FromSequence(x.Shape, config.AcceptImageFmap) };
    }

    /// <summary>What ids stand for; -1 is a level left out, and so are levels that ids lack at the end. ids (B, .., levels) -> (B, .., D).</summary>
    public static Value Decode(Scope rvq, Value ids, ResidualVectorQuantizerConfig config) => config.Groups is { } groups
        ? GroupedQuantizer.Decode(rvq, ids, groups, config.AcceptImageFmap, (group, part) => Decode(group, part, config.OfGroup()))
        : ProjectOut(rvq, Lookup(rvq, ids, config).Aggregate((a, b) => a + b), config);

    /// <summary>What the ids of each level stand for, in the space of the codebook; -1 is a level left out, zeros. ids (B, .., levels) -> (B, .., D') for each level.</summary>
    public static IReadOnlyList<Value> Lookup(Scope rvq, Value ids, ResidualVectorQuantizerConfig config)
    {
        Value? sum = null;
        List<Value> codes = [];
        foreach (var (level, size) in config.CodebookSizes.Take(ids.LevelsOr(int.MaxValue)).Index())
        {
            var id = ids.At(-1, level);
            var present = id.GreaterOrEqual(id.Graph.Constant([0L])).Cast(ElementType.Float32).Unsqueeze(-1);
            var known = id.Max(id.Graph.Constant([0L]));
            var code = (level > 0 && config.ImplicitNeuralCodebook ? PickRow(Implicit(rvq, level, Table(rvq, level, size, config), sum!, config), known) : Table(rvq, level, size, config).Gather(known)) * present;
            sum = sum is null ? code : sum + code;
            codes.Add(code);
        }

        return codes;
    }

    // What a shared codebook was moved by follows it from level to level.
    private static (Value Id, Value Code) Level(Scope rvq, Value residual, Value? sum, int level, long size, ResidualVectorQuantizerConfig config, ref (Value Table, Value Mean, Value Variance)? moved)
    {
        var (x, table) = (config.UseCosineSim ? residual.L2Normalize() : residual, Table(rvq, level, size, config));
        if (config.AffineParam)
        {
            moved = VectorQuantizer.Moved(Book(rvq, level, config), table, x, config.AffineParamBatchDecay, config.SharedCodebook ? moved : null);
            table = moved.Value.Table;
        }

        if (level == 0 || !config.ImplicitNeuralCodebook)
        {
            var found = config.UseCosineSim ? Codebook.MostAlike(x, table) : Codebook.Nearest(x, table);
            return (found, table.Gather(found));
        }

        var codes = Implicit(rvq, level, table, sum!, config);                                                                   // (B, N, K, D')
        // PyTorch's pairwise distance adds 1e-6 to each difference.
        var id = config.UseCosineSim
            ? codes.MatMul(x.Unsqueeze(-1)).Squeeze(-1).ArgMax(-1)
            : (x.Unsqueeze(2) - codes + 1e-6).Square().Sum(-1).ArgMin(-1);
        return (id, PickRow(codes, id));
    }

    // The codebook of a level for each place: a residual network over code and condition.
    private static Value Implicit(Scope rvq, int level, Value table, Value condition, ResidualVectorQuantizerConfig config)
    {
        var (mlp, width) = (rvq["mlps"][level - 1], config.CodeWidth);
        Shape shape = [condition.Shape[0], condition.Shape[1], table.Shape[0], width];
        var h = mlp["proj_in"].Linear(ValueShape.Concat(-1, condition.Unsqueeze(2).Expand([.. shape]), table.Unsqueeze(0, 1).Expand([.. shape])), width);
        for (var i = 0; i < config.MlpKwargs.Depth; i++) h += mlp["layers"][i].Mlp(h, config.MlpKwargs.DimHidden ?? width, x => x.Silu(), "0", "2");
        return config.UseCosineSim ? h.L2Normalize() : h;
    }

    // One of K rows for each place. codes (B, N, K, D), id (B, N) -> (B, N, D).
    private static Value PickRow(Value codes, Value id) =>
        codes.GatherElements(id.Unsqueeze(-1, -2).Expand(codes.Shape[0], codes.Shape[1], 1, codes.Shape[3]), 2).Squeeze(2);

    private static Value ProjectOut(Scope rvq, Value sum, ResidualVectorQuantizerConfig config) => config.CodeWidth == config.Dim ? sum : rvq["project_out"].Linear(sum, config.Dim);

    private static Scope Book(Scope rvq, int level, ResidualVectorQuantizerConfig config) => rvq["layers"][config.SharedCodebook ? 0 : level]["_codebook"];

    private static Value Table(Scope rvq, int level, long size, ResidualVectorQuantizerConfig config)
    {
        var codebook = Book(rvq, level, config);
        return rvq.Graph.Weight($"{codebook.Path}.embed", codebook.Data("embed", 1, size, config.CodeWidth).Reshape(size, config.CodeWidth), codebook.Path);
    }
}
