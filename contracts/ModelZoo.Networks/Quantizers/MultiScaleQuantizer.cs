namespace ModelZoo.Networks;

/// <summary>Sizes of a multi-scale quantizer.</summary>
/// <param name="Entries">Entries of the codebook.</param>
/// <param name="Width">Width of a code.</param>
/// <param name="Scales">Places along each side, scale by scale; the last is that of the latent.</param>
/// <param name="Cosine">Whether codes are compared by cosine; what is added is the entry as it stands.</param>
public sealed record MultiScale(int Entries, int Width, int[] Scales, bool Cosine)
{
    /// <summary>Share of the convolution in what a scale adds; 0 for no convolution.</summary>
    public double ResidualShare { get; init; } = 0.5;

    /// <summary>Convolutions that the scales share: 0 one a scale, 1 one for all.</summary>
    public int SharedConvolutions { get; init; } = 4;

    /// <summary>Whether a code is the signs of its channels (least significant first), as long as the scale's published <c>scaler</c> says, in place of an entry; compared by cosine, the latent is normalised first.</summary>
    public bool Binary { get; init; }
}

/// <summary>Multi-scale residual quantization (Tian et al., arXiv:2404.02905): each scale codes what the smaller ones left over.</summary>
public sealed class MultiScaleQuantizer(Scope quantize, MultiScale sizes)
{
    /// <summary>Names of the convolutions: with few scales, checkpoints hold some that are nearest to none.</summary>
    public const string Spare = @"quant_resi\.(qresi_ls\.)?\d+\.(weight|bias)$";

    private readonly int _full = sizes.Scales[^1];

    private readonly Value _table = sizes.Binary ? quantize.Weight("scaler", sizes.Scales.Length) : quantize["embedding"].Weight("weight", sizes.Entries, sizes.Width);

    /// <summary>Codes (B, sum of squares) of a latent (B, C, h, w) and what they add up to; stages <c>fhat_scale_i</c>.</summary>
    public (Value Codes, Value Sum) Quantize(Value latent)
    {
        var (codes, sums) = QuantizeScales(latent);
        for (var scale = 0; scale < sums.Count; scale++) quantize.Stage($"fhat_scale_{scale}", sums[scale]);
        return (codes, sums[^1]);
    }

    /// <summary>Codes (B, sum of squares) of a latent (B, C, h, w) and what they add up to after each scale.</summary>
    public (Value Codes, IReadOnlyList<Value> Sums) QuantizeScales(Value latent)
    {
        var (rest, codes, sums) = (sizes is { Binary: true, Cosine: true } ? latent.L2Normalize(1) : latent, new List<Value>(), new List<Value>());
        for (var scale = 0; scale < sizes.Scales.Length; scale++)
        {
            var side = sizes.Scales[scale];
            var z = (IsLast(scale) ? rest : rest.Interpolate(Interpolation.Area, [side, side])).ChannelsLast();   // (B, s, s, C)
            var ids = Choose(z);
            var part = Part(ids, scale);
            sums.Add(sums.Count == 0 ? part : sums[^1] + part);
            rest -= part;
            codes.Add(ids.Flatten(1));
        }

        return (ValueShape.Concat(1, [.. codes]), sums);
    }

    /// <summary>What each of the first scales of codes (B, tokens) adds, (B, C, h, w).</summary>
    public IEnumerable<Value> Parts(Value codes, int scales)
    {
        var start = 0;
        for (var scale = 0; scale < scales; scale++)
        {
            var side = sizes.Scales[scale];
            yield return Part(codes.Slice(1, start, start + side * side).Reshape(codes.Shape[0], side, side), scale);
            start += side * side;
        }
    }

    private bool IsLast(int scale) => scale == sizes.Scales.Length - 1;

    private Value Choose(Value z) =>
        sizes.Binary ? LookupFree.Ids(LookupFree.Signs(z))
        : sizes.Cosine ? VectorQuantization.MostAlike(z.L2Normalize(), _table.L2Normalize())
        : VectorQuantization.Nearest(z, _table);

    private Value Part(Value ids, int scale) =>
        Contribution((sizes.Binary ? LookupFree.SignsOf(ids, sizes.Width) * _table.Slice(0, scale, scale + 1) : _table.Gather(ids)).ChannelsFirst(), scale);

    /// <summary>What the entries of a scale add: enlarged to the full size, then phi(h) = (1 - r) h + r conv(h). h (B, C, s, s) -> (B, C, h, w).</summary>
    public Value Contribution(Value h, int scale)
    {
        if (!IsLast(scale)) h = h.Interpolate(Interpolation.Cubic, [_full, _full]);
        var ratio = sizes.ResidualShare;
        return ratio <= 1e-6 ? h : h * (1 - ratio) + Phi(scale).Conv(h, sizes.Width, 3, padding: 1) * ratio;
    }

    // Partially shared: the convolution whose tick is nearest to the scale's place between 0 and 1.
    private Scope Phi(int scale)
    {
        var shared = sizes.SharedConvolutions;
        if (shared == 1) return quantize["quant_resi.qresi"];
        var scales = sizes.Scales.Length;
        var count = shared == 0 ? scales : shared;
        var margin = count == 4 ? 1.0 / 3 / count : 1.0 / 2 / count;
        // The place half-way lies between two ticks: which is nearer is decided by rounding, so the ticks are computed as numpy.linspace does.
        var (place, step) = ((double)scale / (scales - 1), (1 - margin - margin) / (count - 1));
        var index = Enumerable.Range(0, count).MinBy(i => Math.Abs((i == count - 1 ? 1 - margin : i * step + margin) - place));
        return shared == 0 ? quantize["quant_resi"][index] : quantize["quant_resi.qresi_ls"][index];
    }
}
