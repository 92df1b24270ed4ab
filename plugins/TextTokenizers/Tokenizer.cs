using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Text;

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
    public abstract IReadOnlyList<EncodedToken> EncodeToTokens(string text, bool addSpecialTokens = false);

    /// <summary>The text of ids.</summary>
    public abstract string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false);

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
