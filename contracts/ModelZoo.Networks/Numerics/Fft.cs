namespace ModelZoo.Networks.Numerics;

/// <summary>Discrete Fourier transforms of one length: radix 2 for powers of two, Bluestein's algorithm for all others. Double precision; an instance may be shared by threads.</summary>
public sealed class Fft
{
    private readonly int _length;
    private readonly double[] _cos;
    private readonly double[] _sin;
    private readonly Fft? _inner;
    private readonly double[] _chirpRe = [];
    private readonly double[] _chirpIm = [];
    private readonly double[] _filterRe = [];
    private readonly double[] _filterIm = [];

    /// <summary>Prepares transforms of <paramref name="length"/> points.</summary>
    public Fft(int length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        _length = length;
        _cos = new double[length];
        _sin = new double[length];
        for (var i = 0; i < length; i++) (_sin[i], _cos[i]) = Math.SinCos(-2 * Math.PI * i / length);
        if ((length & (length - 1)) == 0) return;

        // jk = (j² + k² - (j - k)²) / 2 turns the transform into a convolution with a chirp.
        var size = 1;
        while (size < 2 * length - 1) size *= 2;
        _inner = new(size);
        (_chirpRe, _chirpIm) = (new double[length], new double[length]);
        (_filterRe, _filterIm) = (new double[size], new double[size]);
        for (var i = 0; i < length; i++)
        {
            (_chirpIm[i], _chirpRe[i]) = Math.SinCos(-Math.PI * ((long)i * i % (2L * length)) / length);
            (_filterRe[i], _filterIm[i]) = (_chirpRe[i], -_chirpIm[i]);
            if (i > 0) (_filterRe[size - i], _filterIm[size - i]) = (_chirpRe[i], -_chirpIm[i]);
        }

        _inner.Forward(_filterRe, _filterIm);
    }

    /// <summary>Number of points.</summary>
    public int Length => _length;

    /// <summary>X_k = sum x_n exp(-2 pi i k n / N), in place.</summary>
    public void Forward(Span<double> re, Span<double> im)
    {
        if (_inner is null) Radix2(re, im);
        else Bluestein(re, im, _inner);
    }

    /// <summary>The inverse of <see cref="Forward"/>, in place.</summary>
    public void Inverse(Span<double> re, Span<double> im)
    {
        Forward(im, re);
        for (var i = 0; i < _length; i++)
        {
            re[i] /= _length;
            im[i] /= _length;
        }
    }

    /// <summary>Squared magnitudes of the first N/2 + 1 bins of a real signal that is zero beyond its length.</summary>
    public void Power(ReadOnlySpan<double> signal, Span<double> power, Span<double> re, Span<double> im)
    {
        re.Clear();
        im.Clear();
        signal.CopyTo(re);
        Forward(re, im);
        for (var k = 0; k <= _length / 2; k++) power[k] = re[k] * re[k] + im[k] * im[k];
    }

    private void Radix2(Span<double> re, Span<double> im)
    {
        var n = _length;
        for (int i = 1, j = 0; i < n; i++)
        {
            var bit = n >> 1;
            for (; (j & bit) != 0; bit >>= 1) j ^= bit;
            j ^= bit;
            if (i >= j) continue;
            (re[i], re[j]) = (re[j], re[i]);
            (im[i], im[j]) = (im[j], im[i]);
        }

        for (var size = 2; size <= n; size *= 2)
        {
            var (half, stride) = (size / 2, n / size);
            for (var start = 0; start < n; start += size)
            {
                for (var k = 0; k < half; k++)
                {
                    var (a, b) = (start + k, start + k + half);
                    var (c, s) = (_cos[k * stride], _sin[k * stride]);
                    var (x, y) = (re[b] * c - im[b] * s, re[b] * s + im[b] * c);
                    (re[b], im[b]) = (re[a] - x, im[a] - y);
                    (re[a], im[a]) = (re[a] + x, im[a] + y);
                }
            }
        }
    }

    private void Bluestein(Span<double> re, Span<double> im, Fft inner)
    {
        var (a, b) = (new double[inner.Length], new double[inner.Length]);
        for (var i = 0; i < _length; i++)
        {
            a[i] = re[i] * _chirpRe[i] - im[i] * _chirpIm[i];
            b[i] = re[i] * _chirpIm[i] + im[i] * _chirpRe[i];
        }

        inner.Forward(a, b);
        for (var i = 0; i < a.Length; i++) (a[i], b[i]) = (a[i] * _filterRe[i] - b[i] * _filterIm[i], a[i] * _filterIm[i] + b[i] * _filterRe[i]);
        inner.Inverse(a, b);
        for (var i = 0; i < _length; i++)
        {
            re[i] = a[i] * _chirpRe[i] - b[i] * _chirpIm[i];
            im[i] = a[i] * _chirpIm[i] + b[i] * _chirpRe[i];
        }
    }
}
