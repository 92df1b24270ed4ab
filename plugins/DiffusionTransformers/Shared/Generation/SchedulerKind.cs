using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>The schedulers that a user can choose from.</summary>
public enum SchedulerKind
{
    /// <summary>The model's usual one.</summary>
    Auto,
    /// <summary>DDIM: few steps, deterministic.</summary>
    Ddim,
    /// <summary>DDPM: ancestral sampling, with the learned variance where there is one.</summary>
    Ddpm,
    /// <summary>Pseudo-numerical steps of fourth order (PLMS).</summary>
    Pndm,
    /// <summary>DPM-Solver++ of second order.</summary>
    DpmSolver,
    /// <summary>DPM-Solver++, two model calls a step.</summary>
    DpmSolverSinglestep,
    /// <summary>DEIS.</summary>
    Deis,
    /// <summary>UniPC.</summary>
    UniPc,
    /// <summary>Euler steps.</summary>
    Euler,
    /// <summary>Euler steps with fresh noise.</summary>
    EulerAncestral,
    /// <summary>Heun steps, two model calls each.</summary>
    Heun,
    /// <summary>For latent consistency models.</summary>
    Lcm,
    /// <summary>For models distilled by trajectory consistency.</summary>
    Tcd,
}

/// <summary>Schedulers by the user's choice.</summary>
internal static class SchedulerChoice
{
    // Steps of diffusion with 1000 steps and betas that grow linearly from 0.0001 to 0.02, predicting noise: of models whose publication brings no configuration.
    private static readonly PublishedScheduler Linear = new("""{ "_class_name": "DDIMScheduler", "clip_sample": false }""", "scheduler");

    /// <summary>For diffusion; without a published configuration with 1000 steps and betas that grow linearly from 0.0001 to 0.02, predicting noise.</summary>
    public static ISchedulerConfig Diffusion(SchedulerKind kind, bool learnedVariance, PublishedScheduler? published = null) => kind switch
    {
        SchedulerKind.Auto => (published ?? Linear).Config,
        SchedulerKind.Ddpm => (published ?? Linear).As(ClassName(kind), ("variance_type", learnedVariance ? "learned_range" : "fixed_large")),
        _ => (published ?? Linear).As(ClassName(kind)),
    };

    /// <summary>For straight flows, predicting the velocity.</summary>
    public static ISchedulerConfig Flow(SchedulerKind kind, double shift = 1) => kind switch
    {
        SchedulerKind.Auto or SchedulerKind.Euler => new FlowMatchEulerConfig { Shift = shift },
        SchedulerKind.Heun => new FlowMatchHeunConfig { Shift = shift },
        SchedulerKind.DpmSolver => new DpmSolverConfig { UseFlowSigmas = true, FlowShift = shift, PredictionType = PredictionType.FlowPrediction },
        SchedulerKind.UniPc => new UniPcConfig { UseFlowSigmas = true, FlowShift = shift, PredictionType = PredictionType.FlowPrediction },
        _ => throw new OptionsException(ErrorCodes.OptionRange, "A flow does not go with this scheduler.") { Where = "scheduler", Expected = "auto, euler, heun, dpm-solver, uni-pc", Found = OptionDescription.Show(kind) },
    };

    /// <summary>The levels of many papers' own loops along a flow: evenly from 1 down to 1/steps, for Euler's method; others have their own.</summary>
    /// <param name="config">The method.</param>
    /// <param name="steps">Steps.</param>
    /// <param name="shift">Factor that keeps the run longer near the noise.</param>
    /// <param name="mu">Shift of a flow that grows with the picture.</param>
    public static ScheduleRequest Even(ISchedulerConfig config, int steps, double shift = 1, double? mu = null) => config is FlowMatchEulerConfig
        ? new() { Sigmas = [.. Enumerable.Range(0, steps).Select(i => 1 - i / (double)steps).Select(t => shift * t / (1 + (shift - 1) * t))], Mu = mu }
        : new(steps);

    private static string ClassName(SchedulerKind kind) => kind switch
    {
        SchedulerKind.Ddim => "DDIMScheduler",
        SchedulerKind.Ddpm => "DDPMScheduler",
        SchedulerKind.Pndm => "PNDMScheduler",
        SchedulerKind.DpmSolver => "DPMSolverMultistepScheduler",
        SchedulerKind.DpmSolverSinglestep => "DPMSolverSinglestepScheduler",
        SchedulerKind.Deis => "DEISMultistepScheduler",
        SchedulerKind.UniPc => "UniPCMultistepScheduler",
        SchedulerKind.Euler => "EulerDiscreteScheduler",
        SchedulerKind.EulerAncestral => "EulerAncestralDiscreteScheduler",
        SchedulerKind.Heun => "HeunDiscreteScheduler",
        SchedulerKind.Lcm => "LCMScheduler",
        SchedulerKind.Tcd => "TCDScheduler",
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "No scheduler's name."),
    };
}
