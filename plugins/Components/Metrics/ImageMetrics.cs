using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;
using static ModelZoo.Plugins.Components.Metrics.MetricParts;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>Measures of pictures and sound against an original.</summary>
internal static class ImageMetrics
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        Metric("psnr", "Image Quality Metrics: PSNR vs. SSIM", "Lightning-AI/torchmetrics", ("psnr", ComputePsnr)),
        Metric("ssim", "Image Quality Assessment: From Error Visibility to Structural Similarity", "Lightning-AI/torchmetrics",
            ("ssim_torchmetrics", SsimTorchMetrics), ("ssim_pytorch_msssim", SsimPytorchMsSsim), ("ssim_skimage", SsimScikitImage)),
        Metric("ms-ssim", "Multi-scale Structural Similarity for Image Quality Assessment", "VainF/pytorch-msssim",
            ("ms_ssim_pytorch_msssim", MsSsimPytorchMsSsim), ("ms_ssim_torchmetrics", MsSsimTorchMetrics)),
        Metric("si-sdr", "SDR - half-baked or well done?", "Lightning-AI/torchmetrics", ("si_sdr", ComputeSiSdr), ("snr", ComputeSnr), ("si_snr", ComputeSiSnr)),
    ];

    private static CallResults ComputePsnr(CallArguments arguments)
    {
        var (output, reference, range) = Pictures(arguments, ofTargetAlone: true);
        var reduction = arguments.Literal("reduction", "elementwise_mean");
        if (!arguments.Has("dim")) return new CallResults().Add("psnr_batch", Psnr.Compute(output.Span, reference.Span, range));
        if (!arguments.Literal<int[]>("dim").SequenceEqual(Enumerable.Range(1, output.Rank - 1)))
            throw new ModelZooException(ErrorCodes.VerbUnsupported, "PSNR is that of whole images.") { Where = "dim" };
        var each = Enumerable.Range(0, (int)output.Shape[0]).Select(i => Psnr.Compute(output.Slice(i).Span, reference.Slice(i).Span, range)).ToArray();
        return reduction switch
        {
            "none" => new CallResults().Add("psnr_per_image", Vector(each)).Add("psnr_uint8", Vector(each)),
            "sum" => new CallResults().Add("psnr_sum_of_images", each.Sum()),
            _ => new CallResults().Add("psnr_mean_of_images", each.Average()),
        };
    }

    private static CallResults SsimTorchMetrics(CallArguments arguments)
    {
        var (gaussian, sigma) = (arguments.Literal("gaussian_kernel", true), arguments.Literal("sigma", 1.5));
        var size = arguments.Literal("kernel_size", 11);
        var (output, reference, range) = Pictures(arguments);
        var ssim = new Ssim(range, gaussian ? Ssim.GaussianSize(sigma) : size, gaussian ? sigma : null, arguments.Literal("k1", 0.01), arguments.Literal("k2", 0.03));
        var values = PerImage(output, reference, (a, b, h, w) => ssim.MirroredMean(a, b, h, w).Similarity, relu: false);
        var result = Reduced(values, arguments.Literal<string?>("reduction", "none"));
        return new CallResults().Add("ssim_torchmetrics", result).Add("ssim_torchmetrics_uniform", result);
    }

    private static CallResults SsimPytorchMsSsim(CallArguments arguments)
    {
        var k = arguments.Literal<double[]>("K", [0.01, 0.03]);
        var ssim = new Ssim(arguments.Literal("data_range", 255.0), arguments.Literal("win_size", 11), arguments.Literal("win_sigma", 1.5), k[0], k[1]);
        var values = PerImage(arguments.Tensor<float>("X"), arguments.Tensor<float>("Y"), (a, b, h, w) => ssim.Mean(a, b, h, w).Similarity, arguments.Literal("nonnegative_ssim", false));
        return arguments.Literal("size_average", true)
            ? new CallResults().Add("ssim_pytorch_msssim", values.Average())
            : new CallResults().Add("ssim_pytorch_msssim", Vector(values));
    }

    private static CallResults SsimScikitImage(CallArguments arguments)
    {
        var (a, b) = (arguments.Tensor<float>("im1"), arguments.Tensor<float>("im2"));
        if (arguments.Literal("channel_axis", 1) != 1) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Images are (batch, channels, height, width).") { Where = "channel_axis" };
        var (gaussian, sigma) = (arguments.Literal("gaussian_weights", false), arguments.Literal("sigma", 1.5));
        var ssim = new Ssim(arguments.Literal("data_range", 1.0), gaussian ? Ssim.GaussianSize(sigma) : arguments.Literal("win_size", 7), gaussian ? sigma : null,
            arguments.Literal("K1", 0.01), arguments.Literal("K2", 0.03)) { SampleCovariance = arguments.Literal("use_sample_covariance", true) };
        var (height, width) = ((int)a.Shape[2], (int)a.Shape[3]);
        var map = Tensor.Zeros<double>(a.Shape);
        var values = new double[a.Shape[0]];
        for (var i = 0; i < values.Length; i++)
        {
            for (var c = 0; c < a.Shape[1]; c++)
            {
                var plane = ssim.Map(a.Slice(i).Slice(c).Span, b.Slice(i).Slice(c).Span, height, width);
                plane.CopyTo(map.Slice(i).Slice(c).Span);
                values[i] += ssim.MeanOfMap(plane, height, width) / a.Shape[1];
            }
        }

        return new CallResults().Add("ssim_map_skimage", map).Add("ssim_skimage", Vector(values)).Add("ssim_skimage_gaussian", Vector(values));
    }

    private static CallResults MsSsimPytorchMsSsim(CallArguments arguments)
    {
        var (a, b) = (arguments.Tensor<float>("X"), arguments.Tensor<float>("Y"));
        var (k, size) = (arguments.Literal<double[]>("K", [0.01, 0.03]), arguments.Literal("win_size", 11));
        var ssim = new Ssim(arguments.Literal("data_range", 255.0), size, arguments.Literal("win_sigma", 1.5), k[0], k[1]);
        var weights = arguments.Literal<double[]>("weights", [.. MsSsim.PaperWeights]);
        var values = Enumerable.Range(0, (int)a.Shape[0])
            .Select(i => MsSsim.PerChannel(a.Slice(i).Span, b.Slice(i).Span, (int)a.Shape[1], (int)a.Shape[2], (int)a.Shape[3], ssim, weights)).ToArray();
        var result = arguments.Literal("size_average", true) ? Vector([values.Average()]) : Vector(values);
        return new CallResults().Add("ms_ssim_pytorch_msssim", result).Add($"ms_ssim_win{size}", result);
    }

    private static CallResults MsSsimTorchMetrics(CallArguments arguments)
    {
        var (a, b, range) = Pictures(arguments);
        var (gaussian, sigma, size) = (arguments.Literal("gaussian_kernel", true), arguments.Literal("sigma", 1.5), arguments.Literal("kernel_size", 11));
        var ssim = new Ssim(range, gaussian ? Ssim.GaussianSize(sigma) : size, gaussian ? sigma : null, arguments.Literal("k1", 0.01), arguments.Literal("k2", 0.03));
        var (weights, normalize) = (arguments.Literal<double[]>("betas", [.. MsSsim.PaperWeights]), arguments.Literal<string?>("normalize", null));
        var values = Enumerable.Range(0, (int)a.Shape[0])
            .Select(i => MsSsim.PerImage(a.Slice(i).Span, b.Slice(i).Span, (int)a.Shape[1], (int)a.Shape[2], (int)a.Shape[3], ssim, weights, normalize)).ToArray();
        var result = Reduced(values, arguments.Literal<string?>("reduction", "elementwise_mean"));
        return new CallResults().Add("ms_ssim_torchmetrics", result).Add($"ms_ssim_torchmetrics_{weights.Length}", result);
    }

    private static CallResults ComputeSiSdr(CallArguments arguments)
    {
        var zeroMean = arguments.Literal("zero_mean", false);
        var values = PerSignal(arguments, (a, b) => SiSdr.Compute(a, b, zeroMean));
        return new CallResults().Add("si_sdr", values).Add("si_sdr_zero_mean", values);
    }

    private static CallResults ComputeSnr(CallArguments arguments)
    {
        var zeroMean = arguments.Literal("zero_mean", false);
        return new CallResults().Add("snr", PerSignal(arguments, (a, b) => SiSdr.SignalToNoise(a, b, zeroMean)));
    }

    private static CallResults ComputeSiSnr(CallArguments arguments) => new CallResults().Add("si_snr", PerSignal(arguments, (a, b) => SiSdr.Compute(a, b, zeroMean: true)));

    private static Tensor PerSignal(CallArguments arguments, Func<ReadOnlySpan<float>, ReadOnlySpan<float>, double> measure)
    {
        var (output, reference) = (arguments.Tensor<float>("preds"), arguments.Tensor<float>("target"));
        var length = (int)output.Shape[^1];
        return Vector(Enumerable.Range(0, output.Length / length).Select(i => measure(output.Span.Slice(i * length, length), reference.Span.Slice(i * length, length))));
    }

    private static Tensor Reduced(double[] values, string? reduction) => Vector(reduction switch { "elementwise_mean" => [values.Average()], "sum" => [values.Sum()], _ => values });

    private static double[] PerImage(Tensor<float> a, Tensor<float> b, Func<ReadOnlySpan<float>, ReadOnlySpan<float>, int, int, double> plane, bool relu)
    {
        var (height, width) = ((int)a.Shape[2], (int)a.Shape[3]);
        return [.. Enumerable.Range(0, (int)a.Shape[0]).Select(i => Enumerable.Range(0, (int)a.Shape[1]).Average(c =>
            plane(a.Slice(i).Slice(c).Span, b.Slice(i).Slice(c).Span, height, width) is var value && relu ? Math.Max(0, value) : value))];
    }

    // torchmetrics: a range of two numbers clamps both; without one, it is the larger of both ranges, or the target's alone.
    private static (Tensor<float> Output, Tensor<float> Reference, double Range) Pictures(CallArguments arguments, bool ofTargetAlone = false)
    {
        var (output, reference) = (arguments.Tensor<float>("preds"), arguments.Tensor<float>("target"));
        if (!arguments.Has("data_range")) return (output, reference, ofTargetAlone ? Extent(reference) : Math.Max(Extent(output), Extent(reference)));
        if (arguments.Json("data_range").ValueKind != JsonValueKind.Array) return (output, reference, arguments.Literal<double>("data_range"));
        var limits = arguments.Literal<double[]>("data_range");
        return (Clamped(output), Clamped(reference), limits[1] - limits[0]);

        static double Extent(Tensor<float> x) => (double)x.Span.ToArray().Max() - x.Span.ToArray().Min();
        Tensor<float> Clamped(Tensor<float> x) => new(Array.ConvertAll(x.Span.ToArray(), value => Math.Clamp(value, (float)limits[0], (float)limits[1])), x.Shape);
    }
}
