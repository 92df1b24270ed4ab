namespace ModelZoo.Networks.Numerics;

/// <summary>Windows of short-time transforms.</summary>
public static class Windows
{
    /// <summary>Hann, one period of which is <paramref name="length"/> samples (for spectra).</summary>
    public static double[] Hann(int length) => Cosine(length, length);

    /// <summary>A window by PyTorch's name, one period of which is <paramref name="length"/> samples: <c>hann_window</c>, <c>hamming_window</c>, <c>blackman_window</c>, <c>bartlett_window</c> or <c>kaiser_window</c> (beta 12).</summary>
    /// <exception cref="ArgumentException">There is no such window.</exception>
    public static double[] Named(string name, int length) => name switch
    {
        "hann_window" => Hann(length),
        "hamming_window" => Array.ConvertAll(Hann(length), w => 0.08 + 0.92 * w),
        "blackman_window" => [.. Enumerable.Range(0, length).Select(i => 0.42 - 0.5 * Math.Cos(2 * Math.PI * i / length) + 0.08 * Math.Cos(4 * Math.PI * i / length))],
        "bartlett_window" => [.. Enumerable.Range(0, length).Select(i => 1 - Math.Abs(2.0 * i / length - 1))],
        "kaiser_window" => [.. Enumerable.Range(0, length).Select(i => SpecialFunctions.Kaiser(2.0 * i / length - 1, 12))],
        _ => throw new ArgumentException($"'{name}' is not a window.", nameof(name)),
    };

    /// <summary>Hann with zeros at both ends (for filters).</summary>
    public static double[] SymmetricHann(int length) => Cosine(length, length - 1);

    /// <summary>A window in the middle of a longer frame of zeros.</summary>
    public static double[] Centred(double[] window, int length)
    {
        var result = new double[length];
        window.CopyTo(result, (length - window.Length) / 2);
        return result;
    }

    private static double[] Cosine(int length, int period)
    {
        var window = new double[length];
        for (var i = 0; i < length; i++) window[i] = 0.5 - 0.5 * Math.Cos(2 * Math.PI * i / period);
        return window;
    }
}
