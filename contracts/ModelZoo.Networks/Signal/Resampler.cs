using ModelZoo.Contracts;
using ModelZoo.Networks.Numerics;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Networks;

/// <summary>
/// Changes a sampling rate by a rational factor with a polyphase windowed-sinc filter: Kaiser window, beta 14.769656459379492, 64 zero crossings, roll-off 0.9475937167399596
/// (the "kaiser_best" filter of the resampy library, Smith's band-limited interpolation). Stop band below -120 dB; the output has ceil(n up / down) samples.
/// </summary>
public sealed class Resampler
{
    private const double Beta = 14.769656459379492, RollOff = 0.9475937167399596;
    private const int ZeroCrossings = 64;

    private readonly int _up, _down, _reach;
    private readonly float[][] _phases;

    /// <summary>A resampler between two rates in samples per second.</summary>
    public Resampler(int from, int to)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(from);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(to);
        var divisor = (int)System.Numerics.BigInteger.GreatestCommonDivisor(from, to);
        (_up, _down) = (to / divisor, from / divisor);

        // The filter's cut-off lies below the lower of the two rates; it then reaches further into the input.
        var cutoff = Math.Min(1.0, (double)to / from) * RollOff;
        _reach = (int)Math.Ceiling(ZeroCrossings / cutoff);
        _phases = new float[_up][];
        for (var phase = 0; phase < _up; phase++) _phases[phase] = Taps((double)phase / _up, cutoff);
    }

    /// <summary>Number of samples that <paramref name="length"/> samples become.</summary>
    public int OutputLength(int length) => checked((int)(((long)length * _up + _down - 1) / _down));

    /// <summary>Resamples one channel.</summary>
    public float[] Convert(ReadOnlySpan<float> samples)
    {
        if (_up == _down) return samples.ToArray();
        var padded = new float[samples.Length + 2 * _reach];
        samples.CopyTo(padded.AsSpan(_reach));
        var output = new float[OutputLength(samples.Length)];
        for (var i = 0; i < output.Length; i++)
        {
            var position = Math.DivRem((long)i * _down, _up, out var phase);
            var taps = _phases[phase];
            // Sample `position` is at padded[position + reach]; taps cover position - reach + 1 .. position + reach.
            var start = (int)position + 1;
            var count = Math.Min(taps.Length, padded.Length - start);
            output[i] = TensorPrimitives.Dot(padded.AsSpan(start, count), taps.AsSpan(0, count));
        }

        return output;
    }

    /// <summary>Audio at another rate and with another number of channels: more channels are mixed down to their mean, one is copied.</summary>
    /// <exception cref="MediaException">Channels that cannot be mixed, or an impossible rate.</exception>
    public static Audio Convert(Audio audio, int sampleRate, int channels)
    {
        if (audio.SampleRate <= 0 || audio.Channels == 0) throw new MediaException(ErrorCodes.MediaMalformed, "The sound has no channels or no sampling rate.") { Found = $"{audio.Channels} channels at {audio.SampleRate} Hz" };
        if (audio.SampleRate == sampleRate && audio.Channels == channels) return audio;
        if (channels != audio.Channels && channels != 1 && audio.Channels != 1)
            throw new MediaException(ErrorCodes.MediaUnsupported, "These channels cannot be mixed.") { Expected = $"{channels} channels, or one", Found = $"{audio.Channels} channels" };
        var source = channels == 1 && audio.Channels > 1 ? Mixed(audio) : audio.Samples;
        var resampler = new Resampler(audio.SampleRate, sampleRate);
        var length = resampler.OutputLength(audio.Length);
        var result = Tensor.Zeros<float>(channels, length);
        for (var channel = 0; channel < channels; channel++)
            resampler.Convert(source.Slice(Math.Min(channel, (int)source.Shape[0] - 1)).Span).CopyTo(result.Slice(channel).Span);
        return new(result, sampleRate);
    }

    private static Tensor<float> Mixed(Audio audio)
    {
        var mean = Tensor.Zeros<float>(1, audio.Length);
        for (var channel = 0; channel < audio.Channels; channel++) TensorPrimitives.Add(mean.Span, audio.Samples.Slice(channel).Span, mean.Span);
        TensorPrimitives.Divide(mean.Span, audio.Channels, mean.Span);
        return mean;
    }

    // h(t) = c sinc(c t) w(t / reach) at the distances of the input samples around a point that lies `offset` after one of them.
    private float[] Taps(double offset, double cutoff)
    {
        var taps = new float[2 * _reach];
        for (var i = 0; i < taps.Length; i++)
        {
            var t = i - (_reach - 1) - offset;
            var x = t * cutoff;
            var sinc = x == 0 ? 1 : Math.Sin(Math.PI * x) / (Math.PI * x);
            var edge = x / ZeroCrossings;
            taps[i] = Math.Abs(edge) >= 1 ? 0 : (float)(cutoff * sinc * SpecialFunctions.Kaiser(edge, Beta));
        }

        return taps;
    }
}
