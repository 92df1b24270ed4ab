using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;

namespace ModelZoo.Plugins.TextTokenizers.Pipeline;

/// <summary>
/// The ids of a text, word by word, for pipelines in which no step looks beyond a space: the raw bytes of a word (with the spaces before it) say what its ids are, and are looked up
/// before anything is normalized. Only words that are new go the long way. A unigram model's text that nothing cuts is one word, which is normalized without records at least.
/// </summary>
internal sealed class WordwiseEncoder
{
    private const int MostKept = 1 << 16;

    private readonly TokenizerModel _model;
    private readonly AddedVocabulary _added;
    private readonly PreTokenizer? _preTokenizer;
    private readonly WordFinder _finder;
    private readonly CharacterwiseNormalizer _characters;
    private readonly WordCutter? _cutter;
    private readonly Pool<Scratch> _scratches = new();

    private WordwiseEncoder(TokenizerModel model, AddedVocabulary added, PreTokenizer? preTokenizer, WordFinder finder)
    {
        (_model, _added, _preTokenizer, _finder) = (model, added, preTokenizer, finder);
        _characters = new(finder.NormalizerAt(WordPlace.Inside));
        _cutter = WordCutter.TryMake(preTokenizer);
    }

    /// <summary>What one thread needs.</summary>
    private sealed class Scratch
    {
        public readonly WordCache Cache = new();
        public readonly List<PieceToken> Tokens = [];
        public readonly List<int> Ends = [];
        public byte[] Word = new byte[256];
        public byte[] Spare = new byte[256];

        // What a very long word took is not kept.
        public void Trim()
        {
            if (Math.Max(Word.Length, Spare.Length) > MostKept) (Word, Spare) = (new byte[256], new byte[256]);
            if (Tokens.Capacity > MostKept) Tokens.Capacity = 0;
        }
    }

    /// <summary>The encoder of a pipeline; null where a step may look beyond a space.</summary>
    public static WordwiseEncoder? TryMake(TokenizerModel model, AddedVocabulary added, Normalizer? normalizer, PreTokenizer? preTokenizer)
    {
        if (model is BpeModel { IsRandom: true } || !added.IsWordwise) return null;
        var finder = model is UnigramModel && WordCutter.IsUncut(preTokenizer) ? WordFinder.TryMakeWhole(normalizer) : WordFinder.TryMake(normalizer, preTokenizer);
        return finder is null ? null : new(model, added, preTokenizer, finder);
    }

    /// <summary>Appends the ids of a text.</summary>
    public void Encode(ReadOnlySpan<byte> text, IdBuffer output)
    {
        var scratch = _scratches.Rent();
        var last = 0;
        if (!_added.CannotMatchRaw(text))
        {
            foreach (var (start, end, id) in _added.FindRaw(text))
            {
                if (last < start) EncodeStretch(text[last..start], last == 0, scratch, output);
                if (end > start) output.Add(id);
                last = end;
            }
        }

        if (last != text.Length) EncodeStretch(text[last..], last == 0, scratch, output);
        scratch.Trim();
        _scratches.Return(scratch);
    }

    private void EncodeStretch(ReadOnlySpan<byte> text, bool isTextStart, Scratch scratch, IdBuffer output)
    {
        for (var place = isTextStart ? WordPlace.Start | WordPlace.TextStart : WordPlace.Start; !text.IsEmpty; place = WordPlace.Inside)
        {
            var word = text[.._finder.Next(text, ref place)];
            text = text[word.Length..];
            if (word.Length > WordCache.MaxLength)
            {
                EncodeNew(word, place, scratch, output);
            }
            else if (!scratch.Cache.TryGet(word, (int)place, out var hash, output))
            {
                var count = output.Count;
                EncodeNew(word, place, scratch, output);
                var ids = output.Span[count..];
                if (ids.Length <= WordCache.MaxIds) scratch.Cache.Keep(word, (int)place, hash, ids);
            }
        }
    }

    private void EncodeNew(ReadOnlySpan<byte> word, WordPlace place, Scratch scratch, IdBuffer output)
    {
        var normalizer = _finder.NormalizerAt(place);
        if (_cutter is null || normalizer != _finder.NormalizerAt(WordPlace.Inside) || !_added.IsRawOnly || !_characters.TryApply(word, ref scratch.Word, out var length))
        {
            EncodeByPieces(WordFinder.ToText(word, place), normalizer, scratch.Tokens);
        }
        else
        {
            scratch.Ends.Clear();
            _cutter.Cut(ref scratch.Word, ref length, (place & WordPlace.TextStart) != 0, ref scratch.Spare, scratch.Ends);
            var start = 0;
            foreach (var end in scratch.Ends)
            {
                _model.Tokenize(scratch.Word.AsSpan(start, end - start), scratch.Tokens);
                start = end;
            }
        }

        foreach (var token in scratch.Tokens) output.Add(token.Id);
        scratch.Tokens.Clear();
    }

    private void EncodeByPieces(AlignedText word, Normalizer? normalizer, List<PieceToken> tokens)
    {
        var pieces = _added.ExtractNormalized(word, normalizer);
        _preTokenizer?.Apply(pieces);
        foreach (var piece in pieces.Pieces)
        {
            if (piece.Tokens is null) _model.Tokenize(piece.Text.Bytes, tokens);
            else tokens.AddRange(piece.Tokens);
        }
    }
}
