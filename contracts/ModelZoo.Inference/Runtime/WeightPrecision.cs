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
