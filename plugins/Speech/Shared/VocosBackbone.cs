using System.ComponentModel.DataAnnotations;
using ModelZoo.Inference;
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

    /// <summary>Residual blocks of HiFi-GAN in place of ConvNeXt's, where the class is <c>VocosResNetBackbone</c>.</summary>
    [Range(1, 256)] public int? NumBlocks { get; init; }
}

/// <summary>The head's published settings.</summary>
public sealed record IstftHeadConfig
{
    [Range(1, 65536)] public int Dim { get; init; } = 512;
    [Range(2, 1 << 20)] public int NFft { get; init; } = 1024;
    [Range(1, 1 << 20)] public int HopLength { get; init; } = 256;
    [AllowedValues("center", "same")] public string Padding { get; init; } = "same";

    /// <summary>Samples of a frame of the cosine transform, where the class is one of the IMDCT heads.</summary>
    [Range(4, 1 << 20)] public int? MdctFrameLen { get; init; }

    /// <summary>The authors' code clips what goes into the transform, not the sound; nothing published does so.</summary>
    [AllowedValues(false)] public bool ClipAudio { get; init; }

    /// <summary>True for <c>IMDCTSymExpHead</c>, which gives signed logarithms; <c>IMDCTCosHead</c> gives logarithms and phases.</summary>
    internal bool IsSymmetric { get; init; }

    /// <summary>Reads the head's part of a configuration: its class and its arguments.</summary>
    public static IstftHeadConfig Read(string path, string section) =>
        PublishedConfig.Read<IstftHeadConfig>(path, section + ".init_args").Value with { IsSymmetric = PublishedConfig.Read<PublishedClass>(path, section).Value.ClassPath.EndsWith(".IMDCTSymExpHead", StringComparison.Ordinal) };
}

/// <summary>The class of a part.</summary>
public sealed record PublishedClass
{
    public string ClassPath { get; init; } = "";
}

/// <summary>ConvNeXt blocks over frames and a head that gives magnitudes and phases of a Fourier transform (Siuzdak, Vocos, arXiv:2306.00814, section 3).</summary>
internal static class VocosBackbone
{
    /// <summary>x (B, C, T) -> (B, T, D). <paramref name="between"/> works on (B, D, T) after the first convolution.</summary>
    public static Value Build(Scope backbone, Value x, VocosBackboneConfig config, Value? condition, Func<Scope, Value, Value>? between = null)
    {
        if (config.NumBlocks is { } blocks) return backbone.Stage("backbone", ResNet(backbone, x, config.Dim, blocks).Swap(1, 2));
        x = backbone.Stage("embed", backbone["embed"].Conv(x, config.Dim, kernel: 7, padding: 3));
        if (between is not null) x = between(backbone, x);
        x = Norm(backbone["norm"], x.Swap(1, 2), config, condition).Swap(1, 2);
        for (var i = 0; i < config.NumLayers; i++) x = backbone.Stage($"block_{i}", ConvNeXt(backbone["convnext"][i], x, config, condition));
        return backbone.Stage("backbone", backbone["final_layer_norm"].LayerNorm(x.Swap(1, 2), 1e-6));
    }

    /// <summary>x (B, T, D) -> (B, samples).</summary>
    public static Value Head(Scope head, Value x, IstftHeadConfig config)
    {
        if (config.MdctFrameLen is { } frame) return CosineHead(head, x, frame, config);
        var spectrum = head.Stage("head_out", head["out"].Linear(x, config.NFft + 2)).Swap(1, 2);       // (B, n + 2, T)
        var (magnitude, phase) = spectrum.Chunk2(1);
        magnitude = magnitude.Exp().Min(head.Graph.Scalar(magnitude.Type, 1e2));
        var trim = config.Padding == "center" ? config.NFft / 2 : (config.NFft - config.HopLength) / 2;
        return SpectraLayers.InverseStft(magnitude * phase.Cos(), magnitude * phase.Sin(), SpectraLayers.Hann(config.NFft), config.HopLength, trim);
    }

    // Coefficients of a cosine transform, bounded like the magnitudes above.
    private static Value CosineHead(Scope head, Value x, int frame, IstftHeadConfig config)
    {
        var spectrum = head.Stage("head_out", head["out"].Linear(x, config.IsSymmetric ? frame / 2 : frame));                        // (B, T, frame / 2) or two of them
        var (zero, bound) = (head.Graph.Scalar(x.Type, 0), head.Graph.Scalar(x.Type, 1e2));
        Value coefficients;
        if (config.IsSymmetric)
        {
            var magnitude = (spectrum.Abs().Exp() - 1).Min(bound);
            coefficients = spectrum.Less(zero).Where(magnitude * -1, magnitude);
        }
        else
        {
            var (logarithm, phase) = spectrum.Chunk2(2);
            coefficients = logarithm.Exp().Min(bound) * phase.Cos();
        }

        return SpectraLayers.InverseMdct(coefficients.Swap(1, 2), frame, config.Padding == "center" ? frame / 2 : frame / 4);
    }

    // HiFi-GAN's residual blocks of kernel 3, each branch times a learned gain. x (B, C, T) -> (B, D, T).
    private static Value ResNet(Scope backbone, Value x, long width, int blocks)
    {
        x = backbone.Stage("embed", backbone["embed"].FoldedConv(x, width, kernel: 3, padding: 1));
        for (var i = 0; i < blocks; i++)
        {
            var block = backbone["resnet"][i];
            for (var (j, dilation) = (0, 1); j < 3; j++, dilation += 2)
            {
                var h = block["convs1"][j].FoldedConv(x.LeakyRelu(0.1), width, kernel: 3, padding: dilation, dilation: dilation);
                x += block["convs2"][j].FoldedConv(h.LeakyRelu(0.1), width, kernel: 3, padding: 1) * block["gamma"].Weight($"{j}", width, 1);
            }

            backbone.Stage($"block_{i}", x);
        }

        return x;
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
