using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;

namespace ModelZoo.Networks.Quantizers;

// Finite Scalar Quantization: VQ-VAE Made Simple. Mentzer, Minnen, Agustsson, Tschannen. arXiv:2309.15505. Symmetric form: Parker et al., arXiv:2411.19842, section 3.2.
// Layout of lucidrains/vector-quantize-pytorch: FSQ.

/// <summary>The settings of <c>FSQ</c> that matter once it is trained.</summary>
public sealed record FiniteScalarConfig
{
    /// <summary>Number of values of each channel.</summary>
    [MinLength(1)] public int[] Levels { get; init; } = [8, 5, 5, 5];
    /// <summary>Width of the input; null is that of the codes.</summary>
    public long? Dim { get; init; }
    /// <summary>Groups of channels with an id each.</summary>
    [Range(1, 1024)] public int NumCodebooks { get; init; } = 1;
    /// <summary>Whether ids have an axis for the groups; null is when there are several.</summary>
    public bool? KeepNumCodebooksDim { get; init; }
    /// <summary>Whether sequences are (B, D, N); pictures and videos always have channels first.</summary>
    public bool ChannelFirst { get; init; }
    /// <summary>Whether the projections have biases.</summary>
    public bool ProjectionHasBias { get; init; } = true;
    /// <summary>Whether values are spread evenly over -1..1 for any number of them.</summary>
    public bool PreserveSymmetry { get; init; }
    /// <summary>Whether inputs are clamped rather than squashed.</summary>
    public bool BoundHardClamp { get; init; }
    /// <summary>Whether channels are rotated before, and back after.</summary>
    public bool OrthogonalRotation { get; init; }

    /// <summary>Whether ids have an axis for the groups.</summary>
    public bool HasCodebookAxis => KeepNumCodebooksDim ?? NumCodebooks > 1;
}

/// <summary>Finite scalar quantization: each channel is squashed and rounded to one of a few values; their combination is the code, the first channel being the least significant digit.</summary>
public static class FiniteScalarQuantizer
{
    /// <summary>Quantizes. x (B, N, D), or (B, D, ..) for pictures, videos and channels first.</summary>
    public static Quantization Quantize(Scope fsq, Value x, FiniteScalarConfig config)
    {
        var first = x.Rank >= 4 || config.ChannelFirst;
        var (rows, digits) = (x.ToSequence(first), config.Levels.Length);
        var (width, inner) = (config.Dim ?? digits * config.NumCodebooks, (long)digits * config.NumCodebooks);
        var projected = width == inner ? rows : fsq["project_in"].Linear(rows, inner, config.ProjectionHasBias);
        var z = projected.Reshape(rows.Shape[0], rows.Shape[1], config.NumCodebooks, digits);                                    // (B, N, C, d)
        if (config.OrthogonalRotation) z = z.MatMul(fsq.Weight("orthogonal_rot", digits, digits));
        var codes = Round(z, config.Levels, config.PreserveSymmetry, config.BoundHardClamp);
        var ids = IdsOf(codes, config.Levels, config.PreserveSymmetry);                                                           // (B, N, C)
        if (!config.HasCodebookAxis) ids = ids.Squeeze(-1);
        return new(projected, ids.IdsFromSequence(x.Shape, first), ProjectOut(fsq, codes, config).FromSequence(x.Shape, first));
    }

    /// <summary>What ids stand for, in the input's layout. ids (B, ..), or (B, .., C) with an axis for the groups.</summary>
    public static Value Decode(Scope fsq, Value ids, FiniteScalarConfig config)
    {
        var first = ids.Rank >= 3 + (config.HasCodebookAxis ? 1 : 0) || config.ChannelFirst;
        var codes = CodesOf(config.HasCodebookAxis ? ids : ids.Unsqueeze(-1), config.Levels, config.PreserveSymmetry);           // (B, .., C, d)
        var y = ProjectOut(fsq, codes, config);
        return first ? y.ChannelsFirst() : y;
    }

    /// <summary>The nearest values. z (.., d) -> (.., d), within -1..1.</summary>
    /// <param name="z">The input.</param>
    /// <param name="levels">Number of values of each channel.</param>
    /// <param name="symmetric">Whether values are spread evenly over -1..1 for any number of them.</param>
    /// <param name="clamp">Whether inputs are clamped rather than squashed.</param>
    public static Value Round(Value z, int[] levels, bool symmetric = false, bool clamp = false)
    {
        Value Squash(Value x) => clamp ? x.Clip(-1, 1) : x.Tanh();
        Value Channels(Func<int, float> value) => z.Graph.Constant<float>([.. levels.Select(value)], levels.Length);
        if (symmetric) return Channels(level => 2f / (level - 1)) * ((Channels(level => level - 1) * (Squash(z) + 1) / 2) + 0.5).Floor() - 1;
        static float Half(int level) => (level - 1) * (float)(1 + 1e-3) / 2;
        static float Offset(int level) => level % 2 == 0 ? 0.5f : 0;
        var shift = Channels(level => clamp ? Offset(level) / Half(level) : MathF.Atanh(Offset(level) / Half(level)));
        return (Squash(z + shift) * Channels(Half) - Channels(Offset)).Round() / Channels(level => level / 2);
    }

    /// <summary>Ids of values. codes (.., d) -> (..), int64.</summary>
    public static Value IdsOf(Value codes, int[] levels, bool symmetric = false)
    {
        Value Channels(Func<int, float> value) => codes.Graph.Constant<float>([.. levels.Select(value)], levels.Length);
        var digits = symmetric ? (codes + 1) / Channels(level => 2f / (level - 1)) : codes * Channels(level => level / 2) + Channels(level => level / 2);
        return (digits.Round().Cast(ElementType.Int64) * Basis(codes.Graph, levels)).Sum(-1);
    }

    /// <summary>Values of ids. ids (..) -> (.., d).</summary>
    public static Value CodesOf(Value ids, int[] levels, bool symmetric = false)
    {
        var g = ids.Graph;
        Value Channels(Func<int, float> value) => g.Constant<float>([.. levels.Select(value)], levels.Length);
        var quotients = ids.Unsqueeze(-1) / Basis(g, levels);
        var digits = g.Node(ids.Path, "Mod", [quotients, g.Constant<long>([.. levels.Select(level => (long)level)], levels.Length)], ElementType.Int64, quotients.Shape).Cast(ElementType.Float32);
        return symmetric ? digits * Channels(level => 2f / (level - 1)) - 1 : (digits - Channels(level => level / 2)) / Channels(level => level / 2);
    }

    private static Value ProjectOut(Scope fsq, Value codes, FiniteScalarConfig config)
    {
        var (digits, inner) = (config.Levels.Length, (long)config.Levels.Length * config.NumCodebooks);
        if (config.OrthogonalRotation) codes = codes.MatMul(fsq.Weight("orthogonal_rot", digits, digits).Swap(0, 1));
        var merged = codes.Flatten(-2);
        return (config.Dim ?? inner) == inner ? merged : fsq["project_out"].Linear(merged, config.Dim!.Value, config.ProjectionHasBias);
    }

    // Weight of each digit: 1, L1, L1 L2...
    private static Value Basis(Graph graph, int[] levels)
    {
        var basis = new long[levels.Length];
        for (var (i, product) = (0, 1L); i < levels.Length; product *= levels[i++]) basis[i] = product;
        return graph.Constant<long>(basis, basis.Length);
    }
}
