using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Networks.Tests.Sampling.Schedulers;

/// <summary>Laws that hold for every scheduler; the numbers themselves are verified against diffusers by the parity cases.</summary>
public sealed class SchedulerLawTests
{
    public static TheoryData<string> Deterministic =>
        [.. SchedulerConfigs.ClassNames.Except(["DDPMScheduler", "EulerAncestralDiscreteScheduler", "LCMScheduler", "TCDScheduler", "CMStochasticIterativeScheduler"])];

    public static TheoryData<string> All => [.. SchedulerConfigs.ClassNames];

    // A model that knows the clean sample makes the trajectory a straight line to it, which every solver follows exactly.
    [Theory, MemberData(nameof(Deterministic))]
    public void Step_ModelKnowsTheCleanSample_EndsThere(string name)
    {
        var flow = name.StartsWith("FlowMatch", StringComparison.Ordinal);
        var edm = name.StartsWith("EDM", StringComparison.Ordinal);
        var scheduler = Parse(name, edm ? "" : """, "prediction_type": "sample", "clip_sample": false""");
        if (name.StartsWith("PNDM", StringComparison.Ordinal)) scheduler = Parse(name, """, "set_alpha_to_one": true, "skip_prk_steps": true""");
        scheduler.SetTimesteps(new(12));
        var shape = new SampleShape(2, 1, 9);
        float[] clean = Noise.Normal(1, 2, 9).Span.ToArray(), start = Noise.Normal(2, 2, 9).Span.ToArray(), sample = [.. start.Select(x => x * scheduler.InitNoiseSigma)];
        var output = new float[clean.Length];
        for (var i = 0; i < scheduler.Timesteps.Length; i++)
        {
            var sigma = scheduler.Sigmas.IsEmpty ? 0 : scheduler.Sigmas[i];
            var (data, alpha) = (0.5f, name.StartsWith("PNDM", StringComparison.Ordinal) ? Alpha((int)scheduler.Timesteps[i]) : 1);
            for (var j = 0; j < output.Length; j++)
            {
                output[j] = flow ? (sample[j] - clean[j]) / sigma
                    : edm ? (clean[j] - data * data / (sigma * sigma + data * data) * sample[j]) * MathF.Sqrt(sigma * sigma + data * data) / (sigma * data)
                    : alpha < 1 ? (sample[j] - MathF.Sqrt(alpha) * clean[j]) / MathF.Sqrt(1 - alpha)
                    : clean[j];
            }

            scheduler.Step(new SchedulerStep(output, sample, shape, new PhiloxNoise(3, 2)));
        }

        // DEIS stops at the smallest training level, PNDM's repeated first step is not on the line.
        var tolerance = name.StartsWith("DEIS", StringComparison.Ordinal) || name.StartsWith("PNDM", StringComparison.Ordinal) ? 0.1 : 2e-3;
        for (var j = 0; j < clean.Length; j++) Assert.Equal(clean[j], sample[j], tolerance);
    }

    [Theory, MemberData(nameof(All))]
    public void Step_SampleOfABatch_IsTheSampleAlone(string name)
    {
        var batch = Run(name, samples: 3);
        Assert.Equal(batch[..8], Run(name, samples: 1));
    }

    // Eight steps of three calls: 1 2 3, 1 2 3, 1 2. The last call starts where its step started, so the sample it is given does not matter; after a last step of first order it would.
    [Theory]
    [InlineData(8, true)]
    [InlineData(7, false)]
    [InlineData(9, false)]
    public void Step_SinglestepOfThirdOrder_EndsWithTheCallsThatAreLeft(int steps, bool startsEarlier)
    {
        var scheduler = Parse("DPMSolverSinglestepScheduler", """, "solver_order": 3, "lower_order_final": true, "algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min" """);
        float Last(float given)
        {
            scheduler.SetTimesteps(new(steps));
            float[] sample = [0.5f];
            for (var i = 0; i < steps; i++)
            {
                if (i == steps - 1) sample[0] = given;
                scheduler.Step(new SchedulerStep([0.1f * i], sample, new(1, 1, 1), new PhiloxNoise(3, 1)));
            }

            return sample[0];
        }

        Assert.Equal(startsEarlier, Last(0.5f) == Last(-7));
    }

    [Theory]
    [InlineData("EulerDiscreteScheduler", """, "use_karras_sigmas": true""")]
    [InlineData("EDMEulerScheduler", """, "sigma_schedule": "exponential" """)]
    public void AddNoise_TimestepRoundedOtherwise_IsTheSameStep(string name, string options)
    {
        var scheduler = Parse(name, options);
        scheduler.SetTimesteps(new(7));
        float Noisy(float timestep)
        {
            var noisy = new float[1];
            scheduler.AddNoise([0], [1], [timestep], new(1, 1, 1), noisy);
            return noisy[0];
        }

        var timestep = scheduler.Timesteps[3];

        Assert.Equal(Noisy(timestep), Noisy(MathF.BitIncrement(timestep)));
        Assert.Throws<OptionsException>(() => Noisy(timestep * 1.001f + 0.001f));
    }

    [Theory]
    [InlineData("HeunDiscreteScheduler")]
    [InlineData("PNDMScheduler")]
    public void Create_KeyThatThePublishedClassLacks_IsPassedOver(string name)
    {
        Assert.Equal(Run(name, samples: 1), Run(Parse(name, """, "rescale_betas_zero_snr": true"""), 1));
    }

    [Theory, MemberData(nameof(All))]
    public void SetTimesteps_AgainAfterARun_StartsOver(string name)
    {
        var scheduler = Parse(name, "");
        Assert.Equal(Run(scheduler, 1), Run(scheduler, 1));
    }

    [Fact]
    public void Parse_UnknownClass_NamesTheKnownOnes()
    {
        var error = Assert.Throws<ModelZooException>(() => SchedulerConfigs.Parse("""{"_class_name": "Nobody"}"""));
        Assert.Equal(ErrorCodes.ConfigInvalid, error.Code);
        Assert.Contains("DDIMScheduler", error.Message);
    }

    [Fact]
    public void Parse_BareInfinity_IsRead() =>
        Assert.Equal(double.NegativeInfinity, ((DpmSolverConfig)SchedulerConfigs.Parse("""{"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity, "solver_order": 3}""")).LambdaMinClipped);

    [Fact]
    public void SetTimesteps_MoreStepsThanTrained_IsRefused() => Assert.Throws<OptionsException>(() => new DdimConfig().Create().SetTimesteps(new(1001)));

    [Theory]
    [InlineData("EulerDiscreteScheduler")]
    [InlineData("EulerAncestralDiscreteScheduler")]
    [InlineData("HeunDiscreteScheduler")]
    public void SetTimesteps_MoreStepsThanTrained_VisitsLevelsBetweenThem(string name)
    {
        var scheduler = Parse(name, """, "num_train_timesteps": 10""");
        scheduler.SetTimesteps(new(19));
        Assert.Equal(9, scheduler.Timesteps[0]);
        Assert.Contains(8.5f, scheduler.Timesteps.ToArray());
    }

    [Fact]
    public void RescaleZeroTerminalSnr_LinearBetas_EndsAtPureNoiseAndKeepsTheStart()
    {
        var betas = BetaSchedules.Betas(BetaSchedule.ScaledLinear, 1000, 0.00085, 0.012);
        var alphas = BetaSchedules.CumulativeAlphas(BetaSchedules.RescaleZeroTerminalSnr(betas));
        Assert.Equal(0, alphas[^1]);
        Assert.Equal(1 - 0.00085f, alphas[0], 1e-6f);
    }

    private static float Alpha(int t) => BetaSchedules.CumulativeAlphas(BetaSchedules.Betas(BetaSchedule.Linear, 1000, 0.0001, 0.02))[t];

    private static IScheduler Parse(string name, string further) => SchedulerConfigs.Parse($$"""{"_class_name": "{{name}}"{{further}}}""").Create();

    private static float[] Run(string name, int samples) => Run(Parse(name, ""), samples);

    private static float[] Run(IScheduler scheduler, int samples)
    {
        scheduler.SetTimesteps(new(6));
        var sample = Noise.Normal(7, samples, 8).Span.ToArray();
        var (input, noise) = (new float[sample.Length], new PhiloxNoise(7, samples));
        for (var i = 0; i < scheduler.Timesteps.Length; i++)
        {
            scheduler.ScaleModelInput(sample, input);
            var output = Array.ConvertAll(input, x => 0.3f * x + 0.1f);
            scheduler.Step(new SchedulerStep(output, sample, new(samples, 2, 4), noise));
        }

        return sample;
    }
}
