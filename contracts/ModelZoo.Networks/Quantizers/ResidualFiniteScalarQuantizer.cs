using System.ComponentModel.DataAnnotations;
using System.Text.Json;

namespace ModelZoo.Networks.Quantizers;

// Finite scalar quantization (arXiv:2309.15505) in the residual scheme of SoundStream (arXiv:2107.03312, algorithm 1). Layout of lucidrains/vector-quantize-pytorch: ResidualFSQ.

/// <summary>The settings of <c>ResidualFSQ</c> that matter once it is trained.</summary>
public sealed record ResidualFiniteScalarConfig
{
    /// <summary>Number of values of each channel.</summary>
    [MinLength(1)] public int[] Levels { get; init; } = [8, 5, 5, 5];
    /// <summary>Number of levels of residuals.</summary>
    [Range(1, 1024)] public int NumQuantizers { get; init; } = 1;
    /// <summary>Width of the input; null is that of the codes.</summary>
    public long? Dim { get; init; }
    /// <summary>Groups of channels that are quantized on their own; null is no groups.</summary>
    [Range(1, 1024)] public int? Groups { get; init; }
    /// <summary>Whether inputs are (B, D, ..).</summary>
    public bool IsChannelFirst { get; init; }
    /// <summary>Inputs x become c tanh(x / c): one number or one a channel; null is 1 + 1 / (L - 1) when values are clamped, else nothing.</summary>
    public JsonElement? SoftClampInputValue { get; init; }
    /// <summary>Whether residuals are clamped rather than squashed.</summary>
    public bool BoundHardClamp { get; init; } = true;
    /// <summary>Whether each level rotates channels before, and back after; ids still stand for values that are not rotated back, as published.</summary>
    public bool OrthogonalRotation { get; init; }

    /// <summary>Whether ids have an axis of one before that of the levels.</summary>
    public bool? KeepNumCodebooksDim { get; init; }

    /// <summary>The settings of one group.</summary>
    public ResidualFiniteScalarConfig OfGroup() => this with { Groups = null, Dim = Dim / Groups };
}

/// <summary>Residual finite scalar quantization: each level quantizes what the levels before it left, on a grid finer by the number of values.</summary>
public static class ResidualFiniteScalarQuantizer
{
    /// <summary>Quantizes. x (B, N, D), or (B, D, ..) with channels first -> codes (B, .., levels), or (B, levels, ..), or (B, N, 1, levels) with an axis for the codebook.</summary>
    public static Quantization Quantize(Scope rfsq, Value x, ResidualFiniteScalarConfig config)
    {
        if (config.Groups is { } groups) return GroupedQuantizer.Quantize(rfsq, x, groups, config.IsChannelFirst, (group, part) => Quantize(group, part, config.OfGroup()));
        var (g, rows, width) = (x.Graph, x.ToSequence(config.IsChannelFirst), config.Levels.Length);
        var projected = (config.Dim ?? width) == width ? rows : rfsq["project_in"].Linear(rows, width);
        var residual = projected;
        if (SoftClamp(config) is { } clamp)
        {
            var c = g.Constant<float>(clamp, clamp.Length);
            residual = (residual / c).Tanh() * c;
        }

        Value? sum = null;
        List<Value> ids = [], codes = [];
        for (var level = 0; level < config.NumQuantizers; level++)
        {
            var scale = Scale(g, config, level);
            var rotation = config.OrthogonalRotation ? rfsq["layers"][level].Weight("orthogonal_rot", width, width) : null;
            var scaled = residual / scale;
            var digits = FiniteScalarQuantizer.Round(rotation is null ? scaled : scaled.MatMul(rotation), config.Levels, symmetric: true, config.BoundHardClamp);
            ids.Add(FiniteScalarQuantizer.IdsOf(digits, config.Levels, symmetric: true));
            codes.Add((digits * scale).PlacesFromSequence(x.Shape, config.IsChannelFirst));
            var code = (rotation is null ? digits : digits.MatMul(rotation.Swap(0, 1))) * scale;
            residual -= code;
            sum = sum is null ? code : sum + code;
        }

        if (config.KeepNumCodebooksDim == true)
        {
            ids = ids.ConvertAll(id => id.Unsqueeze(-1));
            codes = codes.ConvertAll(code => code.Unsqueeze(-2));
        }

        var all = ValueShape.Stack(-1, [.. ids]).IdsFromSequence(x.Shape, config.IsChannelFirst);
        return new(projected, config.IsChannelFirst ? all.ChannelsFirst() : all, ProjectOut(rfsq, sum!, config).FromSequence(x.Shape, config.IsChannelFirst)) { AllCodes = ValueShape.Stack(0, [.. codes]) };
    }

    /// <summary>What ids stand for; -1 is a level left out, and so are levels that ids lack at the end. ids (B, .., levels) -> (B, .., D).</summary>
    public static Value Decode(Scope rfsq, Value ids, ResidualFiniteScalarConfig config)
    {
        if (config.Groups is { } groups) return GroupedQuantizer.Decode(rfsq, ids, groups, config.IsChannelFirst, (group, part) => Decode(group, part, config.OfGroup()));
        Value? sum = null;
        for (var level = 0; level < ids.LevelsOr(config.NumQuantizers); level++)
        {
            var id = ids.At(-1, level);
            var present = id.GreaterOrEqual(id.Graph.Constant([0L])).Cast(Contracts.ElementType.Float32).Unsqueeze(-1);
            var code = FiniteScalarQuantizer.CodesOf(id.Max(id.Graph.Constant([0L])), config.Levels, symmetric: true) * present * Scale(ids.Graph, config, level);
            sum = sum is null ? code : sum + code;
        }

        return ProjectOut(rfsq, sum!, config);
    }

    private static Value ProjectOut(Scope rfsq, Value sum, ResidualFiniteScalarConfig config) =>
        (config.Dim ?? config.Levels.Length) == config.Levels.Length ? sum : rfsq["project_out"].Linear(sum, config.Dim!.Value);

    // L^-level for each channel.
    private static Value Scale(Graph graph, ResidualFiniteScalarConfig config, int level) =>
        graph.Constant<float>([.. config.Levels.Select(values => (float)Math.Pow(values, -level))], config.Levels.Length);

    private static float[]? SoftClamp(ResidualFiniteScalarConfig config) => config switch
    {
        { BoundHardClamp: true } => [.. config.Levels.Select(level => 1 + 1f / (level - 1))],
        { SoftClampInputValue: { ValueKind: JsonValueKind.Number } value } => [value.GetSingle()],
        { SoftClampInputValue: { ValueKind: JsonValueKind.Array } values } => [.. values.EnumerateArray().Select(value => value.GetSingle())],
        _ => null,
    };
}
