using System.Text.Json.Serialization;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>What the model's output is.</summary>
public enum PredictionType
{
    /// <summary>The noise.</summary>
    Epsilon,
    /// <summary>The clean sample.</summary>
    Sample,
    /// <summary>The clean sample, by its older name.</summary>
    OriginalSample,
    /// <summary>The velocity of Salimans and Ho: alpha noise - sigma x0.</summary>
    VPrediction,
    /// <summary>The velocity of a straight flow: noise - x0.</summary>
    FlowPrediction,
}

/// <summary>How beta grows over the training steps.</summary>
public enum BetaSchedule
{
    /// <summary>Linear.</summary>
    Linear,
    /// <summary>Linear in its square root.</summary>
    ScaledLinear,
    /// <summary>From a squared cosine of alpha-bar (improved DDPM).</summary>
    [JsonStringEnumMemberName("squaredcos_cap_v2")] SquaredCosine,
    /// <summary>Sigmoid over -6..6.</summary>
    Sigmoid,
    /// <summary>From a Laplace distribution of log SNR.</summary>
    Laplace,
    /// <summary>From exp(-12 t).</summary>
    Exp,
}

/// <summary>Which training steps are visited (table 2 of "Common Diffusion Noise Schedules and Sample Steps are Flawed").</summary>
public enum TimestepSpacing
{
    /// <summary>Evenly from the first to the last.</summary>
    Linspace,
    /// <summary>Multiples of a whole ratio from zero.</summary>
    Leading,
    /// <summary>Back from the last in equal strides.</summary>
    Trailing,
}

/// <summary>The last noise level.</summary>
public enum FinalSigma
{
    /// <summary>Zero: a clean sample.</summary>
    Zero,
    /// <summary>The training schedule's smallest.</summary>
    SigmaMin,
}

/// <summary>Variance of DDPM's posterior.</summary>
public enum VarianceType
{
    /// <summary>The posterior's own.</summary>
    FixedSmall,
    /// <summary>The same, its square root taken through a logarithm.</summary>
    FixedSmallLog,
    /// <summary>Beta.</summary>
    FixedLarge,
    /// <summary>The logarithm of beta.</summary>
    FixedLargeLog,
    /// <summary>Given by the model.</summary>
    Learned,
    /// <summary>The model interpolates between both in the logarithm.</summary>
    LearnedRange,
}

/// <summary>How a flow's time is shifted.</summary>
public enum TimeShift
{
    /// <summary>By exp(mu).</summary>
    Exponential,
    /// <summary>By mu.</summary>
    Linear,
}

/// <summary>Which integral DPM-Solver approximates.</summary>
public enum DpmAlgorithm
{
    /// <summary>Noise prediction.</summary>
    [JsonStringEnumMemberName("dpmsolver")] DpmSolver,
    /// <summary>Data prediction.</summary>
    [JsonStringEnumMemberName("dpmsolver++")] DpmSolverPlusPlus,
    /// <summary>Noise prediction with noise.</summary>
    [JsonStringEnumMemberName("sde-dpmsolver")] SdeDpmSolver,
    /// <summary>Data prediction with noise.</summary>
    [JsonStringEnumMemberName("sde-dpmsolver++")] SdeDpmSolverPlusPlus,
    /// <summary>The exponential integrator of DEIS; a DPM-Solver takes it as DPM-Solver++.</summary>
    Deis,
}

/// <summary>Form of a multistep solver's correction terms.</summary>
public enum SolverType
{
    /// <summary>Midpoint.</summary>
    Midpoint,
    /// <summary>Heun.</summary>
    Heun,
    /// <summary>DEIS in log rho.</summary>
    [JsonStringEnumMemberName("logrho")] LogRho,
    /// <summary>UniPC with B(h) = h.</summary>
    [JsonStringEnumMemberName("bh1")] Bh1,
    /// <summary>UniPC with B(h) = exp(h) - 1.</summary>
    [JsonStringEnumMemberName("bh2")] Bh2,
}

/// <summary>How EDM spaces its noise levels.</summary>
public enum EdmSchedule
{
    /// <summary>Linear in sigma to the power 1 / rho.</summary>
    Karras,
    /// <summary>Linear in the logarithm.</summary>
    Exponential,
}

/// <summary>How Euler finds noise levels between training steps.</summary>
public enum SigmaInterpolation
{
    /// <summary>Linear in sigma.</summary>
    Linear,
    /// <summary>Evenly in log sigma.</summary>
    LogLinear,
}

/// <summary>What the model is told about a noise level.</summary>
public enum TimestepType
{
    /// <summary>The training step.</summary>
    Discrete,
    /// <summary>A quarter of log sigma, where the model predicts v.</summary>
    Continuous,
}
