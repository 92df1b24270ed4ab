using ModelZoo.Networks.Metrics;

namespace ModelZoo.Networks.Tests.Metrics;

public sealed class TextMetricTests
{
    // Examples of Porter's paper and of NLTK's extensions.
    [Theory]
    [InlineData("caresses", "caress")]
    [InlineData("ponies", "poni")]
    [InlineData("ties", "tie")]
    [InlineData("agreed", "agre")]
    [InlineData("hopping", "hop")]
    [InlineData("filing", "file")]
    [InlineData("happy", "happi")]
    [InlineData("relational", "relat")]
    [InlineData("vietnamization", "vietnam")]
    [InlineData("sky", "sky")]
    [InlineData("dying", "die")]
    [InlineData("adjustable", "adjust")]
    [InlineData("controll", "control")]
    public void Stem_KnownWords_AreTheirStems(string word, string stem) => Assert.Equal(stem, PorterStemmer.Stem(word));

    [Theory]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("", "abc", 3)]
    [InlineData("abc", "", 3)]
    [InlineData("abc", "abc", 0)]
    public void Align_Characters_HasTheFewestErrors(string reference, string hypothesis, int errors)
    {
        var counts = Wer.Align(Wer.Characters(reference), Wer.Characters(hypothesis));
        Assert.Equal(errors, counts.Substitutions + counts.Deletions + counts.Insertions);
        Assert.Equal(reference.Length, counts.Hits + counts.Substitutions + counts.Deletions);
        Assert.Equal(hypothesis.Length, counts.Hits + counts.Substitutions + counts.Insertions);
    }

    // What jiwer 4 gives where nothing was spoken, or nothing was heard.
    [Theory]
    [InlineData("", "", 0, 0, 1)]
    [InlineData(" ", "two words", 2, 1, 0)]
    [InlineData("two words", "", 1, 1, 0)]
    [InlineData("a b", "a c", 0.5, 0.5, 0.25)]
    public void Wer_Silence_IsJiwers(string reference, string hypothesis, double error, double match, double preserved)
    {
        var counts = Wer.Align(Wer.Words(reference), Wer.Words(hypothesis));
        Assert.Equal(error, counts.ErrorRate, 1e-12);
        Assert.Equal(match, counts.MatchErrorRate, 1e-12);
        Assert.Equal(preserved, counts.InformationPreserved, 1e-12);
    }

    // Python's white space has the separators of files, groups, records and units.
    [Fact]
    public void Words_SeparatorsOfPython_AreWhiteSpace()
    {
        Assert.Equal(["a", "b\tc"], Wer.Words("\u001c a \u001f b\tc\u001d"));
        Assert.Equal(3, Perplexity.Words("a\u001eb \u001c c"));
    }

    [Fact]
    public void Ter_MovedPhrase_IsOneEdit()
    {
        Assert.Equal(1, Ter.Edits("d e f a b c".Split(' '), "a b c d e f".Split(' ')));
        Assert.Equal(2, Ter.Edits("d e f a b x".Split(' '), "a b c d e f".Split(' ')));
    }

    [Fact]
    public void Bleu_NoMatchOfAnOrder_IsSmoothed()
    {
        var bleu = new Bleu();
        bleu.Add(["a", "b", "c", "d"], [["a", "b", "x", "d"]]);
        Assert.Equal(0, bleu.Score("none").Value, 1e-12);
        Assert.Equal(100 * Math.Pow(3.0 / 4 * 1.0 / 3 * (1.0 / 4) * (1.0 / 4), 0.25), bleu.Score("exp").Value, 1e-9);
    }

    // What sacreBLEU's regular expressions give.
    [Theory]
    [InlineData("Great\U0001F600!", "Great|\U0001F600|!")]
    [InlineData("1\U0001D7CF, \U0001D7CF.5", "1\U0001D7CF|,|\U0001D7CF.5")]
    [InlineData("3.5% of (2019).", "3.5|%|of|(|2019|)|.")]
    public void Tokenize_International_SplitsByCodePoints(string line, string tokens) => Assert.Equal(tokens.Split('|'), BleuTokenizer.Tokenize(line, "intl"));

    // sacreBLEU normalises references a second time, when the possessive stands before a blank.
    [Fact]
    public void Ter_NormalisedReference_IsNormalisedTwice()
    {
        var tokenizer = new TerTokenizer(Normalized: true);
        Assert.Equal(["it's", "."], tokenizer.Tokenize("it's."));
        Assert.Equal(["it", "'s", "."], tokenizer.TokenizeReference("it's."));
        Assert.Equal(["it's."], new TerTokenizer().TokenizeReference(" it's. "));
    }

    // torch.hamming_window(5) and its like; scipy.signal.get_window("nuttall", 5) and its like.
    [Theory]
    [InlineData("hamming_window", new[] { 0.08, 0.397852, 0.912148, 0.912148, 0.397852 })]
    [InlineData("blackman_window", new[] { 0.0, 0.20077, 0.84923, 0.84923, 0.20077 })]
    [InlineData("bartlett_window", new[] { 0.0, 0.4, 0.8, 0.8, 0.4 })]
    [InlineData("hamming", new[] { 0.08, 0.397852, 0.912148, 0.912148, 0.397852 })]
    [InlineData("nuttall", new[] { 0.0003628, 0.110515, 0.798258, 0.798258, 0.110515 })]
    [InlineData("blackmanharris", new[] { 6e-05, 0.103011, 0.793834, 0.793834, 0.103011 })]
    [InlineData("flattop", new[] { -0.000421051, -0.0677143, 0.606872, 0.606872, -0.0677143 })]
    [InlineData("boxcar", new[] { 1.0, 1, 1, 1, 1 })]
    [InlineData("kaiser_window", new[] { 5.27734e-05, 0.10172, 0.792939, 0.792939, 0.10172 })]
    public void Window_Named_IsPyTorchs(string name, double[] expected)
    {
        var window = Networks.Numerics.Windows.Named(name, expected.Length);
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], window[i], 1e-6);
    }

    // Two of the last bin of fifteen, sure of what is wrong, beside one that is certain, which has its own: |2 * 0.95 - 0| + |1 - 1| over 3.
    [Fact]
    public void CalibrationError_FullConfidence_HasABinOfItsOwn() =>
        Assert.Equal(1.9 / 3, ProbabilityMetrics.CalibrationError([[0.05, 0.95], [0.05, 0.95], [1, 0]], [0, 0, 0]), 1e-12);

    [Theory]
    [InlineData(2, 5, 13)]
    [InlineData(4, 5, 5)]
    public void Chamfer_PointsOfAnyDimension_AreWhatIsNearest(int dimensions, double near, double far)
    {
        var points = new float[2 * dimensions];
        var truth = new float[dimensions];
        (points[0], points[1], points[dimensions + dimensions - 1]) = (3, 4, 5);
        if (dimensions == 2) points[2] = 12;
        Assert.Equal([near, far], Chamfer.Of(points, truth, dimensions).ToTrue);
    }

    [Fact]
    public void Frechet_ShiftedCopy_IsTheSquaredShift()
    {
        var noise = Networks.Sampling.Noise.Normal(1, 50, 4);
        var shifted = Contracts.Tensor.Create(Array.ConvertAll(noise.Span.ToArray(), x => x + 2), 50, 4);
        Assert.Equal(16, FrechetDistance.Compute(FeatureStatistics.Of(noise), FeatureStatistics.Of(shifted)), 1e-4);
    }

    // Python lowers a dotted capital I to two characters, and a sigma at a word's end to its final form.
    [Theory]
    [InlineData("İZMİR", "i̇zmi̇r")]
    [InlineData("ΣΊΣΥΦΟΣ ΟΔΟΣ.", "σίσυφος οδος.")]
    public void Lowercase_LettersWithFullMappings_AreAsInPython(string text, string lower)
    {
        Assert.Equal(BleuTokenizer.Tokenize(lower, "none"), BleuTokenizer.Tokenize(text, "none", lowercase: true));
        Assert.Equal(0, Ter.Edits(new TerTokenizer().Tokenize(text), new TerTokenizer(CaseSensitive: true).Tokenize(lower)));
        Assert.Equal(100, new Chrf { Lowercase = true }.Sentence(text, [lower]), 1e-9);
    }

    [Theory]
    [InlineData("  a  b\t\tc ", "a|b|c")]
    [InlineData("a\tb c", "a\tb|c")]
    public void Words_WhiteSpace_SplitsAtBlanksAndRuns(string text, string words) => Assert.Equal(words.Split('|'), Wer.Words(text));

    // As gensim 4: a text without any word of the topics is a window like any other.
    [Fact]
    public void TopicCoherence_TextWithoutTopicWords_Counts() =>
        Assert.Equal(Math.Log(1.0 / 3 / (2.0 / 3 * (1.0 / 3))), TopicCoherence.Score([["a", "b"]], [["a", "b"], ["a"], ["x"]], "c_uci").Single(), 1e-9);
}
