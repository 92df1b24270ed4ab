using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>MMM's tokenizer with a codebook for the upper body and one for the lower, over HumanML3D's 22 joints. Scopes are the authors'.</summary>
internal static class UpperBodyNetwork
{
    private const int Joints = 22, Features = 263;

    private static readonly int[] LowerJoints = [0, 1, 2, 4, 5, 7, 8, 10, 11];
    private static readonly int[] UpperJoints = [.. Enumerable.Range(0, Joints).Except(LowerJoints)];

    /// <summary>Features of the legs: the root, positions, rotations and velocities of their joints, foot contacts.</summary>
    public static int[] Lower { get; } = [.. Enumerable.Range(0, 4), .. Of(LowerJoints), .. Enumerable.Range(Features - 4, 4)];

    /// <summary>All others.</summary>
    public static int[] Upper { get; } = [.. Of(UpperJoints)];

    // Heights of the upper joints.
    private static int[] Heights { get; } = [.. UpperJoints.Select(joint => 4 + 3 * (joint - 1) + 1)];

    /// <summary>Heights of the upper joints from the root's, with statistics of their own. motion (B, T, F) normalised, mean and deviation (F).</summary>
    public static Value ShiftDown(Scope vq, Value motion, Value mean, Value deviation)
    {
        var raw = motion * deviation + mean;
        return (raw - RootHeight(raw) - Own(vq, "mean_upper", mean)) / Own(vq, "std_upper", deviation);
    }

    /// <summary>The reverse of <see cref="ShiftDown"/>.</summary>
    public static Value ShiftUp(Scope vq, Value motion, Value mean, Value deviation)
    {
        var raw = motion * Own(vq, "std_upper", deviation) + Own(vq, "mean_upper", mean);
        return (raw + RootHeight(raw) - mean) / deviation;
    }

    /// <summary>shifted motion (B, T, F) -> codes (B, N, 2), upper and lower.</summary>
    public static Value Encode(Scope vq, Value shifted, MmmConfig config) =>
        ValueShape.Stack(-1, Half(vq, shifted, "upper", Upper, config), Half(vq, shifted, "lower", Lower, config));

    /// <summary>codes (B, N, 2) -> motion (B, T, F), normalised.</summary>
    public static Value Decode(Scope vq, Value codes, Value mean, Value deviation, MmmConfig config)
    {
        var (upper, lower) = (Dequantize(vq, codes, 0, config), Dequantize(vq, codes, 1, config));
        if (!vq.Has("decoder_upper.model.0.weight")) return TemporalAutoencoder.Decode(vq["decoder"], ValueShape.Concat(1, upper, lower), config.Layout, Features);
        var parts = ValueShape.Concat(-1, TemporalAutoencoder.Decode(vq["decoder_upper"], upper, config.Layout, Upper.Length), TemporalAutoencoder.Decode(vq["decoder_lower"], lower, config.Layout, Lower.Length));
        int[] order = [.. Upper, .. Lower];
        return ShiftUp(vq, parts.Gather(Indices(parts.Graph, Enumerable.Range(0, Features).Select(feature => Array.IndexOf(order, feature))), -1), mean, deviation);
    }

    /// <summary>Upper and lower tokens as one embedding: their codes side by side, the ids after them learned. (B, N) each -> (B, N, D).</summary>
    public static Value Embed(Scope trunk, Value upper, Value lower, MmmConfig config)
    {
        var half = config.CodeDim / 2;
        var learned = trunk["learn_tok_emb"].Weight("weight", 3, half);
        Value Look(string part, Value tokens) => ValueShape.Concat(0, TemporalAutoencoder.Table(trunk[$"vqvae.vqvae.quantizer_{part}"], config.NbCode, half), learned).Gather(tokens);
        return trunk["to_emb"].Linear(ValueShape.Concat(-1, Look("upper", upper), Look("lower", lower)), config.EmbedDimGpt);
    }

    private static Value Half(Scope vq, Value shifted, string part, int[] features, MmmConfig config)
    {
        var latent = vq.Stage($"latent_{part}", TemporalAutoencoder.Encode(vq[$"encoder_{part}"], shifted.Gather(Indices(shifted.Graph, features), -1), config.Layout, config.CodeDim / 2));
        return TemporalAutoencoder.Quantize(vq[$"quantizer_{part}"], latent, config.NbCode);
    }

    private static Value Dequantize(Scope vq, Value codes, int part, MmmConfig config) =>
        TemporalAutoencoder.Dequantize(vq[part == 0 ? "quantizer_upper" : "quantizer_lower"], codes.At(2, part), config.NbCode, config.CodeDim / 2);

    // The root's height at the heights of upper joints, 0 elsewhere. (B, T, F)
    private static Value RootHeight(Value raw) =>
        raw.Slice(-1, 3, 4) * raw.Graph.Constant<float>([.. Enumerable.Range(0, Features).Select(feature => Heights.Contains(feature) ? 1f : 0)], Features);

    // A statistic of the data set, with the tokenizer's own for the heights of upper joints. (F)
    private static Value Own(Scope vq, string name, Value statistic) =>
        ValueShape.Concat(0, statistic, vq.Weight(name, Heights.Length)).Gather(Indices(statistic.Graph, Enumerable.Range(0, Features).Select(feature => Array.IndexOf(Heights, feature) is >= 0 and var own ? Features + own : feature)));

    private static Value Indices(Graph graph, IEnumerable<int> indices)
    {
        long[] ids = [.. indices.Select(index => (long)index)];
        return graph.Constant<long>(ids, ids.Length);
    }

    private static IEnumerable<int> Of(int[] joints) =>
    [
        .. joints.Where(joint => joint > 0).SelectMany(joint => Enumerable.Range(4 + 3 * (joint - 1), 3)),
        .. joints.Where(joint => joint > 0).SelectMany(joint => Enumerable.Range(4 + 3 * (Joints - 1) + 6 * (joint - 1), 6)),
        .. joints.SelectMany(joint => Enumerable.Range(4 + 9 * (Joints - 1) + 3 * joint, 3)),
    ];
}
