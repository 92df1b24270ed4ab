// Microsoft COCO: Common Objects in Context. Lin et al. arXiv:1405.0312; evaluation as in cocodataset/cocoapi.
namespace ModelZoo.Networks.Metrics;

/// <summary>A box of an image: left, top, width and height in pixels.</summary>
/// <param name="Image">Number of the image.</param>
/// <param name="Class">Number of the class.</param>
/// <param name="X">Left.</param>
/// <param name="Y">Top.</param>
/// <param name="Width">Width.</param>
/// <param name="Height">Height.</param>
public readonly record struct DetectionBox(int Image, int Class, double X, double Y, double Width, double Height)
{
    /// <summary>A detection's confidence.</summary>
    public double Score { get; init; }

    /// <summary>A true box around a crowd: what it covers is neither right nor wrong.</summary>
    public bool Crowd { get; init; }

    /// <summary>Width times height.</summary>
    public double Area => Width * Height;
}

/// <summary>Mean average precision and recall over ten thresholds of overlap.</summary>
public sealed class DetectionMap
{
    private static readonly (double Low, double High)[] Areas = [(0, 1e10), (0, 32 * 32), (32 * 32, 96 * 96), (96 * 96, 1e10)];
    private static readonly int[] Limits = [1, 10, 100];

    // As NumPy spaces them: 35 of 100 found is less than the recall 35 * 0.01.
    private static readonly double[] Thresholds = [.. Enumerable.Range(0, 10).Select(i => i == 9 ? 0.95 : 0.5 + i * ((0.95 - 0.5) / 9))];
    private static readonly double[] Recalls = [.. Enumerable.Range(0, 101).Select(i => i == 100 ? 1 : i * 0.01)];

    // Interpolated precisions and final recalls by (class, area, limit, threshold); null where there is no truth.
    private readonly Dictionary<(int Class, int Area, int Limit), (double[][] Precision, double[] Recall)?> _results = [];
    private readonly int[] _classes;

    /// <summary>Matches detections to true boxes.</summary>
    public DetectionMap(IReadOnlyList<DetectionBox> truth, IReadOnlyList<DetectionBox> detections)
    {
        _classes = [.. truth.Concat(detections).Select(box => box.Class).Distinct().Order()];
        int[] images = [.. truth.Concat(detections).Select(box => box.Image).Distinct().Order()];
        var (trueBoxes, foundBoxes) = (truth.ToLookup(box => (box.Class, box.Image)), detections.ToLookup(box => (box.Class, box.Image)));
        foreach (var c in _classes)
        {
            for (var area = 0; area < Areas.Length; area++)
            {
                var matches = images.Select(image => Match([.. trueBoxes[(c, image)]], [.. foundBoxes[(c, image)].OrderByDescending(box => box.Score).Take(Limits[^1])], Areas[area])).ToList();
                foreach (var limit in Limits) _results[(c, area, limit)] = Accumulate(matches, limit);
            }
        }
    }

    /// <summary>AP, AP50, AP75, AP small, medium, large, AR1, AR10, AR100, AR small, medium, large; -1 where there is no truth of that size.</summary>
    public double[] Summary =>
    [
        Precision(0), Precision(0, threshold: 0), Precision(0, threshold: 5), Precision(1), Precision(2), Precision(3),
        Recall(0, 1), Recall(0, 10), Recall(0, 100), Recall(1, 100), Recall(2, 100), Recall(3, 100),
    ];

    /// <summary>AP of each class, in ascending order of their numbers; -1 where there is no truth.</summary>
    public double[] PerClass => [.. _classes.Select(c => Mean(_results[(c, 0, 100)] is { } r ? r.Precision.SelectMany(p => p) : []))];

    private double Precision(int area, int? threshold = null) => Mean(_classes.Select(c => _results[(c, area, 100)]).Where(r => r is not null)
        .SelectMany(r => threshold is { } t ? r!.Value.Precision[t] : r!.Value.Precision.SelectMany(p => p)));

    private double Recall(int area, int limit) => Mean(_classes.Select(c => _results[(c, area, limit)]).Where(r => r is not null).SelectMany(r => r!.Value.Recall));

    private static double Mean(IEnumerable<double> values) => values.DefaultIfEmpty(-1).Average();

    private static ImageMatches Match(DetectionBox[] truth, DetectionBox[] found, (double Low, double High) area)
    {
        truth = [.. truth.OrderBy(Ignored)];
        var (matched, ignored) = (new bool[Thresholds.Length, found.Length], new bool[Thresholds.Length, found.Length]);
        for (var t = 0; t < Thresholds.Length; t++)
        {
            var taken = new bool[truth.Length];
            for (var d = 0; d < found.Length; d++)
            {
                var (best, at) = (Math.Min(Thresholds[t], 1 - 1e-10), -1);
                for (var g = 0; g < truth.Length; g++)
                {
                    if (taken[g] && !truth[g].Crowd) continue;

                    // Counted boxes come first: a match among them is not given up for one that is ignored.
                    if (at >= 0 && !Ignored(truth[at]) && Ignored(truth[g])) break;
                    if (Overlap(found[d], truth[g]) is var overlap && overlap >= best) (best, at) = (overlap, g);
                }

                if (at >= 0)
                {
                    taken[at] = true;
                    (matched[t, d], ignored[t, d]) = (true, Ignored(truth[at]));
                }
                else
                {
                    ignored[t, d] = found[d].Area < area.Low || found[d].Area > area.High;
                }
            }
        }

        return new([.. found.Select(box => box.Score)], matched, ignored, truth.Count(box => !Ignored(box)));

        bool Ignored(DetectionBox box) => box.Crowd || box.Area < area.Low || box.Area > area.High;
    }

    private static double Overlap(DetectionBox found, DetectionBox truth)
    {
        var width = Math.Min(found.X + found.Width, truth.X + truth.Width) - Math.Max(found.X, truth.X);
        var height = Math.Min(found.Y + found.Height, truth.Y + truth.Height) - Math.Max(found.Y, truth.Y);
        if (width <= 0 || height <= 0) return 0;
        var shared = width * height;
        return shared / (truth.Crowd ? found.Area : found.Area + truth.Area - shared);
    }

    private static (double[][] Precision, double[] Recall)? Accumulate(List<ImageMatches> images, int limit)
    {
        var positives = images.Sum(image => image.Positives);
        if (positives == 0) return null;
        var order = images.SelectMany(image => image.Scores.Take(limit).Select((score, d) => (Image: image, Detection: d, Score: score))).OrderByDescending(entry => entry.Score).ToList();
        var (precisions, recalls) = (new double[Thresholds.Length][], new double[Thresholds.Length]);
        for (var t = 0; t < Thresholds.Length; t++)
        {
            var (right, wrong) = (0, 0);
            var (precision, recall) = (new List<double>(), new List<double>());
            foreach (var (image, detection, _) in order)
            {
                if (!image.Ignored[t, detection])
                {
                    if (image.Matched[t, detection]) right++;
                    else wrong++;
                }

                recall.Add((double)right / positives);
                precision.Add(right / (right + wrong + 2.220446049250313e-16));
            }

            for (var i = precision.Count - 2; i >= 0; i--) precision[i] = Math.Max(precision[i], precision[i + 1]);
            recalls[t] = recall.Count == 0 ? 0 : recall[^1];
            precisions[t] = Array.ConvertAll(Recalls, wanted => recall.FindIndex(r => r >= wanted) is var i and >= 0 ? precision[i] : 0);
        }

        return (precisions, recalls);
    }

    private sealed record ImageMatches(double[] Scores, bool[,] Matched, bool[,] Ignored, int Positives);
}
