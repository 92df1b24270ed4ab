using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Networks.Sampling;

/// <summary>A model of diffusion or flow: its prediction for samples (batch, channels, ...) at a timestep.</summary>
public delegate ValueTask<Tensor<float>> DiffusionModel(Tensor<float> input, float timestep, CancellationToken cancel);

/// <summary>A step of a running sampler. Tensors are the sampler's own: copy what is kept.</summary>
/// <param name="Index">Model calls done.</param>
/// <param name="Count">Model calls in all.</param>
/// <param name="Sample">The sample after the step; the result after the last.</param>
/// <param name="Predicted">The clean sample as the method sees it, for previews.</param>
public sealed record DiffusionStep(int Index, int Count, Tensor<float> Sample, Tensor<float> Predicted)
{
    /// <summary>True after the last step.</summary>
    public bool IsLast => Index == Count;
}

/// <summary>The loop of every diffusion and flow sampler.</summary>
public static class DiffusionSampler
{
    /// <summary>Runs a scheduler whose timesteps have been set, from noise that is scaled here.</summary>
    /// <param name="noise">Standard normal noise (batch, channels, ...).</param>
    /// <param name="draws">Further noise, for methods that draw it.</param>
    public static async IAsyncEnumerable<DiffusionStep> SampleAsync(
        IScheduler scheduler, Tensor<float> noise, DiffusionModel model, INoiseSource draws, StepOptions? options = null, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var (sample, input, predicted) = (Tensor.Zeros<float>(noise.Shape), Tensor.Zeros<float>(noise.Shape), Tensor.Zeros<float>(noise.Shape));
        SpanMath.Scale(scheduler.InitNoiseSigma, noise.Span, sample.Span);
        var count = scheduler.Timesteps.Length;
        while (scheduler.StepIndex < count)
        {
            cancel.ThrowIfCancellationRequested();
            scheduler.ScaleModelInput(sample.Span, input.Span);
            var output = await model(input, scheduler.Timesteps[scheduler.StepIndex], cancel).ConfigureAwait(false);
            scheduler.Step(new SchedulerStep(output.Span, sample.Span, SampleShape.Of(sample.Shape), draws) { Options = options ?? StepOptions.Default, Predicted = predicted.Span });
            yield return new(scheduler.StepIndex, count, sample, predicted);
        }
    }
}
