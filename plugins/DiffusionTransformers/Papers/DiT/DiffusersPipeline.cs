using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.DiT;

/// <summary>diffusers' DiTPipeline on given latents: guidance on all channels of the latent, the variance dropped, any scheduler.</summary>
internal sealed class DiffusersPipeline(ClassNetwork network, DiffusersDiTConfig config, string folder)
{
    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) =>
        call == "sample" ? SampleAsync(arguments, cancel) : new DiffusionCalls(network, learnSigma: true).CallAsync(call, arguments, cancel);

    private async Task<CallResults> SampleAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (latents, labels) = (arguments.Tensor<float>("latents"), arguments.Tensor<long>("class_labels"));
        var scale = arguments.Literal("guidance_scale", 4.0);
        var scheduler = Scheduler(arguments);
        scheduler.SetTimesteps(new(arguments.Literal("num_inference_steps", 50)));
        var guided = scale > 1;
        var sample = guided ? Batch.Doubled(latents) : Batch.Copy(latents);
        var y = guided ? Tensor.Create<long>([.. labels.Span, .. Enumerable.Repeat((long)config.NumEmbedsAdaNorm, labels.Length)], 2 * labels.Length) : labels;
        var states = new List<Tensor<float>>();
        INoiseSource noise = arguments.FindTensor<float>("step_noise") is { } given ? new GivenNoise(given) : NoNoise.Instance;
        await foreach (var state in SchedulerLoop.RunAsync(scheduler, sample, noise, Predict, cancel: cancel).ConfigureAwait(false)) states.Add(Batch.Copy(state.Sample));
        var (trajectory, last) = (Batch.Stack(states), guided ? Batch.FirstHalf(states[^1]) : states[^1]);
        var prefix = scheduler.GetType().Name.StartsWith("Ddim", StringComparison.Ordinal) ? "ddim" : "dpm";
        return new CallResults().Add($"{prefix}_sample_trajectory", trajectory).Add($"{prefix}_sample_latents", last).Add("sample_trajectory", trajectory).Add("sample_latents", last);

        async Task<Tensor<float>> Predict(Tensor<float> x, float t)
        {
            var output = await network.PredictAsync(guided ? Batch.Doubled(Batch.FirstHalf(x)) : x, t, y, cancel).ConfigureAwait(false);
            if (guided) Guidance.Apply(output, scale, config.InChannels);
            return output.Shape[1] == config.InChannels ? output : Batch.Channels(output, 0, config.InChannels);
        }
    }

    private IScheduler Scheduler(CallArguments arguments)
    {
        var file = Path.Combine(folder, arguments.Literal("scheduler_config", "scheduler_config.json"));
        _ = arguments.Has("scheduler");
        return SchedulerConfigs.Parse(File.ReadAllText(file), file).Create();
    }
}
