namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>How a DPM-Solver reads the model's output; keys as published.</summary>
internal interface IDpmOutputConfig
{
    /// <summary>What the model gives.</summary>
    PredictionType PredictionType { get; }
    /// <summary>Which integral is approximated.</summary>
    DpmAlgorithm AlgorithmType { get; }
    /// <summary>Learned: the model gives further channels, which are passed over.</summary>
    VarianceType? VarianceType { get; }
    /// <summary>Clip each clean sample at a quantile.</summary>
    bool Thresholding { get; }
    /// <summary>That quantile.</summary>
    double DynamicThresholdingRatio { get; }
    /// <summary>Largest value that the quantile may take.</summary>
    double SampleMaxValue { get; }
}

/// <summary>What DPM-Solvers integrate: the predicted clean sample (++) or the predicted noise.</summary>
internal static class DpmOutput
{
    public static NoiseLevel Level(bool flow, float sigma) => flow ? NoiseLevel.Flow(sigma) : NoiseLevel.Preserving(sigma);

    /// <summary>Turns the model's output into what the algorithm integrates.</summary>
    public static void Convert(IDpmOutputConfig config, DpmAlgorithm algorithm, NoiseLevel level, in SchedulerStep step, Span<float> result)
    {
        var x = step.Sample;
        var shape = step.Shape;
        var output = step.ModelOutput;
        if (config.VarianceType is VarianceType.Learned or VarianceType.LearnedRange && output.Length == 2 * shape.Length) output = CleanSample.Split(output, shape).First;

        if (algorithm is DpmAlgorithm.DpmSolverPlusPlus or DpmAlgorithm.SdeDpmSolverPlusPlus)
        {
            CleanSample.Predict(config.PredictionType, level, x, output, result);
            if (config.Thresholding) CleanSample.Threshold(result, shape, config.DynamicThresholdingRatio, config.SampleMaxValue);
            if (!step.Predicted.IsEmpty) result.CopyTo(step.Predicted);
            return;
        }

        CleanSample.PredictNoise(config.PredictionType, level.Alpha, level.Sigma, x, output, result);
        if (!config.Thresholding) return;
        SpanMath.SubtractDivide(x, level.Sigma, result, level.Alpha, result);
        CleanSample.Threshold(result, shape, config.DynamicThresholdingRatio, config.SampleMaxValue);
        SpanMath.SubtractDivide(x, level.Alpha, result, level.Sigma, result);
    }
}
