namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>The last outputs of a model, newest first; buffers are reused.</summary>
/// <param name="capacity">How many are kept.</param>
internal sealed class OutputHistory(int capacity)
{
    private readonly List<float[]> _outputs = [];

    /// <summary>How many there are.</summary>
    public int Count => _outputs.Count;

    /// <summary>The output of that many steps ago.</summary>
    public ReadOnlySpan<float> this[int age] => _outputs[age];

    /// <summary>Forgets them.</summary>
    public void Clear() => _outputs.Clear();

    /// <summary>Keeps a copy as the newest.</summary>
    public void Push(ReadOnlySpan<float> output) => output.CopyTo(Push(output.Length));

    /// <summary>Makes room for a newest one, to be filled by the caller.</summary>
    public float[] Push(int length)
    {
        float[]? buffer = null;
        if (_outputs.Count == capacity)
        {
            buffer = _outputs[^1];
            _outputs.RemoveAt(_outputs.Count - 1);
        }

        if (buffer?.Length != length) buffer = new float[length];
        _outputs.Insert(0, buffer);
        return buffer;
    }

    /// <summary>The weighted sum of the newest ones.</summary>
    public void Combine(ReadOnlySpan<float> weights, Span<float> result)
    {
        SpanMath.Scale(weights[0], _outputs[0], result);
        for (var i = 1; i < weights.Length; i++) SpanMath.Accumulate(weights[i], _outputs[i], result);
    }

    /// <summary>Adds the weighted sum of the newest ones.</summary>
    public void Accumulate(ReadOnlySpan<float> weights, Span<float> result)
    {
        for (var i = 0; i < weights.Length; i++)
        {
            if (weights[i] != 0) SpanMath.Accumulate(weights[i], _outputs[i], result);
        }
    }
}
