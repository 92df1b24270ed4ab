using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>
/// One step of DPM-Solver: x_t = Sample x + D0 d0 + D1 d1 + D2 d2 + Noise n, where d0 is the output at the base, d1 and d2 its first and second divided differences in lambda.
/// Equations of DPM-Solver (arXiv:2206.00927), DPM-Solver++ (arXiv:2211.01095) and their SDE forms.
/// </summary>
internal readonly record struct DpmUpdate(float Sample, float D0, float D1, float D2, float Noise)
{
    /// <summary>Takes the step from <paramref name="start"/>, without its noise.</summary>
    /// <param name="output">d0.</param>
    public void Apply(ReadOnlySpan<float> start, ReadOnlySpan<float> output, DpmDifferences differences, Span<float> result)
    {
        SpanMath.Scale(Sample, start, result);
        SpanMath.Accumulate(D0, output, result);
        if (D1 != 0) SpanMath.Accumulate(D1, differences.First, result);
        if (D2 != 0) SpanMath.Accumulate(D2, differences.Second, result);
    }

    /// <summary>The factors for a step from <paramref name="from"/> to <paramref name="to"/>.</summary>
    /// <param name="order">1 to 3.</param>
    /// <param name="midpoint">Midpoint form; the Heun form otherwise. The third order of a multistep solver has the Heun form only.</param>
    public static DpmUpdate Of(DpmAlgorithm algorithm, int order, bool midpoint, NoiseLevel from, NoiseLevel to)
    {
        var h = to.Lambda - from.Lambda;
        switch (algorithm)
        {
            case DpmAlgorithm.DpmSolverPlusPlus:
            {
                var decay = MathF.Exp(-h) - 1;
                var d0 = -to.Alpha * decay;
                return new(to.Sigma / from.Sigma, d0, D1(0.5f * d0, () => to.Alpha * (decay / h + 1)),
                    D2(() => -to.Alpha * ((decay + h) / (h * h) - 0.5f)), 0);
            }

            case DpmAlgorithm.DpmSolver:
            {
                var growth = MathF.Exp(h) - 1;
                var d0 = -to.Sigma * growth;
                return new(to.Alpha / from.Alpha, d0, D1(0.5f * d0, () => -to.Sigma * (growth / h - 1)),
                    D2(() => -to.Sigma * ((growth - h) / (h * h) - 0.5f)), 0);
            }

            case DpmAlgorithm.SdeDpmSolverPlusPlus:
            {
                var decay = 1 - MathF.Exp(-2 * h);
                var d0 = to.Alpha * decay;
                return new(to.Sigma / from.Sigma * MathF.Exp(-h), d0, D1(0.5f * d0, () => to.Alpha * (decay / (-2 * h) + 1)),
                    D2(() => to.Alpha * ((decay - 2 * h) / (4 * h * h) - 0.5f)), to.Sigma * MathF.Sqrt(decay));
            }

            case DpmAlgorithm.SdeDpmSolver when order < 3:
            {
                var growth = MathF.Exp(h) - 1;
                return new(to.Alpha / from.Alpha, -2 * (to.Sigma * growth), D1(-to.Sigma * growth, () => -2 * (to.Sigma * (growth / h - 1))), 0,
                    to.Sigma * MathF.Sqrt(MathF.Exp(2 * h) - 1));
            }

            default:
                throw new ModelZooException(ErrorCodes.ConfigInvalid, "The solver does not have this algorithm at this order.") { Where = "algorithm_type", Found = $"{algorithm}, order {order}" };
        }

        float D1(float midpointForm, Func<float> heunForm) => order == 1 ? 0 : order == 2 && midpoint ? midpointForm : heunForm();
        float D2(Func<float> form) => order == 3 ? form() : 0;
    }
}
