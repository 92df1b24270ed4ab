using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>Short-time Fourier transforms as convolutions with windowed cosines and sines, so that they run where the network runs.</summary>
public static class SpectraLayers
{
    /// <summary>The Hann window of PyTorch: periodic, w[i] = (1 - cos(2 pi i / n)) / 2.</summary>
    public static float[] Hann(int length) => [.. Enumerable.Range(0, length).Select(i => (float)(0.5 - 0.5 * Math.Cos(2 * Math.PI * i / length)))];

    /// <summary>Real and imaginary parts of the frames' spectra, without padding. x (B, T) -> two of (B, n/2 + 1, frames), frames = (T - n) / hop + 1.</summary>
    public static (Value Real, Value Imaginary) Stft(this Value x, ReadOnlySpan<float> window, int hop)
    {
        var (n, bins) = (window.Length, window.Length / 2 + 1);
        var basis = new float[2 * bins * n];                                                       // (2 bins, 1, n)
        for (var k = 0; k < bins; k++)
        {
            for (var i = 0; i < n; i++)
            {
                var (sin, cos) = Math.SinCos(2 * Math.PI * ((long)k * i % n) / n);
                basis[k * n + i] = (float)(window[i] * cos);
                basis[(bins + k) * n + i] = (float)(-window[i] * sin);
            }
        }

        var spectrum = x.Graph.Node(x.Path, "Conv", [x.Unsqueeze(1), x.Graph.Constant<float>(basis, 2 * bins, 1, n)], ElementType.Float32,
            [x.Shape[0], 2 * bins, (x.Shape[1] - n) / hop + 1], ("kernel_shape", (long[])[n]), ("strides", (long[])[hop]));
        return spectrum.Chunk2(1);
    }

    /// <summary>
    /// Overlap-add of the inverse transforms, each times the window, divided by the sum of squared windows. Two of (B, n/2 + 1, frames) -> (B, (frames - 1) hop + n - 2 trim): <paramref name="trim"/> samples go at both ends.
    /// </summary>
    public static Value InverseStft(Value real, Value imaginary, ReadOnlySpan<float> window, int hop, int trim)
    {
        var (n, bins, g) = (window.Length, window.Length / 2 + 1, real.Graph);
        var basis = new float[2 * bins * n];                                                       // (2 bins, 1, n)
        for (var k = 0; k < bins; k++)
        {
            // All bins but the first and the middle one stand for a conjugate pair.
            var weight = (k == 0 || 2 * k == n ? 1.0 : 2.0) / n;
            for (var i = 0; i < n; i++)
            {
                var (sin, cos) = Math.SinCos(2 * Math.PI * ((long)k * i % n) / n);
                basis[k * n + i] = (float)(weight * window[i] * cos);
                basis[(bins + k) * n + i] = (float)(-weight * window[i] * sin);
            }
        }

        var squares = new float[n];
        for (var i = 0; i < n; i++) squares[i] = window[i] * window[i];
        var frames = real.Shape[2];
        Value Add(Value x, Value kernel) => g.Node(real.Path, "ConvTranspose", [x, kernel], ElementType.Float32,
            [x.Shape[0], 1, (frames - 1) * hop + (n - 2 * trim)], ("kernel_shape", (long[])[n]), ("strides", (long[])[hop]), ("pads", (long[])[trim, trim]));
        var sum = Add(ValueShape.Concat(1, real, imaginary), g.Constant<float>(basis, 2 * bins, 1, n));
        var ones = g.Scalar(ElementType.Float32, 1).Reshape(1, 1, 1).Expand(1, 1, frames);
        return (sum / Add(ones, g.Constant<float>(squares, 1, 1, n))).Squeeze(1);
    }

    /// <summary>
    /// Overlap-add of inverse modified cosine transforms under a sine window. Coefficients (B, n/2, frames), n a multiple of 4 -> (B, (frames + 1) n/2 - 2 trim): <paramref name="trim"/> samples go at both ends.
    /// </summary>
    public static Value InverseMdct(Value coefficients, int n, int trim)
    {
        var half = n / 2;
        var basis = new float[half * n];                                                           // (n / 2, 1, n)
        for (var k = 0; k < half; k++)
        {
            for (var i = 0; i < n; i++)
                basis[k * n + i] = (float)(Math.Sqrt(2.0 / half) * Math.Sin(Math.PI * (i + 0.5) / n) * Math.Cos(Math.PI / half * (i + (half + 1) / 2.0) * (k + 0.5)));
        }

        var frames = coefficients.Shape[2];
        return coefficients.Graph.Node(coefficients.Path, "ConvTranspose", [coefficients, coefficients.Graph.Constant<float>(basis, half, 1, n)], ElementType.Float32,
            [coefficients.Shape[0], 1, (frames - 1) * half + (n - 2 * trim)], ("kernel_shape", (long[])[n]), ("strides", (long[])[half]), ("pads", (long[])[trim, trim])).Squeeze(1);
    }
}
