using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;
using static ModelZoo.Plugins.Components.Metrics.MetricParts;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>Distances between sets of samples.</summary>
internal static class DistributionMetrics
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        Metric("fid", "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", "toshas/torch-fidelity",
            ("frechet_distance", Frechet), ("frechet_distance_statistics", FrechetFromStatistics)),
        Metric("fvd", "Towards Accurate Generative Models of Video: A New Metric & Challenges", "universome/stylegan-v",
            ("frechet_video_distance", arguments => new CallResults().Add("fvd", FrechetDistance.Compute(Statistics(arguments, "features_real"), Statistics(arguments, "features_fake"))))),
        Metric("kid", "Demystifying MMD GANs", "Lightning-AI/torchmetrics", ("kid", Kid)),
        Metric("inception-score", "Improved Techniques for Training GANs", "toshas/torch-fidelity", ("inception_score", Inception)),
        Metric("precision-recall", "Improved Precision and Recall Metric for Assessing Generative Models", "toshas/torch-fidelity", ("precision_recall", PrecisionRecall), ("prdc", Prdc)),
        Metric("mauve", "MAUVE: Measuring the Gap Between Neural Text and Human Text using Divergence Frontiers", "krishnap25/mauve", ("mauve", ComputeMauve)),
        Metric("chamfer", "Accelerating 3D Deep Learning with PyTorch3D", "facebookresearch/pytorch3d", ("chamfer", ComputeChamfer)),
        Metric("motion-metrics", "Generating Diverse and Natural 3D Human Motions from Text", "EricGuo5513/text-to-motion",
            ("fid", MotionFid), ("r_precision", RPrecision), ("diversity", Diversity), ("multimodality", Multimodality), ("mpjpe", Mpjpe)),
    ];

    private static FeatureStatistics Statistics(CallArguments arguments, string name) => FeatureStatistics.Of(arguments.Tensor<float>(name));

    private static CallResults Frechet(CallArguments arguments)
    {
        var (first, second) = (Statistics(arguments, "features_1"), Statistics(arguments, "features_2"));
        return new CallResults().Add("mu_1", Vector(first.Mean)).Add("sigma_1", Matrix(first.Covariance)).Add("mu_2", Vector(second.Mean)).Add("sigma_2", Matrix(second.Covariance))
            .AddAs(FrechetDistance.Compute(first, second), "fid", "fid_few_samples");
    }

    private static CallResults FrechetFromStatistics(CallArguments arguments)
    {
        var (mean, flat) = (arguments.Doubles("mu_1"), arguments.Doubles("sigma_1"));
        var covariance = new double[mean.Length, mean.Length];
        Buffer.BlockCopy(flat, 0, covariance, 0, flat.Length * sizeof(double));
        return new CallResults().Add("fid_statistics", FrechetDistance.Compute(new(mean, covariance), Statistics(arguments, "features_2")));
    }

    private static CallResults Kid(CallArguments arguments)
    {
        var (real, fake) = (arguments.Tensor<float>("features_real"), arguments.Tensor<float>("features_fake"));
        var kernel = new KernelDistance(arguments.Literal("degree", 3), arguments.Literal<double?>("gamma", null), arguments.Literal("coef", 1.0));

        // Subsets are drawn at random in published figures; a call fixes them by taking all rows once.
        if (arguments.Literal("subsets", 1) != 1 || arguments.Literal("subset_size", (int)real.Shape[0]) < Math.Min(real.Shape[0], fake.Shape[0]))
            throw new ModelZooException(ErrorCodes.VerbUnsupported, "Random subsets cannot be verified.") { Where = "subsets" };
        return new CallResults().AddAs(kernel.Compute(real, fake), "kid", $"kid_degree{kernel.Degree}");
    }

    private static CallResults Inception(CallArguments arguments)
    {
        var splits = arguments.Literal("splits", 10);
        if (arguments.Literal("shuffle", false)) throw new ModelZooException(ErrorCodes.VerbUnsupported, "A random order cannot be verified.") { Where = "shuffle" };
        var (mean, deviation) = InceptionScore.Compute(arguments.Tensor<float>("logits"), splits);
        return new CallResults().Add($"inception_score_mean_{splits}", mean).Add($"inception_score_std_{splits}", deviation);
    }

    private static CallResults PrecisionRecall(CallArguments arguments)
    {
        var (precision, recall) = ManifoldPrecisionRecall.Compute(arguments.Tensor<float>("features_real"), arguments.Tensor<float>("features_fake"), arguments.Literal("neighborhood", 3));
        return new CallResults().Add("precision", precision).Add("recall", recall).Add("f_score", 2 * precision * recall / Math.Max(1e-5, precision + recall));
    }

    private static CallResults Prdc(CallArguments arguments)
    {
        var (precision, recall, density, coverage) = ManifoldPrecisionRecall.Prdc(arguments.Tensor<float>("features_real"), arguments.Tensor<float>("features_fake"), arguments.Literal("nearest_k", 5));
        return new CallResults().Add("prdc_precision", precision).Add("prdc_recall", recall).Add("density", density).Add("coverage", coverage);
    }

    private static CallResults ComputeMauve(CallArguments arguments)
    {
        var (p, q) = (arguments.Doubles("p_hist"), arguments.Doubles("q_hist"));
        var curve = Mauve.DivergenceCurve(p, q, arguments.Literal("divergence_curve_discretization_size", 25), arguments.Literal("mauve_scaling_factor", 5.0));
        return new CallResults().Add("divergence_curve", Tensor.Create(curve.SelectMany(point => new[] { point.Q, point.P }).ToArray(), curve.Length, 2))
            .Add("mauve", Mauve.Area(curve)).Add("frontier_integral", Mauve.FrontierIntegral(p, q));
    }

    private static CallResults ComputeChamfer(CallArguments arguments)
    {
        var (points, truth, threshold) = (arguments.Tensor<float>("points"), arguments.Tensor<float>("points_true"), arguments.Literal("threshold", 0.1));
        var clouds = Enumerable.Range(0, (int)points.Shape[0]).Select(i => Chamfer.Of(points.Slice(i).Span, truth.Slice(i).Span, (int)points.Shape[^1])).ToList();
        return new CallResults()
            .Add("distance_to_true", Tensor.Create(clouds.SelectMany(cloud => cloud.ToTrue).ToArray(), points.Shape[0], points.Shape[1]))
            .Add("distance_to_points", Tensor.Create(clouds.SelectMany(cloud => cloud.ToPredicted).ToArray(), truth.Shape[0], truth.Shape[1]))
            .Add("chamfer_l2", Vector(clouds.Select(cloud => cloud.L2))).Add("chamfer_l1", Vector(clouds.Select(cloud => cloud.L1)))
            .Add("precision", Vector(clouds.Select(cloud => cloud.Precision(threshold)))).Add("recall", Vector(clouds.Select(cloud => cloud.Recall(threshold))))
            .Add("f_score", Vector(clouds.Select(cloud => cloud.FScore(threshold)))).Add("hausdorff", Vector(clouds.Select(cloud => cloud.Hausdorff)));
    }

    private static CallResults MotionFid(CallArguments arguments)
    {
        var (reference, generated) = (Statistics(arguments, "reference_embeddings"), Statistics(arguments, "generated_embeddings"));
        return new CallResults().Add("mean_reference", Vector(reference.Mean)).Add("covariance_reference", Matrix(reference.Covariance)).Add("fid", FrechetDistance.Compute(reference, generated));
    }

    private static CallResults RPrecision(CallArguments arguments)
    {
        var (texts, motions, batch) = (arguments.Tensor<float>("text_embeddings"), arguments.Tensor<float>("motion_embeddings"), arguments.Literal("batch_size", 32));
        var (precision, distance) = MotionMetrics.RetrievalScores(texts, motions, batch, arguments.Literal("top_k", 3));
        return new CallResults().Add("distance_matrix_0", Matrix(MotionMetrics.Distances(First(texts, batch), First(motions, batch))))
            .Add("r_precision", Vector(precision)).Add("multimodal_distance", distance);

        static Tensor<float> First(Tensor<float> rows, int count)
        {
            var taken = Math.Min(count, rows.Shape[0]);
            return new(rows.Memory[..(int)(taken * rows.Shape[1])], [taken, rows.Shape[1]]);
        }
    }

    private static CallResults Diversity(CallArguments arguments) => new CallResults()
        .Add("diversity", MotionMetrics.Diversity(arguments.Tensor<float>("embeddings"), arguments.Ids("first_indices"), arguments.Ids("second_indices")));

    private static CallResults Multimodality(CallArguments arguments) => new CallResults()
        .Add("multimodality", MotionMetrics.Multimodality(arguments.Tensor<float>("embeddings"), arguments.Ids("first_indices"), arguments.Ids("second_indices")));

    private static CallResults Mpjpe(CallArguments arguments) => new CallResults()
        .Add("mpjpe", Vector(MotionMetrics.Mpjpe(arguments.Tensor<float>("reference_joints"), arguments.Tensor<float>("predicted_joints"))));
}
