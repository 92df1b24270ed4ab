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
    /// <summary>DPM-Solver++ of second order.</summary>
    DpmSolver,
    /// <summary>UniPC.</summary>
    UniPc,
    /// <summary>Euler steps.</summary>
    Euler,
    /// <summary>Heun steps, two model calls each.</summary>
    Heun,
}

/// <summary>Schedulers for models whose publication brings no configuration of one.</summary>
internal static class SchedulerChoice
{
    /// <summary>For diffusion with 1000 steps and betas that grow linearly from 0.0001 to 0.02, predicting noise.</summary>
    public static ISchedulerConfig Diffusion(SchedulerKind kind, bool learnedVariance) => kind switch
    {
        SchedulerKind.Auto or SchedulerKind.Ddim => new DdimConfig { ClipSample = false },
        SchedulerKind.Ddpm => new DdpmConfig { ClipSample = false, VarianceType = learnedVariance ? VarianceType.LearnedRange : VarianceType.FixedLarge },
        SchedulerKind.DpmSolver => new DpmSolverConfig(),
        SchedulerKind.UniPc => new UniPcConfig(),
        SchedulerKind.Euler => new EulerConfig(),
        SchedulerKind.Heun => new HeunConfig(),
        _ => throw Refused(kind),
    };

    /// <summary>For straight flows, predicting the velocity.</summary>
    public static ISchedulerConfig Flow(SchedulerKind kind, double shift = 1) => kind switch
    {
        SchedulerKind.Auto or SchedulerKind.Euler => new FlowMatchEulerConfig { Shift = shift },
        SchedulerKind.Heun => new FlowMatchHeunConfig { Shift = shift },
        SchedulerKind.DpmSolver => new DpmSolverConfig { UseFlowSigmas = true, FlowShift = shift, PredictionType = PredictionType.FlowPrediction },
        SchedulerKind.UniPc => new UniPcConfig { UseFlowSigmas = true, FlowShift = shift, PredictionType = PredictionType.FlowPrediction },
        _ => throw Refused(kind),
    };

    private static OptionsException Refused(SchedulerKind kind) => new(ErrorCodes.OptionRange, "A flow does not go with this scheduler.")
    { Where = "scheduler", Expected = "auto, euler, heun, dpm-solver, uni-pc", Found = OptionDescription.Show(kind) };
}
