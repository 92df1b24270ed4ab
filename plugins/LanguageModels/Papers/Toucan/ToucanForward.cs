using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>The authors' <c>forward(data, target, boundaries_gt)</c>: time first, and with a target the ends of tokens put into it.</summary>
internal sealed class ToucanForward(Hourglass hourglass, ToucanConfig config, Tensor<float> table)
{
    private const long Ignored = -100;

    /// <summary>data (T, B), target (last places, B) or none, boundaries_gt (T, B), uniforms (B, T).</summary>
    public async Task<CallResults> RunAsync(CallArguments arguments, int? blank, CancellationToken cancel)
    {
        var (data, target) = (Turned(arguments.Tensor<long>("data")), arguments.FindTensor<long>("target"));
        var (rows, length) = ((int)data.Shape[0], (int)data.Shape[1]);
        var given = Given(arguments);
        var hidden = (await hourglass.Encoder.RunAsync(("ids", data), hourglass.Encoder.Begin(rows), cancel).ConfigureAwait(false)).Outputs["hidden"];
        var soft = config.Predictor is null ? null : hourglass.Soft(await hourglass.PredictAsync(config.Predictor, hidden, cancel).ConfigureAwait(false), arguments.FindTensor<float>("uniforms"));
        var hard = soft is not null ? Hourglass.Hard(soft)
            : given ?? Tensor.Create([.. Enumerable.Range(0, rows * length).Select(i => config.IsBoundary(i % length, (int)data.Span[i], blank))], rows, length);
        var middle = (await hourglass.Middle.RunAsync(("groups", SegmentPooling.Pool(hidden, hard, hourglass.NullGroup)), hourglass.Middle.Begin(rows), cancel).ConfigureAwait(false)).Outputs;
        var spread = SegmentPooling.Upsample(middle["states"], hard);
        var x = config.AddEot ? Expand(data, hard, spread, middle["states"]) : HourglassByteModel.Add(spread, hidden);
        var decoded = (await hourglass.Decoder.RunAsync(("x", x), hourglass.Decoder.Begin(rows), cancel).ConfigureAwait(false)).Outputs;
        var logits = TimeFirst(decoded["logits"], (int)decoded["logits"].Shape[1]);
        var kept = (int)(target?.Shape[0] ?? length);
        var results = new CallResults().Add("hard_boundaries", Floats(Last(hard, kept))).Add("p_ones", Tensor.Scalar((float)hard.Span.Count(true) / hard.Length))
            .Add("shortened_length", Tensor.Scalar((float)middle["states"].Shape[1])).Add("pre_token_model", TimeFirst(middle["normed"])).Add("pre_upsample", TimeFirst(middle["states"]))
            .Add("last_hidden", TimeFirst(x)).Add("hidden", TimeFirst(decoded["hidden"]));
        if (soft is not null) results.Add("soft_boundaries", Last(soft, kept));
        if (target is null) return results.Add("logits", TimeFirst(decoded["logits"], length)).Return(TimeFirst(decoded["logits"], length));

        var expected = Targets(target, hard);
        logits = TimeFirst(decoded["logits"], expected.Count);
        results.Add("loss_boundaries", Tensor.Scalar(BoundaryLossOf(soft, hard, given, logits, kept)));
        return Score(results, logits, expected);
    }

    // Characters and ends of tokens of each row; a shorter one goes on with one more end and then with rows that nothing depends on. -> (B, T + most boundaries, D).
    private Tensor<float> Expand(Tensor<long> data, Tensor<bool> hard, Tensor<float> spread, Tensor<float> states)
    {
        var (rows, length) = ((int)data.Shape[0], (int)data.Shape[1]);
        var x = Tensor.Zeros<float>(rows, length + Enumerable.Range(0, rows).Max(row => hard.Slice(row).Span.Count(true)), config.DModel);
        var end = table.Slice(config.NToken).Span;
        for (var row = 0; row < rows; row++)
        {
            var ids = Array.ConvertAll(data.Slice(row).Span.ToArray(), id => (int)id);
            var expanded = ToucanStream.Expand(ids, hard.Slice(row).Span, spread, row, states.Place(row, 0), table, config.NToken).Rows;
            expanded.Span.CopyTo(x.Slice(row).Span);
            for (var place = (int)expanded.Shape[1]; place < (int)x.Shape[1]; place++)
            {
                if (place == expanded.Shape[1]) spread.Place(row, length - 1).CopyTo(x.Place(row, place));
                TensorPrimitives.Add(x.Place(row, place), end, x.Place(row, place));
            }
        }

        return x;
    }

    // The target of each row of the output (time, B); null where a shorter sequence has none.
    private List<long?[]> Targets(Tensor<long> target, Tensor<bool> hard)
    {
        var (rows, length, kept) = ((int)hard.Shape[0], (int)hard.Shape[1], (int)target.Shape[0]);
        if (!config.AddEot) return [.. Enumerable.Range(0, kept).Select(t => target.Slice(t).Span.ToArray().Select(id => (long?)id).ToArray())];
        var left = length - kept;
        var counted = Enumerable.Range(0, rows).Select(row =>
        {
            // Boundaries up to each place, those before the target left out.
            var sums = new int[length + 1];
            for (var t = 0; t < length; t++) sums[t + 1] = sums[t] + (t >= left && hard[row, t] ? 1 : 0);
            return sums[1..];
        }).ToArray();
        var result = Enumerable.Range(0, length + counted.Max(sums => sums[^1])).Select(_ => new long?[rows]).ToList();
        for (var row = 0; row < rows; row++)
        {
            var last = length - 1 + counted[row][^1];
            for (var place = 0; place <= last; place++) result[place][row] = config.NToken;
            // A character's target stands one later when the next character begins a token, whose predecessor's end comes first.
            for (var t = 0; t < length; t++) result[t + counted[row][Math.Min(t + 1, length - 1)]][row] = t < left ? Ignored : target[t - left, row];
        }

        return result[left..];
    }

    private static CallResults Score(CallResults results, Tensor<float> logits, List<long?[]> targets)
    {
        var (width, kept, loss) = ((int)logits.Shape[2], new List<float>(), new List<float>());
        for (var t = 0; t < targets.Count; t++)
        {
            for (var row = 0; row < targets[t].Length; row++)
            {
                if (targets[t][row] is not { } target) continue;
                var scores = logits.Place(t, row);
                kept.AddRange(scores);
                loss.Add(target == Ignored ? 0 : (float)-Perplexity.Score(Tensor.Create(scores.ToArray(), 1, width), [target], ignore: null).LogLikelihood);
            }
        }

        var flat = Tensor.Create(kept.ToArray(), loss.Count, width);
        return results.Add("loss", Tensor.Create(loss.ToArray(), loss.Count)).Add("logits", flat);
    }

    private float BoundaryLossOf(Tensor<float>? soft, Tensor<bool> hard, Tensor<bool>? given, Tensor<float> logits, int kept)
    {
        if (soft is null) return 0;
        var taught = config.BoundariesType switch
        {
            "entropy" => Spikes(logits),
            "unigram" => Last(given ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, "The call lacks the boundaries that the predictor is taught.") { Where = "boundaries_gt" }, kept),
            _ => null,
        };
        var (last, rows) = (Last(hard, kept), (int)hard.Shape[0]);
        return (float)(taught is null
            ? Enumerable.Range(0, rows).Average(row => -BoundaryLoss.LogBinomial(last.Slice(row).Span.Count(true), kept, config.Prior)) / kept
            : taught.Length == kept * rows ? BoundaryLoss.CrossEntropy(Last(soft, kept).Span, taught.Span)
            : throw new ModelZooException(ErrorCodes.VerbUnsupported, "Spikes of the entropy are places of the output, of which tokens with ends have more than the predictor.") { Where = "boundaries_type" });
    }

    // Where the entropy of the next character is above that of the places before. logits (T, B, V) -> (B, T).
    private Tensor<bool> Spikes(Tensor<float> logits)
    {
        var (length, rows) = ((int)logits.Shape[0], (int)logits.Shape[1]);
        var spikes = Tensor.Zeros<bool>(rows, length);
        for (var row = 0; row < rows; row++)
        {
            var entropies = Enumerable.Range(0, length).Select(t => Networks.Sampling.LogitProcessing.Probabilities(logits.Place(t, row)).Sum(p => p > 0 ? -p * Math.Log(p) : 0)).ToArray();
            for (var t = 0; t < length; t++) spikes[row, t] = Enumerable.Range(1, config.SpikesLeft).All(back => back > t || entropies[t] > entropies[t - back]);
        }

        return spikes;
    }

    private static Tensor<bool>? Given(CallArguments arguments)
    {
        if (!arguments.Has("boundaries_gt")) return null;
        var given = arguments.Tensor("boundaries_gt");
        return Turned(given as Tensor<bool> ?? Tensor.Create(Array.ConvertAll(given.As<long>().Span.ToArray(), value => value != 0), given.Shape));
    }

    // (T, B) -> (B, T).
    private static Tensor<T> Turned<T>(Tensor<T> x) where T : unmanaged
    {
        var turned = Tensor.Zeros<T>(x.Shape[1], x.Shape[0]);
        for (var t = 0; t < x.Shape[0]; t++)
        {
            for (var row = 0; row < x.Shape[1]; row++) turned[row, t] = x[t, row];
        }

        return turned;
    }

    // (B, T, D) -> (T, B, D), or the last places of it.
    private static Tensor<float> TimeFirst(Tensor<float> x, int? last = null)
    {
        var (rows, length) = ((int)x.Shape[0], (int)x.Shape[1]);
        var count = last ?? length;
        var turned = Tensor.Zeros<float>(count, rows, x.Shape[2]);
        for (var t = 0; t < count; t++)
        {
            for (var row = 0; row < rows; row++) x.Place(row, length - count + t).CopyTo(turned.Place(t, row));
        }

        return turned;
    }

    private static Tensor<T> Last<T>(Tensor<T> x, int count) where T : unmanaged =>
        Tensor.Create([.. Enumerable.Range(0, (int)x.Shape[0]).SelectMany(row => x.Slice(row).Span[^count..].ToArray())], x.Shape[0], count);

    private static Tensor<float> Floats(Tensor<bool> x) => Tensor.Create(Array.ConvertAll(x.Span.ToArray(), value => value ? 1f : 0), x.Shape);
}
