using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>Activations at twice the sampling rate, so that the harmonics that they make do not fold back (Karras et al., arXiv:2106.12423; Lee et al., BigVGAN, arXiv:2206.04658).</summary>
internal static class AliasFreeActivation
{
    private const int Taps = 12;

    /// <summary>Up, x + sin^2(e^alpha x) / e^beta, down. The filters are buffers of the checkpoint. x (B, C, T).</summary>
    public static Value SnakeBeta(Scope scope, Value x) => Down(scope["downsample.lowpass"], Periodic(scope["act"], Up(scope["upsample"], x)));

    private static Value Periodic(Scope scope, Value x)
    {
        var channels = x.Shape[1].Size;
        var (alpha, beta) = (scope.Data("alpha", channels), scope.Data("beta", channels));
        var frequency = scope.Derive("frequency", [1, channels, 1], values =>
        {
            for (var i = 0; i < values.Length; i++) values[i] = MathF.Exp(alpha.Span<float>()[i]);
        });
        var inverse = scope.Derive("inverse_magnitude", [1, channels, 1], values =>
        {
            for (var i = 0; i < values.Length; i++) values[i] = 1 / (MathF.Exp(beta.Span<float>()[i]) + 1e-9f);
        });
        return x + inverse * (x * frequency).Sin().Square();
    }

    // Twice the rate: a transposed convolution of each channel with the filter, on a signal whose edges are repeated.
    private static Value Up(Scope scope, Value x)
    {
        const int pad = Taps / 2 - 1, before = pad * 2 + (Taps - 2) / 2, after = pad * 2 + (Taps - 1) / 2;
        var y = scope.ConvTranspose(x.Pad(2, pad, pad, PadMode.Edge), Filter(scope, x, 2), null, stride: 2, groups: x.Shape[1].Size);
        return y.Slice(2, before, y.Shape[2] - after);
    }

    private static Value Down(Scope scope, Value x) => scope.Conv(x.Pad(2, Taps / 2 - 1, Taps / 2, PadMode.Edge), Filter(scope, x, 1), null, stride: 2, groups: x.Shape[1].Size);

    // The one filter (1, 1, taps) for every channel, times a gain.
    private static Value Filter(Scope scope, Value x, float gain)
    {
        var (channels, filter) = (x.Shape[1].Size, scope.Data("filter", 1, 1, Taps));
        return scope.Derive($"filter:{channels}", [channels, 1, Taps], values =>
        {
            for (var i = 0; i < values.Length; i++) values[i] = gain * filter.Span<float>()[i % Taps];
        });
    }
}
