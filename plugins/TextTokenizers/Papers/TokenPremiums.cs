// Explaining and Mitigating Crosslingual Tokenizer Inequities. Arnett, Chang, Biderman, Bergen. arXiv:2510.21909
// Published layout: tokenizer.json files by language and size. Deviations: no public code; regression on standardised predictors, log-log interpolation in place of a fitted curve.
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Tokens that languages need for the same text, what explains the difference, and the vocabulary size that evens it out.</summary>
internal static class TokenPremiums
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Analysis("crosslingual-token-premiums", "Explaining and Mitigating Crosslingual Tokenizer Inequities", "2510.21909",
            ["Catherine Arnett", "Tyler A. Chang", "Stella Biderman", "Benjamin K. Bergen"], null)
            with { Layouts = ["<language>-<size>.json"], Deviations = "No public code; the curve of size against count is piecewise linear in logarithms." },
        source =>
        {
            var tokenizers = new TokenizerSet(source);
            var asked = 0;
            return new PaperModel(source).Compares(tokenizers, "token-premium", "bytes-per-token", "fertility")
                .OnLines("count", line =>
                {
                    int[] counts = [.. line.Texts("sentences").Select(sentence => tokenizers[line.Text("tokenizer")].EncodePlain(sentence).Count)];
                    return Line.Of(("counts", counts), ("ctc", counts.Sum()));
                })
                .On("premium", arguments => Premium(arguments.Tensor("counts").ToDoubles(), arguments.Literal("reference", 0)))
                .On("regress", arguments => Regress(arguments.Tensor("x").ToDoubles(), arguments.Tensor("y").ToDoubles()))
                .On("vocabulary_for", arguments =>
                {
                    var size = VocabularyFor(arguments.Tensor("sizes").ToDoubles().Span, arguments.Tensor("ctc").ToDoubles().Span, arguments.Literal<double>("target"));
                    // Cases number the answers of a row of calls.
                    return new CallResults().Add("vocabulary_size", size).Add($"vocabulary_size_{Interlocked.Increment(ref asked) - 1}", size);
                });
        });

    /// <summary>Counts (languages, sentences) relative to a reference language: totals, and the mean over sentences.</summary>
    public static CallResults Premium(Tensor<double> counts, int reference)
    {
        var (languages, sentences) = ((int)counts.Shape[0], (int)counts.Shape[1]);
        double[] totals = [.. Enumerable.Range(0, languages).Select(language => Sum(counts.Slice(language).Span))];
        double[] bySentence = [.. Enumerable.Range(0, languages).Select(language => Enumerable.Range(0, sentences).Average(i => counts[language, i] / counts[reference, i]))];
        return new CallResults()
            .Add("ctc", Tensor.Create<long>([.. totals.Select(total => (long)total)], languages))
            .Add("premium", Tensor.Create<double>([.. totals.Select(total => total / totals[reference])], languages))
            .Add("sentence_premium", Tensor.Create(bySentence, languages));
    }

    /// <summary>Ordinary least squares with intercept on predictors (n, p) of mean 0 and population deviation 1.</summary>
    public static CallResults Regress(Tensor<double> x, Tensor<double> y)
    {
        var (n, p) = ((int)x.Shape[0], (int)x.Shape[1]);
        var standardized = Tensor.Zeros<double>(n, p);
        for (var column = 0; column < p; column++)
        {
            var mean = Enumerable.Range(0, n).Average(row => x[row, column]);
            var deviation = Math.Sqrt(Enumerable.Range(0, n).Average(row => (x[row, column] - mean) * (x[row, column] - mean)));
            for (var row = 0; row < n; row++) standardized[row, column] = (x[row, column] - mean) / deviation;
        }

        double Predictor(int row, int column) => column == 0 ? 1 : standardized[row, column - 1];
        var normal = new double[p + 1, p + 2];     // X'X | X'y
        for (var i = 0; i <= p; i++)
        {
            for (var j = 0; j <= p; j++) normal[i, j] = Enumerable.Range(0, n).Sum(row => Predictor(row, i) * Predictor(row, j));
            normal[i, p + 1] = Enumerable.Range(0, n).Sum(row => Predictor(row, i) * y.Span[row]);
        }

        var coefficients = Solve(normal);
        var center = Sum(y.Span) / n;
        var (residual, total) = (0.0, 0.0);
        for (var row = 0; row < n; row++)
        {
            var fitted = Enumerable.Range(0, p + 1).Sum(i => coefficients[i] * Predictor(row, i));
            residual += (y.Span[row] - fitted) * (y.Span[row] - fitted);
            total += (y.Span[row] - center) * (y.Span[row] - center);
        }

        var r2 = 1 - residual / total;
        return new CallResults().Add("standardized", standardized).Add("coefficients", Tensor.Create(coefficients, p + 1)).Add("r2", r2).Add("adjusted_r2", 1 - (1 - r2) * (n - 1) / (n - p - 1));
    }

    /// <summary>The smallest vocabulary with that count: sizes rise, segments are linear in logarithms, and the outer ones go on beyond the ends.</summary>
    public static double VocabularyFor(ReadOnlySpan<double> sizes, ReadOnlySpan<double> counts, double target)
    {
        for (var i = 0; i + 1 < sizes.Length; i++)
        {
            var (high, low) = (Math.Max(counts[i], counts[i + 1]), Math.Min(counts[i], counts[i + 1]));
            if (target <= high && target >= low) return At(i, sizes, counts, target);
        }

        return At(target > counts[0] ? 0 : sizes.Length - 2, sizes, counts, target);
    }

    private static double At(int segment, ReadOnlySpan<double> sizes, ReadOnlySpan<double> counts, double target)
    {
        var (x0, x1, y0, y1) = (Math.Log(sizes[segment]), Math.Log(sizes[segment + 1]), Math.Log(counts[segment]), Math.Log(counts[segment + 1]));
        return y0 == y1 ? sizes[segment] : Math.Exp(x0 + (Math.Log(target) - y0) * (x1 - x0) / (y1 - y0));
    }

    // Gauss with pivots.
    private static double[] Solve(double[,] system)
    {
        var n = system.GetLength(0);
        for (var column = 0; column < n; column++)
        {
            var pivot = Enumerable.Range(column, n - column).MaxBy(row => Math.Abs(system[row, column]));
            for (var j = 0; j <= n; j++) (system[column, j], system[pivot, j]) = (system[pivot, j], system[column, j]);
            for (var row = 0; row < n; row++)
            {
                if (row == column) continue;
                var factor = system[row, column] / system[column, column];
                for (var j = column; j <= n; j++) system[row, j] -= factor * system[column, j];
            }
        }

        return [.. Enumerable.Range(0, n).Select(i => system[i, n] / system[i, i])];
    }

    private static double Sum(ReadOnlySpan<double> values)
    {
        var sum = 0.0;
        foreach (var value in values) sum += value;
        return sum;
    }

}
