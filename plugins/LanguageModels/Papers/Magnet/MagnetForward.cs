using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Metrics;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The authors' own calls: a batch is divided by script, and each part goes through its script's boundary predictor.</summary>
internal sealed class MagnetForward(Hourglass hourglass, MagnetConfig config)
{
    private sealed record Part(string Script, int[] Rows, Tensor<long> Ids, Tensor<float> Soft, Tensor<bool> Hard, long Shortened, Tensor<float> Hidden, Tensor<float> Logits);

    /// <summary><c>forward(batch, task)</c>: with task LM logits (T - 1, B, V) and their loss, else hidden states (T, B, D); rows in the order of the scripts' ids.</summary>
    public async Task<CallResults> RunAsync(CallArguments arguments, CancellationToken cancel)
    {
        var isLanguageModel = arguments.Literal("task", "LM") == "LM";
        var (parts, mask) = await PartsAsync(arguments, cancel).ConfigureAwait(false);
        var results = new CallResults();
        results.Add("soft_boundaries", Rows(parts, part => part.Soft)).Add("hard_boundaries", Rows(parts, part => Floats(part.Hard))).Add("boundaries", Rows(parts, part => Numbers(part.Hard)));
        foreach (var part in parts) Describe(results, part, mask, isLanguageModel);
        results.Add("loss_boundaries", Tensor.Create([.. parts.Select(part => Loss(part, mask, isLanguageModel))], parts.Count));
        if (!isLanguageModel) return results.Add("hidden", Columns(parts, part => part.Hidden, drop: 0)).Return(Columns(parts, part => part.Hidden, drop: 0));
        var logits = Columns(parts, part => part.Logits, drop: 1);                                                      // (T - 1, B, V)
        results.Add("loss", CrossEntropy(parts, logits)).Add("logits", logits);
        return results.Return(logits);
    }

    /// <summary>The classifier: a map of the mean of all hidden states that are not padding.</summary>
    public async Task<CallResults> ClassifyAsync(Network score, CallArguments arguments, CancellationToken cancel)
    {
        var (parts, mask) = await PartsAsync(arguments, cancel).ConfigureAwait(false);
        var hidden = Columns(parts, part => part.Hidden, drop: 0);                                                      // (T, B, D)
        var mean = Tensor.Zeros<float>(hidden.Shape[1], hidden.Shape[2]);
        for (var row = 0; row < (int)mean.Shape[0]; row++)
        {
            // As published, the mask is that of the rows as they came, although the states are in the order of the scripts.
            var target = mean.Slice(row).Span;
            var count = 0;
            for (var t = 0; t < (int)hidden.Shape[0]; t++)
            {
                if (mask[row, t] == 0) continue;
                TensorPrimitives.Add(target, hidden.Place(t, row), target);
                count++;
            }

            TensorPrimitives.Divide(target, count, target);
        }

        var logits = (await score.RunAsync(cancel, ("hidden", mean)).ConfigureAwait(false))["logits"];
        var results = new CallResults().Add("loss_boundaries", Tensor.Create([.. parts.Select(part => Loss(part, mask, isLanguageModel: false))], parts.Count));
        if (arguments.FindTensor<long>("labels") is { } labels)
        {
            var (sum, count) = Perplexity.Score(logits, labels.Span, ignore: -100);
            results.Add("loss", Tensor.Scalar((float)(-sum / count)));
        }

        return results.Add("logits", logits).Return(logits);
    }

    private async Task<(List<Part> Parts, Tensor<long> Mask)> PartsAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (given, uniforms) = (arguments.Tensor<long>("input_ids"), arguments.FindTensor<float>("uniforms"));
        var (rows, length) = ((int)given.Shape[0], (int)given.Shape[1] - 1);
        var mask = arguments.FindTensor<long>("attention_mask") ?? Tensor.Create([.. Enumerable.Repeat(1L, rows * length)], rows, length);
        var parts = new List<Part>();
        foreach (var group in Enumerable.Range(0, rows).GroupBy(row => given[row, 0]).OrderBy(group => group.Key))
        {
            var (script, chosen) = (config.ScriptOf(group.Key), group.ToArray());
            var ids = Tensor.Create([.. chosen.SelectMany(row => given.Slice(row).Span[1..].ToArray())], chosen.Length, length);
            var draws = uniforms is null ? null : Tensor.Create([.. chosen.SelectMany(row => uniforms.Slice(row).Span[..length].ToArray())], chosen.Length, length);
            parts.Add(await RunAsync(script, chosen, ids, draws, cancel).ConfigureAwait(false));
        }

        return (parts, mask);
    }

    private async Task<Part> RunAsync(string script, int[] rows, Tensor<long> ids, Tensor<float>? uniforms, CancellationToken cancel)
    {
        var hidden = (await hourglass.Encoder.RunAsync(("ids", ids), hourglass.Encoder.Begin(rows.Length), cancel).ConfigureAwait(false)).Outputs["hidden"];
        var soft = hourglass.Soft(await hourglass.PredictAsync(MagnetConfig.Predictor(script), hidden, cancel).ConfigureAwait(false), uniforms);
        var hard = Hourglass.Hard(soft);
        var groups = SegmentPooling.Pool(hidden, hard, hourglass.NullGroup);
        var states = (await hourglass.Middle.RunAsync(("groups", groups), hourglass.Middle.Begin(rows.Length), cancel).ConfigureAwait(false)).Outputs["states"];
        var x = HourglassByteModel.Add(SegmentPooling.Upsample(states, hard), hidden);
        var outputs = (await hourglass.Decoder.RunAsync(("x", x), hourglass.Decoder.Begin(rows.Length), cancel).ConfigureAwait(false)).Outputs;
        return new(script, rows, ids, soft, hard, groups.Shape[1], outputs["hidden"], outputs["logits"]);
    }

    // As published, over the places that the mask keeps.
    private void Describe(CallResults results, Part part, Tensor<long> mask, bool isLanguageModel)
    {
        var counts = part.Rows.Select((row, i) => (Kept: mask.Slice(row).Span.Count(1), Boundaries: Boundaries(part, i, mask.Slice(row).Span))).ToArray();
        results.Add($"{part.Script}_p_ones", Tensor.Scalar((float)counts.Average(count => (double)count.Boundaries / count.Kept)))
            .Add($"{part.Script}_compression_rate", Tensor.Scalar((float)counts.Average(count => (double)count.Kept / count.Boundaries)))
            .Add($"{part.Script}_loss_boundaries", Tensor.Scalar(Loss(part, mask, isLanguageModel)))
            .Add($"{part.Script}_shortened_length", Tensor.Scalar((float)part.Shortened));
    }

    // Minus the logarithm of the binomial probability of so many boundaries; of a language model over the length, which is then the number of trials.
    private float Loss(Part part, Tensor<long> mask, bool isLanguageModel)
    {
        var (prior, length) = (config.AllScriptIdsDict[part.Script], (int)part.Hard.Shape[1]);
        return (float)(isLanguageModel
            ? Enumerable.Range(0, part.Rows.Length).Average(i => -BoundaryLoss.LogBinomial(part.Hard.Slice(i).Span.Count(true), length, prior)) / length
            : part.Rows.Select((row, i) => -BoundaryLoss.LogBinomial(Boundaries(part, i, mask.Slice(row).Span), mask.Slice(row).Span.Count(1), prior)).Average());
    }

    private static int Boundaries(Part part, int row, ReadOnlySpan<long> mask)
    {
        var count = 0;
        for (var t = 0; t < (int)part.Hard.Shape[1]; t++) count += part.Hard[row, t] && mask[t] == 1 ? 1 : 0;
        return count;
    }

    private static Tensor<float> CrossEntropy(List<Part> parts, Tensor<float> logits)
    {
        var columns = parts.SelectMany(part => Enumerable.Range(0, part.Rows.Length).Select(row => part.Ids.Slice(row).Span.ToArray())).ToArray();
        var targets = Enumerable.Range(1, (int)logits.Shape[0]).SelectMany(t => columns.Select(column => column[t])).ToArray();
        var (sum, count) = Perplexity.Score(logits.Reshape(targets.Length, logits.Shape[2]), targets, ignore: -100);
        return Tensor.Scalar((float)(-sum / count));
    }

    // (B, T) of the parts, one below the other.
    private static Tensor<T> Rows<T>(List<Part> parts, Func<Part, Tensor<T>> of) where T : unmanaged =>
        Tensor.Create([.. parts.SelectMany(part => of(part).Span.ToArray())], parts.Sum(part => part.Rows.Length), of(parts[0]).Shape[1]);

    // (rows, T, D) of the parts as (T - drop, B, D): time first.
    private static Tensor<float> Columns(List<Part> parts, Func<Part, Tensor<float>> of, int drop)
    {
        var first = of(parts[0]);
        var (length, count) = ((int)first.Shape[1] - drop, parts.Sum(part => part.Rows.Length));
        var columns = Tensor.Zeros<float>(length, count, first.Shape[2]);
        for (var t = 0; t < length; t++)
        {
            var column = 0;
            foreach (var part in parts)
            {
                for (var row = 0; row < part.Rows.Length; row++) of(part).Place(row, t).CopyTo(columns.Place(t, column++));
            }
        }

        return columns;
    }

    private static Tensor<float> Floats(Tensor<bool> x) => Tensor.Create(Array.ConvertAll(x.Span.ToArray(), value => value ? 1f : 0), x.Shape);

    private static Tensor<long> Numbers(Tensor<bool> x) => Tensor.Create(Array.ConvertAll(x.Span.ToArray(), value => value ? 1L : 0), x.Shape);
}
