namespace ModelZoo.Networks.Numerics;

/// <summary>Change of sampling rate by rational factors, as GNU Octave does it.</summary>
public static class OctaveResampler
{
    /// <summary>Octave's <c>resample</c>: a Kaiser-windowed sinc with 60 dB rejection, polyphase, delay removed.</summary>
    /// <param name="to">Samples per second of the result.</param>
    /// <param name="from">Samples per second of the signal.</param>
    public static double[] Resample(ReadOnlySpan<float> signal, int to, int from)
    {
        var divisor = Gcd(to, from);
        var (up, down) = (to / divisor, from / divisor);
        if (up == down)
        {
            var copy = new double[signal.Length];
            for (var i = 0; i < copy.Length; i++) copy[i] = signal[i];
            return copy;
        }

        const double Rejection = 60;
        var cutoff = 1.0 / (2 * Math.Max(up, down));
        var half = (int)Math.Ceiling((Rejection - 8) / (28.714 * cutoff / 10));
        var filter = new double[2 * half + 1];
        for (var i = 0; i < filter.Length; i++)
        {
            var t = i - half;
            var sinc = t == 0 ? 1 : Math.Sin(Math.PI * 2 * cutoff * t) / (Math.PI * 2 * cutoff * t);
            filter[i] = 2 * up * cutoff * sinc * SpecialFunctions.Kaiser(t / (double)half, 0.1102 * (Rejection - 8.7));
        }

        var gain = up / filter.Sum();
        var result = new double[((long)signal.Length * up + down - 1) / down];
        for (var m = 0; m < result.Length; m++)
        {
            // Output m is at m down on the upsampled grid, where only multiples of up are samples.
            var centre = (long)m * down + half;
            var sum = 0.0;
            for (var n = Math.Max(0, (centre - filter.Length + up) / up); n < signal.Length && n * up <= centre; n++) sum += filter[centre - n * up] * signal[(int)n];
            result[m] = sum * gain;
        }

        return result;
    }

    private static int Gcd(int a, int b) => b == 0 ? a : Gcd(b, a % b);
}
