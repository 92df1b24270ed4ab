using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.Rin;

/// <summary>Share of the data in the noised picture over time (Chen, arXiv:2301.10972): x_t = sqrt(gamma) x + sqrt(1 - gamma) noise.</summary>
/// <param name="Name">sigmoid, cosine, log or simple_linear.</param>
/// <param name="Start">Where its curve begins.</param>
/// <param name="End">Where its curve ends.</param>
/// <param name="Tau">Its temperature.</param>
internal sealed record GammaSchedule(string Name, float Start, float End, float Tau)
{
    // clip_min of the published code, and the shifts of its plain cosine.
    private const float Least = 1e-9f, CosineShift = 0.0002f, CosineScale = 0.00025f;

    /// <summary>Reads <c>sigmoid@-3,3,0.9</c>, <c>cosine@0,1,1</c>, <c>cosine</c>, <c>log@1,100,f</c>, <c>simple_linear</c>.</summary>
    /// <exception cref="OptionsException">It is another.</exception>
    public static GammaSchedule Parse(string text)
    {
        var parts = text.Split('@');
        var numbers = parts.Length > 1 ? parts[1].Split(',') : [];
        return (parts[0], numbers.Length) switch
        {
            ("sigmoid" or "cosine", 3) => new(parts[0], Number(0), Number(1), Number(2)),
            ("cosine", 0) => new("cosine_simple", 0, 0, 0),
            ("log", 3) => numbers[2].StartsWith("t", StringComparison.OrdinalIgnoreCase) ? new("log", Number(1), Number(0), 0) : new("log", Number(0), Number(1), 0),
            ("simple_linear", 0) => new("simple_linear", 0, 0, 0),
            _ => throw new OptionsException(ErrorCodes.OptionUnknown, "No such schedule.") { Where = "schedule", Expected = "sigmoid@START,END,TAU, cosine, cosine@START,END,TAU, log@START,END,REVERSE, simple_linear", Found = text },
        };

        float Number(int i) => float.Parse(numbers[i], System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Gamma at a time; single precision like the published code, since the network sees it times 10000.</summary>
    public float At(float t) => Name switch
    {
        "sigmoid" => Math.Clamp((Sigmoid(End / Tau) - Sigmoid((t * (End - Start) + Start) / Tau)) / (Sigmoid(End / Tau) - Sigmoid(Start / Tau)), Least, 1),
        "cosine" => Math.Clamp((Cosine(t * (End - Start) + Start) - Cosine(End)) / (Cosine(Start) - Cosine(End)), Least, 1),
        "cosine_simple" => MathF.Pow(MathF.Cos((t + CosineShift) / (1 + CosineScale) * MathF.PI / 2), 2),
        "log" => Math.Clamp((MathF.Log(End) - MathF.Log(t * (End - Start) + Start)) / (MathF.Log(End) - MathF.Log(Start)), 0, 1),
        _ => Math.Clamp(1 - t, Least, 1),
    };

    private static float Sigmoid(float x) => 1 / (1 + MathF.Exp(-x));

    private float Cosine(float x) => MathF.Pow(MathF.Cos(x * MathF.PI / 2), 2 * Tau);
}

/// <summary>One step of the published sampler.</summary>
/// <param name="prediction">What the network predicts: eps, x or v.</param>
/// <param name="clip">Ends between which the data is held, as <c>-1,1</c>; empty for none.</param>
/// <param name="method">ddim, ddpm (variance beta) or ddpm@small.</param>
internal sealed class GammaStep(string prediction, string clip, string method)
{
    private readonly float[] _ends = clip.Length == 0 ? [float.NegativeInfinity, float.PositiveInfinity] : [.. clip.Split(',').Select(text => float.Parse(text, System.Globalization.CultureInfo.InvariantCulture))];

    /// <summary>The data as predicted, and the state at the next gamma.</summary>
    public (Tensor<float> Data, Tensor<float> State) Step(Tensor<float> x, Tensor<float> output, float now, float next, Tensor<float>? draw)
    {
        if (method != "ddim" && draw is null) throw Calls.Lacks("step_noise");
        var (data, state) = (Tensor.Zeros<float>(x.Shape), Tensor.Zeros<float>(x.Shape));
        var (signal, noise) = (MathF.Sqrt(now), MathF.Sqrt(1 - now));
        // DDPM: alpha of this step alone, and its variance.
        var alpha = Math.Clamp(now / next, 0, 1);
        var deviation = MathF.Sqrt((method == "ddpm@small" ? (1 - next) / (1 - now) : 1) * (1 - alpha));
        for (var i = 0; i < x.Length; i++)
        {
            var (xt, predicted) = (x.Span[i], output.Span[i]);
            var clean = prediction[0] switch
            {
                'e' => (xt - noise * predicted) / signal,
                'v' => signal * xt - noise * predicted,
                _ => predicted,
            };
            data.Span[i] = clean = Math.Clamp(clean, _ends[0], _ends[1]);
            var eps = (xt - signal * clean) / noise;
            state.Span[i] = method == "ddim"
                ? clean * MathF.Sqrt(next) + eps * MathF.Sqrt(1 - next)
                : (xt - (1 - alpha) / noise * eps) / MathF.Sqrt(alpha) + deviation * draw!.Span[i];
        }

        return (data, state);
    }
}
