using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.PostProcessors;

namespace ModelZoo.Plugins.TextTokenizers;

/// <summary>A token and where it stands in the text.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Value">The vocabulary's string for it.</param>
/// <param name="Start">Start in the text, in UTF-16 units.</param>
/// <param name="End">End in the text, in UTF-16 units.</param>
public readonly record struct EncodedToken(int Id, string Value, int Start, int End);

/// <summary>
/// A tokenizer of text: what all formats have in common. Immutable and safe for any number of threads.
///
/// </summary>
public abstract class Tokenizer
{
    private string? _digest;

    /// <summary>One more than the largest id.</summary>
    public abstract int IdLimit { get; }

    /// <summary>The ids that have a token, in order.</summary>
    public abstract IEnumerable<int> Ids { get; }

    /// <summary>The id of a token by the vocabulary's string; null when there is none.</summary>
    public abstract int? IdOf(string token);

    /// <summary>The vocabulary's string of an id; null when there is none.</summary>
    public abstract string? TokenOf(int id);

    /// <summary>The bytes of text that an id stands for, as far as one token tells by itself; empty for ids without a token.</summary>
    public abstract ReadOnlySpan<byte> BytesOf(int id);

    /// <summary>Whether an id is a special token, which decoding may leave out.</summary>
    public abstract bool IsSpecial(int id);

    /// <summary>The ids of a text.</summary>
    public abstract int[] EncodeToIds(ReadOnlySpan<char> text, bool addSpecialTokens = false);

    /// <summary>The tokens of a text with their places in it.</summary>
    public IReadOnlyList<EncodedToken> EncodeToTokens(string text, bool addSpecialTokens = false)
    {
        var encoding = EncodeTexts(text, null, new() { AddSpecialTokens = addSpecialTokens, EncodeSpecialTokens = TakesSpecialTokensAsText, NoTruncation = true, NoPadding = true });
        var tokens = new EncodedToken[encoding.Count];
        for (var i = 0; i < tokens.Length; i++) tokens[i] = new(encoding.Ids[i], encoding.Tokens[i], encoding.Offsets[i].Start, encoding.Offsets[i].End);
        return tokens;
    }

    /// <summary>The encoding of a text, or of a pair of texts, truncated and padded. Words are numbered where the tokenizer has words.</summary>
    /// <exception cref="MediaException">The text cannot be encoded, or the tokenizer does not say what stands between two texts.</exception>
    /// <exception cref="TruncationException">It cannot be truncated as the options say.</exception>
    public abstract TokenEncoding EncodeTexts(string text, string? pair, EncodeOptions options);

    /// <summary>The text that offsets stand in: the text itself, unless the tokenizer cleans it beforehand.</summary>
    public virtual string SpannedText(string text) => text;

    /// <summary>Whether the text of a special token is ordinary text unless something else is asked for.</summary>
    public virtual bool TakesSpecialTokensAsText => false;

    /// <summary>Whether the text of a special token can become that token.</summary>
    public virtual bool FindsSpecialTokens => true;

    /// <summary>What is put around texts; null when nothing is.</summary>
    internal virtual PostProcessor? AroundTexts => null;

    /// <summary>The padding that the tokenizer's files speak of; null when they do not.</summary>
    internal virtual Padding? OwnPadding => null;

    /// <summary>The truncation that the tokenizer's files speak of; null when they do not.</summary>
    internal virtual Truncation? OwnTruncation => null;

    /// <summary>The text of ids.</summary>
    public abstract string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false);

    /// <summary>Encodings cut, put together and padded, for tokenizers whose files speak of one text alone.</summary>
    private protected TokenEncoding Finish(TokenEncoding first, TokenEncoding? second, EncodeOptions options)
    {
        var around = options.AddSpecialTokens ? AroundTexts : null;
        if (around is not null && second is not null)
            throw new MediaException(ErrorCodes.MediaUnsupported, "The tokenizer's files do not say which tokens stand between two texts.") { Where = "pair", Remedy = "Encode the pair without special tokens." };
        if (!options.NoTruncation) options.Truncation?.Apply(ref first, ref second, around?.AddedTokens(pair: false) ?? 0);
        first.SetSequence(0);
        second?.SetSequence(1);
        var result = around is not null ? around.Process(first, null, addSpecialTokens: true) : second is null ? first : TokenEncoding.Merge([first, second]);
        if (!options.NoPadding) options.Padding?.Apply([result]);
        return result;
    }

    /// <summary>The number of tokens of a text.</summary>
    public virtual int CountTokens(ReadOnlySpan<char> text, bool addSpecialTokens = false) => EncodeToIds(text, addSpecialTokens).Length;

    /// <summary>The ids of many texts, computed side by side.</summary>
    public IReadOnlyList<int[]> EncodeBatchToIds(IReadOnlyList<string> texts, bool addSpecialTokens = false, CancellationToken cancel = default) =>
        Batch(texts.Count, i => EncodeToIds(texts[i], addSpecialTokens), cancel);

    /// <summary>Computes many results on all cores; the first error ends it.</summary>
    private protected static T[] Batch<T>(int count, Func<int, T> compute, CancellationToken cancel)
    {
        var result = new T[count];
        var queue = new WorkQueue(count, Environment.ProcessorCount);
        try
        {
            // No more threads than processors: one that stands still in the midst of a text would keep what the next one needs.
            Parallel.For(0, Environment.ProcessorCount, new() { CancellationToken = cancel, MaxDegreeOfParallelism = Environment.ProcessorCount }, (_, state) =>
            {
                while (!state.ShouldExitCurrentIteration && queue.TryTake(out var start, out var end))
                {
                    cancel.ThrowIfCancellationRequested();
                    for (var i = start; i < end; i++) result[i] = compute(i);
                }
            });
        }
        catch (AggregateException error)
        {
            ExceptionDispatchInfo.Capture(error.InnerExceptions[0]).Throw();
        }

        return result;
    }

    /// <summary>How much of a text fits into a number of tokens.</summary>
    /// <returns>The length of the longest start of the text, in UTF-16 units, whose tokens are the first <paramref name="maxTokens"/> of the whole text's, and their number.</returns>
    public (int Length, int Tokens) IndexByTokenCount(string text, int maxTokens)
    {
        var tokens = EncodeToTokens(text);
        if (tokens.Count <= maxTokens) return (text.Length, tokens.Count);
        // A character may be spread over several tokens; it is only taken whole.
        while (maxTokens > 0 && tokens[maxTokens].Start < tokens[maxTokens - 1].End) maxTokens--;
        return maxTokens == 0 ? (0, 0) : (tokens[maxTokens - 1].End, maxTokens);
    }

    /// <summary>SHA-256 over ids and tokens: two tokenizers with the same digest mean the same by an id.</summary>
    public string VocabularyDigest => _digest ??= ComputeDigest();

    private string ComputeDigest()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var id in Ids) hash.AppendData(Encoding.UTF8.GetBytes($"{id}\t{TokenOf(id)}\n"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
