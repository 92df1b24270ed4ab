namespace ModelZoo.Contracts;

/// <summary>How token ids are arranged.</summary>
public enum TokenLayout
{
    /// <summary>One sequence: (tokens).</summary>
    Flat,
    /// <summary>Codebooks over time: (codebooks, frames).</summary>
    Frames,
    /// <summary>A grid: (rows, columns), or (codebooks, rows, columns).</summary>
    Grid,
    /// <summary>Scales from coarse to fine, one after the other: (tokens); any prefix decodes.</summary>
    CoarseToFine,
}

/// <summary>What the ids of a tokenizer mean: two sets of tokens are comparable when their spaces are equal.</summary>
/// <param name="Model">The model that made them, <c>family/architecture.tag</c>.</param>
/// <param name="Layout">How the ids are arranged.</param>
/// <param name="VocabularySizes">Number of ids of each codebook; one number when there is one vocabulary.</param>
/// <param name="VocabularyDigest">SHA-256 over what gives the ids their meaning (codebooks, vocabulary), in lower-case hex.</param>
public sealed record TokenSpace(string Model, TokenLayout Layout, EquatableList<int> VocabularySizes, string VocabularyDigest);

/// <summary>Token ids with what is needed to turn them back into media.</summary>
/// <param name="Space">What the ids mean.</param>
/// <param name="Ids">The ids, shaped as the space's layout says.</param>
public sealed record Tokens(TokenSpace Space, Tensor<int> Ids) : Media(Modality.Tokens)
{
    /// <summary>
    /// Name of the extra, int64, that says how many tokens belong to each piece (a patch of bytes, a word) that the model makes of them. The first token of a piece has the place of all of it in <see cref="Spans"/>, the others have
    /// places of no width.
    /// </summary>
    public const string PieceLengths = "piece_lengths";

    /// <summary>Start and end of each token in the source: UTF-16 units of text, seconds of sound or motion. Empty when the layout alone tells.</summary>
    public IReadOnlyList<TokenSpan> Spans { get; init; } = [];

    /// <summary>The text that <see cref="Spans"/> stand in where it is another than the one given, such as a text and its pair, or the text as the model cleans it; else null.</summary>
    public string? SpannedText { get; init; }

    /// <summary>Tokens per second, for sound, motion and video.</summary>
    public double? FrameRate { get; init; }

    /// <summary>Length of the source: samples, pixels or characters, as the model counts; 0 when it does not matter.</summary>
    public long SourceLength { get; init; }

    /// <summary>Further tensors that decoding needs, such as the scales of a normalised codec or continuous latents.</summary>
    public IReadOnlyDictionary<string, Tensor> Extras { get; init; } = EmptyExtras;

    private static readonly IReadOnlyDictionary<string, Tensor> EmptyExtras = new Dictionary<string, Tensor>();

    /// <summary>Refuses tokens of another model or vocabulary, or ids outside the vocabulary.</summary>
    /// <exception cref="MediaException">They are not of <paramref name="space"/>.</exception>
    public Tokens Expect(TokenSpace space)
    {
        if (Space.VocabularyDigest != space.VocabularyDigest || Space.Layout != space.Layout)
            throw new MediaException(ErrorCodes.TokensForeign, "These tokens were made by another tokenizer.")
            {
                Expected = $"{space.Model} ({space.Layout}, vocabulary {Short(space.VocabularyDigest)})",
                Found = $"{Space.Model} ({Space.Layout}, vocabulary {Short(Space.VocabularyDigest)})",
                Remedy = "Decode them with the model that made them.",
            };
        var limit = space.VocabularySizes.Count == 0 ? int.MaxValue : space.VocabularySizes.Max();
        foreach (var id in Ids.Span)
        {
            if ((uint)id >= (uint)limit)
                throw new MediaException(ErrorCodes.TokensInvalid, "A token id is outside the vocabulary.") { Expected = $"0..{limit - 1}", Found = id.ToString() };
        }

        return this;
    }

    private static string Short(string digest) => digest.Length > 12 ? digest[..12] : digest;
}

/// <summary>Where a token stands in its source.</summary>
/// <param name="Start">First position.</param>
/// <param name="End">Position after the last.</param>
public readonly record struct TokenSpan(double Start, double End);
