using ModelZoo.Contracts;

namespace ModelZoo.Networks.Tests.Signal;

public class ResamplerTests
{
    [Theory]
    [InlineData(8000, 24000)]
    [InlineData(16000, 24000)]
    [InlineData(44100, 24000)]
    [InlineData(48000, 24000)]
    [InlineData(44100, 8000)]
    [InlineData(8000, 48000)]
    public void Convert_SineInPassBand_StaysThatSine(int from, int to)
    {
        var frequency = 0.35 * Math.Min(from, to);
        var output = new Resampler(from, to).Convert(Sine(frequency, from, from / 4));
        Assert.Equal((int)Math.Ceiling(from / 4 * (double)to / from), output.Length);
        var reach = to / 20;
        for (var i = reach; i < output.Length - reach; i++) Assert.Equal(Math.Sin(2 * Math.PI * frequency * i / to), output[i], 1e-4);
    }

    [Theory]
    [InlineData(48000, 24000, 14000)]
    [InlineData(44100, 8000, 5000)]
    public void Convert_SineAboveTheNewBand_IsSilenced(int from, int to, double frequency)
    {
        var output = new Resampler(from, to).Convert(Sine(frequency, from, from / 4));
        foreach (var value in output.AsSpan(to / 20, output.Length - to / 10)) Assert.True(Math.Abs(value) < 1e-4, $"{value}");
    }

    [Fact]
    public void Convert_SameRate_KeepsSamplesExactly()
    {
        var samples = Runtime.Numbers(3, 100).Span.ToArray();
        Assert.Equal(samples, new Resampler(16000, 16000).Convert(samples));
    }

    [Fact]
    public void Convert_StereoToMono_IsTheMean()
    {
        var audio = Resampler.Convert(new(Tensor.Create([1f, 0, 0.5f, 1], 2, 2), 8000), 8000, 1);
        Assert.Equal([0.75f, 0.5f], audio.Samples.Span.ToArray());
    }

    [Fact]
    public void Convert_ThreeChannelsToTwo_IsRefused()
    {
        var error = Assert.Throws<MediaException>(() => Resampler.Convert(new(Tensor.Zeros<float>(3, 4), 8000), 8000, 2));
        Assert.Equal(ErrorCodes.MediaUnsupported, error.Code);
    }

    private static float[] Sine(double frequency, int rate, int length) => [.. Enumerable.Range(0, length).Select(i => (float)Math.Sin(2 * Math.PI * frequency * i / rate))];
}
