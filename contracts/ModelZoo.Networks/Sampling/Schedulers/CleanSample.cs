using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling.Schedulers;

/// <summary>The clean sample and the noise that a model's output implies, where x = alpha x0 + sigma noise.</summary>
internal static class CleanSample
{
    /// <summary>x0 from the model's output.</summary>
    /// <exception cref="ModelZooException">The method does not take this kind of prediction.</exception>
    public static void Predict(PredictionType type, float alpha, float sigma, ReadOnlySpan<float> x, ReadOnlySpan<float> output, Span<float> clean)
    {
        switch (type)
        {
            case PredictionType.Epsilon: SpanMath.SubtractDivide(x, sigma, output, alpha, clean); break;
            case PredictionType.Sample or PredictionType.OriginalSample: output.CopyTo(clean); break;
            case PredictionType.VPrediction: SpanMath.Combine(alpha, x, -sigma, output, clean); break;
            case PredictionType.FlowPrediction: SpanMath.Combine(1, x, -sigma, output, clean); break;
            default: throw Refused(type);
        }
    }

    /// <summary>x0 from the model's output at a solver's level; a flow's velocity is read at the level that the schedule has, whatever the solver makes of it.</summary>
    /// <exception cref="ModelZooException">The method does not take this kind of prediction.</exception>
    public static void Predict(PredictionType type, NoiseLevel level, ReadOnlySpan<float> x, ReadOnlySpan<float> output, Span<float> clean) =>
        Predict(type, level.Alpha, type == PredictionType.FlowPrediction ? level.Scheduled : level.Sigma, x, output, clean);

    /// <summary>The noise from the model's output.</summary>
    /// <exception cref="ModelZooException">The method does not take this kind of prediction.</exception>
    public static void PredictNoise(PredictionType type, float alpha, float sigma, ReadOnlySpan<float> x, ReadOnlySpan<float> output, Span<float> noise)
    {
        switch (type)
        {
            case PredictionType.Epsilon: output.CopyTo(noise); break;
            case PredictionType.Sample or PredictionType.OriginalSample: SpanMath.SubtractDivide(x, alpha, output, sigma, noise); break;
            case PredictionType.VPrediction: SpanMath.Combine(alpha, output, sigma, x, noise); break;
            default: throw Refused(type);
        }
    }

    /// <summary>Dynamic thresholding (Imagen, section 2.3): each sample is clipped at a quantile of its magnitudes and divided by it.</summary>
    public static void Threshold(Span<float> clean, SampleShape shape, double ratio, double max)
    {
        var magnitudes = new float[shape.PerSample];
        for (var i = 0; i < shape.Batch; i++)
        {
            var row = clean.Slice(i * shape.PerSample, shape.PerSample);
            for (var j = 0; j < row.Length; j++) magnitudes[j] = Math.Abs(row[j]);
            Array.Sort(magnitudes);
            var rank = (float)ratio * (magnitudes.Length - 1);
            var below = (int)rank;
            var above = Math.Min(below + 1, magnitudes.Length - 1);
            var quantile = magnitudes[below] + (rank - below) * (magnitudes[above] - magnitudes[below]);
            var limit = Math.Min(Math.Max(quantile, 1), (float)max);
            SpanMath.Clamp(row, -limit, limit);
            SpanMath.Scale(1 / limit, row, row);
        }
    }

    /// <summary>Clipping or thresholding, as configured.</summary>
    public static void Restrict(Span<float> clean, SampleShape shape, IClippingConfig config)
    {
        if (config.Thresholding) Threshold(clean, shape, config.DynamicThresholdingRatio, config.SampleMaxValue);
        else if (config.ClipSample) SpanMath.Clamp(clean, -config.ClipSampleRange, config.ClipSampleRange);
    }

    /// <summary>Splits a model's output of twice the channels into its halves; both are copied.</summary>
    public static (float[] First, float[] Second) Split(ReadOnlySpan<float> output, SampleShape shape)
    {
        var (first, second) = (new float[shape.Length], new float[shape.Length]);
        for (var i = 0; i < shape.Batch; i++)
        {
            var row = output.Slice(2 * i * shape.PerSample, 2 * shape.PerSample);
            row[..shape.PerSample].CopyTo(first.AsSpan(i * shape.PerSample));
            row[shape.PerSample..].CopyTo(second.AsSpan(i * shape.PerSample));
        }

        return (first, second);
    }

    /// <summary>The error for a kind of prediction that a method does not take.</summary>
    public static ModelZooException Refused(PredictionType type) =>
        new(ErrorCodes.ConfigInvalid, "The scheduler does not take this kind of prediction.") { Where = "prediction_type", Found = type.ToString() };
}

/// <summary>How the predicted clean sample is kept in range; keys as published.</summary>
internal interface IClippingConfig
{
    /// <summary>Clip to a fixed range.</summary>
    bool ClipSample { get; }
    /// <summary>That range.</summary>
    float ClipSampleRange { get; }
    /// <summary>Clip each sample at a quantile instead.</summary>
    bool Thresholding { get; }
    /// <summary>That quantile.</summary>
    double DynamicThresholdingRatio { get; }
    /// <summary>Largest value that the quantile may take.</summary>
    double SampleMaxValue { get; }
}
