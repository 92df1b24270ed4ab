// Cross-Tokenizer Distillation via Approximate Likelihood Matching, arXiv:2503.20083, section 3; tokenkit/training/losses.py:compute_alm_loss
using System.Text.Json;
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

    /// <summary>Log-probability that white space follows the chunk's last token, or, where <paramref name="end"/> is given, that this token does.</summary>
    public double SpaceAfter(int text, int chunk, int? end)
    {
        var last = Enumerable.Range(0, Length).FirstOrDefault(token => Holds(text, token, chunk) && (token + 1 == Length || !Holds(text, token + 1, chunk)));
        if (end is { } id) return Logprobs[text, last, id];
        return Math.Min(0, Math.Log(Enumerable.Range(0, SpaceMask.Length).Sum(id => Math.Exp(Logprobs[text, last, id]) * SpaceMask.Span[id])));
    }
}

/// <summary>What the loss is computed with; names as in the reference's arguments.</summary>
/// <param name="Difference">Name of the difference.</param>
/// <param name="Temperature">Divides log-likelihoods.</param>
/// <param name="Mode">Holds some of <c>append_space</c>, <c>merge_by_space_prob</c> and <c>eos_as_space</c>: the end of the text stands for white space.</param>
internal sealed record AlmSettings(string Difference, double Temperature, string Mode)
{
    /// <summary>The teacher's token that ends a text, where that stands for white space.</summary>
    public int? TeacherEnd { get; init; }

    /// <summary>The student's.</summary>
    public int? StudentEnd { get; init; }

    /// <summary>Order of the Renyi divergence.</summary>
    public double? RenyiAlpha { get; init; }

    /// <summary>Chunks are merged up to one after which the teacher thinks white space likelier than this.</summary>
    public double MergeThreshold { get; init; } = 0.1;

    /// <summary>Chunks are compared in rows of these lengths; the losses are averaged.</summary>
    public IReadOnlyList<int> ChunkSizes { get; init; } = [1];

    /// <summary>What a row of chunks weighs: <c>chunk_count</c>, <c>token_count</c> or <c>log1p_token_count</c>.</summary>
    public string Numerator { get; init; } = "chunk_count";

    /// <summary>What the sum is divided by: <c>chunk_count</c> or <c>token_count</c>.</summary>
    public string Denominator { get; init; } = "chunk_count";

    public static AlmSettings Read(JsonElement line)
    {
        var mode = line.Text("mode");
        var ends = mode.Contains("eos_as_space", StringComparison.Ordinal);
        return new(line.Text("diff"), line.Member("temperature").AsDouble(), mode)
        {
            TeacherEnd = ends ? line.Member("teacher_eos_id").AsInt() : null,
            StudentEnd = ends ? line.Member("student_eos_id").AsInt() : null,
            RenyiAlpha = line.Find("renyi_alpha")?.AsDouble(),
            MergeThreshold = line.Find("tokenizer_pair_bias_threshold")?.AsDouble() ?? 0.1,
            ChunkSizes = line.Find("distill_chunk_sizes") is null ? [1] : line.Ints("distill_chunk_sizes"),
            Numerator = line.Find("distill_main_path_numerator")?.AsText() ?? "chunk_count",
            Denominator = line.Find("distill_main_path_denominator")?.AsText() ?? "chunk_count",
        };
    }
}

/// <summary>The mean difference of chunk likelihoods, as probabilities of one outcome against all others, at a temperature.</summary>
internal sealed class AlmLoss(AlmSettings settings)
{
    private const double Epsilon = 1e-6;

    public double Compute(AlmSide teacher, AlmSide student)
    {
        var (total, whole) = (0.0, 0.0);
        for (var text = 0; text < teacher.Batch; text++)
        {
            var chunks = Chunks(teacher, student, text);
            if (settings.Mode.Contains("merge_by_space_prob", StringComparison.Ordinal)) chunks = Merge(chunks);
            foreach (var size in settings.ChunkSizes)
            {
                if (chunks.Length % size != 0) throw new ModelZooException(ErrorCodes.VerbUnsupported, "The chunks do not divide into rows of this length.") { Where = "distill_chunk_sizes", Expected = $"a divisor of {chunks.Length}", Found = $"{size}" };
                foreach (var row in chunks.Chunk(size))
                {
                    var (tokens, divisor) = (row.Sum(chunk => chunk.Tokens), row.Sum(chunk => chunk.Divisor));
                    whole += settings.Denominator == "token_count" ? divisor : divisor > 0 ? 1 : 0;
                    if (tokens == 0) continue;
                    var space = settings.Mode.Contains("append_space", StringComparison.Ordinal) ? row.Last(chunk => chunk.Tokens > 0) : default;
                    var difference = Difference(row.Sum(chunk => chunk.Teacher) + space.TeacherSpace, row.Where(chunk => chunk.Tokens > 0).Sum(chunk => chunk.Student) + space.StudentSpace);
                    total += difference * Weight(tokens);
                }
            }
        }

        return whole == 0 ? 0 : total / whole / settings.ChunkSizes.Count;
    }

    private Chunk[] Chunks(AlmSide teacher, AlmSide student, int text) => [.. Enumerable.Range(0, teacher.Chunks).Select(chunk =>
    {
        var tokens = teacher.Tokens(text, chunk);
        return new Chunk(teacher.Likelihood(text, chunk), student.Likelihood(text, chunk), teacher.SpaceAfter(text, chunk, settings.TeacherEnd), student.SpaceAfter(text, chunk, settings.StudentEnd), tokens, tokens);
    })];

    private double Weight(int tokens) => settings.Numerator switch
    {
        "chunk_count" => 1,
        "token_count" => tokens,
        "log1p_token_count" => Math.Log(1.0 + tokens),
        var other => throw new ModelZooException(ErrorCodes.VerbUnsupported, $"There is no weight '{other}'.") { Where = "distill_main_path_numerator" },
    };

    // A chunk ends where the teacher thinks white space likely; those up to it are one, and empty ones follow. What is behind a merged chunk is known at the end of its first unbroken run.
    // The reference divides by what is left when merged chunks are merged by the same table once more.
    private Chunk[] Merge(Chunk[] chunks)
    {
        var places = new int[chunks.Length];
        for (var i = 1; i < chunks.Length; i++) places[i] = places[i - 1] + (Math.Exp(chunks[i - 1].TeacherSpace) > settings.MergeThreshold ? 1 : 0);
        var merged = new Chunk[chunks.Length];
        bool Counts(int i, int place) => i < chunks.Length && places[i] == place && chunks[i].Tokens > 0;
        for (var place = 0; place < merged.Length; place++)
        {
            int[] own = [.. Enumerable.Range(0, chunks.Length).Where(i => Counts(i, place))];
            if (own.Length == 0) continue;
            var last = own.First(i => !Counts(i + 1, place));
            merged[place] = new(own.Sum(i => chunks[i].Teacher), own.Sum(i => chunks[i].Student), chunks[last].TeacherSpace, chunks[last].StudentSpace, own.Sum(i => chunks[i].Tokens), 0);
        }

        return [.. merged.Select((chunk, place) => chunk with { Divisor = Enumerable.Range(0, chunks.Length).Where(i => Counts(i, place)).Sum(i => merged[i].Tokens) })];
    }

    private double Difference(double wanted, double got)
    {
        var temperature = settings.Temperature;
        var (y, x) = (wanted / temperature - Epsilon, got / temperature - Epsilon);
        switch (settings.Difference)
        {
            case "abs": return Math.Abs(wanted - got);
            case "abs_exp": return Math.Abs(Math.Exp(y) - Math.Exp(x));
            case "binary_ce": return -(Math.Exp(y) * x + (1 - Math.Exp(y)) * LogOneMinusExp(x));
            case "reverse_binary_kl": return Math.Exp(x) * (x - y) + (1 - Math.Exp(x)) * (LogOneMinusExp(x) - LogOneMinusExp(y));
            case "binary_kl_temp_limit":
                (y, x) = (wanted - Epsilon, got - Epsilon);
                return y - x + y * Math.Log(-x) - y * Math.Log(-y);
            case "renyi": return Renyi(wanted - Epsilon, got - Epsilon, settings.RenyiAlpha ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, "The Renyi divergence needs its order.") { Where = "renyi_alpha" });
            case "joschu_k2": return Math.Pow((wanted - got) / temperature, 2) / 2;
            case "joschu_k3": return Math.Exp((wanted - got) / temperature) - 1 - (wanted - got) / temperature;
            default: throw new ModelZooException(ErrorCodes.VerbUnsupported, $"There is no difference '{settings.Difference}'.");
        }
    }

    // log(p^a q^(1-a) + (1-p)^a (1-q)^(1-a)) / (a - 1)
    private static double Renyi(double y, double x, double alpha)
    {
        var (one, other) = (alpha * y + (1 - alpha) * x, alpha * LogOneMinusExp(y) + (1 - alpha) * LogOneMinusExp(x));
        var larger = Math.Max(one, other);
        return (larger + Math.Log(Math.Exp(one - larger) + Math.Exp(other - larger))) / (alpha - 1);
    }

    private static double LogOneMinusExp(double x) => x < -Math.Log(2) ? Math.Log(1 - Math.Exp(x)) : Math.Log(-(Math.Exp(x) - 1));

    // Tokens are the teacher's; the divisor counts them as the reference's global count does.
    private readonly record struct Chunk(double Teacher, double Student, double TeacherSpace, double StudentSpace, int Tokens, int Divisor);
}
