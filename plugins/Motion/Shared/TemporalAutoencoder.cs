using System.ComponentModel.DataAnnotations;
using ModelZoo.Networks;
using ModelZoo.Networks.Quantizers;

namespace ModelZoo.Plugins.Motion;

/// <summary>How T2M-GPT and its descendants turn frames into tokens, in the names of the authors' command line.</summary>
public abstract record TokenizerArgs
{
    /// <summary>The data set: <c>kit</c> (251 features a frame, 12.5 frames a second), or <c>t2m</c>, HumanML3D (263 features, 20 frames a second).</summary>
    public string Dataname { get; init; } = "t2m";
    /// <summary>Number of codes.</summary>
    [Range(1, 1 << 20)] public int NbCode { get; init; } = 512;
    /// <summary>Width of a code.</summary>
    [Range(1, 65536)] public int CodeDim { get; init; } = 512;
    /// <summary>Number of times the frame rate is divided.</summary>
    [Range(0, 8)] public int DownT { get; init; } = 2;
    /// <summary>What it is divided by each time.</summary>
    [Range(1, 8)] public int StrideT { get; init; } = 2;
    /// <summary>Width of the convolutions.</summary>
    [Range(1, 65536)] public int Width { get; init; } = 512;
    /// <summary>Residual blocks at each level.</summary>
    [Range(1, 16)] public int Depth { get; init; } = 3;
    /// <summary>Factor from one block's dilation to the next.</summary>
    [Range(1, 16)] public int DilationGrowthRate { get; init; } = 3;
    /// <summary>Activation of the residual blocks.</summary>
    [AllowedValues("relu", "silu", "gelu")] public string VqAct { get; init; } = "relu";
    /// <summary>Normalisation of the residual blocks: <c>LN</c>, <c>GN</c>, <c>BN</c>; null for none.</summary>
    [AllowedValues(null, "LN", "GN", "BN", "None")] public string? VqNorm { get; init; }

    /// <summary>Numbers of a frame.</summary>
    public int Features => Dataname == "kit" ? 251 : 263;

    /// <summary>Frames of a token.</summary>
    public virtual int Unit => (int)Math.Pow(StrideT, DownT);

    internal virtual TemporalLayout Layout => new(Width, DownT, StrideT, Depth, DilationGrowthRate, VqAct, VqNorm);
}

/// <summary>The convolutions of one direction.</summary>
/// <param name="Width">Their width.</param>
/// <param name="Levels">Number of strides.</param>
/// <param name="Stride">Stride of the encoder at each level.</param>
/// <param name="Depth">Residual blocks at each level.</param>
/// <param name="Growth">Factor from one block's dilation to the next.</param>
/// <param name="Activation">Activation of the residual blocks.</param>
/// <param name="Norm">LN, GN, BN, or null.</param>
internal sealed record TemporalLayout(int Width, int Levels, int Stride, int Depth, int Growth, string Activation = "relu", string? Norm = null)
{
    /// <summary>True when both directions keep the frame rate.</summary>
    public bool KeepsRate { get; init; }
    /// <summary>True when the encoder does not look ahead; its padding layers are counted among the published modules.</summary>
    public bool Causal { get; init; }
}

/// <summary>The convolutional VQ-VAE over frames that text-to-motion models have in common since T2M-GPT. Scopes are the authors'.</summary>
internal static class TemporalAutoencoder
{
    /// <summary>motion (B, T, F) -> (B, C, T / unit).</summary>
    public static Value Encode(Scope encoder, Value motion, TemporalLayout layout, long latent)
    {
        var model = encoder["model"];
        var pad = layout.Causal ? 1 : 0;
        Value Same(Scope conv, Value h, long width) => layout.Causal ? conv.CausalConv(h, width, kernel: 3) : conv.Conv(h, width, kernel: 3, padding: 1);

        var x = encoder.Stage("encoder_conv_in", Same(model[pad], motion.Swap(1, 2), layout.Width)).Relu();
        for (var level = 0; level < layout.Levels; level++)
        {
            var block = model[2 + pad + level];
            x = layout.KeepsRate ? Same(block[pad], x, layout.Width) : block[0].Conv(x, layout.Width, kernel: 2 * layout.Stride, layout.Stride, padding: layout.Stride / 2);
            x = Residual(block[1 + pad], x, layout, layout.Causal);
        }

        return Same(model[2 + 2 * pad + layout.Levels], x, latent);
    }

    /// <summary>latent (B, C, N) -> (B, N unit, F).</summary>
    public static Value Decode(Scope decoder, Value latent, TemporalLayout layout, long features)
    {
        var model = decoder["model"];
        var x = model[0].Conv(latent, layout.Width, kernel: 3, padding: 1).Relu();
        for (var level = 0; level < layout.Levels; level++)
        {
            var block = model[2 + level];
            x = Residual(block[0], x, layout, causal: false);
            x = layout.KeepsRate ? block[1].Conv(x, layout.Width, kernel: 3, padding: 1) : block[2].Conv(x.RepeatInterleave(2, 2), layout.Width, kernel: 3, padding: 1);
        }

        x = model[2 + layout.Levels].Conv(x, layout.Width, kernel: 3, padding: 1).Relu();
        return model[4 + layout.Levels].Conv(x, features, kernel: 3, padding: 1).Swap(1, 2);
    }

    /// <summary>The nearest code of each latent frame. latent (B, C, N) -> (B, N), int64.</summary>
    public static Value Quantize(Scope quantizer, Value latent, int codes) => Codebook.Nearest(latent.Swap(1, 2), Table(quantizer, codes, latent.Shape[1].Size));

    /// <summary>codes (B, N) -> (B, C, N).</summary>
    public static Value Dequantize(Scope quantizer, Value codes, int count, long width) => Table(quantizer, count, width).Gather(codes).Swap(1, 2);

    /// <summary>The codebook (K, C): a buffer, or an embedding where the quantizer is trained by gradient (<c>orig</c>).</summary>
    public static Value Table(Scope quantizer, int codes, long width) =>
        quantizer.Has("codebook") ? quantizer.Weight("codebook", codes, width) : quantizer["embedding"].Weight("weight", codes, width);

    // Dilations run from the largest to the smallest, in both directions.
    private static Value Residual(Scope resnet, Value x, TemporalLayout layout, bool causal)
    {
        for (var i = 0; i < layout.Depth; i++)
        {
            var block = resnet["model"][i];
            var dilation = (long)Math.Pow(layout.Growth, layout.Depth - 1 - i);
            var h = Activate(block["norm1"], x, layout);
            h = causal ? block["conv1"].CausalConv(h, layout.Width, kernel: 3, dilation: dilation) : block["conv1"].Conv(h, layout.Width, kernel: 3, padding: dilation, dilation: dilation);
            x += block["conv2"].Conv(Activate(block["norm2"], h, layout), layout.Width, kernel: 1);
        }

        return x;
    }

    private static Value Activate(Scope norm, Value x, TemporalLayout layout) => Activations.Named(layout.Activation)(layout.Norm switch
    {
        "LN" => norm.LayerNorm(x.Swap(1, 2)).Swap(1, 2),
        "GN" => norm.GroupNorm(x, 32, 1e-6),
        "BN" => norm.BatchNorm(x, 1e-6),
        _ => x,
    });
}
