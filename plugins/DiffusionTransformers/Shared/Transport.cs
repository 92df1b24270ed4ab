using System.Runtime.CompilerServices;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>Sampling along an interpolant by its ordinary or its reverse stochastic equation, as SiT publishes it (transport/transport.py).</summary>
/// <param name="Path">The path.</param>
/// <param name="Prediction">What the network predicts.</param>
internal sealed record Transport(Interpolant Path, FlowPrediction Prediction)
{
    /// <summary>Time kept from the ends where a factor is infinite; the published code has none where the velocity is finite everywhere.</summary>
    public float SampleEps { get; init; } = 1e-3f;

    private float Margin => Prediction == FlowPrediction.Velocity && Path.SingularAtNoise ? 0 : SampleEps;

    /// <summary>A path and a prediction by their published names.</summary>
    /// <exception cref="OptionsException">There is no such path or prediction.</exception>
    public static Transport Parse(string path, string prediction) => new(Interpolant.Parse(path), prediction switch
    {
        "velocity" => FlowPrediction.Velocity,
        "noise" => FlowPrediction.Noise,
        "score" => FlowPrediction.Score,
        _ => throw new OptionsException(ErrorCodes.OptionUnknown, "No such prediction.") { Where = "prediction", Expected = "velocity, noise, score", Found = prediction },
    });

    /// <summary>The times of an ordinary equation: <paramref name="points"/> of them, so one step fewer; from data to noise when reversed.</summary>
    public float[] Times(int points, float shift = 0, bool reverse = false)
    {
        var (start, end) = Interval(stochastic: false, "", 0);
        if (reverse) (start, end) = (1 - start, 1 - end);
        var times = OdeSolver.Linspace(start, end, points);
        return shift > 0 ? OdeSolver.Shift(times, shift) : times;
    }

    /// <summary>The states of the ordinary equation at the times, the first one included.</summary>
    public IAsyncEnumerable<Tensor<float>> SampleOdeAsync(string method, Tensor<float> noise, IReadOnlyList<float> times, VectorField model, OdeTolerance? tolerance = null) =>
        OdeSolver.SolveAsync(method, noise, times, async (x, t) => Mix(x, await model(x, t).ConfigureAwait(false), Path.VelocityFactors(Prediction, t)), tolerance);

    /// <summary>The states of the stochastic equation: one for each of its <c>NumSteps</c> - 1 steps, and one after the deterministic last step.</summary>
    public async IAsyncEnumerable<Tensor<float>> SampleSdeAsync(SdeOptions options, Tensor<float> noise, VectorField model, Func<int, Tensor<float>> stepNoise, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var lastSize = options.LastStep is null ? 0 : options.LastStepSize;
        var (start, end) = Interval(stochastic: true, options.DiffusionForm, lastSize);
        var times = OdeSolver.Linspace(start, end, options.NumSteps);
        var dt = times[1] - times[0];
        var x = noise;
        for (var i = 0; i + 1 < times.Length; i++)
        {
            cancel.ThrowIfCancellationRequested();
            var spread = MathF.Sqrt(2 * Path.Diffusion(times[i], options.DiffusionForm, options.DiffusionNorm)) * MathF.Sqrt(dt);
            switch (options.SamplingMethod)
            {
                case "Euler":
                    x = Batch.AddScaled(Batch.AddScaled(x, dt, await DriftAsync(x, times[i]).ConfigureAwait(false)), spread, stepNoise(i));
                    break;
                case "Heun":
                    var noisy = Batch.AddScaled(x, spread, stepNoise(i));
                    var first = await DriftAsync(noisy, times[i]).ConfigureAwait(false);
                    var second = await DriftAsync(Batch.AddScaled(noisy, dt, first), times[i] + dt).ConfigureAwait(false);
                    x = Batch.AddScaled(noisy, 0.5f * dt, Batch.AddScaled(first, 1, second));
                    break;
                default:
                    throw new OptionsException(ErrorCodes.OptionUnknown, "No such method.") { Where = "sampling_method", Expected = "Euler, Heun", Found = options.SamplingMethod };
            }

            yield return x;
        }

        yield return options.LastStep switch
        {
            null => x,
            "Mean" => Batch.AddScaled(x, lastSize, await DriftAsync(x, end).ConfigureAwait(false)),
            "Euler" => Batch.AddScaled(x, lastSize, Mix(x, await model(x, end).ConfigureAwait(false), Path.VelocityFactors(Prediction, end))),
            "Tweedie" => Tweedie(x, Mix(x, await model(x, end).ConfigureAwait(false), Path.ScoreFactors(Prediction, end)), end),
            var other => throw new OptionsException(ErrorCodes.OptionUnknown, "No such last step.") { Where = "last_step", Expected = "Mean, Tweedie, Euler or none", Found = other },
        };

        // velocity + w score, from one call of the network.
        async Task<Tensor<float>> DriftAsync(Tensor<float> state, float t)
        {
            var output = await model(state, t).ConfigureAwait(false);
            var velocity = Mix(state, output, Path.VelocityFactors(Prediction, t));
            return Batch.AddScaled(velocity, Path.Diffusion(t, options.DiffusionForm, options.DiffusionNorm), Mix(state, output, Path.ScoreFactors(Prediction, t)));
        }
    }

    // E[data | x_t] = (x_t + sigma^2 score) / alpha.
    private Tensor<float> Tweedie(Tensor<float> x, Tensor<float> score, float t)
    {
        var ((alpha, _), (sigma, _)) = (Path.Alpha(t), Path.Sigma(t));
        return Mix(x, score, (1 / alpha, sigma * sigma / alpha));
    }

    private (float Start, float End) Interval(bool stochastic, string form, float lastSize)
    {
        var end = !stochastic || lastSize == 0 ? 1 - Margin : 1 - lastSize;
        if (!Path.SingularAtNoise) return (0, end);
        if (Prediction == FlowPrediction.Velocity && !stochastic) return (0, 1);
        return ((form == "SBDM" && stochastic) || Prediction != FlowPrediction.Velocity ? Margin : 0, end);
    }

    private static Tensor<float> Mix(Tensor<float> x, Tensor<float> output, (float Sample, float Prediction) factors)
    {
        if (factors is (0, 1)) return output;
        var result = Tensor.Zeros<float>(x.Shape);
        for (var i = 0; i < x.Length; i++) result.Span[i] = factors.Sample * x.Span[i] + factors.Prediction * output.Span[i];
        return result;
    }
}

/// <summary>How a stochastic equation is solved, in SiT's words.</summary>
internal sealed record SdeOptions
{
    /// <summary>Euler (Euler-Maruyama) or Heun.</summary>
    public string SamplingMethod { get; init; } = "Euler";
    /// <summary>The form of the diffusion coefficient; see <see cref="Interpolant.Diffusion"/>.</summary>
    public string DiffusionForm { get; init; } = "SBDM";
    /// <summary>Its factor.</summary>
    public float DiffusionNorm { get; init; } = 1;
    /// <summary>The deterministic last step: Mean, Tweedie, Euler, or null for none.</summary>
    public string? LastStep { get; init; } = "Mean";
    /// <summary>Size of the last step.</summary>
    public float LastStepSize { get; init; } = 0.04f;
    /// <summary>Number of states.</summary>
    public int NumSteps { get; init; } = 250;
}
