using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>The loop of Stable Diffusion's pipelines: what is avoided and what is asked for go through the network in one batch, in that order.</summary>
internal static class GuidedLoop
{
    /// <summary>All states of a run from a starting sample (B, C, H, W) at the scheduler's noise, one a step. The model sees (2B, C, H, W), already scaled, and gives its prediction for both halves.</summary>
    public static async Task<List<Tensor<float>>> RunAsync(ISchedulerConfig config, Tensor<float> latents, int steps, double scale, SchedulerLoop.Model model, CancellationToken cancel)
    {
        var scheduler = config.Create();
        scheduler.SetTimesteps(new(steps));
        var (sample, states) = (Batch.Copy(latents), new List<Tensor<float>>());
        await foreach (var state in SchedulerLoop.RunAsync(scheduler, sample, NoNoise.Instance, PredictAsync, cancel: cancel).ConfigureAwait(false)) states.Add(Batch.Copy(state.Sample));
        return states;

        async Task<Tensor<float>> PredictAsync(Tensor<float> x, float timestep) => Combine(await model(Batch.Doubled(x), timestep).ConfigureAwait(false), scale);
    }

    /// <summary>avoided + scale (asked - avoided). output (2B, C, ..), what is avoided first -> (B, C, ..).</summary>
    public static Tensor<float> Combine(Tensor<float> output, double scale)
    {
        var (avoided, asked) = (Batch.FirstHalf(output), Batch.SecondHalf(output));
        return Batch.AddScaled(avoided, (float)scale, Batch.AddScaled(asked, -1, avoided));
    }
}
