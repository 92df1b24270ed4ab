using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>A vector field: dx/dt at (x, t), the same t for every sample.</summary>
internal delegate Task<Tensor<float>> VectorField(Tensor<float> x, float t);

/// <summary>What the steps of an adaptive method may err by.</summary>
/// <param name="Relative">Share of the state.</param>
/// <param name="Absolute">What is allowed where the state is zero.</param>
internal sealed record OdeTolerance(double Relative = 1e-3, double Absolute = 1e-6);

/// <summary>Runge-Kutta methods, under torchdiffeq's names: on a given grid of times, or with steps of their own.</summary>
internal static class OdeSolver
{
    // Butcher tableaus: nodes, rows of the matrix, weights. torchdiffeq's rk4 is the 3/8 rule.
    private static readonly Dictionary<string, (double[] Nodes, double[][] Matrix, double[] Weights)> Methods = new()
    {
        ["euler"] = ([0], [[]], [1]),
        ["midpoint"] = ([0, 0.5], [[], [0.5]], [0, 1]),
        ["heun2"] = ([0, 1], [[], [1]], [0.5, 0.5]),
        ["heun3"] = ([0, 1 / 3.0, 2 / 3.0], [[], [1 / 3.0], [0, 2 / 3.0]], [0.25, 0, 0.75]),
        ["rk4"] = ([0, 1 / 3.0, 2 / 3.0, 1], [[], [1 / 3.0], [-1 / 3.0, 1], [1, -1, 1]], [0.125, 0.375, 0.375, 0.125]),
    };

    /// <summary>The methods' names.</summary>
    public static IReadOnlyCollection<string> Names => [.. Methods.Keys, DormandPrince.Name];

    /// <summary>The states at the times, the first one included, each as soon as it is known.</summary>
    /// <param name="method">Its name.</param>
    /// <param name="start">The first state.</param>
    /// <param name="times">The times, rising or falling.</param>
    /// <param name="field">The vector field.</param>
    /// <param name="tolerance">What an adaptive method's steps may err by; the others have no use for it.</param>
    /// <exception cref="OptionsException">There is no such method.</exception>
    public static IAsyncEnumerable<Tensor<float>> SolveAsync(string method, Tensor<float> start, IReadOnlyList<float> times, VectorField field, OdeTolerance? tolerance = null)
    {
        if (method == DormandPrince.Name) return DormandPrince.SolveAsync(start, times, field, tolerance ?? new());
        if (Methods.TryGetValue(method, out var rule)) return StepAsync(rule, start, times, field);
        throw new OptionsException(ErrorCodes.OptionUnknown, "No such method.") { Where = "sampling_method", Expected = string.Join(", ", Names), Found = method };
    }

    private static async IAsyncEnumerable<Tensor<float>> StepAsync((double[] Nodes, double[][] Matrix, double[] Weights) rule, Tensor<float> start, IReadOnlyList<float> times, VectorField field)
    {
        var x = start;
        yield return x;
        for (var i = 0; i + 1 < times.Count; i++)
        {
            var step = times[i + 1] - times[i];
            var slopes = new List<Tensor<float>>();
            for (var stage = 0; stage < rule.Nodes.Length; stage++)
            {
                var node = rule.Nodes[stage];
                slopes.Add(await field(Combine(x, step, rule.Matrix[stage], slopes), node == 1 ? times[i + 1] : (float)(times[i] + step * node)).ConfigureAwait(false));
            }

            x = Combine(x, step, rule.Weights, slopes);
            yield return x;
        }
    }

    /// <summary>Equal steps from start to end, both included, rounded as PyTorch's linspace rounds.</summary>
    public static float[] Linspace(float start, float end, int count)
    {
        if (count == 1) return [start];
        var step = (end - start) / (count - 1);
        return [.. Enumerable.Range(0, count).Select(i => i < count / 2 ? start + step * i : end - step * (count - 1 - i))];
    }

    /// <summary>s t / (1 + (s - 1) t): more of the steps where there is more noise.</summary>
    public static float[] Shift(IEnumerable<float> times, float shift) => [.. times.Select(t => shift * t / (1 + (shift - 1) * t))];

    /// <summary>x + step (w0 s0 + w1 s1 + ..).</summary>
    internal static Tensor<float> Combine(Tensor<float> x, double step, double[] weights, IReadOnlyList<Tensor<float>> slopes)
    {
        var result = x;
        for (var j = 0; j < weights.Length; j++)
        {
            if (weights[j] != 0) result = Batch.AddScaled(result, (float)(step * weights[j]), slopes[j]);
        }

        return result;
    }
}
