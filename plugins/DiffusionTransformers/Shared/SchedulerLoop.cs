using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>A place on the way from noise to a sample.</summary>
/// <param name="Step">Model calls done.</param>
/// <param name="Steps">Model calls in all.</param>
/// <param name="Sample">The sample after them (B, C, H, W); it is overwritten by the next step.</param>
/// <param name="Clean">The clean sample that the method saw in this step; zeros where it sees none.</param>
internal readonly record struct SamplingState(int Step, int Steps, Tensor<float> Sample, Tensor<float> Clean);

/// <summary>The loop that drives a scheduler with a model, neither of which knows the other.</summary>
internal static class SchedulerLoop
{
    /// <summary>What the model predicts for a sample at a scheduler's timestep, in the terms of the scheduler.</summary>
    public delegate Task<Tensor<float>> Model(Tensor<float> sample, float timestep);

    /// <summary>Runs all steps from a starting sample, which is overwritten. Cancellation stops before the next model call.</summary>
    public static async IAsyncEnumerable<SamplingState> RunAsync(
        IScheduler scheduler, Tensor<float> sample, INoiseSource noise, Model model, StepOptions? options = null, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel = default)
    {
        var (steps, shape) = (scheduler.Timesteps.Length, SampleShape.Of(sample.Shape));
        for (var i = 0; i < steps; i++)
        {
            cancel.ThrowIfCancellationRequested();
            var input = Tensor.Zeros<float>(sample.Shape);
            scheduler.ScaleModelInput(sample.Span, input.Span);
            var output = await model(input, scheduler.Timesteps[i]).ConfigureAwait(false);
            var clean = Tensor.Zeros<float>(sample.Shape);
            Advance(scheduler, output, sample, clean, shape, noise, options ?? StepOptions.Default);
            yield return new(i + 1, steps, sample, clean);
        }
    }

    private static void Advance(IScheduler scheduler, Tensor<float> output, Tensor<float> sample, Tensor<float> clean, SampleShape shape, INoiseSource noise, StepOptions options) =>
        scheduler.Step(new(output.Span, sample.Span, shape, noise) { Options = options, Predicted = clean.Span });
}
