using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>
/// Dormand and Prince's method of order 5 (1980), torchdiffeq's <c>dopri5</c>: it chooses its own steps by the error that its embedded method of order 4 shows, and states between them come from a polynomial. Times are kept in double.
/// </summary>
internal static class DormandPrince
{
    /// <summary>torchdiffeq's name.</summary>
    public const string Name = "dopri5";

    private const int Order = 5;
    private const double Safety = 0.9, MostGrowth = 10, MostShrinking = 0.2;
    private static readonly double[] Nodes = [1 / 5.0, 3 / 10.0, 4 / 5.0, 8 / 9.0, 1, 1];
    private static readonly double[][] Matrix =
    [
        [1 / 5.0],
        [3 / 40.0, 9 / 40.0],
        [44 / 45.0, -56 / 15.0, 32 / 9.0],
        [19372 / 6561.0, -25360 / 2187.0, 64448 / 6561.0, -212 / 729.0],
        [9017 / 3168.0, -355 / 33.0, 46732 / 5247.0, 49 / 176.0, -5103 / 18656.0],
        [35 / 384.0, 0, 500 / 1113.0, 125 / 192.0, -2187 / 6784.0, 11 / 84.0],
    ];

    // The weights of order 5 less those of order 4.
    private static readonly double[] Error =
        [35 / 384.0 - 1951 / 21600.0, 0, 500 / 1113.0 - 22642 / 50085.0, 125 / 192.0 - 451 / 720.0, -2187 / 6784.0 + 12231 / 42400.0, 11 / 84.0 - 649 / 6300.0, -1 / 60.0];

    // The state in the middle of a step (Shampine, 1986).
    private static readonly double[] Middle =
        [6025192743 / 30085553152.0 / 2, 0, 51252292925 / 65400821598.0 / 2, -2691868925 / 45128329728.0 / 2, 187940372067 / 1594534317056.0 / 2, -1776094331 / 19743644256.0 / 2, 11237099 / 235043384.0 / 2];

    /// <summary>The states at the times, the first one included.</summary>
    public static async IAsyncEnumerable<Tensor<float>> SolveAsync(Tensor<float> start, IReadOnlyList<float> times, VectorField field, OdeTolerance tolerance)
    {
        // Falling times are solved as rising ones.
        var sign = times[^1] < times[0] ? -1 : 1;
        var step = await FirstStepAsync().ConfigureAwait(false);
        yield return start;
        for (var i = 1; i < times.Count; i++)
        {
            while (sign * times[i] > step.End) step = await NextAsync(step).ConfigureAwait(false);
            yield return step.At(sign * times[i]);
        }

        async Task<Tensor<float>> SlopeAsync(Tensor<float> x, double t)
        {
            var slope = await field(x, (float)(sign * t)).ConfigureAwait(false);
            return sign > 0 ? slope : OdeSolver.Combine(Tensor.Zeros<float>(slope.Shape), -1, [1], [slope]);
        }

        // A step of no length, and the length of the one to come (Hairer, Norsett and Wanner, section II.4).
        async Task<Step> FirstStepAsync()
        {
            var time = sign * (double)times[0];
            var slope = await SlopeAsync(start, time).ConfigureAwait(false);
            var (state, change) = (Scaled(start, start, start), Scaled(slope, start, start));
            var length = state < 1e-5 || change < 1e-5 ? 1e-6 : 0.01 * state / change;
            var further = await SlopeAsync(OdeSolver.Combine(start, length, [1], [slope]), time + length).ConfigureAwait(false);
            var bend = Scaled(OdeSolver.Combine(further, -1, [1], [slope]), start, start) / length;
            var other = change <= 1e-15 && bend <= 1e-15 ? Math.Max(1e-6, length * 1e-3) : Math.Pow(0.01 / Math.Max(change, bend), 1.0 / Order);
            return new(time, time, start, start, start, [slope], Math.Min(100 * length, other));
        }

        async Task<Step> NextAsync(Step last)
        {
            var (x, begin, length) = (last.After, last.End, last.Length);
            var slopes = new List<Tensor<float>> { last.Slopes[^1] };
            var next = x;
            for (var stage = 0; stage < Nodes.Length; stage++)
            {
                next = OdeSolver.Combine(x, length, Matrix[stage], slopes);
                slopes.Add(await SlopeAsync(next, begin + Nodes[stage] * length).ConfigureAwait(false));
            }

            var error = Scaled(OdeSolver.Combine(Tensor.Zeros<float>(x.Shape), length, Error, slopes), x, next);
            var shrinking = error < 1 ? 1 : MostShrinking;
            var factor = error == 0 ? MostGrowth : Math.Min(MostGrowth, Math.Max(Safety / Math.Pow(error, 1.0 / Order), shrinking));
            return error <= 1
                ? new(begin, begin + length, x, OdeSolver.Combine(x, length, Middle, slopes), next, slopes, length * factor)
                : last with { Length = length * factor };
        }

        // The root mean square of x in units of what is tolerated at two states.
        double Scaled(Tensor<float> x, Tensor<float> a, Tensor<float> b)
        {
            var sum = 0.0;
            for (var i = 0; i < x.Length; i++)
            {
                var ratio = x.Span[i] / (tolerance.Absolute + tolerance.Relative * Math.Max(Math.Abs(a.Span[i]), Math.Abs(b.Span[i])));
                sum += ratio * ratio;
            }

            return Math.Sqrt(sum / x.Length);
        }
    }

    // A step that was taken, with the states at its begin, middle and end, its slopes, and the length of the next one.
    private sealed record Step(double Begin, double End, Tensor<float> Before, Tensor<float> Between, Tensor<float> After, IReadOnlyList<Tensor<float>> Slopes, double Length)
    {
        // The polynomial of degree 4 through three states and two slopes.
        public Tensor<float> At(double time)
        {
            var (size, share) = ((float)(End - Begin), (float)((time - Begin) / (End - Begin)));
            Span<float> first = Slopes[0].Span, last = Slopes[^1].Span;
            var result = Tensor.Zeros<float>(After.Shape);
            for (var i = 0; i < result.Length; i++)
            {
                var (x, y, middle) = (Before.Span[i], After.Span[i], Between.Span[i]);
                var fourth = 2 * size * (last[i] - first[i]) - 8 * (y + x) + 16 * middle;
                var third = size * (5 * first[i] - 3 * last[i]) + 18 * x + 14 * y - 32 * middle;
                var second = size * (last[i] - 4 * first[i]) - 11 * x - 5 * y + 16 * middle;
                result.Span[i] = x + share * (size * first[i] + share * (second + share * (third + share * fourth)));
            }

            return result;
        }
    }
}
