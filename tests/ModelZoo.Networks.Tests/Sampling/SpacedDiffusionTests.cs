using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Networks.Tests;

namespace ModelZoo.Networks.Sampling.Tests;

public sealed class SpacedDiffusionTests
{
    [Theory]
    [InlineData("", 1000, 0, 1, 999)]
    [InlineData("4", 4, 0, 333, 999)]
    [InlineData("ddim50", 50, 0, 20, 980)]
    [InlineData("2,3", 5, 0, 499, 999)]
    [InlineData(" 8, 0", 8, 0, 71, 499)]
    [InlineData("1", 1, 0, 0, 0)]
    public void Timesteps_AsPublished(string respacing, int count, int first, int second, int last)
    {
        var kept = new SpacedDiffusion(respacing).Timesteps;
        Assert.Equal((count, first, second, last), (kept.Count, kept[0], kept[Math.Min(1, count - 1)], kept[^1]));
    }

    [Theory]
    [InlineData("1001")]
    [InlineData("0")]
    [InlineData("ddim600")]
    [InlineData("ddim")]
    [InlineData("600,2")]
    [InlineData("-3")]
    [InlineData("many")]
    public void Respacing_ThatDoesNotDivide_IsRefused(string respacing) => Assert.Equal(respacing, Assert.Throws<OptionsException>(() => new SpacedDiffusion(respacing)).Found);

    [Theory]
    [InlineData(BetaSchedule.Linear, "10")]
    [InlineData(BetaSchedule.SquaredCosine, "ddim20")]
    public void ImplicitStep_WithTheTrueNoise_StaysOnItsPath(BetaSchedule schedule, string respacing)
    {
        var diffusion = new SpacedDiffusion(respacing, schedule);
        var (clean, noise) = (Runtime.Numbers(1, 7), Runtime.Numbers(2, 7));
        var (x, seen) = (At(diffusion.Count - 1), new float[7]);
        for (var step = diffusion.Count - 1; step >= 0; step--)
        {
            diffusion.ImplicitStep(step, noise.Span, x, [], clean: seen);
            Near(clean.Span, seen);
            Near(step == 0 ? clean.Span : At(step - 1), x);
        }

        float[] At(int step)
        {
            var noised = new float[7];
            diffusion.AddNoise(step, clean.Span, noise.Span, noised);
            return noised;
        }
    }

    // Nichol and Dhariwal's equations 10, 11 and 15 in double precision, from betas that are computed apart.
    [Theory]
    [InlineData(BetaSchedule.Linear, "", 500, false)]
    [InlineData(BetaSchedule.Linear, "25", 24, true)]
    [InlineData(BetaSchedule.SquaredCosine, "100", 1, false)]
    [InlineData(BetaSchedule.SquaredCosine, "100", 0, false)]
    public void Step_IsThePosterior(BetaSchedule schedule, string respacing, int step, bool clip)
    {
        var diffusion = new SpacedDiffusion(respacing, schedule);
        double Bar(int index) => index < 0 ? 1 : Enumerable.Range(0, diffusion.Timesteps[index] + 1).Aggregate(1.0, (product, t) => product * (1 - Beta(schedule, t)));
        var (bar, before) = (Bar(step), Bar(step - 1));
        var beta = 1 - bar / before;
        var (x, epsilon, variance, noise) = (Runtime.Numbers(1, 9), Runtime.Numbers(2, 9), Runtime.Numbers(3, 9), Runtime.Numbers(4, 9));
        var (actual, seen) = (x.Span.ToArray(), new float[9]);
        diffusion.Step(step, epsilon.Span, variance.Span, actual, noise.Span, 0.7f, clip, seen);
        for (var i = 0; i < 9; i++)
        {
            var clean = (x.Span[i] - Math.Sqrt(1 - bar) * epsilon.Span[i]) / Math.Sqrt(bar);
            if (clip) clean = Math.Clamp(clean, -1, 1);
            Assert.Equal(clean, seen[i], 1e-4 * Math.Max(1, Math.Abs(clean)));
            var mean = (Math.Sqrt(before) * beta * clean + Math.Sqrt(1 - beta) * (1 - before) * x.Span[i]) / (1 - bar);
            var share = (variance.Span[i] + 1) / 2;
            var deviation = step == 0 ? 0 : Math.Exp(0.5 * (share * Math.Log(beta) + (1 - share) * Math.Log(beta * (1 - before) / (1 - bar))));
            Assert.Equal(mean + 0.7 * deviation * noise.Span[i], actual[i], 1e-4 * Math.Max(1, Math.Abs(mean)));
        }

        // Without a learned variance it is the larger bound.
        float[] larger = x.Span.ToArray(), whole = x.Span.ToArray(), ones = new float[9];
        Array.Fill(ones, 1);
        diffusion.Step(step, epsilon.Span, [], larger, noise.Span);
        diffusion.Step(step, epsilon.Span, ones, whole, noise.Span);
        Assert.Equal(whole, larger);
    }

    [Fact]
    public void NoiseOf_TheCleanSample_IsItsNoise()
    {
        var diffusion = new SpacedDiffusion("20");
        var (clean, noise, x) = (Runtime.Numbers(1, 5), Runtime.Numbers(2, 5), new float[5]);
        diffusion.AddNoise(13, clean.Span, noise.Span, x);
        var found = clean.Span.ToArray();
        diffusion.NoiseOf(13, found, x);
        Near(noise.Span, found);
    }

    private static double Beta(BetaSchedule schedule, int t)
    {
        static double Bar(double share) => Math.Pow(Math.Cos((share + 0.008) / 1.008 * Math.PI / 2), 2);
        return schedule == BetaSchedule.Linear ? 0.0001 + (0.02 - 0.0001) * t / 999 : Math.Min(1 - Bar((t + 1) / 1000.0) / Bar(t / 1000.0), 0.999);
    }

    private static void Near(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 2e-4f);
    }
}
