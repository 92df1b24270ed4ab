using System.ComponentModel.DataAnnotations;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>The backbone's published settings.</summary>
public sealed record VocosBackboneConfig
{
    [Range(1, 65536)] public int InputChannels { get; init; } = 100;
    [Range(1, 65536)] public int Dim { get; init; } = 512;
    [Range(1, 65536)] public int IntermediateDim { get; init; } = 1536;
    [Range(1, 256)] public int NumLayers { get; init; } = 8;
    [Range(1, 4096)] public int? AdanormNumEmbeddings { get; init; }
}

/// <summary>The head's published settings.</summary>
public sealed record IstftHeadConfig
{
    [Range(1, 65536)] public int Dim { get; init; } = 512;
    [Range(2, 1 << 20)] public int NFft { get; init; } = 1024;
    [Range(1, 1 << 20)] public int HopLength { get; init; } = 256;
    [AllowedValues("center", "same")] public string Padding { get; init; } = "same";
}

/// <summary>ConvNeXt blocks over frames and a head that gives magnitudes and phases of a Fourier transform (Siuzdak, Vocos, arXiv:2306.00814, section 3).</summary>
internal static class VocosBackbone
{
    /// <summary>x (B, C, T) -> (B, T, D). <paramref name="between"/> works on (B, D, T) after the first convolution.</summary>
    public static Value Build(Scope backbone, Value x, VocosBackboneConfig config, Value? condition, Func<Scope, Value, Value>? between = null)
    {
        x = backbone.Stage("embed", backbone["embed"].Conv(x, config.Dim, kernel: 7, padding: 3));
        if (between is not null) x = between(backbone, x);
        x = Norm(backbone["norm"], x.Swap(1, 2), config, condition).Swap(1, 2);
        for (var i = 0; i < config.NumLayers; i++) x = backbone.Stage($"block_{i}", ConvNeXt(backbone["convnext"][i], x, config, condition));
        return backbone.Stage("backbone", backbone["final_layer_norm"].LayerNorm(x.Swap(1, 2), 1e-6));
    }

    /// <summary>x (B, T, D) -> (B, samples).</summary>
    public static Value Head(Scope head, Value x, IstftHeadConfig config)
    {
        var spectrum = head.Stage("head_out", head["out"].Linear(x, config.NFft + 2)).Swap(1, 2);       // (B, n + 2, T)
        var (magnitude, phase) = spectrum.Chunk2(1);
        magnitude = magnitude.Exp().Min(head.Graph.Scalar(magnitude.Type, 1e2));
        var trim = config.Padding == "center" ? config.NFft / 2 : (config.NFft - config.HopLength) / 2;
        return SpectraLayers.InverseStft(magnitude * phase.Cos(), magnitude * phase.Sin(), SpectraLayers.Hann(config.NFft), config.HopLength, trim);
    }

    private static Value ConvNeXt(Scope block, Value x, VocosBackboneConfig config, Value? condition)
    {
        var h = block["dwconv"].Conv(x, config.Dim, kernel: 7, padding: 3, groups: config.Dim).Swap(1, 2);    // (B, T, D)
        h = block["pwconv1"].Linear(Norm(block["norm"], h, config, condition), config.IntermediateDim).Gelu();
        h = block["pwconv2"].Linear(h, config.Dim);
        return x + (block.Has("gamma") ? h * block.Weight("gamma", config.Dim) : h).Swap(1, 2);
    }

    // With a condition, its row of two tables scales and shifts. x (B, T, D).
    private static Value Norm(Scope norm, Value x, VocosBackboneConfig config, Value? condition)
    {
        if (config.AdanormNumEmbeddings is not { } count) return norm.LayerNorm(x, 1e-6);
        var (scale, shift) = (norm["scale"].Embedding(condition!, count, config.Dim), norm["shift"].Embedding(condition!, count, config.Dim));   // (1, D)
        return x.LayerNorm(1e-6) * scale + shift;
    }
}
