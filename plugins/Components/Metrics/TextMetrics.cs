using ModelZoo.Contracts;
using ModelZoo.Networks.Metrics;
using static ModelZoo.Plugins.Components.Metrics.MetricParts;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>Measures of texts against references, and of texts against one another.</summary>
internal static class TextMetrics
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        Metric("bleu", "A Call for Clarity in Reporting BLEU Scores", "mjpost/sacrebleu", ("corpus_bleu", CorpusBleu), ("sentence_bleu", SentenceBleu)),
        Metric("chrf", "chrF: character n-gram F-score for automatic MT evaluation", "mjpost/sacrebleu", ("corpus_chrf", CorpusChrf), ("sentence_chrf", SentenceChrf)),
        Metric("ter", "A Study of Translation Edit Rate with Targeted Human Annotation", "mjpost/sacrebleu", ("corpus_ter", CorpusTer)),
        Metric("rouge", "ROUGE: A Package for Automatic Evaluation of Summaries", "google-research/google-research", ("rouge", ComputeRouge)),
        Metric("meteor", "METEOR: An Automatic Metric for MT Evaluation with Improved Correlation with Human Judgments", "nltk/nltk", ("meteor", ComputeMeteor)),
        Metric("wer", "From WER and RIL to MER and WIL: improved evaluation measures for connected speech recognition", "jitsi/jiwer", ("wer", ComputeWer), ("cer", ComputeCer)),
        Metric("diversity", "A Diversity-Promoting Objective Function for Neural Conversation Models", "nltk/nltk", ("diversity", ComputeDiversity)),
        Metric("topic-coherence", "Exploring the Space of Topic Coherence Measures", "piskvorky/gensim", ("topic_coherence", Coherence)),
    ];

    private static (string[] Hypotheses, string[][] References) Texts(CallArguments arguments) => (arguments.Literal<string[]>("hypotheses"), arguments.Literal<string[][]>("references"));

    private static CallResults CorpusBleu(CallArguments arguments)
    {
        var (hypotheses, references) = Texts(arguments);
        var (tokenizer, lowercase) = (arguments.Literal("tokenize", "13a"), arguments.Literal("lowercase", false));
        var bleu = new Bleu(arguments.Literal("max_ngram_order", 4));
        for (var i = 0; i < hypotheses.Length; i++)
            bleu.Add(BleuTokenizer.Tokenize(hypotheses[i], tokenizer, lowercase), [.. references[i].Select(r => BleuTokenizer.Tokenize(r, tokenizer, lowercase))]);
        var score = bleu.Score(arguments.Literal("smooth_method", "exp"), arguments.Literal<double?>("smooth_value", null), arguments.Literal("effective_order", false));
        var results = new CallResults();
        foreach (var suffix in new[] { "", $"_{tokenizer}" })
        {
            results.Add($"counts{suffix}", Whole(score.Matches)).Add($"totals{suffix}", Whole(score.Totals))
                .Add($"sys_len{suffix}", Vector([bleu.HypothesisLength])).Add($"ref_len{suffix}", Vector([bleu.ReferenceLength]))
                .Add($"precisions{suffix}", Vector(score.Precisions)).Add($"bp{suffix}", score.BrevityPenalty).Add($"bleu{suffix}", score.Value);
        }

        return results;

        static Tensor Whole(double[] counts) => counts.All(double.IsInteger) ? Vector(Array.ConvertAll(counts, c => (long)c)) : Vector(counts);
    }

    private static CallResults SentenceBleu(CallArguments arguments)
    {
        var (hypotheses, references) = Texts(arguments);
        var (tokenizer, lowercase, order) = (arguments.Literal("tokenize", "13a"), arguments.Literal("lowercase", false), arguments.Literal("max_ngram_order", 4));
        var (smoothing, value, effective) = (arguments.Literal("smooth_method", "exp"), arguments.Literal<double?>("smooth_value", null), arguments.Literal("effective_order", true));
        return new CallResults().Add("sentence_bleu", Vector(hypotheses.Select((hypothesis, i) =>
        {
            var bleu = new Bleu(order);
            bleu.Add(BleuTokenizer.Tokenize(hypothesis, tokenizer, lowercase), [.. references[i].Select(r => BleuTokenizer.Tokenize(r, tokenizer, lowercase))]);
            return bleu.Score(smoothing, value, effective).Value;
        })));
    }

    private static Chrf ChrfOf(CallArguments arguments) => new(arguments.Literal("char_order", 6), arguments.Literal("word_order", 0), arguments.Literal("beta", 2.0))
    {
        Lowercase = arguments.Literal("lowercase", false), Whitespace = arguments.Literal("whitespace", false), EpsilonSmoothing = arguments.Literal("eps_smoothing", false),
    };

    private static CallResults CorpusChrf(CallArguments arguments)
    {
        var (hypotheses, references) = Texts(arguments);
        return new CallResults().AddAs(ChrfOf(arguments).Corpus(hypotheses, references), "chrf", "chrf_pp", "chrf_options");
    }

    private static CallResults SentenceChrf(CallArguments arguments)
    {
        var (hypotheses, references) = Texts(arguments);
        var chrf = ChrfOf(arguments);
        var values = Vector(hypotheses.Select((hypothesis, i) => chrf.Sentence(hypothesis, references[i])));
        return new CallResults().Add("chrf_sentences", values).Add("chrf_pp_sentences", values).Add("chrf_options_sentences", values);
    }

    private static CallResults CorpusTer(CallArguments arguments)
    {
        var (hypotheses, references) = Texts(arguments);
        var tokenizer = new TerTokenizer(arguments.Literal("normalized", false), arguments.Literal("no_punct", false), arguments.Literal("asian_support", false), arguments.Literal("case_sensitive", false));
        var scores = hypotheses.Select((hypothesis, i) => Ter.Score(tokenizer.Tokenize(hypothesis), [.. references[i].Select(tokenizer.TokenizeReference)])).ToList();
        var (edits, length) = (scores.Sum(s => s.Edits), scores.Sum(s => s.ReferenceLength));
        return new CallResults().AddAs(edits, "ter_edits", "ter_options_edits").AddAs(length, "ter_ref_length", "ter_options_ref_length").AddAs(Ter.Rate(edits, length), "ter", "ter_options");
    }

    private static CallResults ComputeRouge(CallArguments arguments)
    {
        var (targets, predictions, stem) = (arguments.Literal<string[]>("targets"), arguments.Literal<string[]>("predictions"), arguments.Literal("use_stemmer", false));
        var rouge = new Rouge(stem);
        var results = new CallResults();
        foreach (var type in arguments.Literal<string[]>("rouge_types"))
        {
            var rows = targets.Zip(predictions, (target, prediction) => rouge.Score(target, prediction, type)).SelectMany(s => new[] { s.Precision, s.Recall, s.F1 }).ToArray();
            results.Add(stem ? $"{type}_stem" : type, Tensor.Create(rows, targets.Length, 3));
        }

        return results;
    }

    private static CallResults ComputeMeteor(CallArguments arguments)
    {
        var (hypotheses, references) = (arguments.Literal<string[][]>("hypotheses"), arguments.Literal<string[][][]>("references"));
        if (arguments.Has("wordnet")) throw new ModelZooException(ErrorCodes.VerbUnsupported, "There is no WordNet here.") { Where = "wordnet" };
        var meteor = new Meteor(arguments.Literal("alpha", 0.9), arguments.Literal("beta", 3.0), arguments.Literal("gamma", 0.5));
        var values = Vector(hypotheses.Select((hypothesis, i) => meteor.Score(hypothesis, references[i])));
        return new CallResults().Add("meteor", values).Add("meteor_options", values);
    }

    private static CallResults ComputeWer(CallArguments arguments)
    {
        var counts = Aligned(arguments, Wer.Words);
        return new CallResults().Add("word_counts", Counts(counts)).Add("wer", counts.ErrorRate).Add("mer", counts.MatchErrorRate)
            .Add("wil", 1 - counts.InformationPreserved).Add("wip", counts.InformationPreserved);
    }

    private static CallResults ComputeCer(CallArguments arguments)
    {
        var counts = Aligned(arguments, Wer.Characters);
        return new CallResults().Add("char_counts", Counts(counts)).Add("cer", counts.ErrorRate);
    }

    private static Wer Aligned(CallArguments arguments, Func<string, string[]> split) => arguments.Literal<string[]>("references")
        .Zip(arguments.Literal<string[]>("hypotheses"), (reference, hypothesis) => Wer.Align(split(reference), split(hypothesis))).Aggregate((a, b) => a + b);

    private static Tensor Counts(Wer counts) => Vector([counts.Hits, counts.Substitutions, counts.Deletions, counts.Insertions]);

    private static CallResults ComputeDiversity(CallArguments arguments)
    {
        var texts = arguments.Literal<string[][]>("tokens");
        var self = Diversity.SelfBleu(texts);
        var results = new CallResults();
        for (var n = 1; n <= 4; n++) results.Add($"distinct_{n}", Diversity.Distinct(texts, n));
        return results.Add("self_bleu_per_text", Vector(self)).Add("self_bleu", self.Average());
    }

    private static CallResults Coherence(CallArguments arguments)
    {
        var (measure, window) = (arguments.Literal<string>("coherence"), arguments.Literal<int?>("window_size", null));
        var values = TopicCoherence.Score(arguments.Literal<string[][]>("topics"), arguments.Literal<string[][]>("texts"), measure, window);
        var results = new CallResults();
        foreach (var name in new[] { measure, $"{measure}_window{window}" }) results.Add(name, Vector(values)).Add($"{name}_mean", values.Average());
        return results;
    }
}
