using ModelZoo.Networks.Sampling;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Networks.Tests.Sampling.Schedulers;

/// <summary>
/// An oracle for every solver: where the data is normal with a known deviation, the best prediction of noise and the probability flow have closed forms, x(t) = x(T) deviation(t) / deviation(T).
/// </summary>
public sealed class GaussianDataTests
{
    private const double Data = 0.5;
    private const int Steps = 31;

    public static TheoryData<string, string, int> Solvers
    {
        get
        {
            var data = new TheoryData<string, string, int>();
            foreach (var order in new[] { 2, 3 })
            {
                foreach (var form in new[] { "midpoint", "heun" })
                {
                    foreach (var algorithm in new[] { "dpmsolver", "dpmsolver++" })
                    {
                        data.Add("DPMSolverMultistepScheduler", $$""", "algorithm_type": "{{algorithm}}", "solver_type": "{{form}}", "final_sigmas_type": "sigma_min" """, order);
                        data.Add("DPMSolverSinglestepScheduler", $$""", "algorithm_type": "{{algorithm}}", "solver_type": "{{form}}", "final_sigmas_type": "sigma_min" """, order);
                    }
                }

                data.Add("DEISMultistepScheduler", "", order);
                foreach (var form in new[] { "bh1", "bh2" })
                {
                    data.Add("UniPCMultistepScheduler", $$""", "solver_type": "{{form}}", "predict_x0": true, "final_sigmas_type": "sigma_min" """, order);
                    data.Add("UniPCMultistepScheduler", $$""", "solver_type": "{{form}}", "predict_x0": false, "final_sigmas_type": "sigma_min" """, order);
                }
            }

            return data;
        }
    }

    [Theory, MemberData(nameof(Solvers))]
    public void Step_HigherOrder_FollowsTheFlowMoreClosely(string name, string options, int order)
    {
        var first = Error(Create(name, options, order: 1));
        var higher = Error(Create(name, options, order));
        Assert.InRange(first, 1e-4, 0.5);
        Assert.True(higher < Math.Max(first / 4, 4e-3) && higher < first, $"Order {order} misses by {higher}, order 1 by {first}.");
    }

    [Theory]
    [InlineData("EulerDiscreteScheduler", 0.1)]
    [InlineData("HeunDiscreteScheduler", 5e-3)]
    public void Step_SigmaMethods_FollowTheFlow(string name, double tolerance)
    {
        var scheduler = Parse(name, """, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "use_karras_sigmas": true""");
        scheduler.SetTimesteps(new(Steps));
        var sample = new[] { 1f };
        for (var i = 0; i < scheduler.Timesteps.Length; i++)
        {
            double sigma = scheduler.Sigmas[i];
            scheduler.Step(new SchedulerStep([(float)(sigma * sample[0] / (Data * Data + sigma * sigma))], sample, new(1, 1, 1), new PhiloxNoise(0, 1)));
        }

        var start = (double)scheduler.Sigmas[0];
        Assert.Equal(1, sample[0] * Math.Sqrt(Data * Data + start * start) / Data, tolerance);
    }

    // With noise, the samples must keep the data's deviation at the end.
    [Theory]
    [InlineData("sde-dpmsolver++", "midpoint", 1)]
    [InlineData("sde-dpmsolver++", "midpoint", 2)]
    [InlineData("sde-dpmsolver++", "heun", 2)]
    [InlineData("sde-dpmsolver++", "midpoint", 3)]
    [InlineData("sde-dpmsolver", "midpoint", 2)]
    [InlineData("sde-dpmsolver", "heun", 2)]
    public void Step_StochasticSolvers_GiveTheDataDistribution(string algorithm, string form, int order)
    {
        const int Samples = 20_000;
        var scheduler = Create("DPMSolverMultistepScheduler", $$""", "algorithm_type": "{{algorithm}}", "solver_type": "{{form}}", "final_sigmas_type": "sigma_min" """, order, steps: 121);
        var start = Level(scheduler.Sigmas[0]);
        var sample = new float[Samples];
        new Philox(5).FillNormal(sample);
        for (var i = 0; i < Samples; i++) sample[i] *= (float)Deviation(start);
        Run(scheduler, sample, new PhiloxNoise(6, 1));
        var expected = Deviation(Level(scheduler.Sigmas[^2]));
        Assert.InRange(Math.Sqrt(sample.Average(x => (double)x * x)) / expected, 0.93, 1.07);
    }

    private static double Error(IScheduler scheduler)
    {
        var sample = new[] { 1f };
        var (start, end) = (Level(scheduler.Sigmas[0]), Level(scheduler.Sigmas[^2]));
        Run(scheduler, sample, new PhiloxNoise(0, 1));
        return Math.Abs(sample[0] * Deviation(start) / Deviation(end) - 1);
    }

    // All steps but the last: Karras' levels end at the smallest, from which there is nowhere to go.
    private static void Run(IScheduler scheduler, float[] sample, INoiseSource noise)
    {
        for (var i = 0; i < scheduler.Timesteps.Length - 1; i++)
        {
            var level = Level(scheduler.Sigmas[i]);
            var factor = (float)(level.Sigma / (Deviation(level) * Deviation(level)));
            scheduler.Step(new SchedulerStep(Array.ConvertAll(sample, x => factor * x), sample, new(1, 1, sample.Length), noise));
        }
    }

    private static (double Alpha, double Sigma) Level(double sigma) => (1 / Math.Sqrt(1 + sigma * sigma), sigma / Math.Sqrt(1 + sigma * sigma));

    private static double Deviation((double Alpha, double Sigma) level) => Math.Sqrt(level.Alpha * level.Alpha * Data * Data + level.Sigma * level.Sigma);

    private static IScheduler Create(string name, string options, int order, int steps = Steps)
    {
        var scheduler = Parse(name, $$""", "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "use_karras_sigmas": true, "solver_order": {{order}}{{options}}""");
        scheduler.SetTimesteps(new(steps));
        return scheduler;
    }

    private static IScheduler Parse(string name, string options) => SchedulerConfigs.Parse($$"""{"_class_name": "{{name}}"{{options}}}""").Create();
}
