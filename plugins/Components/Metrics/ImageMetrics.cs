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
        var (numberBase, dims) = (arguments.Literal("base", 10.0), Dimensions(arguments, output.Rank));
        var reduction = arguments.Literal<string?>("reduction", "elementwise_mean");
        var (errors, shape) = MeanSquares(output, reference, dims);
        var values = Array.ConvertAll(errors, error => Psnr.OfError(error, range, numberBase));
        var result = reduction switch { "elementwise_mean" => Tensor.Create([values.Average()]), "sum" => Tensor.Create([values.Sum()]), _ => Tensor.Create(values, shape) };
        return new CallResults().Add("psnr_batch", result).Add("psnr_per_image", result).Add("psnr_uint8", result).Add("psnr_mean_of_images", result).Add("psnr_sum_of_images", result);
    }

    // The dimensions that one figure is taken over, in ascending order: all of them when none is named.
    private static int[] Dimensions(CallArguments arguments, int rank)
    {
        if (!arguments.Has("dim")) return [.. Enumerable.Range(0, rank)];
        int[] dims = arguments.Json("dim").ValueKind == JsonValueKind.Array ? arguments.Literal<int[]>("dim") : [arguments.Literal<int>("dim")];
        return dims.Length == 0 ? [.. Enumerable.Range(0, rank)] : [.. dims.Select(dim => dim < 0 ? dim + rank : dim).Order()];
    }

    private static (double[] Errors, long[] Shape) MeanSquares(Tensor<float> output, Tensor<float> reference, int[] dims)
    {
        int[] kept = [.. Enumerable.Range(0, output.Rank).Except(dims)];
        long[] extents = [.. output.Shape], shape = Array.ConvertAll(kept, dim => extents[dim]);
        var errors = new double[shape.Aggregate(1L, (m, n) => m * n)];
        for (var i = 0; i < output.Length; i++)
        {
            // The place along the dimensions that are kept.
            var (at, rest, stride) = (0L, (long)i, 1L);
            for (var dim = extents.Length - 1; dim >= 0; dim--)
            {
                if (kept.Contains(dim)) (at, stride) = (at + rest % extents[dim] * stride, stride * extents[dim]);
                rest /= extents[dim];
            }

            errors[at] += Math.Pow((double)output.Span[i] - reference.Span[i], 2) * errors.Length / output.Length;
        }

        return (errors, shape);
    }

    // A number for every dimension, or one each.
    private static T[] Each<T>(CallArguments arguments, string name, T otherwise, int dimensions) => !arguments.Has(name) ? [.. Enumerable.Repeat(otherwise, dimensions)]
        : arguments.Json(name).ValueKind == JsonValueKind.Array ? arguments.Literal<T[]>(name) : [.. Enumerable.Repeat(arguments.Literal<T>(name), dimensions)];

    private static int[] Extents(Tensor<float> pictures) => [.. pictures.Shape[2..].ToArray().Select(extent => (int)extent)];

    private static Ssim TorchMetrics(CallArguments arguments, double range, int dimensions)
    {
        var (sizes, sigmas) = (Each(arguments, "kernel_size", 11, dimensions), Each(arguments, "sigma", 1.5, dimensions));
        var gaussian = arguments.Literal("gaussian_kernel", true);
        var window = gaussian ? SeparableWindow.Gaussian(Array.ConvertAll(sigmas, Ssim.GaussianSize), sigmas) : SeparableWindow.Uniform(sizes);
        int[] margins = window.Margins;

        // As published, the last dimension of a volume is mirrored by half the uniform window even under a Gaussian.
        if (dimensions == 3) margins[2] = (sizes[2] - 1) / 2;
        return new(range, window, arguments.Literal("k1", 0.01), arguments.Literal("k2", 0.03)) { Margins = margins };
    }

    private static CallResults SsimTorchMetrics(CallArguments arguments)
    {
        var (output, reference, range) = Pictures(arguments);
        var extents = Extents(output);
        var ssim = TorchMetrics(arguments, range, extents.Length);
        var result = Reduced(PerImage(output, reference, (a, b) => ssim.MirroredMean(a, b, extents).Similarity, relu: false), arguments.Literal<string?>("reduction", "none"));
        var results = new CallResults().Add("ssim_torchmetrics", result).Add("ssim_torchmetrics_uniform", result);
        if (arguments.Literal("return_contrast_sensitivity", false))
            results.Add("contrast_sensitivity", Vector(PerImage(output, reference, (a, b) => ssim.MirroredMean(a, b, extents).Contrast, relu: false)));
        return arguments.Literal("return_full_image", false) ? results.Add("ssim_full_image", Maps(ssim, output, reference, repeatBorder: false)) : results;
    }

    // The similarity at every place. (B, C, ..extents).
    private static Tensor<double> Maps(Ssim ssim, Tensor<float> a, Tensor<float> b, bool repeatBorder)
    {
        var extents = Extents(a);
        var size = extents.Aggregate(1, (m, n) => m * n);
        var planes = Enumerable.Range(0, a.Length / size).Select(i => ssim.Map(a.Span.Slice(i * size, size), b.Span.Slice(i * size, size), extents, repeatBorder)).ToList();
        long[] shape = [a.Shape[0], a.Shape[1], .. planes[0].Extents.Select(extent => (long)extent)];
        return Tensor.Create(planes.SelectMany(plane => plane.Values).ToArray(), shape);
    }

    private static Ssim PytorchMsSsim(CallArguments arguments, int dimensions)
    {
        var k = arguments.Literal<double[]>("K", [0.01, 0.03]);
        var window = SeparableWindow.Gaussian([.. Enumerable.Repeat(arguments.Literal("win_size", 11), dimensions)], [.. Enumerable.Repeat(arguments.Literal("win_sigma", 1.5), dimensions)]);
        return new(arguments.Literal("data_range", 255.0), window, k[0], k[1]);
    }

    private static CallResults SsimPytorchMsSsim(CallArguments arguments)
    {
        var (output, reference) = (arguments.Tensor<float>("X"), arguments.Tensor<float>("Y"));
        var extents = Extents(output);
        var ssim = PytorchMsSsim(arguments, extents.Length);
        var values = PerImage(output, reference, (a, b) => ssim.Mean(a, b, extents).Similarity, arguments.Literal("nonnegative_ssim", false));
        return arguments.Literal("size_average", true)
            ? new CallResults().Add("ssim_pytorch_msssim", values.Average())
            : new CallResults().Add("ssim_pytorch_msssim", Vector(values));
    }

    private static CallResults SsimScikitImage(CallArguments arguments)
    {
        var (a, b) = (arguments.Tensor<float>("im1"), arguments.Tensor<float>("im2"));
        if (arguments.Literal("channel_axis", 1) != 1) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Images are (batch, channels, height, width).") { Where = "channel_axis" };
        var (gaussian, sigma, extents) = (arguments.Literal("gaussian_weights", false), arguments.Literal("sigma", 1.5), Extents(a));

        // A size given with a Gaussian changes the border and the number of samples, not the window.
        var size = arguments.Literal("win_size", gaussian ? Ssim.GaussianSize(sigma) : 7);
        var window = gaussian ? SeparableWindow.Gaussian(Array.ConvertAll(extents, _ => Ssim.GaussianSize(sigma)), Array.ConvertAll(extents, _ => sigma)) : SeparableWindow.Uniform(Array.ConvertAll(extents, _ => size));
        var ssim = new Ssim(arguments.Literal("data_range", 1.0), window, arguments.Literal("K1", 0.01), arguments.Literal("K2", 0.03))
        { SampleSize = arguments.Literal("use_sample_covariance", true) ? extents.Aggregate(1, (count, _) => count * size) : null };
        var map = Maps(ssim, a, b, repeatBorder: true);
        var values = Enumerable.Range(0, (int)a.Shape[0])
            .Select(i => Enumerable.Range(0, (int)a.Shape[1]).Average(c => Ssim.MeanOfMap(map.Slice(i).Slice(c).Span.ToArray(), extents, (size - 1) / 2))).ToArray();
        return new CallResults().Add("ssim_map_skimage", map).Add("ssim_skimage", Vector(values)).Add("ssim_skimage_gaussian", Vector(values));
    }

    private static CallResults MsSsimPytorchMsSsim(CallArguments arguments)
    {
        var (a, b) = (arguments.Tensor<float>("X"), arguments.Tensor<float>("Y"));
        var (extents, size) = (Extents(a), arguments.Literal("win_size", 11));
        var (ssim, weights) = (PytorchMsSsim(arguments, extents.Length), arguments.Literal<double[]>("weights", [.. MsSsim.PaperWeights]));
        var values = Enumerable.Range(0, (int)a.Shape[0]).Select(i => MsSsim.PerChannel(a.Slice(i).Span, b.Slice(i).Span, extents, ssim, weights)).ToArray();
        var result = arguments.Literal("size_average", true) ? Vector([values.Average()]) : Vector(values);
        return new CallResults().Add("ms_ssim_pytorch_msssim", result).Add($"ms_ssim_win{size}", result);
    }

    private static CallResults MsSsimTorchMetrics(CallArguments arguments)
    {
        var (a, b) = (arguments.Tensor<float>("preds"), arguments.Tensor<float>("target"));
        var (extents, betas, normalize) = (Extents(a), arguments.Literal<double[]>("betas", [.. MsSsim.PaperWeights]), arguments.Literal<string?>("normalize", null));
        var scales = new List<MsSsimScale>();

        // Each scale has the range of its own pixels.
        for (var (x, y, kept) = (a.Span.ToArray(), b.Span.ToArray(), extents); scales.Count < betas.Length; (x, y, kept) = (MsSsim.Halve(x, kept), MsSsim.Halve(y, kept), Array.ConvertAll(kept, n => n / 2)))
        {
            var (range, clamp) = Range(arguments, x, y);
            scales.Add(new(TorchMetrics(arguments, range, extents.Length), clamp, betas[scales.Count]));
        }

        var values = Enumerable.Range(0, (int)a.Shape[0]).Select(i => MsSsim.PerImage(a.Slice(i).Span, b.Slice(i).Span, extents, scales, normalize)).ToArray();
        var result = Reduced(values, arguments.Literal<string?>("reduction", "elementwise_mean"));
        return new CallResults().Add("ms_ssim_torchmetrics", result).Add($"ms_ssim_torchmetrics_{betas.Length}", result);
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
        double[] values = [.. Enumerable.Range(0, output.Length / length).Select(i => measure(output.Span.Slice(i * length, length), reference.Span.Slice(i * length, length)))];

        // (B, C, samples) -> (B, C), or (B) of a single channel.
        return Tensor.Create(values, output.Rank == 3 && output.Shape[1] > 1 ? [.. output.Shape[..^1]] : [values.Length]);
    }

    private static Tensor Reduced(double[] values, string? reduction) => Vector(reduction switch { "elementwise_mean" => [values.Average()], "sum" => [values.Sum()], _ => values });

    private delegate double Comparison(ReadOnlySpan<float> a, ReadOnlySpan<float> b);

    // The mean over channels of what is measured of each plane. (B, C, ..extents).
    private static double[] PerImage(Tensor<float> a, Tensor<float> b, Comparison plane, bool relu) => [.. Enumerable.Range(0, (int)a.Shape[0]).Select(i => Enumerable.Range(0, (int)a.Shape[1])
        .Average(c => plane(a.Slice(i).Slice(c).Span, b.Slice(i).Slice(c).Span) is var value && relu ? Math.Max(0, value) : value))];

    private static (Tensor<float> Output, Tensor<float> Reference, double Range) Pictures(CallArguments arguments, bool ofTargetAlone = false)
    {
        var (output, reference) = (arguments.Tensor<float>("preds"), arguments.Tensor<float>("target"));
        var (range, clamp) = Range(arguments, ofTargetAlone ? reference.Span : output.Span, reference.Span);
        return clamp is null ? (output, reference, range) : (Clamped(output), Clamped(reference), range);

        Tensor<float> Clamped(Tensor<float> x) => new(Array.ConvertAll(x.Span.ToArray(), clamp), x.Shape);
    }

    // torchmetrics: a range of two numbers clamps both; without one, it is the larger of both ranges.
    private static (double Range, Converter<float, float>? Clamp) Range(CallArguments arguments, ReadOnlySpan<float> output, ReadOnlySpan<float> reference)
    {
        if (!arguments.Has("data_range")) return (Math.Max(Extent(output), Extent(reference)), null);
        if (arguments.Json("data_range").ValueKind != JsonValueKind.Array) return (arguments.Literal<double>("data_range"), null);
        var limits = arguments.Literal<double[]>("data_range");
        return (limits[1] - limits[0], value => Math.Clamp(value, (float)limits[0], (float)limits[1]));

        static double Extent(ReadOnlySpan<float> x) => (double)x.ToArray().Max() - x.ToArray().Min();
    }
}
