using ModelZoo.Networks.Numerics;

namespace ModelZoo.Networks.Tests.Numerics;

public sealed class MelSpectrogramTests
{
    private const int FftSize = 8, Hop = 3;

    [Theory]
    [InlineData(1, null)]
    [InlineData(1.5, "constant")]
    [InlineData(2, "reflect")]
    public void Librosa_PowersAndPaddings_AreSumsOverPaddedFrames(double power, string? padding)
    {
        var audio = Enumerable.Range(0, 20).Select(i => Math.Sin(0.7 * i) + 0.1 * i).ToArray();
        var (filters, window) = (MelFilters.Slaney(8000, FftSize, 3, 0, 4000, unitArea: false), Windows.Named("hamming_window", FftSize));
        var mel = MelSpectrograms.Librosa(audio, filters, new Stft(FftSize, Hop, window), power, padding);
        var margin = padding is null ? 0 : FftSize / 2;
        Assert.Equal(1 + (audio.Length + 2 * margin - FftSize) / Hop, mel.GetLength(1));
        for (var m = 0; m < 3; m++)
        {
            for (var t = 0; t < mel.GetLength(1); t++)
            {
                var sum = Enumerable.Range(0, FftSize / 2 + 1).Sum(k =>
                {
                    var bin = Enumerable.Range(0, FftSize).Aggregate(System.Numerics.Complex.Zero, (z, i) => z + window[i] * At(t * Hop + i - margin) * System.Numerics.Complex.FromPolarCoordinates(1, -2 * Math.PI * k * i / FftSize));
                    return filters[m, k] * Math.Pow(bin.Magnitude, power);
                });
                Assert.Equal(sum, mel[m, t], 1e-9);
            }
        }

        double At(int i) => i >= 0 && i < audio.Length ? audio[i] : padding == "reflect" ? audio[i < 0 ? -i : 2 * audio.Length - 2 - i] : 0;
    }

    [Fact]
    public void Librosa_UnknownPadding_IsRefused() =>
        Assert.Throws<ArgumentException>(() => MelSpectrograms.Librosa(new double[20], new double[1, 5], new Stft(FftSize, Hop, Windows.Hann(FftSize)), padding: "wrap"));

    // torchaudio places the last bin at the rate divided by two in whole numbers, librosa at half the rate.
    [Theory]
    [InlineData(null, 5)]
    [InlineData(5.5, 5.5)]
    public void Htk_OddRate_EndsAtTheLibrarysLastBin(double? lastBin, double last)
    {
        var filters = MelFilters.Htk(11, FftSize, 1, 0, 5.5, lastBin: lastBin);
        var (top, middle) = (MelFilters.HtkMel(5.5), 700 * (Math.Pow(10, MelFilters.HtkMel(5.5) / 2 / 2595) - 1));
        Assert.Equal(5.5, 700 * (Math.Pow(10, top / 2595) - 1), 1e-9);
        for (var k = 0; k <= 4; k++) Assert.Equal(Math.Max(0, Math.Min(last * k / 4 / middle, (5.5 - last * k / 4) / (5.5 - middle))), filters[0, k], 1e-9);
    }

    // Frames are 400 samples every 160 at any rate, and the last filter ends at half of it in whole numbers.
    [Theory]
    [InlineData(16000)]
    [InlineData(8001)]
    public void KaldiFilterBank_AnyRate_HasTheSameFrames(int rate)
    {
        var audio = Enumerable.Range(0, 720).Select(i => 0.01 * Math.Sin(0.3 * i) + 0.001 * i % 0.7).ToArray();
        var bank = MelSpectrograms.KaldiFilterBank(audio, rate, 4);
        Assert.Equal(3, bank.GetLength(1));
        var filters = MelFilters.Kaldi(rate, 512, 4, 20, rate / 2);
        for (var t = 0; t < 3; t++)
        {
            var frame = audio.Skip(160 * t).Take(400).Select(x => x * 32768).ToArray();
            var mean = frame.Average();
            double Emphasised(int i) => (frame[i] - mean - 0.97 * (frame[Math.Max(0, i - 1)] - mean)) * Math.Pow(0.5 - 0.5 * Math.Cos(2 * Math.PI * i / 399), 0.85);
            for (var m = 0; m < 4; m++)
            {
                var sum = Enumerable.Range(0, 257).Where(k => filters[m, k] > 0).Sum(k => filters[m, k] * Math.Pow(
                    Enumerable.Range(0, 400).Aggregate(System.Numerics.Complex.Zero, (z, i) => z + Emphasised(i) * System.Numerics.Complex.FromPolarCoordinates(1, -2 * Math.PI * k * i / 512)).Magnitude, 2));
                Assert.Equal(Math.Log(sum), bank[m, t], 1e-6);
            }
        }
    }

    [Fact]
    public void Decibels_WithoutALimit_KeepWhatIsFaint()
    {
        var power = new[,] { { 1.0, 1e-9 } };
        Assert.Equal([0, -80], MelSpectrograms.Decibels(power).Cast<double>(), (a, b) => Math.Abs(a - b) < 1e-9);
        Assert.Equal([0, -90], MelSpectrograms.Decibels(power, null).Cast<double>(), (a, b) => Math.Abs(a - b) < 1e-9);
    }
}
