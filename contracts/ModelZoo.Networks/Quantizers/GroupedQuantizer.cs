namespace ModelZoo.Networks.Quantizers;

// HiFi-Codec: Group-residual Vector quantization for High Fidelity Audio Codec. Yang et al. arXiv:2305.02765. Layout of lucidrains/vector-quantize-pytorch: GroupedResidualVQ, GroupedResidualFSQ.

/// <summary>Channels cut into groups of equal width, each with a quantizer of its own.</summary>
public static class GroupedQuantizer
{
    /// <summary>Quantizes. x (B, N, D), or (B, D, ..) with channels first -> codes (groups, ..), the codes of each group one after the other.</summary>
    /// <param name="grouped">Holds the groups' quantizers under <c>rvqs</c>.</param>
    /// <param name="x">The input.</param>
    /// <param name="groups">Number of groups.</param>
    /// <param name="channelsFirst">Whether channels come before places.</param>
    /// <param name="quantize">The quantizer of one group.</param>
    public static Quantization Quantize(Scope grouped, Value x, int groups, bool channelsFirst, Func<Scope, Value, Quantization> quantize)
    {
        var axis = channelsFirst ? 1 : -1;
        var parts = x.Chunk(groups, axis).Select((part, group) => quantize(grouped["rvqs"][group], part)).ToList();
        return new(ValueShape.Concat(-1, [.. parts.Select(part => part.Projected)]), ValueShape.Stack(0, [.. parts.Select(part => part.Codes)]), ValueShape.Concat(axis, [.. parts.Select(part => part.Quantized)]))
        { AllCodes = Joined(part => part.AllCodes, codes => ValueShape.Stack(0, codes)), Unquantized = Joined(part => part.Unquantized, inputs => ValueShape.Concat(axis, inputs)) };

        Value? Joined(Func<Quantization, Value?> value, Func<Value[], Value> join) => value(parts[0]) is null ? null : join([.. parts.Select(part => value(part)!)]);
    }

    /// <summary>What ids stand for. ids (groups, ..).</summary>
    public static Value Decode(Scope grouped, Value ids, int groups, bool channelsFirst, Func<Scope, Value, Value> decode) =>
        ValueShape.Concat(channelsFirst ? 1 : -1, [.. Enumerable.Range(0, groups).Select(group => decode(grouped["rvqs"][group], ids.At(0, group)))]);
}
