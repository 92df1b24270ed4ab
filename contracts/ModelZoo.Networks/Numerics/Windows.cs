namespace ModelZoo.Networks.Numerics;

/// <summary>Windows of short-time transforms.</summary>
public static class Windows
{
    /// <summary>Hann, one period of which is <paramref name="length"/> samples (for spectra).</summary>
    public static double[] Hann(int length) => Cosine(length, length);

    // Coefficients of sums of cosines, as SciPy has them.
    private static readonly Dictionary<string, double[]> Cosines = new()
    {
        ["boxcar"] = [1], ["hann"] = [0.5, 0.5], ["hamming"] = [0.54, 0.46], ["blackman"] = [0.42, 0.5, 0.08],
        ["nuttall"] = [0.3635819, 0.4891775, 0.1365995, 0.0106411], ["blackmanharris"] = [0.35875, 0.48829, 0.14128, 0.01168],
        ["flattop"] = [0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368],
    };

    /// <summary>
    /// A window by its name, one period of which is <paramref name="length"/> samples: PyTorch's <c>hann_window</c>, <c>hamming_window</c>, <c>blackman_window</c>, <c>bartlett_window</c> and <c>kaiser_window</c> (beta 12);
    /// SciPy's <c>hann</c>, <c>hamming</c>, <c>blackman</c>, <c>bartlett</c>, <c>boxcar</c>, <c>nuttall</c>, <c>blackmanharris</c> and <c>flattop</c>.
    /// </summary>
    /// <exception cref="ArgumentException">There is no such window.</exception>
    public static double[] Named(string name, int length) => name switch
    {
        "hann_window" or "hamming_window" or "blackman_window" or "bartlett_window" => Named(name[..^"_window".Length], length),
        "bartlett" => [.. Enumerable.Range(0, length).Select(i => 1 - Math.Abs(2.0 * i / length - 1))],
        "kaiser_window" => [.. Enumerable.Range(0, length).Select(i => SpecialFunctions.Kaiser(2.0 * i / length - 1, 12))],
        _ when Cosines.TryGetValue(name, out var terms) => [.. Enumerable.Range(0, length).Select(i => terms.Select((a, k) => (k % 2 == 0 ? a : -a) * Math.Cos(2 * Math.PI * k * i / length)).Sum())],
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
