using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Fills a draw of a sampler: the numbers of all samples, one sample after the other.</summary>
/// <param name="step">Number of the draw, from 0.</param>
/// <param name="destination">(samples, numbers of a sample).</param>
internal delegate void Draw(int step, Span<float> destination);

/// <summary>Where samplers take their random numbers from.</summary>
internal static class Draws
{
    /// <summary>Given numbers (draws, ..), one slice a draw.</summary>
    /// <exception cref="ModelZooException">More were asked for than are there.</exception>
    public static Draw Given(Tensor<float> numbers) => (step, destination) =>
    {
        if (step >= numbers.Shape[0] || numbers.Slice(step).Length != destination.Length)
            throw new ModelZooException(ErrorCodes.VerbUnsupported, "The call gives too few random numbers.") { Expected = $"{destination.Length} in draw {step}", Found = numbers.ToString() };
        numbers.Slice(step).Span.CopyTo(destination);
    };

    /// <summary>Uniform numbers in (0, 1): a stream for each sample and draw, so that a sample is the same in a batch of any size.</summary>
    /// <param name="seed">The request's seed.</param>
    /// <param name="samples">Samples side by side.</param>
    /// <param name="series">Number that keeps the draws of one sampler apart.</param>
    public static Draw Uniform(ulong seed, int samples, int series = 0) => (step, destination) =>
    {
        var wide = new double[destination.Length / samples];
        for (var i = 0; i < samples; i++)
        {
            Philox.Of(seed, i, Stream(series, step)).FillUniform(wide);
            // The nearest float of a number close to one is one itself, of which logarithms are zero.
            for (var j = 0; j < wide.Length; j++) destination[i * wide.Length + j] = MathF.Min((float)wide[j], MathF.BitDecrement(1));
        }
    };

    /// <summary>Exponential numbers of mean one, likewise.</summary>
    public static Draw Exponential(ulong seed, int samples, int series = 0) => (step, destination) =>
    {
        Uniform(seed, samples, series)(step, destination);
        foreach (ref var number in destination) number = -MathF.Log(number);
    };

    /// <summary>Standard normal numbers, likewise.</summary>
    public static Draw Normal(ulong seed, int samples, int series = 0) => (step, destination) =>
    {
        var length = destination.Length / samples;
        for (var i = 0; i < samples; i++) Philox.Of(seed, i, Stream(series, step)).FillNormal(destination.Slice(i * length, length));
    };

    /// <summary>A random order of places for each sample: (samples, count).</summary>
    public static long[][] Orders(ulong seed, int samples, int count, int series = 0) =>
    [
        .. Enumerable.Range(0, samples).Select(i =>
        {
            var keys = new double[count];
            Philox.Of(seed, i, Stream(series, 0)).FillUniform(keys);
            return Enumerable.Range(0, count).OrderBy(place => keys[place]).Select(place => (long)place).ToArray();
        }),
    ];

    /// <summary>-log(-log u), both logarithms of numbers of at least 1e-20.</summary>
    public static float Gumbel(float uniform) => -MathF.Log(MathF.Max(-MathF.Log(MathF.Max(uniform, 1e-20f)), 1e-20f));

    private static int Stream(int series, int step) => (series << 20) + step;
}
