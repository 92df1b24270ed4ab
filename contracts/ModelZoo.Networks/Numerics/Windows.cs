namespace ModelZoo.Networks.Numerics;

/// <summary>Windows of short-time transforms.</summary>
public static class Windows
{
    /// <summary>Hann, one period of which is <paramref name="length"/> samples (for spectra).</summary>
    public static double[] Hann(int length) => Cosine(length, length);

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
