namespace ModelZoo.Inference;

/// <summary>In what the weights of linear maps are kept. Everything else is 32-bit floats, and so are all inputs and outputs.</summary>
public enum WeightPrecision
{
    /// <summary>As published; half and brain floats become 32-bit floats.</summary>
    Float32,
    /// <summary>8 bits, a scale for every 32 weights: a quarter of the memory and of the reading. The outputs of a map differ by 1 % of their root mean square, at most.</summary>
    Int8,
    /// <summary>4 bits, a scale for every 32 weights: a seventh of the memory and of the reading. The outputs of a map differ by 15 % of their root mean square, at most.</summary>
    Int4,
}

/// <summary>What a <see cref="WeightPrecision"/> promises.</summary>
public static class WeightPrecisions
{
    /// <summary>By how much the outputs of one map may differ because of its weights: the part that the members of <see cref="WeightPrecision"/> state.</summary>
    public static double Tolerance(this WeightPrecision precision) => precision switch { WeightPrecision.Int8 => 0.01, WeightPrecision.Int4 => 0.15, _ => 0 };

    /// <summary>The name in manifests and on the command line: <c>float32</c>, <c>int8</c> or <c>int4</c>.</summary>
    public static string Name(this WeightPrecision precision) => precision.ToString().ToLowerInvariant();

    /// <summary>Reads a name; false when it is none.</summary>
    public static bool TryParse(string name, out WeightPrecision precision) => Enum.TryParse(name, ignoreCase: true, out precision) && precision.Name() == name;
}
