using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.DiffusionTransformers.Haste;

/// <summary>The authors' calls: forward, the alignment losses of loss.py, the samplers of samplers.py. Time runs from 1 (noise) to 0; samplers keep their state in double.</summary>
internal sealed class HasteCalls(ClassNetwork network, NetworkContext context, HasteConfig config)
{
    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "forward" => network.ForwardAsync(arguments.Tensor("x"), arguments.Tensor("t"), arguments.Tensor("y"), cancel),
        "alignment" => AlignAsync(arguments, cancel),
        "euler_sampler" => EulerAsync(arguments, cancel),
        "euler_maruyama_sampler" => EulerMaruyamaAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "forward, alignment, euler_sampler, euler_maruyama_sampler"),
    };

    // Cross-entropy between the rows of the teacher's and the student's attention, and minus the cosine between features.
    private async Task<CallResults> AlignAsync(CallArguments arguments, CancellationToken cancel)
    {
        using var staged = ClassNetwork.Build(context with { Stages = true }, "haste", "velocity", config.Sample, (scope, x, t, y) => HasteNetwork.Build(scope, x, t, y, config));
        var results = await staged.ForwardAsync(arguments.Tensor("x"), arguments.Tensor("t"), arguments.Tensor("y"), cancel).ConfigureAwait(false);
        var (student, teacher) = ((Tensor<float>)results.Tensor("attention_logits"), arguments.Tensor<float>("teacher_attention_logits"));
        var layers = arguments.Literal<int[]>("layers");
        var attention = layers.Select((layer, i) => CrossEntropy(teacher.Slice(i), student.Slice(layer))).Average();
        var feature = -Cosine(arguments.Tensor<float>("teacher_features"), (Tensor<float>)results.Tensor("projected"));
        return new CallResults().Add("attention_alignment_loss", Tensor.Create([(float)attention], 1)).Add("feature_alignment_loss", Tensor.Create([(float)feature], 1));
    }

    private async Task<CallResults> EulerAsync(CallArguments arguments, CancellationToken cancel)
    {
        var run = new Run(network, arguments, cancel);
        var steps = arguments.Literal("num_steps", 20);
        var heun = arguments.Literal("heun", false);
        var x = Wide(arguments.Tensor<float>("latents"));
        for (var i = 0; i < steps; i++)
        {
            var (now, next) = (1 - i / (double)steps, 1 - (i + 1) / (double)steps);
            var slope = await run.DriftAsync(x, now, score: false).ConfigureAwait(false);
            var moved = Move(x, slope, next - now);
            if (heun && i < steps - 1)
            {
                var second = await run.DriftAsync(moved, next, score: false, guidedAt: now).ConfigureAwait(false);
                moved = Move(x, [.. slope.Zip(second, (a, b) => 0.5 * a + 0.5 * b)], next - now);
            }

            x = moved;
        }

        return new CallResults().Add("ode_sample", run.Narrow(x));
    }

    private async Task<CallResults> EulerMaruyamaAsync(CallArguments arguments, CancellationToken cancel)
    {
        var run = new Run(network, arguments, cancel);
        var (steps, noise) = (arguments.Literal("num_steps", 20), arguments.Tensor<float>("step_noise"));
        _ = arguments.Has("heun");
        var x = Wide(arguments.Tensor<float>("latents"));
        double At(int i) => i == steps ? 0 : i == 0 ? 1 : 1 + i * (0.04 - 1) / (steps - 1);
        for (var i = 0; i < steps; i++)
        {
            var (now, dt) = (At(i), At(i + 1) - At(i));
            x = Move(x, await run.DriftAsync(x, now, score: true).ConfigureAwait(false), dt);
            if (i == steps - 1) break;                                                           // the last step is the mean
            var (draw, spread) = (Wide(noise.Slice(i)), Math.Sqrt(2 * now) * Math.Sqrt(Math.Abs(dt)));
            for (var j = 0; j < x.Length; j++) x[j] += spread * draw[j];
        }

        return new CallResults().Add("sde_sample", run.Narrow(x));
    }

    private static double[] Wide(Tensor<float> x) => [.. x.Span.ToArray().Select(value => (double)value)];

    private static double[] Move(double[] x, double[] slope, double dt) => [.. x.Zip(slope, (value, change) => value + dt * change)];

    private static double CrossEntropy(Tensor<float> teacher, Tensor<float> student)
    {
        var width = (int)teacher.Shape[^1];
        var (sum, rows) = (0.0, teacher.Length / width);
        var (target, given) = (new float[width], new float[width]);
        for (var row = 0; row < rows; row++)
        {
            TensorPrimitives.SoftMax(teacher.Span.Slice(row * width, width), target);
            TensorPrimitives.SoftMax(student.Span.Slice(row * width, width), given);
            for (var i = 0; i < width; i++) sum -= target[i] * Math.Log(given[i]);
        }

        return sum / rows;
    }

    private static double Cosine(Tensor<float> a, Tensor<float> b)
    {
        var width = (int)a.Shape[^1];
        var rows = a.Length / width;
        return Enumerable.Range(0, rows).Average(row => (double)TensorPrimitives.CosineSimilarity<float>(a.Span.Slice(row * width, width), b.Span.Slice(row * width, width)));
    }

    // The network with guidance on all channels, within an interval of times whose ends belong to it.
    private sealed class Run
    {
        private readonly ClassNetwork _network;
        private readonly CancellationToken _cancel;
        private readonly Tensor<long> _classes, _both;
        private readonly double _scale, _low, _high;
        private readonly long[] _shape;
        private readonly string _path;

        public Run(ClassNetwork network, CallArguments arguments, CancellationToken cancel)
        {
            (_network, _cancel, _classes) = (network, cancel, arguments.Tensor<long>("y"));
            (_scale, _low, _high) = (arguments.Literal("cfg_scale", 1.0), arguments.Literal("guidance_low", 0.0), arguments.Literal("guidance_high", 1.0));
            _shape = arguments.Tensor<float>("latents").Shape.ToArray();
            _path = arguments.Literal("path_type", "linear");
            // The published code names ImageNet's null class.
            _both = Tensor.Create<long>([.. _classes.Span, .. Enumerable.Repeat(1000L, _classes.Length)], 2 * _classes.Length);
        }

        public Tensor<float> Narrow(double[] x) => Tensor.Create([.. x.Select(value => (float)value)], _shape);

        // The velocity, or with the score v - t s: the drift of the reverse equation whose diffusion is 2t. Whether there is guidance may hang on the time before.
        public async Task<double[]> DriftAsync(double[] x, double t, bool score, double? guidedAt = null)
        {
            var guided = _scale > 1 && (guidedAt ?? t) <= _high && (guidedAt ?? t) >= _low;
            var input = Narrow(x);
            var output = await _network.PredictAsync(guided ? Batch.Doubled(input) : input, (float)t, guided ? _both : _classes, _cancel).ConfigureAwait(false);
            var drift = Wide(output);
            var (velocity, sample) = score ? Score(t) : default;
            for (var i = 0; score && i < drift.Length; i++) drift[i] -= t * (velocity * drift[i] + sample * x[i % x.Length]);
            return guided ? [.. Enumerable.Range(0, x.Length).Select(i => drift[x.Length + i] + _scale * (drift[i] - drift[x.Length + i]))] : drift;
        }

        // Factors of velocity and sample in the score along the path x_t = alpha data + sigma noise.
        private (double Velocity, double Sample) Score(double t)
        {
            var angle = t * Math.PI / 2;
            var (alpha, alphaSlope, sigma, sigmaSlope) = _path switch
            {
                "linear" => (1 - t, -1, t, 1),
                "cosine" => (Math.Cos(angle), -Math.PI / 2 * Math.Sin(angle), Math.Sin(angle), Math.PI / 2 * Math.Cos(angle)),
                _ => throw new OptionsException(ErrorCodes.OptionUnknown, "No such path.") { Where = "path_type", Expected = "linear, cosine", Found = _path },
            };
            var ratio = alpha / alphaSlope;
            var variance = sigma * sigma - ratio * sigmaSlope * sigma;
            return (ratio / variance, -1 / variance);
        }
    }
}
