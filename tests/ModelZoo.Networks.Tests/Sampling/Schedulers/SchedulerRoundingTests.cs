using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Networks.Tests.Sampling.Schedulers;

/// <summary>Where the last bit of a float decides: the numbers are those of diffusers on NumPy 2.</summary>
public sealed class SchedulerRoundingTests
{
    // The largest level is the last training step's: truncated, its timestep is that step or the one before.
    [Theory]
    [InlineData("DEISMultistepScheduler", """, "beta_end": 0.012, "use_exponential_sigmas": true""", new[] { 999, 904, 799, 682, 551, 410, 275, 169, 97, 54, 28, 13, 5, 1, 0 })]
    [InlineData("DEISMultistepScheduler", """, "use_beta_sigmas": true""", new[] { 999, 996, 991, 984, 974, 962, 946, 927, 904, 874, 834, 778, 690, 507, 0 })]
    [InlineData("UniPCMultistepScheduler", """, "use_exponential_sigmas": true""", new[] { 999, 602, 72, 0 })]
    [InlineData("UniPCMultistepScheduler", """, "use_exponential_sigmas": true, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012""", new[] { 998, 538, 52, 0 })]
    [InlineData("DPMSolverMultistepScheduler", """, "use_exponential_sigmas": true, "beta_schedule": "squaredcos_cap_v2" """, new[] { 998, 994, 476, 0 })]
    [InlineData("DPMSolverMultistepScheduler", """, "use_beta_sigmas": true, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012""", new[] { 998, 943, 746, 0 })]
    public void SetTimesteps_LevelsOfASpacing_BelongToTheReferencesTrainingSteps(string name, string options, int[] expected)
    {
        var scheduler = Parse(name, options);
        scheduler.SetTimesteps(new(expected.Length));
        Assert.Equal(expected, Array.ConvertAll(scheduler.Timesteps.ToArray(), t => (int)t));
    }

    // 100 / 31 thirty-one times is a hair less than 100: there is a thirty-second step, at -1.
    [Theory]
    [InlineData("DDPMScheduler")]
    [InlineData("DDIMScheduler")]
    [InlineData("PNDMScheduler")]
    public void Step_StridesThatMissTheEnd_TakesTheStepBeforeTheFirst(string name)
    {
        var scheduler = Parse(name, """, "num_train_timesteps": 100, "timestep_spacing": "trailing", "skip_prk_steps": true""");
        scheduler.SetTimesteps(new(31));
        Assert.Equal(-1, scheduler.Timesteps[^1]);
        Assert.True(float.IsFinite(Run(scheduler, 0.7f)));
    }

    // As published, a flow's velocity is read at the schedule's sigma, in DEIS the noise as well, even where sample and noise are mixed by the sigma that preserves variance.
    [Theory]
    [InlineData("DPMSolverMultistepScheduler", -0.6491042375564575f)]
    [InlineData("UniPCMultistepScheduler", -0.6491042375564575f)]
    [InlineData("DEISMultistepScheduler", 15.3870849609375f)]
    public void Step_VelocityOfAFlowOnADiffusionsSchedule_IsReadAtTheSchedulesLevel(string name, float expected)
    {
        var scheduler = Parse(name, """, "prediction_type": "flow_prediction", "solver_order": 1""");
        scheduler.SetTimesteps(new(4));
        float[] sample = [1.7f];
        scheduler.Step(new SchedulerStep([0.3f], sample, new(1, 1, 1), new PhiloxNoise(1, 1)));
        Assert.Equal(expected, sample[0], Math.Abs(expected) * 1e-5f);
    }

    // Alpha-bar of the last step is 2e-9: two terms of some thousands cancel.
    [Fact]
    public void Step_PndmFromAllButPureNoise_FormsTheNoiseFirst()
    {
        var config = (PndmConfig)SchedulerConfigs.Parse("""{"_class_name": "PNDMScheduler", "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction", "timestep_spacing": "trailing", "skip_prk_steps": true}""");
        var alphas = BetaSchedules.CumulativeAlphas(BetaSchedules.Betas(BetaSchedule.SquaredCosine, 1000, 0, 0));
        var (alpha, previous, x, v) = (alphas[999], alphas[799], 1.2345678f, 0.7654321f);
        var noise = MathF.Sqrt(alpha) * v + MathF.Sqrt(1 - alpha) * x;
        var expected = MathF.Sqrt(previous / alpha) * x - (previous - alpha) * noise / (alpha * MathF.Sqrt(1 - previous) + MathF.Sqrt(alpha * (1 - alpha) * previous));

        var scheduler = config.Create();
        scheduler.SetTimesteps(new(5));
        float[] sample = [x];
        scheduler.Step(new SchedulerStep([v], sample, new(1, 1, 1), new PhiloxNoise(1, 1)));

        Assert.Equal(expected, sample[0]);
    }

    [Fact]
    public void SetTimesteps_LevelsForADiffusion_AreRefused() =>
        Assert.Throws<OptionsException>(() => Parse("UniPCMultistepScheduler", "").SetTimesteps(new() { Sigmas = [1, 0.5] }));

    [Theory]
    [InlineData("UniPCMultistepScheduler")]
    [InlineData("FlowMatchEulerDiscreteScheduler")]
    public void SetTimesteps_DynamicShiftWithoutMu_IsRefused(string name) => Assert.Equal("mu", Assert.Throws<OptionsException>(
        () => Parse(name, """, "use_dynamic_shifting": true, "use_flow_sigmas": true""").SetTimesteps(new(4))).Where);

    private static IScheduler Parse(string name, string further) => SchedulerConfigs.Parse($$"""{"_class_name": "{{name}}"{{further}}}""").Create();

    private static float Run(IScheduler scheduler, float start)
    {
        float[] sample = [start];
        for (var i = 0; i < scheduler.Timesteps.Length; i++) scheduler.Step(new SchedulerStep([0.3f * sample[0]], sample, new(1, 1, 1), new PhiloxNoise(1, 1)));
        return sample[0];
    }
}
