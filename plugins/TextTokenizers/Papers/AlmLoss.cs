// Cross-Tokenizer Distillation via Approximate Likelihood Matching, arXiv:2503.20083, section 3; tokenkit/training/losses.py:compute_alm_loss
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>One model's side of the loss.</summary>
/// <param name="Ids">(B, T).</param>
/// <param name="Mask">(B, T), 1 where the loss counts.</param>
/// <param name="Alignment">(B, T, C), 1 where a token belongs to a chunk.</param>
/// <param name="Logprobs">(B, T, V), of the token after.</param>
/// <param name="SpaceMask">(V), 1 for tokens that begin with white space.</param>
internal sealed record AlmSide(Tensor<long> Ids, Tensor<long> Mask, Tensor<long> Alignment, Tensor<float> Logprobs, Tensor<float> SpaceMask)
{
    public static AlmSide Read(IReadOnlyDictionary<string, Tensor> tensors, string side) => new(
        tensors[$"{side}_ids"].As<long>(), tensors[$"{side}_mask"].As<long>(), tensors[$"alignment_{side}"].As<long>(), tensors[$"{side}_logprobs"].As<float>(), tensors[$"space_mask_{side}"].As<float>());

    public int Batch => (int)Ids.Shape[0];

    public int Length => (int)Ids.Shape[1];

    public int Chunks => (int)Alignment.Shape[2];

    /// <summary>True where a token of a text belongs to a chunk and counts.</summary>
    public bool Holds(int text, int token, int chunk) => Alignment[text, token, chunk] * Mask[text, token] != 0;

    /// <summary>Tokens of a chunk after the text's first.</summary>
    public int Tokens(int text, int chunk) => Enumerable.Range(1, Length - 1).Count(token => Holds(text, token, chunk));

    /// <summary>Log-likelihood of a chunk: the sum over its tokens, at most 0.</summary>
    public double Likelihood(int text, int chunk) =>
        Math.Min(0, Enumerable.Range(1, Length - 1).Where(token => Holds(text, token, chunk)).Sum(token => (double)Logprobs[text, token - 1, Ids[text, token]]));

    /// <summary>Log-probability that white space follows the chunk's last token.</summary>
    public double SpaceAfter(int text, int chunk)
    {
        var last = Enumerable.Range(0, Length).FirstOrDefault(token => Holds(text, token, chunk) && (token + 1 == Length || !Holds(text, token + 1, chunk)));
        return Math.Min(0, Math.Log(Enumerable.Range(0, SpaceMask.Length).Sum(id => Math.Exp(Logprobs[text, last, id]) * SpaceMask.Span[id])));
    }
}

/// <summary>The mean difference of chunk likelihoods, as probabilities of one outcome against all others, at a temperature.</summary>
/// <param name="difference">Name of the difference, as in the reference.</param>
/// <param name="temperature">Divides log-likelihoods.</param>
/// <param name="mode">Holds <c>append_space</c> and <c>merge_by_space_prob</c>, or neither.</param>
internal sealed class AlmLoss(string difference, double temperature, string mode)
{
    private const double Epsilon = 1e-6;
    private const double MergeThreshold = 0.1;     // tokenizer_pair_bias_threshold

    public double Compute(AlmSide teacher, AlmSide student)
    {
        var (total, count) = (0.0, 0);
        for (var text = 0; text < teacher.Batch; text++)
        {
            var chunks = Enumerable.Range(0, teacher.Chunks).Select(chunk => new Chunk(
                teacher.Likelihood(text, chunk), student.Likelihood(text, chunk), teacher.SpaceAfter(text, chunk), student.SpaceAfter(text, chunk), teacher.Tokens(text, chunk))).ToList();
            var counted = chunks.Count(chunk => chunk.Tokens > 0);
            if (mode.Contains("merge_by_space_prob", StringComparison.Ordinal)) chunks = Merge(chunks, out counted);
            count += counted;
            var space = mode.Contains("append_space", StringComparison.Ordinal);
            total += chunks.Where(chunk => chunk.Tokens > 0).Sum(chunk => Difference(chunk.Teacher + (space ? chunk.TeacherSpace : 0), chunk.Student + (space ? chunk.StudentSpace : 0)));
        }

        return count == 0 ? 0 : total / count;
    }

    // A chunk ends where the teacher thinks white space likely; those up to it are one. The reference divides by the chunks that are left when merged chunks are merged by the
    // same table once more.
    private static List<Chunk> Merge(List<Chunk> chunks, out int counted)
    {
        var merged = new List<Chunk>();
        var places = new int[chunks.Count];
        var open = false;
        for (var i = 0; i < chunks.Count; i++)
        {
            var chunk = chunks[i];
            if (!open) merged.Add(chunk);
            else if (chunk.Tokens > 0) merged[^1] = chunk with { Teacher = merged[^1].Teacher + chunk.Teacher, Student = merged[^1].Student + chunk.Student, Tokens = merged[^1].Tokens + chunk.Tokens };
            places[i] = merged.Count - 1;
            open = Math.Exp(chunk.TeacherSpace) <= MergeThreshold;
        }

        counted = Enumerable.Range(0, merged.Count).Where(i => merged[i].Tokens > 0 && chunks[i].Tokens > 0).Select(i => places[i]).Distinct().Count();
        return merged;
    }

    private double Difference(double wanted, double got)
    {
        var (y, x) = (wanted / temperature - Epsilon, got / temperature - Epsilon);
        switch (difference)
        {
            case "abs": return Math.Abs(wanted - got);
            case "abs_exp": return Math.Abs(Math.Exp(y) - Math.Exp(x));
            case "binary_ce": return -(Math.Exp(y) * x + (1 - Math.Exp(y)) * LogOneMinusExp(x));
            case "reverse_binary_kl": return Math.Exp(x) * (x - y) + (1 - Math.Exp(x)) * (LogOneMinusExp(x) - LogOneMinusExp(y));
            case "binary_kl_temp_limit":
                (y, x) = (wanted - Epsilon, got - Epsilon);
                return y - x + y * Math.Log(-x) - y * Math.Log(-y);
            case "joschu_k2": return Math.Pow((wanted - got) / temperature, 2) / 2;
            case "joschu_k3": return Math.Exp((wanted - got) / temperature) - 1 - (wanted - got) / temperature;
            default: throw new ModelZooException(ErrorCodes.VerbUnsupported, $"There is no difference '{difference}'.");
        }
    }

    private static double LogOneMinusExp(double x) => x < -Math.Log(2) ? Math.Log(1 - Math.Exp(x)) : Math.Log(-(Math.Exp(x) - 1));

    private sealed record Chunk(double Teacher, double Student, double TeacherSpace, double StudentSpace, int Tokens);
}
