namespace ModelZoo.Networks.Sampling;

/// <summary>Extents of a sample (batch, channels, inner...), the inner ones multiplied.</summary>
/// <param name="Batch">Number of samples.</param>
/// <param name="Channels">Channels of each.</param>
/// <param name="Inner">Elements of a channel.</param>
public readonly record struct SampleShape(int Batch, int Channels, int Inner)
{
    /// <summary>Elements of one sample.</summary>
    public int PerSample => Channels * Inner;

    /// <summary>Elements in all.</summary>
    public int Length => Batch * PerSample;

    /// <summary>From a tensor's shape of two or more dimensions.</summary>
    /// <exception cref="ArgumentException">The shape has fewer than two dimensions.</exception>
    public static SampleShape Of(ReadOnlySpan<long> shape)
    {
        if (shape.Length < 2) throw new ArgumentException("A sample has a batch and a channel dimension.", nameof(shape));
        var inner = 1;
        foreach (var extent in shape[2..]) inner = checked(inner * (int)extent);
        return new((int)shape[0], (int)shape[1], inner);
    }
}
