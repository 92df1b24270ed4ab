namespace ModelZoo.Networks.Numerics;

/// <summary>Continuation of a signal beyond its ends.</summary>
public static class Padding
{
    /// <summary>Zeros on both sides.</summary>
    public static double[] Zeros(ReadOnlySpan<double> signal, int left, int right)
    {
        var result = new double[left + signal.Length + right];
        signal.CopyTo(result.AsSpan(left));
        return result;
    }

    /// <summary>Mirror images that do not repeat the end samples.</summary>
    /// <exception cref="ArgumentException">The signal is not longer than the padding.</exception>
    public static double[] Reflect(ReadOnlySpan<double> signal, int left, int right)
    {
        if (signal.Length <= Math.Max(left, right)) throw new ArgumentException($"Reflection by {Math.Max(left, right)} needs a longer signal than {signal.Length}.", nameof(signal));
        var result = Zeros(signal, left, right);
        for (var i = 0; i < left; i++) result[i] = signal[left - i];
        for (var i = 0; i < right; i++) result[left + signal.Length + i] = signal[signal.Length - 2 - i];
        return result;
    }
}
