using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.Components.Schedulers;

/// <summary>A published scheduler configuration with a fixed pointwise model in the place of a network.</summary>
internal sealed class SchedulerModel(ISchedulerConfig config, PointwiseModel? network) : IModel, IReferenceCalls
{
    public ModelFacts Facts { get; } = new();

    public static async ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var path = Path.Combine(folder, "scheduler_config.json");
        if (!File.Exists(path)) throw new CheckpointException(ErrorCodes.CheckpointMissing, "The folder has no scheduler configuration.") { Where = path };
        var config = SchedulerConfigs.Parse(await File.ReadAllTextAsync(path, cancel).ConfigureAwait(false), path);
        var weights = Path.Combine(folder, source.Parts.FirstOrDefault()?.File ?? "model.safetensors");
        return new SchedulerModel(config, File.Exists(weights) ? PointwiseModel.Read(weights, TimeScale(config)) : null);
    }

    public ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => ValueTask.FromResult(call switch
    {
        "set_timesteps" => SetTimesteps(arguments),
        "sample" => Sample(arguments),
        "add_noise" => AddNoise(arguments, Begin(Request(arguments)), "original_samples", "timesteps"),
        "scale_noise" => AddNoise(arguments, Begin(arguments), "sample", "timestep"),
        _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, "A scheduler has no such call.") { Expected = "set_timesteps, sample, add_noise, scale_noise", Found = call },
    });

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    // The cases divide the timestep by this before the fixed model sees it.
    private static float TimeScale(ISchedulerConfig config) => config is ConsistencyConfig ? 250 : 1000;

    private IScheduler Begin(CallArguments arguments) => Begin(Request(arguments) with { Timesteps = Numbers(arguments, "timesteps") });

    private IScheduler Begin(ScheduleRequest request)
    {
        var scheduler = config.Create();
        scheduler.SetTimesteps(request);
        return scheduler;
    }

    private static ScheduleRequest Request(CallArguments arguments) => new(arguments.Literal<int?>("num_inference_steps", null))
    {
        Sigmas = Numbers(arguments, "sigmas"),
        Mu = arguments.Literal<double?>("mu", null),
        OriginalSteps = arguments.Literal<int?>("original_inference_steps", null),
        Strength = arguments.Literal("strength", 1.0),
    };

    private CallResults SetTimesteps(CallArguments arguments)
    {
        var scheduler = Begin(arguments);
        var results = new CallResults().Add("timesteps", Timesteps(scheduler));
        if (!scheduler.Sigmas.IsEmpty) results.Add("sigmas", Tensor.Create(scheduler.Sigmas.ToArray(), scheduler.Sigmas.Length));
        return results.Add("init_noise_sigma", scheduler.InitNoiseSigma);
    }

    private static Tensor Timesteps(IScheduler scheduler) => scheduler.HasWholeTimesteps
        ? Tensor.Create(Array.ConvertAll(scheduler.Timesteps.ToArray(), t => (long)t), scheduler.Timesteps.Length)
        : Tensor.Create(scheduler.Timesteps.ToArray(), scheduler.Timesteps.Length);

    private CallResults Sample(CallArguments arguments)
    {
        var model = network ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "Sampling needs a model.") { Where = "model.safetensors" };
        var start = arguments.Tensor<float>("sample");
        var scheduler = Begin(arguments);
        var noise = new GivenNoise(arguments.FindTensor<float>("step_noise"));
        var options = new StepOptions
        {
            Eta = arguments.Literal<float?>("eta", null),
            SChurn = arguments.Literal("s_churn", 0f),
            STmin = arguments.Literal("s_tmin", 0f),
            STmax = arguments.Literal("s_tmax", float.PositiveInfinity),
            SNoise = arguments.Literal("s_noise", 1f),
            UseClippedModelOutput = arguments.Literal("use_clipped_model_output", false),
        };

        var shape = SampleShape.Of(start.Shape);
        var steps = scheduler.Timesteps.Length;
        var learned = config is DdpmConfig { VarianceType: VarianceType.Learned or VarianceType.LearnedRange }
            or DpmSolverConfig { VarianceType: VarianceType.Learned or VarianceType.LearnedRange }
            or DpmSolverSinglestepConfig { VarianceType: VarianceType.Learned or VarianceType.LearnedRange };
        var outputChannels = model.Channels(shape.Channels, learned);
        long[] shapes = [steps, .. start.Shape];
        long[] outputShapes = [steps, start.Shape[0], outputChannels, .. start.Shape[2..]];
        var inputs = Tensor.Zeros<float>(shapes);
        var outputs = Tensor.Zeros<float>(outputShapes);
        var predicted = Tensor.Zeros<float>(shapes);
        var trajectory = Tensor.Zeros<float>(shapes);
        var sample = start.Span.ToArray();
        for (var i = 0; i < steps; i++)
        {
            scheduler.ScaleModelInput(sample, inputs.Slice(i).Span);
            model.Run(inputs.Slice(i).Span, shape, scheduler.Timesteps[i], learned, outputs.Slice(i).Span);
            scheduler.Step(new SchedulerStep(outputs.Slice(i).Span, sample, shape, noise) { Options = options, Predicted = predicted.Slice(i).Span });
            sample.CopyTo(trajectory.Slice(i).Span);
        }

        return new CallResults().Add("model_input", inputs).Add("model_output", outputs).Add("pred_original_sample", predicted)
            .Add("trajectory", trajectory).Add("sample", Tensor.Create(sample, start.Shape));
    }

    private static CallResults AddNoise(CallArguments arguments, IScheduler scheduler, string clean, string at)
    {
        var (original, noise) = (arguments.Tensor<float>(clean), arguments.Tensor<float>("noise"));
        var timesteps = Array.ConvertAll(Numbers(arguments, at) ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, "The call lacks an argument.") { Where = at }, t => (float)t);
        var result = Tensor.Zeros<float>(original.Shape);
        scheduler.AddNoise(original.Span, noise.Span, timesteps, SampleShape.Of(original.Shape), result.Span);
        return new CallResults().Add("noisy", result);
    }

    // What the reference takes as a list or a tensor.
    private static double[]? Numbers(CallArguments arguments, string name) => !arguments.HasTensor(name) ? arguments.Literal<double[]?>(name, null) : arguments.Tensor(name) switch
    {
        Tensor<long> whole => Array.ConvertAll(whole.Span.ToArray(), value => (double)value),
        Tensor<double> precise => precise.Span.ToArray(),
        var given => Array.ConvertAll(given.As<float>().Span.ToArray(), value => (double)value),
    };

    // The k-th draw is the k-th row.
    private sealed class GivenNoise(Tensor<float>? rows) : INoiseSource
    {
        private int _next;

        public void Fill(Span<float> destination)
        {
            if (rows is null || _next >= rows.Shape[0])
                throw new ModelZooException(ErrorCodes.VerbUnsupported, "The sampler draws more noise than was given.") { Where = "step_noise", Found = $"{rows?.Shape[0] ?? 0} draws" };
            rows.Slice(_next++).Span.CopyTo(destination);
        }
    }
}
