using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;
using ModelZoo.Plugins.TextTokenizers.Scanning;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>
/// The short way through the commonest pipeline: a well-known pattern, bytes as characters, BPE. Text is cut and encoded as the bytes that it is; nothing is written as characters and no alignment is kept.
/// </summary>
internal sealed class ByteLevelShortcut
{
    private readonly BytePairEncoder _encoder;
    private readonly KnownPattern _pattern;
    private readonly bool _asciiOnly;

    private ByteLevelShortcut(BytePairEncoder encoder, KnownPattern pattern, bool asciiOnly) => (_encoder, _pattern, _asciiOnly) = (encoder, pattern, asciiOnly);

    /// <summary>The shortcut of a pipeline; null when it is another pipeline.</summary>
    public static ByteLevelShortcut? TryMake(TokenizerModel model, Normalizer? normalizer, PreTokenizer? preTokenizer)
    {
        if (model is not BpeModel { IsRandom: false, Options: { ByteFallback: false } options } bpe || options.ContinuingSubwordPrefix is { Length: > 0 } || options.EndOfWordSuffix is { Length: > 0 }) return null;
        var changesOnlyWide = normalizer is UnicodeFormNormalizer;
        if (!changesOnlyWide && normalizer is not (null or SequenceNormalizer { Items.Count: 0 })) return null;
        var pattern = preTokenizer switch
        {
            ByteLevelPreTokenizer { AddPrefixSpace: false, UseRegex: true } => KnownPattern.Gpt2,
            SequencePreTokenizer { Items: [SplitPreTokenizer { IsRegex: true, Inverted: false, Behavior: SplitBehavior.Isolated } split, ByteLevelPreTokenizer { AddPrefixSpace: false, UseRegex: false }] } => KnownPatterns.Find(split.Pattern),
            _ => KnownPattern.None,
        };
        if (pattern == KnownPattern.None) return null;
        var table = new TokenTable(bpe.Vocabulary.Count);
        var bytes = new List<byte>();
        foreach (var id in bpe.Vocabulary.Ids)
        {
            bytes.Clear();
            // A token outside the alphabet can never come about.
            if (ByteAlphabet.TryDecode(bpe.Vocabulary.BytesOf(id), bytes) && bytes.Count > 0) table.Add(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes), id);
        }

        var encoder = new BytePairEncoder(table, bpe.Merges, options.IgnoreMerges);
        return encoder.IsComplete ? new(encoder, pattern, changesOnlyWide) : null;
    }

    /// <summary>Whether a raw text is what normalizing would make of it.</summary>
    public bool TakesRaw(ReadOnlySpan<byte> text) => !_asciiOnly || System.Text.Ascii.IsValid(text);

    /// <summary>Number of bytes that a token stands for.</summary>
    public int LengthOf(int id) => _encoder.Vocabulary.BytesOf(id).Length;

    /// <summary>Appends the ids of a stretch of normalized text.</summary>
    /// <param name="text">The text, padded.</param>
    /// <param name="length">Length of the stretch.</param>
    /// <param name="output">Where the ids go.</param>
    /// <param name="ends">Where the ends of the pieces go, and the number of ids after each; null when nobody asks.</param>
    public void Encode(ReadOnlySpan<byte> text, int length, IdBuffer output, List<(int End, int Ids)>? ends = null) => _encoder.Encode(text, length, _pattern, output, ends);
}
