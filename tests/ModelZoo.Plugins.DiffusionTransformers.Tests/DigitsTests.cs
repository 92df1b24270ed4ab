using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>The demonstration checkpoint: generation and its laws.</summary>
public sealed class DigitsTests : IAsyncLifetime
{
    private static readonly string Folder = Repository.Path("samples", "dit-digits");
    private IModel _model = null!;

    public async Task InitializeAsync() =>
        _model = await DiTModel.Architecture.Open(new() { Id = ModelId.Parse("diffusion-transformers/dit.digits"), Folder = Folder, Services = HostServices.Instance }, CancellationToken.None);

    public Task DisposeAsync() => _model.DisposeAsync().AsTask();

    [Fact]
    public async Task Generate_ClassNumber_GivesProgressThenAPicture()
    {
        var steps = await GenerateAsync("3", new() { Steps = 10, PreviewEvery = 5 });
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], steps.Select(step => step.Step));
        Assert.Equal([5, 10], steps.Where(step => step.Result is not null).Select(step => step.Step));
        Assert.True(steps[^1].IsFinal);
        Assert.Equal([1, 8, 8], steps[^1].Result!.Pixels.Shape.ToArray());
        Assert.All(steps[^1].Result!.Pixels.Span.ToArray(), pixel => Assert.InRange(pixel, 0, 1));
    }

    [Theory]
    [InlineData(SchedulerKind.Ddim, 0.0)]
    [InlineData(SchedulerKind.Ddim, 1.0)]
    [InlineData(SchedulerKind.Ddpm, 0.0)]
    [InlineData(SchedulerKind.DpmSolver, 0.0)]
    [InlineData(SchedulerKind.Euler, 0.0)]
    [InlineData(SchedulerKind.Heun, 0.0)]
    [InlineData(SchedulerKind.UniPc, 0.0)]
    public async Task Generate_BatchOfTwo_EqualsEachAlone(SchedulerKind scheduler, double eta)
    {
        var options = new ClassOptions { Steps = 6, Scheduler = scheduler, Eta = eta, PreviewEvery = 0 };
        var pair = (await GenerateAsync("7,1", options))[^1].Result!;
        var single = (await GenerateAsync("7", options))[^1].Result!;
        Assert.Equal([1, 8, 16], pair.Pixels.Shape.ToArray());
        for (var y = 0; y < 8; y++)
        {
            for (var x = 0; x < 8; x++) Assert.Equal(single.Pixels[0, y, x], pair.Pixels[0, y, x], 4);
        }
    }

    [Fact]
    public async Task Generate_SameSeed_GivesTheSame()
    {
        var options = new ClassOptions { Steps = 6, Scheduler = SchedulerKind.Ddpm };
        var first = (await GenerateAsync("4", options, seed: 5))[^1].Result!;
        Assert.Equal(first.Pixels.Span.ToArray(), (await GenerateAsync("4", options, seed: 5))[^1].Result!.Pixels.Span.ToArray());
        Assert.NotEqual(first.Pixels.Span.ToArray(), (await GenerateAsync("4", options, seed: 6))[^1].Result!.Pixels.Span.ToArray());
    }

    [Fact]
    public async Task Generate_Cancelled_StopsWithinAStep()
    {
        using var source = new CancellationTokenSource();
        var seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var step in _model.Get<IGenerate>().GenerateAsync(new("2"), new ClassOptions { Steps = 50 }, 0, source.Token))
            {
                seen = step.Step;
                if (seen == 3) await source.CancelAsync();
            }
        });
        Assert.Equal(3, seen);
    }

    [Theory]
    [InlineData("10")]
    [InlineData("-1")]
    [InlineData("three")]
    [InlineData("")]
    public async Task Generate_UnknownClass_IsRefused(string prompt) => await Assert.ThrowsAsync<MediaException>(() => GenerateAsync(prompt, new()));

    [Fact]
    public async Task Evaluate_HundredDigits_AreMostlyTheClassAskedFor()
    {
        var examples = new PixelTableReader().ReadAsync(Path.Combine(Folder, "digits.csv"), null!).Select((example, i) => example with { Ordinal = i });
        var (agreement, fid) = (PixelSetMetric.ClassAgreement.Start(), PixelSetMetric.Fid.Start());
        var (count, made) = (0, 0);
        await foreach (var observation in _model.Get<IEvaluate>().ObserveAsync(examples, new ClassEvaluationOptions { Steps = 20, Guidance = 1.5, Samples = 100 }, 0))
        {
            agreement.Add(observation);
            fid.Add(observation);
            count++;
            made += observation.Output is null ? 0 : 1;
        }

        Assert.Equal((1797, 100), (count, made));
        Assert.InRange(agreement.Result()!.Value, 85, 100);
        Assert.InRange(fid.Result()!.Value, 0, 4);
    }

    private async Task<List<Generation<Image>>> GenerateAsync(string prompt, ClassOptions options, ulong seed = 0)
    {
        var steps = new List<Generation<Image>>();
        await foreach (var step in _model.Get<IGenerate>().GenerateAsync(new(prompt), options, seed)) steps.Add((Generation<Image>)step);
        return steps;
    }
}
