using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace ModelZoo.Networks.Quantizers;

// Neural Discrete Representation Learning. van den Oord, Vinyals, Kavukcuoglu. arXiv:1711.00937. Cosine codes: Yu et al., arXiv:2110.04627. Layout of lucidrains/vector-quantize-pytorch: VectorQuantize.

/// <summary>The settings of <c>VectorQuantize</c> that matter once it is trained.</summary>
public sealed record VectorQuantizerConfig
{
    /// <summary>Width of the input.</summary>
    [Range(1, 65536)] public long Dim { get; init; } = 1;
    /// <summary>Number of codes.</summary>
    [Range(1, 1 << 24)] public long CodebookSize { get; init; } = 1;
    /// <summary>Width of a code; null is the input's.</summary>
    public long? CodebookDim { get; init; }
    /// <summary>Parts that are quantized on their own.</summary>
    [Range(1, 1024)] public int Heads { get; init; } = 1;
    /// <summary>Whether each part has a codebook of its own.</summary>
    public bool SeparateCodebookPerHead { get; init; }
    /// <summary>Whether the nearest code is that at the smallest angle; codes and inputs are then unit vectors.</summary>
    public bool UseCosineSim { get; init; }
    /// <summary>Whether the projected input is layer-normed.</summary>
    public bool LayernormAfterProjectIn { get; init; }
    /// <summary>Whether sequences are (B, N, D) rather than (B, D, N).</summary>
    public bool ChannelLast { get; init; } = true;
    /// <summary>Whether inputs are (B, D, H, W).</summary>
    public bool AcceptImageFmap { get; init; }
    /// <summary>Whether inputs are (B, D, T, H, W).</summary>
    [JsonPropertyName("accept_3d_fmap")] public bool Accept3dFmap { get; init; }
    /// <summary>Whether padding becomes zeros; it stays as it was otherwise.</summary>
    public bool ReturnZerosForMaskedPadding { get; init; } = true;
    /// <summary>Whether codes are brought to the mean and variance of the batch, with what the checkpoint remembers of earlier batches.</summary>
    public bool AffineParam { get; init; }
    /// <summary>Share that the remembered statistics keep.</summary>
    [Range(0.0, 1.0)] public double AffineParamBatchDecay { get; init; } = 0.99;

    /// <summary>Whether channels come before places.</summary>
    public bool ChannelsFirst => !ChannelLast || AcceptImageFmap || Accept3dFmap;

    /// <summary>Width of a code.</summary>
    public long CodeWidth => CodebookDim ?? Dim;
}

/// <summary>Vector quantization: each input, or each part of it, becomes its nearest code.</summary>
public static class VectorQuantizer
{
    /// <summary>Quantizes. x (B, N, D), or with channels first (B, D, ..), or (B, D).</summary>
    public static Quantization Quantize(Scope vq, Value x, VectorQuantizerConfig config)
    {
        var first = config.ChannelsFirst && x.Rank > 2;
        var projected = ProjectIn(vq, x.ToSequence(first), config);                                                              // (B, N, heads D')
        var (ids, codes) = Nearest(vq, projected, config);
        return new(projected, ids.IdsFromSequence(x.Shape, first), ProjectOut(vq, codes, config).FromSequence(x.Shape, first));
    }

    /// <summary>Ids and codes of an input in the codebook's space. x (B, N, heads D') -> ids (B, N), or (B, N, heads) when there are several, and codes (B, N, heads D').</summary>
    public static (Value Ids, Value Codes) Nearest(Scope vq, Value x, VectorQuantizerConfig config)
    {
        var parts = x.Reshape(x.Shape[0], x.Shape[1], config.Heads, config.CodeWidth);
        var (ids, codes) = (new Value[config.Heads], new Value[config.Heads]);
        for (var head = 0; head < config.Heads; head++)
        {
            var (part, table) = (parts.At(2, head), Table(vq, config, head));
            if (config.AffineParam) table = Moved(vq["_codebook"], table, config.SeparateCodebookPerHead ? part : parts, config.AffineParamBatchDecay, books: config.SeparateCodebookPerHead ? config.Heads : 1, head: head).Table;
            ids[head] = config.UseCosineSim ? Codebook.MostAlike(part.L2Normalize(), table) : Codebook.Nearest(part, table);
            codes[head] = table.Gather(ids[head]);
        }

        return config.Heads == 1 ? (ids[0], codes[0]) : (ValueShape.Stack(-1, ids), ValueShape.Concat(-1, codes));
    }

    // Codes at the mean and variance of what is quantized: (e - mean of codes) * deviation / deviation of codes + mean. table (K, D'), seen (.., D').
    // Statistics follow those of the batch before: what an earlier call gave, or what the checkpoint remembers.
    internal static (Value Table, Value Mean, Value Variance) Moved(Scope codebook, Value table, Value seen, double batchDecay, (Value Table, Value Mean, Value Variance)? before = null, int books = 1, int head = 0)
    {
        var width = table.Shape[-1].Size;
        Value Remembered(string name) => codebook.Weight(name, books, 1, width).At(0, Math.Min(head, books - 1));                              // (1, D')
        Value Batch(string name, Value? last, Value now) => (last ?? (codebook.Has(name) ? Remembered(name) : null)) is { } known ? known * batchDecay + now * (1 - batchDecay) : now;
        Value Deviation(Value variance) => variance.Max(variance.Graph.Constant([1e-5f])).Sqrt();
        var rows = seen.Reshape(-1, width);
        var mean = rows.Mean(0, keep: true);
        var (batchMean, batchVariance) = (Batch("batch_mean", before?.Mean, mean), Batch("batch_variance", before?.Variance, (rows - mean).Square().Mean(0, keep: true)));
        return ((table - Remembered("codebook_mean")) * (Deviation(batchVariance) / Deviation(Remembered("codebook_variance"))) + batchMean, batchMean, batchVariance);
    }

    /// <summary>Codes of ids, in the space of the codebook. ids (..), or (.., heads) when there are several -> (.., heads D').</summary>
    public static Value Lookup(Scope vq, Value ids, VectorQuantizerConfig config) => config.Heads == 1
        ? Table(vq, config, 0).Gather(ids)
        : ValueShape.Concat(-1, [.. Enumerable.Range(0, config.Heads).Select(head => Table(vq, config, head).Gather(ids.At(-1, head)))]);

    /// <summary>What ids stand for, in the input's layout. ids (B, ..), or (B, .., heads): where nothing is projected, the codes of heads that share a codebook stay apart, as published.</summary>
    public static Value Decode(Scope vq, Value ids, VectorQuantizerConfig config)
    {
        if (config.Heads > 1 && !config.SeparateCodebookPerHead && config.CodeWidth * config.Heads == config.Dim)
        {
            var apart = Table(vq, config, 0).Gather(ids);                                                                         // (B, .., heads, D')
            return config.ChannelsFirst ? apart.ChannelsFirst() : apart;
        }

        var y = ProjectOut(vq, Lookup(vq, ids, config), config);                                                                  // (B, .., D)
        return config.ChannelsFirst && y.Rank > 2 ? y.ChannelsFirst() : y;
    }

    private static Value ProjectIn(Scope vq, Value x, VectorQuantizerConfig config)
    {
        var width = config.CodeWidth * config.Heads;
        if (width == config.Dim) return x;
        return config.LayernormAfterProjectIn ? vq["project_in.1"].LayerNorm(vq["project_in.0"].Linear(x, width)) : vq["project_in"].Linear(x, width);
    }

    private static Value ProjectOut(Scope vq, Value codes, VectorQuantizerConfig config) =>
        config.CodeWidth * config.Heads == config.Dim ? codes : vq["project_out"].Linear(codes, config.Dim);

    private static Value Table(Scope vq, VectorQuantizerConfig config, int head)
    {
        var books = config.SeparateCodebookPerHead ? config.Heads : 1;
        var data = vq.Data("_codebook.embed", books, config.CodebookSize, config.CodeWidth).Rows(Math.Min(head, books - 1), 1).Reshape(config.CodebookSize, config.CodeWidth);
        return vq.Graph.Weight($"{vq.Path}._codebook.embed", data, vq.Path);
    }
}
