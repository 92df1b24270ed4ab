namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>Divided differences in lambda of a model's last outputs m0, m1, m2, newest first. They are formed before they are weighed: outputs are alike and their weights may be large.</summary>
internal sealed class DpmDifferences
{
    private float[] _first = [];
    private float[] _second = [];

    /// <summary>The first difference, d1.</summary>
    public ReadOnlySpan<float> First => _first;

    /// <summary>The second difference, d2.</summary>
    public ReadOnlySpan<float> Second => _second;

    /// <summary>Differences that reach back in time from the newest output; levels are those of the target, now, before and before that.</summary>
    public void Multistep(OutputHistory outputs, ReadOnlySpan<NoiseLevel> levels)
    {
        if (levels.Length == 2) return;
        Prepare(outputs[0].Length);
        var h = levels[0].Lambda - levels[1].Lambda;
        var r0 = (levels[1].Lambda - levels[2].Lambda) / h;
        Difference(outputs[0], outputs[1], r0, _first);
        if (levels.Length == 3) return;

        // e0 = (m0 - m1) / r0, e1 = (m1 - m2) / r1: d1 = e0 + r0 / (r0 + r1) (e0 - e1), d2 = (e0 - e1) / (r0 + r1).
        var r1 = (levels[2].Lambda - levels[3].Lambda) / h;
        Difference(outputs[1], outputs[2], r1, _second);
        SpanMath.Combine(1, _first, -1, _second, _second);
        SpanMath.Accumulate(r0 / (r0 + r1), _second, _first);
        SpanMath.Scale(1 / (r0 + r1), _second, _second);
    }

    /// <summary>Differences that reach forward from the start of a step, which is the oldest output; levels are those of the target and of the outputs.</summary>
    public void Singlestep(OutputHistory outputs, ReadOnlySpan<NoiseLevel> levels, bool midpoint)
    {
        if (levels.Length == 2) return;
        Prepare(outputs[0].Length);
        var (target, start) = (levels[0].Lambda, levels[^1].Lambda);
        var r0 = (levels[1].Lambda - start) / (target - start);
        if (levels.Length == 3)
        {
            Difference(outputs[0], outputs[1], r0, _first);
            return;
        }

        // e0 = (m1 - m2) / r1, e1 = (m0 - m2) / r0. Midpoint: d1 = e1; Heun: d1 = (r0 e0 - r1 e1) / (r0 - r1), d2 = 2 (e1 - e0) / (r0 - r1).
        var r1 = (levels[2].Lambda - start) / (target - start);
        Difference(outputs[0], outputs[2], r0, _first);
        if (midpoint) return;
        Difference(outputs[1], outputs[2], r1, _second);
        for (var i = 0; i < _first.Length; i++)
        {
            var (e0, e1) = (_second[i], _first[i]);
            _first[i] = (r0 * e0 - r1 * e1) / (r0 - r1);
            _second[i] = 2 * (e1 - e0) / (r0 - r1);
        }
    }

    private void Prepare(int length)
    {
        if (_first.Length != length) (_first, _second) = (new float[length], new float[length]);
    }

    private static void Difference(ReadOnlySpan<float> a, ReadOnlySpan<float> b, float r, Span<float> result)
    {
        SpanMath.Combine(1, a, -1, b, result);
        SpanMath.Scale(1 / r, result, result);
    }
}
