namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Between the two calls of a Heun step: where it started, the first derivative, and the change of sigma.</summary>
internal sealed class HeunState
{
    private float[] _start = [];
    private float[] _derivative = [];
    private float? _change;

    /// <summary>True when the coming call is the first of its step.</summary>
    public bool IsFirst => _change is null;

    /// <summary>Forgets a step that was begun.</summary>
    public void Reset() => _change = null;

    /// <summary>Each entry twice, but the first once: the levels at which a Heun sampler calls the model.</summary>
    public static double[] Doubled(double[] values) => [.. values[..1], .. values[1..].SelectMany(v => new[] { v, v })];

    /// <summary>Takes the derivative (x - x0) / sigma of this call and moves the sample: an Euler step first, the average of both derivatives from the same start after.</summary>
    public void Advance(Span<float> x, ReadOnlySpan<float> clean, float sigma, float change)
    {
        if (_start.Length != x.Length) (_start, _derivative) = (new float[x.Length], new float[x.Length]);
        if (_change is not { } begun)
        {
            x.CopyTo(_start);
            SpanMath.SubtractDivide(x, 1, clean, sigma, _derivative);
            SpanMath.Accumulate(change, _derivative, x);
            _change = change;
            return;
        }

        SpanMath.SubtractDivide(x, 1, clean, sigma, x);
        SpanMath.Combine(0.5f, _derivative, 0.5f, x, _derivative);
        SpanMath.Combine(1, _start, begun, _derivative, x);
        _change = null;
    }
}
