using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;
using static ModelZoo.Plugins.Components.Metrics.MetricParts;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>Measures of classes, clusters, boxes and codes.</summary>
internal static class LabelMetrics
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        Metric("classification", "Scikit-learn: Machine Learning in Python", "scikit-learn/scikit-learn", ("classification", Classification)),
        Metric("segmentation", "Fully Convolutional Networks for Semantic Segmentation", "Lightning-AI/torchmetrics", ("miou", Miou), ("mask_iou", MaskIou)),
        Metric("clustering", "Scikit-learn: Machine Learning in Python", "scikit-learn/scikit-learn", ("clustering", Clustering), ("cluster_quality", Quality)),
        Metric("detection-map", "Microsoft COCO: Common Objects in Context", "cocodataset/cocoapi", ("coco_map", CocoMap)),
        Metric("correlation", "SciPy 1.0", "scipy/scipy", ("correlation", Correlations)),
        Metric("codebook-usage", "Taming Transformers for High-Resolution Image Synthesis", "CompVis/taming-transformers", ("codebook_usage", Usage)),
        Metric("perplexity", "A Neural Probabilistic Language Model", "EleutherAI/lm-evaluation-harness", ("perplexity", ComputePerplexity), ("bits_per_byte", BitsPerByte)),
    ];

    private static CallResults Classification(CallArguments arguments)
    {
        var (logits, labels) = (arguments.Tensor<float>("logits"), arguments.Ids("labels"));
        var (n, classes) = ((int)logits.Shape[0], (int)logits.Shape[1]);
        var scores = Enumerable.Range(0, n).Select(i => Array.ConvertAll(logits.Slice(i).Span.ToArray(), x => (double)x)).ToArray();
        var probabilities = scores.Select(Probabilities).ToArray();
        var predictions = scores.Select(row => (long)Array.IndexOf(row, row.Max())).ToArray();
        var metrics = ClassificationMetrics.Count(labels, predictions, classes);
        var results = new CallResults().Add("predictions", Vector(predictions)).Add("confusion", Matrix(metrics.Confusion))
            .Add("accuracy", metrics.Accuracy).Add("balanced_accuracy", metrics.BalancedAccuracy);
        for (var k = 2; k <= classes; k++) results.Add($"top{k}_accuracy", ProbabilityMetrics.TopAccuracy(scores, labels, k));
        foreach (var (name, measure) in new (string, Func<int, double>)[] { ("f1", metrics.F1), ("precision", metrics.Precision), ("recall", metrics.Recall) })
            results.Add($"{name}_macro", metrics.Macro(measure)).Add($"{name}_micro", metrics.Accuracy).Add($"{name}_weighted", metrics.Weighted(measure));
        return results.Add("mcc", metrics.Matthews).Add("cohen_kappa", metrics.Kappa).Add("log_loss", ProbabilityMetrics.LogLoss(probabilities, labels))
            .Add("auroc_ovr_macro", OneAgainstRest(ProbabilityMetrics.Auroc)).Add("average_precision_macro", OneAgainstRest(ProbabilityMetrics.AveragePrecision))
            .Add("ece_15_l1", ProbabilityMetrics.CalibrationError(probabilities, labels));

        double OneAgainstRest(Func<IReadOnlyList<double>, IReadOnlyList<bool>, double> measure) =>
            Enumerable.Range(0, classes).Average(c => measure([.. probabilities.Select(row => row[c])], [.. labels.Select(label => label == c)]));
    }

    private static double[] Probabilities(double[] logits)
    {
        var max = logits.Max();
        var exps = Array.ConvertAll(logits, x => Math.Exp(x - max));
        var sum = exps.Sum();
        return Array.ConvertAll(exps, x => x / sum);
    }

    private static CallResults Miou(CallArguments arguments)
    {
        var classes = arguments.Literal<int>("classes");
        var metrics = ClassificationMetrics.Count(arguments.Ids("labels"), arguments.Ids("predictions"), classes, arguments.Literal<long?>("ignore_index", null));
        return new CallResults().Add("confusion", Matrix(metrics.Confusion)).Add("iou", Vector(Enumerable.Range(0, classes).Select(metrics.Iou))).Add("miou", metrics.Macro(metrics.Iou))
            .Add("pixel_accuracy", metrics.Accuracy).Add("mean_accuracy", metrics.BalancedAccuracy).Add("frequency_weighted_iou", metrics.Weighted(metrics.Iou));
    }

    private static CallResults MaskIou(CallArguments arguments)
    {
        var (predicted, truth, masks) = (arguments.Ids("masks_predicted"), arguments.Ids("masks_true"), (int)arguments.Tensor("masks_true").Shape[0]);
        var size = truth.Length / masks;
        var overlaps = Enumerable.Range(0, masks).Select(i => MaskOverlap.Of(predicted.AsSpan(i * size, size), truth.AsSpan(i * size, size))).ToList();
        return new CallResults().Add("iou_per_mask", Vector(overlaps.Select(o => o.Iou))).Add("giou", overlaps.Average(o => o.Iou))
            .Add("ciou", (double)overlaps.Sum(o => o.Intersection) / overlaps.Sum(o => o.Union)).Add("dice_per_mask", Vector(overlaps.Select(o => o.Dice)));
    }

    private static CallResults Clustering(CallArguments arguments)
    {
        var metrics = ClusteringMetrics.Count(arguments.Ids("labels_true"), arguments.Ids("labels_pred"));
        return new CallResults().Add("contingency", Matrix(metrics.Contingency)).Add("mutual_information", metrics.MutualInformation)
            .Add("nmi_arithmetic", metrics.NormalizedMutualInformation((a, b) => (a + b) / 2)).Add("nmi_geometric", metrics.NormalizedMutualInformation((a, b) => Math.Sqrt(a * b)))
            .Add("nmi_min", metrics.NormalizedMutualInformation(Math.Min)).Add("nmi_max", metrics.NormalizedMutualInformation(Math.Max))
            .Add("ami", metrics.AdjustedMutualInformation).Add("rand", metrics.RandIndex).Add("ari", metrics.AdjustedRandIndex)
            .Add("homogeneity", metrics.Homogeneity).Add("completeness", metrics.Completeness).Add("v_measure", metrics.VMeasure)
            .Add("fowlkes_mallows", metrics.FowlkesMallows).Add("purity", metrics.Purity);
    }

    private static CallResults Quality(CallArguments arguments)
    {
        var quality = new ClusterQuality(arguments.Tensor<float>("features"), arguments.Ids("labels"));
        return new CallResults().Add("silhouette", quality.Silhouette).Add("davies_bouldin", quality.DaviesBouldin).Add("calinski_harabasz", quality.CalinskiHarabasz);
    }

    private static CallResults CocoMap(CallArguments arguments)
    {
        var (truth, detections) = (arguments.Tensor<float>("truth"), arguments.Tensor<float>("detections"));
        var map = new DetectionMap(
            [.. Rows(truth).Select(r => Box(r) with { Crowd = r[6] != 0 })],
            [.. Rows(detections).Select(r => Box(r) with { Score = r[6] })]);
        return new CallResults().Add("ap_per_class", Vector(map.PerClass)).Add("summary", Vector(map.Summary));

        static IEnumerable<float[]> Rows(Tensor<float> rows) => Enumerable.Range(0, (int)rows.Shape[0]).Select(i => rows.Slice(i).Span.ToArray());
        static DetectionBox Box(float[] r) => new((int)r[0], (int)r[1], r[2], r[3], r[4], r[5]);
    }

    private static CallResults Correlations(CallArguments arguments)
    {
        var (x, y) = (arguments.Doubles("x"), arguments.Doubles("y"));
        return new CallResults().Add("pearson", Correlation.Pearson(x, y)).Add("spearman", Correlation.Spearman(x, y)).Add("kendall_tau_b", Correlation.KendallTauB(x, y));
    }

    private static CallResults Usage(CallArguments arguments)
    {
        var usage = CodebookUsage.Of(arguments.Ids("ids"), arguments.Literal<int>("codebook_size"));
        return new CallResults().Add("counts", Vector(usage.Counts)).Add("perplexity", usage.Perplexity).Add("used", Vector([usage.Used]))
            .Add("usage", usage.Usage).Add("entropy_bits", usage.EntropyBits);
    }

    private static CallResults ComputePerplexity(CallArguments arguments)
    {
        var (logits, targets) = (arguments.Tensor<float>("logits"), arguments.Ids("targets"));
        var (rows, length) = ((int)logits.Shape[0], (int)logits.Shape[1]);
        var ignore = arguments.Literal<long?>("ignore_index", null);
        var scores = Enumerable.Range(0, rows).Select(i => Perplexity.Score(logits.Slice(i), targets.AsSpan(i * length, length), ignore)).ToList();
        return new CallResults().Add("loglikelihood", Vector(scores.Select(s => s.LogLikelihood))).Add("tokens", Vector([.. scores.Select(s => s.Tokens)]))
            .Add("perplexity", Perplexity.Of(scores.Sum(s => s.LogLikelihood), scores.Sum(s => s.Tokens)));
    }

    private static CallResults BitsPerByte(CallArguments arguments)
    {
        var (likelihood, texts) = (arguments.Doubles("loglikelihood").Sum(), arguments.Literal<string[]>("texts"));
        long[] bytes = [.. texts.Select(Perplexity.Bytes)], words = [.. texts.Select(Perplexity.Words)];
        return new CallResults().Add("bytes", Vector(bytes)).Add("words", Vector(words)).Add("bits_per_byte", Perplexity.BitsPerByte(likelihood, bytes.Sum()))
            .Add("byte_perplexity", Perplexity.Of(likelihood, bytes.Sum())).Add("word_perplexity", Perplexity.Of(likelihood, words.Sum()));
    }
}
