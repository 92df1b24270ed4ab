using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Networks.Tests.Sampling;

public sealed class DiffusionSamplerTests
{
    private static readonly DiffusionModel Model = (input, timestep, _) =>
        ValueTask.FromResult(Tensor.Create(Array.ConvertAll(input.Span.ToArray(), x => 0.4f * x + timestep / 1000), input.Shape));

    [Fact]
    public async Task SampleAsync_AllSteps_AreThoseOfTheScheduler()
    {
        var (driven, stepped) = (new EulerConfig().Create(), new EulerConfig().Create());
        driven.SetTimesteps(new(7));
        stepped.SetTimesteps(new(7));
        var noise = Noise.Normal(3, 2, 1, 3, 3);
        var sample = Array.ConvertAll(noise.Span.ToArray(), x => x * stepped.InitNoiseSigma);
        var input = new float[sample.Length];
        var index = 0;
        await foreach (var step in DiffusionSampler.SampleAsync(driven, noise, Model, new PhiloxNoise(3, 2)))
        {
            stepped.ScaleModelInput(sample, input);
            var output = await Model(Tensor.Create((float[])input.Clone(), 2, 1, 3, 3), stepped.Timesteps[index], default);
            stepped.Step(new SchedulerStep(output.Span, sample, new(2, 1, 9), new PhiloxNoise(3, 2)));
            Assert.Equal(++index, step.Index);
            Assert.Equal(index == 7, step.IsLast);
            Assert.Equal(sample, step.Sample.Span.ToArray());
        }

        Assert.Equal(7, index);
    }

    [Fact]
    public async Task SampleAsync_Cancelled_StopsWithinOneStep()
    {
        using var cancellation = new CancellationTokenSource();
        var scheduler = new DdimConfig().Create();
        scheduler.SetTimesteps(new(50));
        var calls = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var step in DiffusionSampler.SampleAsync(scheduler, Noise.Normal(1, 1, 2, 2), (x, t, c) => { calls++; return Model(x, t, c); }, new PhiloxNoise(1, 1), cancel: cancellation.Token))
            {
                if (step.Index == 3) cancellation.Cancel();
            }
        });
        Assert.Equal(3, calls);
    }
}
