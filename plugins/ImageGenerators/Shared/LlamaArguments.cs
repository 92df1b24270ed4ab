using System.ComponentModel.DataAnnotations;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>What LlamaGen's <c>ModelArgs</c> and the configurations of its descendants have in common.</summary>
public abstract record LlamaArguments
{
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int Dim { get; init; } = 1024;
    /// <summary>Heads.</summary>
    [Range(1, 1024)] public int NHead { get; init; } = 16;
    /// <summary>Heads of keys and values; null for as many.</summary>
    public int? NKvHead { get; init; }
    /// <summary>The inner width is rounded up to a multiple of it.</summary>
    [Range(1, 65536)] public int MultipleOf { get; init; } = 256;
    /// <summary>Factor on the inner width.</summary>
    public double? FfnDimMultiplier { get; init; }
    /// <summary>Base of the rotary positions.</summary>
    public double RopeBase { get; init; } = 10000;
    /// <summary>Epsilon of the norms.</summary>
    public double NormEps { get; init; } = 1e-5;
    /// <summary>Codes (or places of several codes) of a picture.</summary>
    [Range(1, 1 << 20)] public int BlockSize { get; init; } = 256;

    internal virtual LlamaSizes Sizes => new(Dim, NHead, LlamaSizes.HiddenOf(Dim, MultipleOf, FfnDimMultiplier)) { KeyValueHeads = NKvHead, Epsilon = NormEps };

    internal int Side => (int)Math.Sqrt(BlockSize);
}
